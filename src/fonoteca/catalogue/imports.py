"""The import area, `imports/<source>/`: rows of each source as Parquet, whole or not at all.

    imports/<source>/current             names the folder in force, written last
    imports/<source>/<digest>/rows.parquet, source.json, quarantine.jsonl (a line for each bad row)

A folder is named for what is in it, so importing the same table twice finds it there and changes nothing, and a crash at any
moment leaves the old rows in force.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.duck import PARQUET, DuckSettings, duck_errors, open_duck, quoted
from fonoteca.catalogue.mapping import HELD, LISTENING, RECORDINGS, STORE, TableMapping
from fonoteca.catalogue.rows import BadRow, SoundRow, TableRow, bad_row, read_row
from fonoteca.catalogue.sourcefile import ImportedSource, digests_of, parse_source, sha256_of
from fonoteca.catalogue.tables import BATCH_ROWS, read_table
from fonoteca.model.catalogue import HeldTrack, SnapshotSource
from fonoteca.model.errors import SourceError, StoreError
from fonoteca.ports import Blobs, Staging

IMPORTS = "imports"
ROWS_FILE = "rows.parquet"
_SOURCE = "source.json"
_QUARANTINE = "quarantine.jsonl"
_CURRENT = "current"

_TEXT, _NUMBER, _COUNT = pa.string(), pa.int16(), pa.int64()
_RECORDING_COLUMNS = {
    "title": _TEXT,
    "artist": _TEXT,
    "release": _TEXT,
    "release_id": _TEXT,
    "disc": _NUMBER,
    "track": _NUMBER,
    "year": _NUMBER,
    "duration_ms": _COUNT,
    "licence_uri": _TEXT,
    "source_uri": _TEXT,
    "genre": _TEXT,
    "file_bytes": _COUNT,
}
_COLUMNS: Mapping[str, Mapping[str, pa.DataType]] = {
    RECORDINGS: _RECORDING_COLUMNS,
    LISTENING: {"listens": _COUNT, "listeners": _COUNT},
    HELD: {**_RECORDING_COLUMNS, "object_id": _TEXT, "logical_path": _TEXT},
}
"""The columns of rows.parquet for each kind of rows, after `id` (UUID)."""

_KEYS: Mapping[str, str] = {RECORDINGS: "id", LISTENING: "id", HELD: "id, object_id, logical_path"}
"""What tells rows of a kind apart, and their order in rows.parquet. A second row with the same key is a bad one."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is to be imported: its source without counts, and its rows. inputs: digests of file and mapping."""

    source: SnapshotSource
    rows: str
    inputs: tuple[str, str]
    entries: Iterable[SoundRow | BadRow]


class ImportArea:
    """The imports of one catalogue. One writer at a time: the archive's lock is the caller's to hold."""

    def __init__(self, blobs: Blobs, staging: Staging, duck: DuckSettings) -> None:
        self._blobs = blobs
        self._staging = staging
        self._duck = duck

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

    def import_table(self, path: Path, mapping: TableMapping) -> SnapshotSource:
        """Import a table in place of what the same source had. Cost: one read to hash, one to parse, one sort.

        Raises: UsageError, SourceError (nothing changed then).
        """
        subject = str(path)
        source = SnapshotSource(mapping.name, "table", mapping.date, mapping.licence, mapping.attribution, 0, 0, mapping.synthetic)
        try:
            before = path.stat()
            inputs = (sha256_of(path), hashlib.sha256(json.dumps(asdict(mapping), sort_keys=True).encode()).hexdigest())
        except OSError as error:
            raise SourceError(subject, f"cannot be read: {error}", "Name a table that is there.") from error
        current = self._current(mapping.name)
        if current and (current[1].input_sha256, current[1].mapping_sha256) == inputs:
            return current[1].source

        def entries() -> Iterator[SoundRow | BadRow]:
            for row in read_table(path, mapping):
                yield read_row(row, mapping) if isinstance(row, TableRow) else row
            after = path.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise SourceError(subject, "changed while it was read", "Import it again when nothing writes to it.")

        return self._import(_Offer(source, mapping.rows, inputs, entries()), subject)

    def import_store(self, tracks: Iterable[HeldTrack], date: str) -> SnapshotSource:
        """Import what is held in place of what was held before. date: today, kept only if the rows are new."""
        source = SnapshotSource(STORE, STORE, date, "", "this archive", 0, 0, False)
        entries = (_held_row(number, track) for number, track in enumerate(tracks, 1))
        return self._import(_Offer(source, HELD, ("", ""), entries), STORE)

    def _import(self, offer: _Offer, subject: str) -> SnapshotSource:
        name = offer.source.name
        scratch = self._staging.folder(f"catalogue-import-{name}")
        try:
            folder = scratch / "folder"
            imported = self._stage(offer, subject, folder, scratch)
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
            self._staging.discard(scratch)

    def _drop_superseded(self, name: str, digest: str) -> None:
        for child in list(self._blobs.children(f"{IMPORTS}/{name}")):
            if child not in (_CURRENT, digest):
                self._blobs.delete(f"{IMPORTS}/{name}/{child}")

    def _stage(self, offer: _Offer, subject: str, folder: Path, scratch: Path) -> ImportedSource:
        """Write rows.parquet, and quarantine.jsonl if need be, into the folder."""
        raw = scratch / "raw.parquet"
        rejected = _Rejected()
        with self._staging.writer(folder / _QUARANTINE) as quarantine:
            try:
                _write_raw(raw, offer, lambda bad: quarantine.write(rejected.line(bad)))
            except (pa.ArrowException, OSError) as error:
                raise StoreError(subject, f"could not stage rows: {error}", "Check the free space; nothing changed.") from error
            with duck_errors(subject), open_duck(self._duck, scratch / "spill") as duck:
                for bad in _repeats(duck, raw, offer.rows):
                    quarantine.write(rejected.line(bad))
                row_count = _write_rows(duck, raw, offer.rows, folder / ROWS_FILE)
        if not row_count and offer.rows != HELD:
            raise SourceError(
                subject,
                f"none of {rejected.count} rows could be read; first, line {rejected.first}" if rejected.count else "holds no rows",
                "Nothing was imported; correct the mapping or the file.",
            )
        files = digests_of(folder, (ROWS_FILE, _QUARANTINE))
        source = replace(offer.source, row_count=row_count, quarantined_count=rejected.count)
        return ImportedSource(source, offer.rows, *offer.inputs, files)


class _Rejected:
    """Counts bad rows on their way to the quarantine file."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def line(self, bad: BadRow) -> bytes:
        """Return the bad row as a line of quarantine.jsonl."""
        self.count += 1
        self.first = self.first or f"{bad.line}: {bad.reason}"
        return (json.dumps(asdict(bad), ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "backslashreplace")


def _held_row(number: int, track: HeldTrack) -> SoundRow | BadRow:
    cells: dict[str, object] = {
        "id": str(track.recording),
        "title": track.title,
        "artist": track.artist,
        "release": track.release,
        "release_id": track.object_id if track.release else "",
        "disc": None,
        "track": None,
        "year": track.year,
        "duration_ms": track.duration_ms,
        "licence_uri": track.licence_uri,
        "source_uri": "",
        "genre": "",
        "file_bytes": track.file_bytes,
        "object_id": track.object_id,
        "logical_path": track.logical_path,
    }
    if any("\ud800" <= c <= "\udfff" or c == "\0" for text in cells.values() if isinstance(text, str) for c in text):
        return bad_row(TableRow(number, cells), "text that is not UTF-8")
    return SoundRow(number, cells)


def _write_raw(raw: Path, offer: _Offer, reject: Callable[[BadRow], object]) -> None:
    """Write the sound rows in order of line, with the line, and hand the others to `reject`."""
    columns = _COLUMNS[offer.rows]
    schema = pa.schema([("line", _COUNT), ("id", _TEXT), *columns.items()])
    entries = iter(offer.entries)
    with pq.ParquetWriter(raw, schema) as writer:
        while batch := list(islice(entries, BATCH_ROWS)):
            sound = []
            for entry in batch:
                if isinstance(entry, BadRow):
                    reject(entry)
                else:
                    sound.append({"line": entry.line, **entry.cells})
            writer.write_batch(pa.RecordBatch.from_pylist(sound, schema=schema))


def _repeats(duck: duckdb.DuckDBPyConnection, raw: Path, rows: str) -> Iterator[BadRow]:
    """Yield the rows whose key an earlier line has, in order of line."""
    answer = duck.execute(
        f"""
        SELECT line, first_line, id FROM (
            SELECT line, id, min(line) OVER (PARTITION BY {_KEYS[rows]}) AS first_line FROM read_parquet($raw)
        ) WHERE line > first_line ORDER BY line
        """,
        {"raw": str(raw)},
    )
    while batch := answer.fetchmany(BATCH_ROWS):
        for line, first_line, key in batch:
            yield BadRow(line, f"repeats line {first_line}, which has the same recording", str(key))


def _write_rows(duck: duckdb.DuckDBPyConnection, raw: Path, rows: str, target: Path) -> int:
    """Write rows.parquet: grain one row a key of `_KEYS`, the first line of each, in ascending order of it. Returns: row count."""
    found = duck.execute(
        f"""
        COPY (
            SELECT CAST(id AS UUID) AS id, {", ".join(_COLUMNS[rows])} FROM (
                SELECT *, row_number() OVER (PARTITION BY {_KEYS[rows]} ORDER BY line) AS place FROM read_parquet({quoted(raw)})
            ) WHERE place = 1 ORDER BY {_KEYS[rows]}
        ) TO {quoted(target)} ({PARQUET})
        """
    ).fetchone()
    assert found is not None
    return int(found[0])
