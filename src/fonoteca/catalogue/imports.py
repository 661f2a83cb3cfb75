"""The import area, `imports/<source>/`: sound rows of each source as Parquet, whole or not at all.

    imports/<source>/current             names the folder in force, written last
    imports/<source>/<digest>/source.json, quarantine.jsonl (a line for each bad row), and Parquet files of a kind of rows each:
        recordings-00000.parquet, ..., listening-..., redirects-..., held-...      in the order in which the source has them

A folder is named for what is in it, so importing the same files twice finds it there and changes nothing, and a crash at any
moment leaves the old rows in force.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from fonoteca.catalogue.checking import keep_sound_rows
from fonoteca.catalogue.desk import HELD, LISTENING, Desk, Heading, Kind
from fonoteca.catalogue.duck import DuckSettings, duck_errors, open_duck
from fonoteca.catalogue.mapping import LISTENERS, STORE, TableMapping
from fonoteca.catalogue.rows import BadRow
from fonoteca.catalogue.sourcefile import ImportedSource, digests_of, parse_source, sha256_of
from fonoteca.catalogue.tables import lay_table
from fonoteca.model.catalogue import Heard, HeldTrack, SnapshotSource
from fonoteca.model.errors import SourceError, StoreError, UsageError
from fonoteca.ports import Blobs, Clock, Progress, Staging

IMPORTS = "imports"
_SOURCE = "source.json"
_QUARANTINE = "quarantine.jsonl"
_CURRENT = "current"
_HELD_FIELDS = (
    "id", "title", "artist", "release", "release_id", "year", "duration_ms", "licence", "file_bytes", "object_id", "logical_path",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is to be imported. inputs: a digest of all that is read, "" for the store's own rows. read: lays the rows on a desk.

    watch: over the files, which must stay as they are until their rows are judged.
    """

    kind: str
    subject: str
    inputs: str
    read: Callable[[Desk], Heading]
    watch: _Watch


class ImportArea:
    """The imports of one catalogue. One writer at a time: the archive's lock is the caller's to hold."""

    def __init__(self, blobs: Blobs, staging: Staging, clock: Clock, duck: DuckSettings) -> None:
        self._blobs = blobs
        self._staging = staging
        self._duck = duck
        self._clock = clock

    def sources(self) -> list[tuple[str, ImportedSource]]:
        """Return all imports in force in order of name: key of the folder, and what source.json says."""
        found = []
        for name in list(self._blobs.children(IMPORTS)):
            if current := self._current(name):
                found.append(current)
        return found

    def _current(self, name: str) -> tuple[str, ImportedSource] | None:
        pointer = f"{IMPORTS}/{name}/{_CURRENT}"
        if self._blobs.size(pointer) is None:
            return None
        folder = f"{IMPORTS}/{name}/{self._blobs.read(pointer).decode('ascii', 'replace').strip()}"
        return folder, parse_source(self._blobs.read(f"{folder}/{_SOURCE}"), f"{folder}/{_SOURCE}")

    def import_kind(self, kind: Kind, paths: Sequence[Path], progress: Progress) -> SnapshotSource:
        """Import files of a kind in place of what their source had.

        Cost: one read to hash, what the kind needs to read them, one check. Raises: UsageError, SourceError (nothing changed then).
        """
        watch = _Watch.over(paths)
        inputs = _digest_of(kind.name, paths)
        subject = str(paths[0]) if paths else kind.name

        return self._import(_Offer(kind.name, subject, inputs, lambda desk: kind.read(paths, desk), watch), progress)

    def import_table(self, paths: Sequence[Path], mapping: TableMapping, progress: Progress) -> SnapshotSource:
        """Import tables of one mapping, as one source, in place of what it had. Raises: as `import_kind`."""
        watch = _Watch.over(paths)
        inputs = _digest_of(json.dumps(asdict(mapping), sort_keys=True), paths)

        def read(desk: Desk) -> Heading:
            for path in paths:
                lay_table(path, mapping, desk)
            return Heading(mapping.name, mapping.date, mapping.licence, mapping.attribution, mapping.synthetic, mapping.key_source)

        return self._import(_Offer("table", str(paths[0]), inputs, read, watch), progress)

    def import_store(self, tracks: Iterable[HeldTrack], progress: Progress) -> SnapshotSource:
        """Import what is held in place of what was held before; its date is today's, if the rows are new."""

        def read(desk: Desk) -> Heading:
            with desk.table(HELD, _HELD_FIELDS, STORE) as rows:
                for number, t in enumerate(tracks, 1):
                    release_id = t.object_id if t.release else ""
                    named = (t.recording, t.title, t.artist, t.release, release_id, t.year, t.duration_ms, t.licence_uri)
                    rows.put(number, (*named, t.file_bytes, t.object_id, t.logical_path))
            return Heading(STORE, desk.today, "", "this archive")

        return self._import(_Offer(STORE, STORE, "", read, _Watch(())), progress)

    def import_heard(self, rows: Sequence[Heard], progress: Progress) -> SnapshotSource | None:
        """Import what this archive's listeners heard in place of what they had heard before; None for nothing, then and now."""
        if not rows and self._current(LISTENERS) is None:
            return None

        def read(desk: Desk) -> Heading:
            with desk.table(LISTENING, ("id", "listens", "listeners"), LISTENERS) as table:
                for number, row in enumerate(rows, 1):
                    table.put(number, (row.recording, row.listens, row.listeners))
            return Heading(LISTENERS, desk.today, "", "listeners of this archive")

        return self._import(_Offer(LISTENERS, LISTENERS, "", read, _Watch(())), progress)

    def _import(self, offer: _Offer, progress: Progress) -> SnapshotSource:
        scratch, desk = (self._staging.folder(f"catalogue-{part}-{offer.kind}") for part in ("import", "desk"))
        try:
            same = [imported.source for _, imported in self.sources() if offer.inputs and imported.inputs == offer.inputs]
            if same:
                return same[0]
            folder = scratch / "folder"
            imported = self._stage(offer, folder, (scratch, desk), progress)
            name = imported.source.name
            target = f"{IMPORTS}/{name}/{imported.digest}"
            current = self._current(name)
            if current and current[0] == target:
                self._drop_superseded(name, imported.digest)  # a run that was killed may not have come to it
                return current[1].source
            if self._blobs.size(f"{target}/{_SOURCE}") is None:
                with self._staging.writer(folder / _SOURCE) as stream:
                    stream.write(imported.to_bytes())
                self._blobs.adopt(folder, target)
            self._blobs.write(f"{IMPORTS}/{name}/{_CURRENT}", imported.digest.encode() + b"\n")
            self._drop_superseded(name, imported.digest)
            return imported.source
        finally:
            self._staging.discard(desk)
            self._staging.discard(scratch)

    def _drop_superseded(self, name: str, digest: str) -> None:
        for child in list(self._blobs.children(f"{IMPORTS}/{name}")):
            if child not in (_CURRENT, digest):
                self._blobs.delete(f"{IMPORTS}/{name}/{child}")

    def _stage(self, offer: _Offer, folder: Path, scratch: tuple[Path, Path], progress: Progress) -> ImportedSource:
        """Write the sound rows and the quarantine into the folder. scratch: for DuckDB and for the desk."""
        with self._staging.writer(folder / _QUARANTINE) as stream:
            rejected = _Rejected(stream)
            desk = Desk(scratch[1], progress, rejected.put, today=self._clock.now().date().isoformat())
            with _storage_errors(offer.subject):
                heading = offer.read(desk)
            with duck_errors(offer.subject), open_duck(self._duck, scratch[0] / "spill") as duck:
                counts = keep_sound_rows(duck, desk, heading, folder, rejected.put)
        # Parquet is laid down as it is, so only now has all of it been read.
        offer.watch.check()
        row_count = sum(counts.values())
        if not row_count and offer.kind not in (STORE, LISTENERS):
            raise SourceError(
                offer.subject,
                f"none of {rejected.count} rows could be read; first: {rejected.first}" if rejected.count else "holds no rows",
                "Nothing was imported; correct the mapping or the file.",
            )
        facts: dict[str, str | int] = {**desk.facts, **{f"{rows}_rows": count for rows, count in counts.items()}}
        if rejected.remark_count:
            facts["remarks"] = rejected.remark_count
        source = SnapshotSource(
            heading.name,
            offer.kind,
            heading.date,
            heading.licence,
            heading.attribution,
            row_count,
            rejected.count,
            heading.synthetic,
        )
        files = digests_of(folder, [path.name for path in folder.iterdir()])
        return ImportedSource(source, offer.inputs, files, facts)


class _Rejected:
    """Bad rows, and remarks on rows that stay, on their way to the quarantine file; counted."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0
        self.remark_count = 0
        self.first = ""

    def put(self, bad: BadRow) -> None:
        """Write the row as a line of quarantine.jsonl."""
        if bad.kept:
            self.remark_count += 1
        else:
            self.count += 1
            self.first = self.first or f"{bad.file}:{bad.line}: {bad.reason}"
        self._stream.write((json.dumps(asdict(bad), ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "backslashreplace"))


class _storage_errors:  # noqa: N801  # reads as a statement, like `duck_errors`
    """Turn a failure to lay rows down into a StoreError about the subject."""

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pa.ArrowException | OSError):
            raise StoreError(self._subject, f"could not stage rows: {error}", "Check the free space; nothing changed.") from error


@dataclass(frozen=True, slots=True)
class _Watch:
    """Files as they were before they were read. stamps: size and time of change by path."""

    stamps: tuple[tuple[Path, int, int], ...]

    @classmethod
    def over(cls, paths: Sequence[Path]) -> _Watch:
        """Return a watch over these files and the files in these folders. Raises: UsageError for one that is not there."""
        return cls(tuple((path, *_stamp(path)) for path in _files_of(paths)))

    def check(self) -> None:
        """Raise SourceError if a file is no longer as it was: its rows would be of two minds."""
        for path, *stamp in self.stamps:
            if tuple(stamp) != _stamp(path):
                raise SourceError(str(path), "changed while it was read", "Import it again when nothing writes to it.")


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}", "Name a file that is there.") from error
    return found.st_size, found.st_mtime_ns


def _files_of(paths: Sequence[Path]) -> list[Path]:
    """Return the files, and for each folder those in it, in order of path."""
    return [file for path in paths for file in (sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path])]


def _digest_of(what: str, paths: Sequence[Path]) -> str:
    """Return a digest of how files are read and of every byte of them. Raises: UsageError for one that cannot be read."""
    digest = hashlib.sha256(what.encode())
    for file in _files_of(paths):
        try:
            digest.update(f"\0{file.name}\0{sha256_of(file)}".encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise UsageError(str(file), f"cannot be read: {error.strerror}", "Name a file that is there.") from error
    return digest.hexdigest()
