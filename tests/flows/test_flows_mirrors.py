"""Repair from folders and web seeds: only damaged pieces are read, each is proved, and nobody is believed."""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from flows_world import (
    NOW,
    PIECE_BYTES,
    Quiet,
    StoppedClock,
    Unsynced,
    audio,
    bytes_of,
    check,
    copy_archive,
    make_archive,
    opened,
    put_item,
    put_out,
    serving,
    take,
    track,
)

from fonoteca.edges.http import HttpLimits
from fonoteca.edges.mirrors import BlobsMirror, WebSeedMirror
from fonoteca.flows.audit import seen_damages
from fonoteca.flows.checks import RELEASED
from fonoteca.flows.repair import FAILURES_MAX, Repaired, repair
from fonoteca.model.errors import StoreError
from fonoteca.neighbours import Healers
from fonoteca.ports import Mirror
from fonoteca.testing import MemoryBlobs
from fonoteca.wiring import Archive, audit_rooms, healers_at, repair_rooms

HASTE = HttpLimits(connect_timeout_s=1, idle_timeout_s=1, fetch_timeout_s=2, attempts_max=2, retry_wait_s=0.01)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive with an item of ten pieces, which is in no drop."""
    folder = tmp_path_factory.mktemp("made")
    put_item(folder / "music", "long", {"a.flac": track(50, 20, noise=True), "b.flac": track(51)})
    made = make_archive(folder / "archive")
    with opened(made) as archive:
        take(archive, folder / "music")
    return made


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Return a copy to damage."""
    return copy_archive(made, tmp_path / "archive")


class Counting:
    """A mirror that counts what is read of it."""

    def __init__(self, mirror: Mirror) -> None:
        self.name = mirror.name
        self._mirror = mirror
        self.asked: list[int] = []

    def read_range(self, path: str, start: int, length: int) -> bytes | None:
        content = self._mirror.read_range(path, start, length)
        self.asked.append(0 if content is None else len(content))
        return content


def _song(folder: Path) -> Path:
    return next((folder / "store").rglob("*-a.flac"))


def _flip(path: Path, *pieces: int) -> None:
    with path.open("r+b") as stream:
        for piece in pieces:
            stream.seek(piece * PIECE_BYTES + 5)
            byte = stream.read(1)[0]
            stream.seek(piece * PIECE_BYTES + 5)
            stream.write(bytes([byte ^ 1]))


def _repaired(archive: Archive, *mirrors: Mirror) -> Repaired:
    return repair(repair_rooms(archive, Healers(mirrors), Quiet()), check(archive).damages)


def _copy(folder: Path) -> BlobsMirror:
    from fonoteca.edges.disk import DiskBlobs

    return BlobsMirror(str(folder), DiskBlobs(folder / "store"))


@contextmanager
def _hosted(root: Path, habit: str = "") -> Iterator[tuple[str, list[int]]]:
    """Serve a folder by ranges, with a bad habit. Gives: its address, and a list of the lengths of bodies sent."""
    sent: list[int] = []

    class Host(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = root / unquote(self.path).lstrip("/")
            if not path.is_file():
                self.answer(404, b"", {})
                return
            content = path.read_bytes()
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            assert wanted
            first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
            ranged = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            body = content[first : last + 1]
            if habit == "everything":
                self.answer(200, content, {})
            elif habit == "a page":
                self.answer(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
            elif habit == "a page as a part":
                self.answer(206, b"<html>" + b"x" * (len(body) - 6), ranged)
            elif habit == "other bytes":
                self.answer(206, bytes(byte ^ 1 for byte in body), ranged)
            elif habit == "half":
                self.answer(206, body[: len(body) // 2], ranged, len(body))
            elif habit == "busy":
                self.answer(503, b"", {})
            else:
                self.answer(206, body, ranged)

        def answer(self, status: int, body: bytes, headers: dict[str, str], stated: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if stated is None else stated))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            sent.append(len(body))
            self.close_connection = stated is not None

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


# What it costs ------------------------------------------------------------------------------------------------------


@contextmanager
def _in_a_folder(made: Path) -> Iterator[Mirror]:
    yield _copy(made)


@contextmanager
def _in_memory(made: Path) -> Iterator[Mirror]:
    blobs = MemoryBlobs()
    for path, content in bytes_of(made / "store").items():
        blobs.write(path, content)
    yield BlobsMirror("memory", blobs)


@contextmanager
def _on_the_web(made: Path) -> Iterator[Mirror]:
    with _hosted(made / "store") as (address, _):
        yield WebSeedMirror(address, [f"{address}/nothing-here/", address], HASTE)


KINDS = {"a folder": _in_a_folder, "memory": _in_memory, "the web": _on_the_web}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", [(3,), (0, 4, 5), tuple(range(8))], ids=["one", "three", "eight"])
def test_so_many_damaged_pieces_cost_so_many_pieces(kind: str, pieces: Sequence[int], folder: Path, made: Path) -> None:
    before = bytes_of(folder / "store")
    _flip(_song(folder), *pieces)
    with opened(folder) as archive, KINDS[kind](made) as mirror:
        counted = Counting(mirror)
        repaired = _repaired(archive, counted)
        assert (len(repaired.healed), repaired.left, repaired.quarantined) == (1, {}, ())
        assert (repaired.piece_count, repaired.refetched_bytes) == (len(pieces), len(pieces) * PIECE_BYTES)
        assert sum(counted.asked) == len(pieces) * PIECE_BYTES
        assert len(counted.asked) == {1: 1, 3: 2, 8: 1}[len(pieces)]  # neighbours come together
        assert check(archive).sound
    after = bytes_of(folder / "store")
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize("what", ["the file", "the version", "the object"])
def test_what_is_gone_is_read_whole_from_a_copy(what: str, folder: Path, made: Path, validate: Callable[[Path], None]) -> None:
    before = bytes_of(folder / "store")
    song = _song(folder)
    if what == "the file":
        song.unlink()
    else:
        shutil.rmtree(song.parents[1 if what == "the version" else 2])
    with opened(folder) as archive:
        assert _repaired(archive, _copy(made)).left == {}
        assert check(archive).sound
    after = bytes_of(folder / "store")
    assert {path: after[path] for path in before} == before
    validate(folder / "store")


def test_places_that_people_name_are_archives_copies_and_addresses(folder: Path, made: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made / "store", tmp_path / "copy"))
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "test-archive").symlink_to(copy)
    with opened(made) as other, serving(other) as site, _hosted(copy) as (plain, _), _hosted(tmp_path / "beside") as (named, _):
        for place in (str(made), str(copy), f"{site}/editions/", f"{site}/webseed/", plain, named, f"{named}/"):
            _flip(_song(folder), 1)
            with opened(folder) as archive, healers_at([place], archive.settings.name) as healers:
                assert healers.swarm is None
                found = check(archive).damages
                assert len(found) == 1
                repaired = repair(repair_rooms(archive, healers, Quiet()), found)
                assert (repaired.left, repaired.piece_count) == ({}, 1), place


# Nobody is believed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("habit", ["everything", "a page", "a page as a part", "other bytes", "half", "busy"])
def test_a_mirror_that_lies_is_named_and_passed_over(habit: str, folder: Path, made: Path) -> None:
    before = bytes_of(folder / "store")
    _flip(_song(folder), 2)
    with opened(folder) as archive, _hosted(made / "store", habit) as (address, _):
        liar = WebSeedMirror(address, [address], HASTE)
        damaged = bytes_of(folder / "store")
        alone = _repaired(archive, liar)
        assert list(alone.left) == [str(_song(folder).relative_to(folder / "store"))]
        assert address in next(iter(alone.left.values()))
        (said,) = alone.asked
        assert (said.name, said.piece_count, bool(said.trouble)) == (address, 0, True)
        assert {p: c for p, c in bytes_of(folder / "store").items() if p in damaged} == damaged
        helped = _repaired(archive, liar, _copy(made))
        assert (helped.left, [each.piece_count for each in helped.asked]) == ({}, [0, 1])
        assert helped.released == (audio("long"),)
    after = bytes_of(folder / "store")
    assert {path: after[path] for path in before} == before


def test_a_mirror_that_cannot_be_reached_is_soon_given_up(folder: Path, made: Path) -> None:
    for path in (folder / "store").rglob("*-[ab].flac"):
        _flip(path, 0)
    _flip(_song(folder), 2, 4, 6, 8)
    with opened(folder) as archive, _hosted(made / "store", "busy") as (address, sent):
        repaired = _repaired(archive, WebSeedMirror(address, [address], HASTE))
        assert len(sent) == FAILURES_MAX * HASTE.attempts_max
        assert all("was passed over" in reason for reason in repaired.left.values())


def test_what_one_mirror_lacks_another_has(folder: Path, made: Path, tmp_path: Path) -> None:
    one, two = (copy_archive(made, tmp_path / name) for name in ("one", "two"))
    _flip(_song(folder), 1, 2, 3)
    _flip(_song(one), 1, 7)
    _flip(_song(two), 3)
    with opened(folder) as archive:
        repaired = _repaired(archive, _copy(tmp_path / "empty"), _copy(one), _copy(two))
        assert repaired.left == {}
        assert [(each.piece_count, each.lies) for each in repaired.asked] == [(0, 0), (2, 1), (1, 0)]


# Quarantine ---------------------------------------------------------------------------------------------------------


def test_what_nothing_heals_is_in_quarantine_neither_served_nor_published_until_it_is_healed(folder: Path, made: Path) -> None:
    with opened(folder, clock=StoppedClock(NOW)) as archive, serving(archive) as site:
        files = [f"{site}/files/{audio('long')}/{name}" for name in ("a.flac", "b.flac")]
        assert [httpx.get(url).status_code for url in files] == [200, 200]
    _flip(_song(folder), 2)
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=1))) as archive, serving(archive) as site:
        repaired = _repaired(archive)
        assert repaired.quarantined == (audio("long"),)
        assert "no mirror was asked" in next(iter(repaired.left.values()))
        assert [q.object_id for q in check(archive).quarantined] == [audio("long")]
        row = archive.register.object(audio("long"))
        assert row is not None
        assert (row.quarantined_at, "no mirror was asked" in row.quarantine) == (NOW + timedelta(days=1), True)
        seeded = f"{site}/webseed/x/{_song(folder).relative_to(folder / 'store')}".replace("%", "%25")
        for url in (f"{site}/files/{audio('long')}/a.flac", f"{site}/files/{audio('long')}/b.flac", seeded):
            answer = httpx.get(url, headers={"Accept": "application/json"})
            assert (answer.status_code, "quarantine" in answer.text) == (503, True)
        page = httpx.get(f"{site}/objects/{audio('long')}").text
        assert "in quarantine" in page
        assert f"/files/{audio('long')}" not in page
        published = put_out(archive)
        assert [each.member.object_id for each in published.withheld] == [audio("long")]
        assert "quarantine" in published.withheld[0].reason
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=2))) as archive, serving(archive) as site:
        assert _repaired(archive, _copy(made)).released == (audio("long"),)
        assert httpx.get(f"{site}/files/{audio('long')}/a.flac").status_code == 200
        assert put_out(archive).withheld == ()
        told = [event.subject for event in archive.register.events(100) if event.what == RELEASED]
        assert told == [audio("long")]


def test_acquiring_its_item_again_lifts_the_quarantine(folder: Path, made: Path) -> None:
    _flip(_song(folder), 2)
    with opened(folder) as archive:
        assert _repaired(archive).quarantined == (audio("long"),)
        take(archive, made.parent / "music")
        assert archive.register.auditing.quarantined() == []
        assert seen_damages(audit_rooms(archive, Quiet())) == ()
        assert check(archive).sound


def test_a_disk_that_is_read_only_during_a_repair_is_said_so_and_the_store_stays(folder: Path, made: Path) -> None:
    class ReadOnly(Unsynced):
        armed = False

        def create_file(self, path: Path) -> int:
            if self.armed:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return super().create_file(path)

    calls = ReadOnly()
    _flip(_song(folder), 2)
    with opened(folder, calls) as archive:
        damages = check(archive).damages
        before = bytes_of(folder / "store")
        calls.armed = True
        with pytest.raises(StoreError, match="read-only"):
            repair(repair_rooms(archive, Healers((_copy(made),)), Quiet()), damages)
        assert archive.register.damaged()
    assert bytes_of(folder / "store") == before
