"""Ingest: one reading, proved and examined; nothing half-staged; nothing without an admission."""

from __future__ import annotations

import errno
import hashlib
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO, FileIO, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from fonoteca.edges.disk import DiskStaging, SystemCalls
from fonoteca.edges.workers import SerialWorkers
from fonoteca.formats.hashing import hash_bytes
from fonoteca.ingest import IngestContext, Verdict, stage
from fonoteca.model.audio import AudioProbe, Examined, Loudness, Protected, Tags
from fonoteca.model.corridor import Candidate, CandidateFile, LeftOut, StagedVersion
from fonoteca.model.errors import AudioError, DamagedAudioError, SourceError, StoreError
from fonoteca.model.ids import ItemKey, LogicalPath
from fonoteca.model.rights import Act, Admission, Kind, Licence, Refusal
from fonoteca.testing import Crash, CrashingCalls, FullDiskCalls

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ITEM = ItemKey("folder:x")
PIECE_BYTES = 16384
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
EXAMINED = Examined(
    "audio/ogg", AudioProbe("ogg", "vorbis", 1, 2, 3, 4, Loudness(None, None, None), lossless=False), Tags(title="t")
)


class Granted(Admission):
    def _made_by_rights(self) -> None: ...


def _admission(kind: Kind = Kind.AUDIO) -> Admission:
    licence = Licence("https://example.org/l", "L", "l", "1", "", frozenset(Act), frozenset(), frozenset())
    return Granted(ITEM, kind, licence, frozenset({Act.HOLD}), "", "", "", (), "r", datetime(2026, 1, 1, tzinfo=UTC), "00")


def _file(name: str, content: bytes, stated: int | None = None) -> CandidateFile:
    return CandidateFile(LogicalPath(name), len(content) if stated is None else stated, lambda: BytesIO(content))


def _candidate(*files: CandidateFile, kind: Kind = Kind.AUDIO, left_out: tuple[LeftOut, ...] = ()) -> Candidate:
    return Candidate(ITEM, kind, "Title", "Artist", "file:///x", files, (), left_out=left_out)


class Rooms:
    """The rooms next door, as far as ingest sees them. verdicts: by logical path; sound where there is none."""

    def __init__(self, root: Path, **verdicts: Verdict) -> None:
        self.staging = DiskStaging(root)
        self.verdicts = verdicts
        self.seen: list[tuple[str, str]] = []

    def examine(self, path: Path, name: str) -> Verdict:
        assert path.is_file()
        self.seen.append((path.name, name))
        return self.verdicts.get(name.split(".")[0], EXAMINED)

    @property
    def context(self) -> IngestContext:
        artwork_type = lambda head: "image/png" if head.startswith(b"\x89PNG") else None  # noqa: E731
        refuse = lambda item, path, marker: Refusal(f"{item}: {path}", "protected", marker, "")  # noqa: E731
        return IngestContext(self.staging, PIECE_BYTES, SerialWorkers(), self.examine, artwork_type, refuse)


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    return Rooms(tmp_path / "staging")


def _nothing_left(rooms: Rooms) -> bool:
    return list(rooms.staging.left()) == []


def test_staged_files_are_the_bytes_of_the_source_and_proved(rooms: Rooms) -> None:
    contents = {"b/2.ogg": b"x" * 40_000, "a.OGG": os.urandom(3_000_000), "odd\n\u202e name": b"z"}
    told: list[int] = []
    staged = stage(_candidate(*(_file(n, c) for n, c in contents.items())), _admission(), rooms.context, told.append)
    assert isinstance(staged, StagedVersion)
    assert [f.logical_path for f in staged.files] == sorted(contents)
    for file in staged.files:
        assert file.path.read_bytes() == contents[file.logical_path]
        assert file.hashes == hash_bytes(contents[file.logical_path], PIECE_BYTES)
        assert (file.media_type, file.probe, file.tags) == (EXAMINED.media_type, EXAMINED.probe, EXAMINED.tags)
        assert file.path.parent == staged.folder
    assert sum(told) == sum(map(len, contents.values()))
    assert rooms.seen == [("000001.ogg", "a.OGG"), ("000002.ogg", "b/2.ogg"), ("000003", "odd\n\u202e name")]


def test_a_source_is_opened_and_read_once(rooms: Rooms) -> None:
    opened: list[BytesIO] = []

    def open_once() -> BinaryIO:
        opened.append(BytesIO(b"abc"))
        return opened[-1]

    stage(_candidate(CandidateFile(LogicalPath("a.ogg"), None, open_once)), _admission(), rooms.context)
    assert [stream.closed for stream in opened] == [True]


def test_one_protected_file_refuses_the_whole_item(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path, b=Protected("moov/sinf", "Common Encryption"))
    refusal = stage(_candidate(_file("a.ogg", b"1"), _file("b.m4a", b"2"), _file("c.ogg", b"3")), _admission(), rooms.context)
    assert refusal == Refusal("folder:x: b.m4a", "protected", "moov/sinf", "")
    assert _nothing_left(rooms)


def test_an_unsound_file_is_left_out_with_its_reason(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path, b=DamagedAudioError("b.ogg", "cut off at 7 s"), c=AudioError("c.ogg", "who knows"))
    files = (_file("a.ogg", b"1"), _file("b.ogg", b"2"), _file("c.ogg", b"3"), _file("d.ogg", b""))
    by_source = LeftOut("z.txt", "name", "not offered")
    staged = stage(_candidate(*files, left_out=(by_source,)), _admission(), rooms.context)
    assert isinstance(staged, StagedVersion)
    assert [f.logical_path for f in staged.files] == ["a.ogg"]
    assert staged.left_out == (
        LeftOut("b.ogg", "damaged", "cut off at 7 s"),
        LeftOut("c.ogg", "audio", "who knows"),
        LeftOut("d.ogg", "empty", "the file has no bytes"),
        by_source,
    )


def test_an_item_without_a_sound_file_is_an_error_that_names_each(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path, b=DamagedAudioError("b.ogg", "cut off at 7 s"))
    with pytest.raises(SourceError, match=r"b\.ogg: cut off at 7 s; .*a\.ogg: the file has no bytes|a\.ogg: .*; b\.ogg: cut off"):
        stage(_candidate(_file("a.ogg", b""), _file("b.ogg", b"2")), _admission(), rooms.context)
    with pytest.raises(SourceError, match="it has none"):
        stage(_candidate(), _admission(), rooms.context)
    assert _nothing_left(rooms)


def test_names_that_cannot_live_together_are_left_out(rooms: Rooms) -> None:
    names = ("a", "a/b", "c/d", "c/d", "rights.json", "metadata.json/x", "c", "c/d/e")
    staged = stage(_candidate(*(_file(n, n.encode()) for n in names)), _admission(), rooms.context)
    assert isinstance(staged, StagedVersion)
    assert [f.logical_path for f in staged.files] == ["a", "c"]
    assert {f.logical_path for f in staged.left_out} == {"a/b", "c/d", "c/d/e", "metadata.json/x", "rights.json"}


def test_artwork_is_told_by_its_bytes(rooms: Rooms) -> None:
    candidate = _candidate(_file("cover.jpg", PNG), _file("notes.png", b"text"), kind=Kind.ARTWORK)
    staged = stage(candidate, _admission(Kind.ARTWORK), rooms.context)
    assert isinstance(staged, StagedVersion)
    assert [(f.logical_path, f.media_type, f.probe) for f in staged.files] == [("cover.jpg", "image/png", None)]
    assert [(f.logical_path, f.rule) for f in staged.left_out] == [("notes.png", "unidentified")]
    assert rooms.seen == []


@pytest.mark.parametrize("stated", [2, 4])
def test_another_length_than_stated_is_an_error(stated: int, rooms: Rooms) -> None:
    with pytest.raises(SourceError, match=f"{stated} bytes were stated, 3 were read"):
        stage(_candidate(_file("a.ogg", b"abc", stated)), _admission(), rooms.context)
    assert _nothing_left(rooms)


def test_a_file_that_changes_while_it_is_read_is_an_error(rooms: Rooms, tmp_path: Path) -> None:
    path = tmp_path / "growing.ogg"
    path.write_bytes(b"a" * 3_000_000)

    class Disturbed(FileIO):
        """A file that somebody writes to, in place and without changing its length, once it has been read half."""

        def readinto(self, buffer: WriteableBuffer, /) -> int:
            if self.tell() == 2 << 20:
                with path.open("r+b") as target:
                    target.write(b"b")
                os.utime(path, (1, 1))
            return super().readinto(buffer)

    def offered(kind: Callable[[Path], FileIO]) -> Candidate:
        return _candidate(CandidateFile(LogicalPath("a.ogg"), 3_000_000, lambda: cast(BinaryIO, kind(path))))

    with pytest.raises(SourceError, match="it changed while it was read"):
        stage(offered(Disturbed), _admission(), rooms.context)
    assert _nothing_left(rooms)
    assert isinstance(stage(offered(FileIO), _admission(), rooms.context), StagedVersion)


class Torn(RawIOBase):
    """A stream that fails after some bytes."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error: Exception | None = error
        self._chunks = [b"abc"]

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._chunks:
            chunk = self._chunks.pop()
            memoryview(buffer)[: len(chunk)] = chunk
            return len(chunk)
        assert self._error is not None
        raise self._error


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "Input/output error"), EOFError("cut"), zipfile.BadZipFile("Bad CRC-32")],
    ids=["EIO", "EOF", "zip"],
)
def test_a_source_that_fails_is_named(error: Exception, rooms: Rooms) -> None:
    torn = CandidateFile(LogicalPath("b.ogg"), None, lambda: cast(BinaryIO, Torn(error)))
    with pytest.raises(SourceError, match=r"b\.ogg: cannot be read: (Input|cut|Bad CRC)"):
        stage(_candidate(_file("a.ogg", b"1"), torn), _admission(), rooms.context)
    assert _nothing_left(rooms)


def test_a_source_that_is_gone_is_named(rooms: Rooms, tmp_path: Path) -> None:
    gone = CandidateFile(LogicalPath("a.ogg"), None, lambda: (tmp_path / "gone").open("rb"))
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        stage(_candidate(gone), _admission(), rooms.context)
    assert _nothing_left(rooms)


def test_a_full_disk_leaves_nothing_in_staging(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path)
    rooms.staging = DiskStaging(tmp_path, FullDiskCalls(SystemCalls(), 1000))
    with pytest.raises(StoreError, match="the disk is full"):
        stage(_candidate(_file("a.ogg", bytes(5000))), _admission(), rooms.context)
    assert _nothing_left(rooms)


def test_an_interruption_leaves_nothing_in_staging(rooms: Rooms) -> None:
    def interrupt(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage(_candidate(_file("a.ogg", b"1")), _admission(), rooms.context, interrupt)
    assert _nothing_left(rooms)


def test_after_a_kill_at_any_durable_call_the_same_item_stages(tmp_path: Path) -> None:
    candidate = _candidate(_file("a.ogg", b"1" * 100), _file("b.ogg", b"2"))
    rooms = Rooms(tmp_path / "counted")
    calls = CrashingCalls(SystemCalls())
    rooms.staging = DiskStaging(tmp_path / "counted", calls)
    stage(candidate, _admission(), rooms.context)
    assert calls.count >= 8
    for n in range(calls.count):
        rooms.staging = DiskStaging(tmp_path / "killed", CrashingCalls(SystemCalls(), n))
        with pytest.raises(Crash):
            stage(candidate, _admission(), rooms.context)
        rooms.staging = DiskStaging(tmp_path / "killed")
        staged = stage(candidate, _admission(), rooms.context)
        assert isinstance(staged, StagedVersion)
        assert sorted(p.name for p in staged.folder.iterdir()) == ["000001.ogg", "000002.ogg"]


def test_an_admission_of_another_item_or_kind_is_our_own_mistake(rooms: Rooms) -> None:
    with pytest.raises(AssertionError, match="one item and kind"):
        stage(_candidate(_file("a.ogg", b"1")), _admission(Kind.ARTWORK), rooms.context)


def test_memory_does_not_grow_with_the_file(rooms: Rooms) -> None:
    class Zeros(RawIOBase):
        left = 64 << 20

        def readinto(self, buffer: WriteableBuffer, /) -> int:
            room = memoryview(buffer)
            assert 0 < len(room) <= 1 << 20
            count = min(len(room), self.left)
            room[:count] = bytes(count)
            self.left -= count
            return count

    file = CandidateFile(LogicalPath("a.ogg"), 64 << 20, lambda: cast(BinaryIO, Zeros()))
    staged = stage(_candidate(file), _admission(), rooms.context)
    assert isinstance(staged, StagedVersion)
    assert staged.files[0].hashes.sha256 == hashlib.sha256(bytes(64 << 20)).hexdigest()
