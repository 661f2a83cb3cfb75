"""Real archives, made by the commands themselves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import OPEN, UNKNOWN, Fonoteca, OneProcess, Said, item

import fonoteca.cli.commands
from fonoteca import wiring
from fonoteca.cli.app import run
from fonoteca.formats.mp4 import protected_sample


@pytest.fixture(scope="session", autouse=True)
def one_process() -> Iterator[None]:
    """Let commands in this process work without others: each would take a second to start. Real ones have them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "ProcessWorkers", OneProcess)
        yield


@pytest.fixture
def fonoteca(capsys: pytest.CaptureFixture[str]) -> Fonoteca:
    """Return what runs a command line in this process."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        status = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of items: `good` may be shared, `unknown` and `locked` may not be held, `broken` is not sound."""
    folder = tmp_path_factory.mktemp("cli") / "music"
    item(folder / "good", OPEN, ("01 one.wav", "02 two.wav"), 3)
    item(folder / "unknown", UNKNOWN)
    item(folder / "locked", OPEN, ())
    (folder / "locked" / "x.m4a").write_bytes(protected_sample())
    item(folder / "broken", OPEN)
    broken = folder / "broken" / "song.wav"
    broken.write_bytes(broken.read_bytes()[:700])
    return folder


@pytest.fixture(scope="session")
def prepared(one_process: None, music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive that holds the good item and has published it. Tests change copies of it."""
    folder = tmp_path_factory.mktemp("prepared") / "archive"
    for words in (["init", folder], ["acquire", "folder", music / "good", "-A", folder], ["publish", "-A", folder]):
        assert run([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def archive(prepared: Path, tmp_path: Path) -> Path:
    """Return a copy of the prepared archive."""
    return Path(shutil.copytree(prepared, tmp_path / "archive"))
