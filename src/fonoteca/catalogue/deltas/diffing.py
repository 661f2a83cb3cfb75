"""What is new in a snapshot, as a delta folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.copying import copy_file
from fonoteca.catalogue.deltas.aligning import Aligner
from fonoteca.catalogue.deltas.columns import Kept, Told, changed_places, tell
from fonoteca.catalogue.deltas.gone import tell_gone
from fonoteca.catalogue.deltas.nouns import (
    ADDED_FILE,
    DELTA_FILE,
    WHOLE_FOLDER,
    ColumnPart,
    Delta,
    DeltaPlace,
    NewFile,
    TableDelta,
    delta_errors,
    read_json_file,
    snapshot_files,
    snapshot_name,
)
from fonoteca.catalogue.deltas.pairing import Places, pair_rows, row_counts
from fonoteca.catalogue.deltas.piles import ROW, VALUE, Piles, residual_rows, write_order
from fonoteca.catalogue.deltas.remaking import write_ids_again
from fonoteca.catalogue.duck import open_duck
from fonoteca.catalogue.layout import COLUMNS, IDS_FILE, RECORDINGS, TABLES, schema_of, table_files, write_shard
from fonoteca.catalogue.snapshots import SNAPSHOT_FILE
from fonoteca.catalogue.sourcefile import sha256_of

HEARD_COLUMNS = ("rank", "listens", "listeners", "share", "share_low", "share_high", "synthetic")
"""What changes with listening alone: a recording of which no more changed is not told of as changed."""
CHANGED_FILE = "changed.parquet"


def diff_snapshots(old: Path, new: Path, folder: Path, place: DeltaPlace) -> Delta:
    """Write into a folder, empty and below staging, what makes the newer snapshot of the older one.

    Cost: about 6 s a million recordings on one core, and scratch disk of one snapshot; memory of a file's rows and 16 B a row.
    Raises: StoreError when a snapshot or the disk fails.
    """
    with delta_errors(str(new)):
        old_json, new_json = read_json_file(old), read_json_file(new)
        before, after = snapshot_files(old_json, str(old)), snapshot_files(new_json, str(new))
        with place.staging.writer(folder / SNAPSHOT_FILE) as stream:
            stream.write(new_json)
        tables: dict[str, TableDelta] = {}
        counts = _Counts()
        with open_duck(place.duck, place.scratch) as duck:
            rows = sum(sum(row_counts(table_files(new, table))) for table in TABLES)
            with place.progress.task("comparing", rows, "rows") as advance:
                for table in TABLES:
                    (folder / table).mkdir(exist_ok=True)
                    if _of(before, table) == _of(after, table):
                        files = tuple(NewFile(path, 0, False) for path in _of(after, table))
                        tables[table] = TableDelta(True, files, 0, ())
                        continue
                    pair = _Pair(table, table_files(old, table), table_files(new, table), after)
                    places = pair_rows(duck, table, pair.old, pair.new)
                    tables[table] = _TableDiff(pair, places, folder, place, counts).write()
                    if table == RECORDINGS:
                        counts.removed, counts.merged = tell_gone(duck, old, new, places, folder)
                    advance(len(places))
        ids_whole = _ids_whole(new, after, folder, place)
        added = tables[RECORDINGS].added
        names = snapshot_name(old_json, str(old)), snapshot_name(new_json, str(new))
        delta = Delta(
            names[0], _sha256(old_json), names[1], _sha256(new_json), added, counts.removed, counts.merged, counts.changed,
            ids_whole, f"pyarrow {pa.__version__}", tables,
        )  # fmt: skip
        with place.staging.writer(folder / DELTA_FILE) as stream:
            stream.write(delta.to_bytes())
    return delta


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _of(files: dict[str, str], table: str) -> dict[str, str]:
    return {path: digest for path, digest in sorted(files.items()) if path.startswith(f"{table}/")}


@dataclass(slots=True)
class _Counts:
    """Recordings, as they are found."""

    removed: int = 0
    merged: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True)
class _Pair:
    """A table's files in both snapshots. digests: of the newer snapshot's files, by path."""

    table: str
    old: Sequence[Path]
    new: Sequence[Path]
    digests: dict[str, str]

    def path(self, number: int) -> str:
        """Return the path below the snapshot of a new file."""
        return f"{self.table}/{self.new[number].name}"


@dataclass(slots=True)
class _TableDiff:
    """The difference of one table, gone through file by file."""

    pair: _Pair
    places: Places
    folder: Path
    place: DeltaPlace
    counts: _Counts
    parts: list[ColumnPart] = field(default_factory=list)

    def write(self) -> TableDelta:
        """Write the table's files of the delta."""
        pair = self.pair
        sizes = row_counts(pair.new)
        starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        aligner = Aligner(pair.table, self.places, starts, self.place.scratch)
        aligner.spread(pair.old, sum(row_counts(pair.old)))
        files = []
        with Piles(self.folder / pair.table) as piles:
            write_order(piles, self.places)
            for number, path in enumerate(pair.new):
                rows = pq.read_table(path).cast(schema_of(pair.table)).combine_chunks()
                whole = not self._is_made_again(number, rows)
                files.append(NewFile(pair.path(number), len(rows), whole))
                here = self.places[starts[number] : starts[number + 1]]
                kept = here >= 0
                if not kept.all():
                    piles.put(ADDED_FILE, rows.filter(pa.array(~kept)))
                old = aligner.aligned(number)
                if whole:
                    copy_file(path, self.folder / WHOLE_FOLDER / pair.path(number), self.place.staging)
                    continue
                new = rows if kept.all() else rows.filter(pa.array(kept)).combine_chunks()
                self._tell(piles, number, Kept(old, new, np.flatnonzero(kept) + starts[number]))
        return TableDelta(False, tuple(files), int((self.places < 0).sum()), tuple(self.parts))

    def _is_made_again(self, number: int, rows: pa.Table) -> bool:
        """Whether a file's rows, written anew, are the file."""
        again = self.place.scratch / "again.parquet"
        write_shard(again, rows)
        return sha256_of(again) == self.pair.digests.get(self.pair.path(number))

    def _tell(self, piles: Piles, number: int, kept: Kept) -> None:
        other = np.zeros(len(kept.rows), np.int64)
        for bit, column in enumerate(COLUMNS[self.pair.table]):
            changed = changed_places(kept, column)
            if not len(changed):
                continue
            told = tell(kept, column, changed)
            self.parts.append(ColumnPart(number, column, told.mode, told.count, told.factor))
            _put(piles, column, told, kept.rows)
            if column not in HEARD_COLUMNS:
                other[changed] |= 1 << bit
        if self.pair.table == RECORDINGS:
            self._tell_changed(piles, kept, other)

    def _tell_changed(self, piles: Piles, kept: Kept, columns: npt.NDArray[np.int64]) -> None:
        """Write for people which recordings changed in more than their listening, and in what."""
        places = np.flatnonzero(columns)
        if not len(places):
            return
        self.counts.changed += len(places)
        names = list(COLUMNS[RECORDINGS])
        kinds, which = np.unique(columns[places], return_inverse=True)
        words = [" ".join(name for bit, name in enumerate(names) if int(kind) >> bit & 1) for kind in kinds]
        rows = kept.new.select(["id", "rank", "title", "artist"]).take(pa.array(places))
        piles.put(CHANGED_FILE, rows.append_column("columns", pa.array(words).take(pa.array(which))))


def _put(piles: Piles, column: str, told: Told, rows: npt.NDArray[np.int64]) -> None:
    """Append what is told of a column to its file."""
    if told.residuals is not None:
        piles.put(f"{column}.residuals.parquet", residual_rows(told.residuals))
    elif told.exceptions is not None:
        piles.put(f"{column}.parquet", pa.table({ROW: pa.array(rows[told.exceptions]), VALUE: told.values}))


def _ids_whole(new: Path, digests: dict[str, str], folder: Path, place: DeltaPlace) -> bool:
    """Carry ids.index as it is when the tables do not make it again. Returns: whether it is."""
    if IDS_FILE not in digests:
        return False
    again = place.scratch / IDS_FILE
    write_ids_again(new, again, place.staging)
    if sha256_of(again) == digests[IDS_FILE]:
        return False
    copy_file(new / IDS_FILE, folder / WHOLE_FOLDER / IDS_FILE, place.staging)
    return True
