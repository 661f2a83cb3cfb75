"""Backup and restore of what no mirror has: settings, keys, evidence, editions and their documents, the event log,
the accounts, the register.

The music is not in it: mirrors have that, and `repair` fetches it from them. A restore proves the whole backup before anything of
it takes effect, and writes the settings last: until then the folder is no archive, and the restore may be run again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from fonoteca import __version__
from fonoteca.flows.events import record_events
from fonoteca.formats import eventlog, ocfl
from fonoteca.formats.backuptar import DOCUMENTS, LOG, PARTS, PEOPLE, REGISTER, SETTINGS_FILES, About, Member, Packer, read_backup
from fonoteca.model.corridor import Event
from fonoteca.model.errors import FixityError, FormatError, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.people import People
from fonoteca.ports import Blobs, Clock, Progress, Staging
from fonoteca.register import Register
from fonoteca.register.portable import LINE_BYTES_MAX
from fonoteca.store import Store

_LEVEL = 6
_FOLDER = "backup"
_DROP = "drop"
BACKED_UP, BACKUP_SUBJECT = "backed-up", "archive"
"""The event of a backup, and what it is about: so that `doctor` knows when the last one was."""


class Lines(Protocol):
    """Tables that are kept as lines of text: the register's, and those of accounts."""

    def dump(self) -> Iterator[bytes]:
        """Yield all rows as lines, from one state."""
        ...


@dataclass(frozen=True, slots=True)
class BackupRooms:
    """What a backup needs. home: the archive's folder as blobs; parts: its folders that are kept; store_blobs: the storage root."""

    name: str
    home: Blobs
    parts: Mapping[str, Blobs]
    store: Store
    store_blobs: Blobs
    register: Register
    people: Lines
    staging: Staging
    clock: Clock
    progress: Progress


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds. part_files: files of the archive's folders, by folder."""

    part_files: Mapping[str, int]
    document_count: int
    segment_count: int
    register_bytes: int


def backup(rooms: BackupRooms, stream: BinaryIO) -> BackedUp:
    """Write a backup to a stream; the register is from one moment, however long it takes.

    Raises: FixityError when a segment of the event log is damaged: a backup that leaves out what happened would pass for whole.
    """
    counts: dict[str, int] = {}
    folder = rooms.staging.folder(_FOLDER)
    folder.chmod(0o700)  # the accounts lie in it for a while
    try:
        with Packer(stream, About(rooms.name, rooms.clock.now(), __version__)) as packer:
            for name in SETTINGS_FILES:
                if rooms.home.size(name) is not None:
                    packer.add(name, rooms.home.read(name))
            for part in PARTS:
                with rooms.progress.task(f"keeping {part}", None, "files") as advance:
                    counts[part] = _pack_part(packer, part, rooms.parts[part], advance)
            documents = _pack_documents(packer, rooms)
            segments = _pack_log(packer, rooms.store)
            for name, words, tables in ((PEOPLE, "the accounts", rooms.people), (REGISTER, "the register", rooms.register)):
                with rooms.progress.task(f"keeping {words}", None, "rows") as advance:
                    packed = _packed(tables, rooms.staging, folder / name, advance)
                with packed.open("rb") as source:
                    packer.copy(name, source, packed.stat().st_size)
        facts = (("segments", segments), ("register_bytes", packed.stat().st_size))
        record_events(rooms, [Event(rooms.clock.now(), BACKED_UP, BACKUP_SUBJECT, facts)])
        return BackedUp(counts, documents, segments, packed.stat().st_size)
    finally:
        rooms.staging.discard(folder)


def _pack_part(packer: Packer, part: str, blobs: Blobs, advance: Callable[[int], None]) -> int:
    count = 0
    for key in blobs.keys():  # noqa: SIM118 - of blobs, not of a dict
        with blobs.open(key) as source:
            packer.copy(f"{part}/{key}", source, blobs.size(key) or 0)
        count += 1
        advance(1)
    return count


def _pack_documents(packer: Packer, rooms: BackupRooms) -> int:
    """Keep what the store says of drops: no drop carries it. Returns: how many documents' versions."""
    count = 0
    for object_id in rooms.store.object_ids(_DROP):
        for number in range(1, rooms.store.head(object_id) + 1):
            for member in rooms.store.read(object_id, number).members:
                packer.add(f"{DOCUMENTS}/{member.path}", rooms.store_blobs.read(member.path))
            count += 1
    return count


def _pack_log(packer: Packer, store: Store) -> int:
    count = 0
    for segment in store.log():
        if segment.damage:
            raise FixityError(segment.path, segment.damage, "Run `fonoteca audit`, then `fonoteca repair`, and back up again.")
        content = eventlog.segment(segment.events)
        packer.add(f"{LOG}/{eventlog.segment_name(segment.events, content)}", content)
        count += 1
    return count


def _packed(tables: Lines, staging: Staging, path: Path, advance: Callable[[int], None]) -> Path:
    """Return the file of the lines of tables, whose length the backup must say before its bytes."""
    with staging.writer(path) as target, zstandard.ZstdCompressor(level=_LEVEL).stream_writer(target, closefd=False) as packed:
        for line in tables.dump():
            packed.write(line)
            advance(1)
    return path


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored. newer: whether the store tells of something that happened after the backup was made."""

    about: About
    part_files: Mapping[str, int]
    event_count: int
    newer: bool


class Unpacked:
    """A backup proved and laid out in a folder of staging. Use it as a context: it is gone afterwards, and when it is not whole."""

    def __init__(self, stream: BinaryIO, subject: str, staging: Staging, folder: Path) -> None:
        self._staging = staging
        self.folder = folder
        self.counts = dict.fromkeys(PARTS, 0)
        try:
            self.about = self._lay_out(stream, subject)
        except BaseException:
            staging.discard(folder)
            raise

    def _lay_out(self, stream: BinaryIO, subject: str) -> About:
        """Return what the backup says of itself, with its members in the folder."""
        members = read_backup(stream, subject)
        first = next(members)
        assert isinstance(first, About), "a backup begins with what it says of itself"
        for member in members:
            assert isinstance(member, Member)
            with self._staging.writer(self.folder / member.name) as target:
                for block in member.blocks():
                    target.write(block)
            part = member.name.split("/", 1)[0]
            if part in self.counts:
                self.counts[part] += 1
        return first

    def __enter__(self) -> Unpacked:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder."""
        self._staging.discard(self.folder)

    @property
    def segment_count(self) -> int:
        """How many segments of the event log are in it."""
        return sum(1 for _ in (self.folder / LOG).rglob("*.jsonl"))

    def settings(self, name: str) -> bytes | None:
        """Return one of SETTINGS_FILES, None when the backup has none."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def put_parts(self, parts: Mapping[str, Blobs], home: Blobs) -> None:
        """Move the folders that were kept in place, instead of what a restore that was cut short left there."""
        for part in PARTS:
            if self.counts[part]:
                for name in list(parts[part].children()):
                    parts[part].delete(name)
                home.delete(part)
                home.adopt(self.folder / part, part)

    def fill_people(self, people: People) -> None:
        """Put the accounts into tables without any. Raises: UsageError when somebody has an account there already.

        A backup of before there were accounts has none.
        """
        if not (self.folder / PEOPLE).is_file():
            return
        if not people.all():
            people.load(self._lines(PEOPLE))
        elif _digest(people.dump()) != _digest(self._lines(PEOPLE)):  # else a restore was cut short after it filled them
            remedy = "Name an empty database in the fonoteca.toml of the backup's archive, or empty this one."
            raise UsageError("people", "there are other accounts than those of the backup", remedy)

    def fill(self, register: Register) -> None:
        """Put the register's rows into an empty one.

        Raises: UsageError when it holds something else, such as the register of an archive that is in use.
        """
        if next(iter(register.objects(limit=1)), None) is None:
            register.load(self._lines(REGISTER))
        elif _digest(register.dump()) != _digest(self._lines(REGISTER)):  # else a restore was cut short after it filled it
            remedy = "Name an empty database in the fonoteca.toml of the backup's archive, or empty this one."
            raise UsageError("register", "it holds something else than the backup", remedy)

    def adopt_documents(self, store: Store) -> int:
        """Put documents of drops into the store that are not in it. Returns: how many there are in the backup."""
        root = self.folder / DOCUMENTS
        found: list[tuple[Path, ObjectId, int]] = []
        for folder in root.glob("*/*/*/*/v*"):
            object_id = ocfl.object_id_at(folder.parent.relative_to(root).as_posix())
            number = ocfl.version_of_folder(folder.name)
            if object_id is None or number is None or object_id.kind != _DROP:
                raise FormatError(str(folder.relative_to(root)), "not a document of a drop", "Use another backup.")
            found.append((folder, object_id, number))
        found.sort(key=lambda each: each[1:])
        for folder, object_id, number in found:
            if store.head(object_id) < number:
                store.adopt_version(folder, object_id, number)
        return len(found)

    def append_log(self, store: Store) -> int:
        """Append the events that the backup knows; those that the store has are there once. Returns: how many there are in it."""
        count = 0
        for path in sorted((self.folder / LOG).rglob("*.jsonl")):
            events = list(eventlog.parse_segment(path.relative_to(self.folder / LOG).as_posix(), path.read_bytes()))
            store.append_events(events)
            count += len(events)
        return count

    def _lines(self, name: str) -> Iterator[bytes]:
        with (self.folder / name).open("rb") as packed:
            stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(packed))
            try:
                while line := stream.readline(LINE_BYTES_MAX + 1):
                    yield line
            except zstandard.ZstdError as error:
                raise FormatError(name, f"cannot be unpacked: {error}", "Use another backup.") from error


def _digest(lines: Iterable[bytes]) -> bytes:
    """Return the digest of all lines."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return digest.digest()


def is_newer(store: Store, unpacked: Unpacked) -> bool:
    """Return whether the store tells of something that happened after the backup was made: then the register must be made anew.

    That the backup was made is told of after it, and of no other one of as many segments.
    """
    own = ("segments", unpacked.segment_count)
    after = [event for event in store.newest_events() if event.at > unpacked.about.made_at]
    return any(event.what != BACKED_UP or own not in event.facts for event in after)
