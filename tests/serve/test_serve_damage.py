"""Damage on a disk never reaches a listener: it is a 5xx with its reason, the register knows, and an audit reads it first."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from serve_site import ENDGAME, Site

from fonoteca.formats.hashing import hash_bytes
from fonoteca.model.corridor import DamageKind
from fonoteca.model.errors import FixityError
from fonoteca.register import FileRow
from fonoteca.serve.held import proving
from fonoteca.serve.paths import file_url, waveform_url
from fonoteca.serve.proving import Remembered


@contextmanager
def changed(path: Path, content: bytes | None, *, unseen: bool = False) -> Iterator[None]:
    """Have another content in place of a file's, None for no file. unseen: its time stays as it was, as when a disk rots."""
    before, times = path.read_bytes(), path.stat()
    path.chmod(0o644)
    try:
        path.unlink() if content is None else path.write_bytes(content)
        if unseen:
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def forgiven(site: Site, row: FileRow) -> Iterator[None]:
    """Have the register know nothing of damage afterwards."""
    try:
        yield
    finally:
        site.rooms.register.auditing.enter_check(site.rooms.clock.now(), row.path, "", None)


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.fixture
def row(site: Site) -> FileRow:
    return site.rooms.register.files(ENDGAME)[0]


@pytest.fixture
def place(site: Site, row: FileRow) -> Path:
    return site.folder / "store" / row.path


WAYS = ("/files/", "/listen/", "/webseed/", "/rest/stream")


def way_to(row: FileRow, way: str, client: httpx.Client) -> str:
    if way == "/webseed/":
        return f"/webseed/test-archive/{quote(row.path)}"
    if way == "/rest/stream":
        asked = {"v": "1.16.1", "c": "t", "f": "json", "query": row.title, "songCount": 1}
        song = client.get("/rest/search3", params=asked).json()["subsonic-response"]["searchResult3"]["song"][0]
        assert song["title"] == row.title
        return f"/rest/stream?v=1.16.1&c=t&f=json&id={song['id']}"
    return file_url(row.object_id, row.logical_path).replace("/files/", way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [DamageKind.DIGEST, DamageKind.LENGTH, DamageKind.MISSING])
def test_a_damaged_file_is_refused_with_its_reason_and_the_audit_is_told(
    site: Site, row: FileRow, place: Path, way: str, kind: DamageKind
) -> None:
    content = place.read_bytes()
    found = {DamageKind.DIGEST: flipped(content, len(content) - 1), DamageKind.LENGTH: content[:-1], DamageKind.MISSING: None}
    with site.client(remembered=Remembered()) as client:
        url = way_to(row, way, client)
        assert client.get(url).status_code == 200
        with changed(place, found[kind]), forgiven(site, row):
            answer = client.get(url)
            assert answer.status_code == 503
            assert "healed" in answer.text
            assert content[: 1 << 10] not in answer.content
            told = site.rooms.register.file_by_path(row.path)
            assert told is not None
            assert told.damage == kind
            assert [each.path for each in site.rooms.register.auditing.damaged_files()] == [row.path], "what an audit reads first"
            assert client.get(url).status_code == 503
        assert client.get(url).status_code == 200


def test_rot_that_changes_no_time_ends_the_answer_before_the_damaged_piece(site: Site, row: FileRow, place: Path) -> None:
    content, piece = place.read_bytes(), row.stored.hashes.piece_bytes
    assert len(content) > 12 * piece
    with site.client(remembered=Remembered()) as client:
        url = way_to(row, "/files/", client)
        assert client.get(url).content == content
        with changed(place, flipped(content, 10 * piece + 5), unseen=True), forgiven(site, row):
            connection = http.client.HTTPConnection(urlsplit(str(client.base_url)).netloc, timeout=20)
            connection.request("GET", url)
            answer = connection.getresponse()
            got = b""
            with suppress(http.client.IncompleteRead):
                while part := answer.read1(1 << 16):
                    got += part
            connection.close()
            assert len(got) <= 10 * piece
            assert content.startswith(got), "no damaged byte left"
            assert client.get(url).status_code == 503, "and nobody else gets the beginning"


@pytest.mark.parametrize("way", ["/files/", "/webseed/"])
def test_rot_in_the_first_piece_asked_for_has_its_status(site: Site, row: FileRow, place: Path, way: str) -> None:
    content, piece = place.read_bytes(), row.stored.hashes.piece_bytes
    with site.client(remembered=Remembered()) as client:
        url = way_to(row, way, client)
        assert client.get(url, headers={"Range": "bytes=0-9"}).status_code == 206
        with changed(place, flipped(content, 3 * piece), unseen=True), forgiven(site, row):
            asked = client.get(url, headers={"Range": f"bytes={3 * piece + 7}-"})
            assert asked.status_code == 503
            assert client.get(url, headers={"Range": "bytes=0-9"}).status_code == 503


def test_where_many_are_read_whole_others_are_proved_by_their_pieces(site: Site, row: FileRow, place: Path) -> None:
    content, piece, remembered = place.read_bytes(), row.stored.hashes.piece_bytes, Remembered()
    while remembered.whole.acquire(blocking=False):
        pass
    with site.client(remembered=remembered) as client, forgiven(site, row):
        url = way_to(row, "/files/", client)
        with changed(place, flipped(content, 3 * piece)):
            assert client.get(url, headers={"Range": "bytes=0-9"}).content == content[:10]
            assert client.get(url, headers={"Range": f"bytes={3 * piece}-"}).status_code == 503
    with site.client(remembered=Remembered()) as client, forgiven(site, row), changed(place, flipped(content, 3 * piece)):
        assert client.get(url, headers={"Range": "bytes=0-9"}).status_code == 503


def test_no_picture_is_drawn_of_damaged_sound(site: Site, row: FileRow, place: Path) -> None:
    content, piece = place.read_bytes(), row.stored.hashes.piece_bytes
    with site.client(remembered=Remembered()) as client:
        with changed(place, flipped(content, 3 * piece), unseen=True), forgiven(site, row):
            assert client.get(waveform_url(row.object_id, row.logical_path)).status_code == 503
        assert client.get(waveform_url(row.object_id, row.logical_path)).status_code == 200


def test_what_was_healed_while_it_was_read_is_not_called_damaged(
    site: Site, row: FileRow, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fonoteca.serve.proving.PROVED_FOR", timedelta(0))
    content = place.read_bytes()
    with proving(replace(site.rooms, remembered=Remembered()), row).open(row.path) as source:
        source._source.close()  # type: ignore[attr-defined]
        source._source = _Rotten(content)  # type: ignore[attr-defined]
        with pytest.raises(FixityError, match="is so now"):
            source.read(10)
    told = site.rooms.register.file_by_path(row.path)
    assert told is not None
    assert told.damage == ""


class _Rotten:
    """A file of which each byte is another one."""

    def __init__(self, content: bytes) -> None:
        self._content = bytes(byte ^ 1 for byte in content)

    def seek(self, start: int) -> int:
        self._content = self._content[start:]
        return start

    def read(self, size: int) -> bytes:
        return self._content[:size]

    def close(self) -> None: ...


def test_a_proven_stream_reads_as_the_file_does(site: Site, row: FileRow, place: Path) -> None:
    content = place.read_bytes()
    assert hash_bytes(content, row.stored.hashes.piece_bytes) == row.stored.hashes
    with proving(site.rooms, row).open(row.path) as source:
        assert source.read() == content
        assert source.read(5) == b""
        for start, size in ((0, 1), (16383, 2), (16384, 16384), (40_000, 70_000), (len(content) - 3, 10), (len(content) + 5, 1)):
            assert source.seek(start) == start
            assert source.read(size) == content[start : start + size]
            assert source.tell() == max(start, min(start + size, len(content)))
