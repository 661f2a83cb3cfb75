"""Attacks on whoever follows, by the command: status 5, a clear refusal, and not a byte changed at the mirror.

tests/editions/test_editions_trust.py has each attack on metadata in more forms; here they meet the command.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from tuf.api.metadata import Metadata, MetaFile
from wiring_world import archive_in, flip, mirror, put_item, put_out, take

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca import neighbours, wiring
from fonoteca.cli.app import run
from fonoteca.edges.http import HttpFetch, HttpLimits
from fonoteca.edges.keys import KeyFolder
from fonoteca.editions import Keyring
from fonoteca.editions.trust import Role

pytestmark = pytest.mark.xdist_group("swarm")

IMPATIENT = HttpLimits(connect_timeout_s=5, idle_timeout_s=5, fetch_timeout_s=1.5, attempts_max=2, retry_wait_s=0.01)
NOBODY = ("--peer", "127.0.0.1:9")
"""Whoever gets past the metadata finds nobody who sends, and ends with status 1."""


@dataclass(frozen=True)
class Grown:
    """An archive that published twice, needs two keys for targets, and whose keys were all stolen but the second of these."""

    origin: Path
    first: Path
    mirror: Path
    stolen: Path


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """Return the archive, its edition after the first time, a mirror of the second, and the stolen keys."""
    folder = tmp_path_factory.mktemp("grown")
    made = Grown(folder / "origin", folder / "first", folder / "mirror", folder / "stolen")
    with archive_in(made.origin) as archive:
        take(archive, put_item(folder / "items", "one", title="one"))
        put_out(archive)
    shutil.copytree(made.origin / "keys", made.stolen)
    assert run(["keys", "make", "targets", "--archive", str(made.origin)]) == 0
    assert run(["keys", "threshold", "targets", "2", "--archive", str(made.origin)]) == 0
    shutil.copytree(made.origin / "editions", made.first)
    with archive_in(made.origin) as archive:
        take(archive, put_item(folder / "items", "two", title="two"))
        put_out(archive)
    mirror(made.mirror, made.origin)
    return made


@dataclass(frozen=True)
class Thief:
    """An edition in an attacker's hands. stolen: the folder of keys."""

    edition: Path
    stolen: Path
    first: Path

    def newest(self, role: str) -> Path:
        """Return the newest document of a role."""
        found = (self.edition / "metadata").glob(f"*.{role}.json")
        return max(found, key=lambda path: int(path.name.partition(".")[0]))

    def put(self, path: Path, edit: Callable[[Any], None], role: Role | None = None) -> MetaFile:
        """Put an edited document beside its original, signed by the stolen keys of a role, and return what names it."""
        document: Metadata[Any] = Metadata.from_bytes(path.read_bytes())
        edit(document.signed)
        keyring = Keyring(KeyFolder(self.stolen), token_bytes)
        if role is not None:
            document.signatures.clear()
        for signer in keyring.signers(key.key_id for key in keyring.held() if key.role is role):
            document.sign(signer, append=True)
        content = document.to_bytes()
        name = path.name if path.name == "timestamp.json" else f"{document.signed.version}.{path.name.partition('.')[2]}"
        path.with_name(name).write_bytes(content)
        return MetaFile(document.signed.version, len(content), {"sha256": sha256(content).hexdigest()})

    def name_newest(self, **named: MetaFile) -> None:
        """Sign a snapshot that names other documents, and a timestamp that names it, with the stolen keys."""

        def snapshot(signed: Any) -> None:
            signed.version += 1
            signed.meta.update({f"{role}.json": meta for role, meta in named.items()})

        self.name_snapshot(self.put(self.newest("snapshot"), snapshot, Role.SNAPSHOT))

    def name_snapshot(self, snapshot: MetaFile) -> None:
        """Sign a timestamp that names a snapshot."""

        def timestamp(signed: Any) -> None:
            signed.version, signed.snapshot_meta = signed.version + 1, snapshot

        self.put(self.edition / "metadata" / "timestamp.json", timestamp, Role.TIMESTAMP)


def _next(signed: Any, **changes: Any) -> None:
    signed.version += 1
    for name, value in changes.items():
        setattr(signed, name, value)


def _freeze(thief: Thief) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    thief.put(thief.edition / "metadata" / "timestamp.json", partial(_next, expires=past), Role.TIMESTAMP)


def _stolen_timestamp_key(thief: Thief) -> None:
    thief.name_snapshot(thief.put(thief.newest("snapshot"), _next))


def _stolen_targets_key(thief: Thief) -> None:
    thief.name_newest(targets=thief.put(thief.newest("targets"), _next, Role.TARGETS))


def _expired_root(thief: Thief) -> None:
    thief.put(thief.newest("root"), partial(_next, expires=datetime.now(UTC) - timedelta(days=1)), Role.ROOT)


def _root_of_a_stranger(thief: Thief) -> None:
    thief.put(thief.newest("root"), _next)


def _wrong_body(thief: Thief) -> None:
    flip(thief.edition / "metadata" / "timestamp.json")


def _short_body(thief: Thief) -> None:
    path = thief.edition / "metadata" / "timestamp.json"
    path.write_bytes(path.read_bytes()[:-100])


ATTACKS = {
    "freeze": (_freeze, "expired"),
    "stolen timestamp key": (_stolen_timestamp_key, "snapshot was signed by 0/1 keys"),
    "stolen targets key below threshold": (_stolen_targets_key, "targets was signed by 1/2 keys"),
    "expired root": (_expired_root, "root.json is expired"),
    "root of a stranger": (_root_of_a_stranger, "root was signed by 0/1 keys"),
    "wrong body": (_wrong_body, "timestamp"),
    "short body": (_short_body, "timestamp"),
}


def _everything(folder: Path) -> dict[str, bytes]:
    """Return every file of an archive but what each writer touches: its lock, the register's file, and what was seen."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    passing = (".lock", "register.sqlite", "trust/")
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(passing)}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_with_status_5_and_changes_nothing(
    attack: str, grown: Grown, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, says = ATTACKS[attack]
    edition = Path(shutil.copytree(grown.origin / "editions", tmp_path / "edition"))
    prepare(Thief(edition, grown.stolen, grown.first))
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    before = _everything(known)
    assert run(["follow", str(edition), "--archive", str(known), *NOBODY, "--json"]) == 5
    captured = capsys.readouterr()
    assert says in captured.err
    assert json.loads(captured.out)["error"]["code"] == "trust"
    assert _everything(known) == before
    if attack not in ("freeze", "expired root"):
        assert run(["follow", str(edition), "--archive", str(tmp_path / "new"), *NOBODY]) == 5
        assert not (tmp_path / "new").exists(), "who has no edition yet does not even make a folder"


@pytest.mark.parametrize("part", ["snapshot", "targets", "withdrawals"])
def test_parts_of_two_editions_are_refused_and_nothing_for_who_has_the_right_ones(part: str, grown: Grown, tmp_path: Path) -> None:
    edition = Path(shutil.copytree(grown.origin / "editions", tmp_path / "edition"))
    thief = Thief(edition, grown.stolen, grown.first)
    shutil.copy(grown.first / "metadata" / f"1.{part}.json", thief.newest(part))
    if part == "withdrawals":  # nothing was withdrawn, so that there is one of it alone
        shutil.copy(grown.first / "metadata" / "1.targets.json", thief.newest(part))
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    before = _everything(known)
    assert run(["follow", str(edition), "--archive", str(known), *NOBODY]) == 0
    changed = {name for name, _ in _everything(known).items() ^ before.items()}
    assert changed <= {"editions/mirror.json"}, "it says anew that it looked"
    assert run(["follow", str(edition), "--archive", str(tmp_path / "new"), *NOBODY]) == 5
    assert not (tmp_path / "new").exists()


def test_rollback_is_refused_with_status_5_and_as_of_makes_no_difference(grown: Grown, tmp_path: Path) -> None:
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    before = _everything(known)
    for words in ((), ("--as-of",)):
        assert run(["follow", str(grown.first), "--archive", str(known), *NOBODY, *words]) == 5
    assert _everything(known) == before


def test_a_dead_origin_is_followed_as_of_its_last_edition(grown: Grown, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edition = Path(shutil.copytree(grown.origin / "editions", tmp_path / "edition"))
    _freeze(Thief(edition, grown.stolen, grown.first))
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    assert run(["follow", str(edition), "--archive", str(known), *NOBODY, "--as-of"]) == 0
    assert f"as of {datetime.now(UTC):%Y-%m-%d}" in capsys.readouterr().out
    assert run(["follow", str(edition), "--archive", str(known), *NOBODY]) == 5


def test_a_root_is_pinned_by_its_digest(grown: Grown, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "show", "--json", "--archive", str(grown.origin)]) == 0
    told = json.loads(capsys.readouterr().out)["root"]["sha256"]
    edition = str(grown.origin / "editions")
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    assert run(["follow", edition, "--archive", str(known), *NOBODY, "--root-sha256", told]) == 0
    assert run(["follow", edition, "--archive", str(known), *NOBODY, "--root-sha256", "0" * 64]) == 5
    assert run(["follow", edition, "--archive", str(tmp_path / "new"), *NOBODY, "--root-sha256", "0" * 64]) == 5
    assert run(["follow", edition, "--archive", str(tmp_path / "new"), *NOBODY, "--root-sha256", "no digest"]) == 2
    assert not (tmp_path / "new").exists()


class _Hostile(SimpleHTTPRequestHandler):
    """A host that serves an edition, but its timestamp endlessly or a byte at a time."""

    habit = ""

    def do_GET(self) -> None:
        if not self.path.endswith(self.habit):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        many, wait_s = (0x4000, 0.0) if self.server.endless else (1, 0.05)  # type: ignore[attr-defined]
        with suppress(OSError):
            while True:
                self.wfile.write(b"%x\r\n" % many + b" " * many + b"\r\n")
                time.sleep(wait_s)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def _host(folder: Path, *, endless: bool) -> Iterator[str]:
    handler = partial(type("Handler", (_Hostile,), {"habit": "timestamp.json"}), directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.endless = endless  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("endless", [True, False], ids=["endless data", "slow retrieval"])
def test_a_host_that_never_ends_is_left_with_status_5(
    endless: bool, grown: Grown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (wiring, neighbours):
        monkeypatch.setattr(module, "open_fetch", lambda place: HttpFetch(place, IMPATIENT))
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    before = _everything(known)
    with _host(grown.origin / "editions", endless=endless) as place:
        assert run(["follow", place, "--archive", str(known), *NOBODY]) == 5
    assert _everything(known) == before
