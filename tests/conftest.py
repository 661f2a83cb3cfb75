"""What every test may ask for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.keys import KeyFolder
from fonoteca.editions import Keyring, Signatory, TargetFile
from fonoteca.editions.index import INDEX
from fonoteca.editions.trust import WITHDRAWALS, Content, newest_root, read_standing, stamped_path
from fonoteca.model.ids import Sha256
from fonoteca.model.settings import SigningSettings
from fonoteca.testing.seaweed import Seaweed
from fonoteca.testing.seaweed import seaweed as run_seaweed

_FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"
_DEMO_FIXTURES = frozenset({"demo_run", "demo_archive"})
_SHARED = {"seaweed": "seaweed"}
"""Fixtures that start a server, and the group of tests that one worker runs so that it is started once."""
_COMMAND_TIMEOUT_S = 280
"""Less than pytest's own timeout, so that a command that hangs is named."""


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Return the folder of other projects' test data; in CI its absence is a failure, elsewhere one clear skip."""
    if (_FIXTURES / "README.md").is_file():
        return _FIXTURES
    message = "fixtures are missing: expected the folder ../shared/fixtures beside this checkout"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@dataclass(frozen=True)
class DemoRun:
    """A demo that has ended. folder: what it was given as DIR. summary: the object that `--json` printed."""

    folder: Path
    summary: Mapping[str, Any]

    @property
    def archive(self) -> Path:
        """The archive's folder."""
        return self.folder / "archive"

    @property
    def mirror(self) -> Path:
        """The mirror's folder."""
        return self.folder / "mirror"


@pytest.fixture(scope="session")
def fonoteca_command() -> list[str]:
    """Return how the installed command is called."""
    return [str(Path(sys.executable).with_name("fonoteca"))]


@pytest.fixture(scope="session")
def run_fonoteca(fonoteca_command: Sequence[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the installed command in a process of its own and gives its status and output.

    status: what it must end with.
    """

    def run(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        command = [*fonoteca_command, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False)
        assert done.returncode == status, (command, done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        return done

    return run


@pytest.fixture(scope="session")
def served(fonoteca_command: Sequence[str]) -> Callable[[Path], AbstractContextManager[dict[str, Any]]]:
    """Return what serves an archive in a process of its own, until the context ends, and gives what `serve --json` says."""

    @contextmanager
    def serve(folder: Path) -> Iterator[dict[str, Any]]:
        words = [*fonoteca_command, "serve", "--port", "0", "--json", "--archive", str(folder)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout
                text = ""
                while not text.endswith("}\n"):
                    line = server.stdout.readline()
                    assert line, text
                    text += line
                yield json.loads(text)
            finally:
                server.terminate()
                server.wait(_COMMAND_TIMEOUT_S)

    return serve


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory, run_fonoteca: Callable[..., Any]) -> DemoRun:
    """Return the demo, run once for all tests that look at what it leaves. They may not change it, but by running it again."""
    folder = tmp_path_factory.mktemp("demo")
    done = run_fonoteca("demo", folder, "--no-serve", "--json")
    return DemoRun(folder, json.loads(done.stdout))


@pytest.fixture(scope="session")
def demo_archive(demo_run: DemoRun) -> Path:
    """Return the folder of the demo's archive."""
    return demo_run.archive


@pytest.fixture(scope="session")
def sign_again() -> Callable[[Path, Path, datetime], None]:
    """Return what signs the index.json of an edition's folder, whatever it says, as whoever has the keys in a folder can."""

    def sign(editions: Path, keys: Path, at: datetime) -> None:
        blobs = DiskBlobs(editions)
        content = blobs.read(INDEX)
        drops = json.loads(content)["drops"]
        listed = [drop[part] for drop in drops for part in ("torrent", "manifest_parquet", "manifest_jsonl")]
        files = [TargetFile(file["path"], file["bytes"], Sha256(file["sha256"])) for file in listed]
        withdrawals = blobs.read(WITHDRAWALS) if blobs.size(WITHDRAWALS) else b"[]\n"
        bound = Content((*files, TargetFile.of(INDEX, content)), withdrawals)
        signatory = Signatory(Keyring(KeyFolder(keys), token_bytes), SigningSettings())
        draft = signatory.draft(newest_root(blobs), read_standing(blobs), bound, at)
        for path, each in ((INDEX, content), (WITHDRAWALS, withdrawals)):
            blobs.write(stamped_path(path, TargetFile.of(path, each).sha256), each)
        for path, each in signatory.seal(draft, read_standing(blobs), at):
            blobs.write(path, each)

    return sign


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """Return a real S3 with a bucket `music`, in which each test keeps to prefixes of its own."""
    with run_seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        server.make_bucket("music")
        yield server


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks of this project's tests, and let no example fail for being slow on a busy machine.

    Where CI is set, Hypothesis has a profile of its own for that.
    """
    if not os.environ.get("CI"):
        settings.register_profile("busy", deadline=None)
        settings.load_profile("busy")
    config.addinivalue_line("markers", "network: fetches Debian packages with apt-get; leave out with -m 'not network'")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Send all tests that use the one demo to the worker that made it."""
    for item in items:
        if _DEMO_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("demo"))
        for fixture, group in _SHARED.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(group))
    yield
    # pytest-xdist 3.8 tells its scheduler of groups by a name in `_nodeid`, which pytest 9.2 reads no more (pytest-xdist
    # issue 1386): without this, `--dist loadgroup` silently spreads each group over all workers.
    for item in items:
        if (grouped := getattr(item, "_nodeid", item.nodeid)) != item.nodeid:
            item._id = NodeId.parse(grouped)  # type: ignore[attr-defined]
