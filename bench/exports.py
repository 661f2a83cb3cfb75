"""Bytes a track of a snapshot in Parquet, beside SQLite with the same rows and columns packed by zstd -19; exports; deltas."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, Stopwatch
from fonoteca.catalogue import Catalogue, TableMapping
from fonoteca.catalogue.deltas import DeltaPlace, apply_delta, diff_snapshots
from fonoteca.catalogue.duck import DuckSettings
from fonoteca.catalogue.exports import FORMATS, SQLITE, export_snapshot
from fonoteca.catalogue.exports_sqlite import INDEXES, SQLITE_FILE
from fonoteca.catalogue.layout import COLUMNS, RECORDINGS, recording_files
from fonoteca.catalogue.synth.settings import SynthSettings
from fonoteca.catalogue.synth.writing import write_synthetic
from fonoteca.edges.clock import SystemClock
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging

TRACKS = 1_000_000
PACK_LEVEL = 19
COPY_BYTES = 1 << 22
PLAIN_MAX, INDEXED_MAX = 0.9, 0.6
"""Parquet's share of the packed SQLite that is promised, without indexes and with them."""


def figures(scratch: Path) -> list[Figure]:
    """Return what a synthetic snapshot of a million tracks takes, as it is, as others get it, and as a delta."""
    made = _Made(scratch)
    old = made.snapshot()
    measured = [*export_figures(old, scratch / "exports"), *bytes_a_track(old, scratch / "exports" / SQLITE / SQLITE_FILE)]
    measured += delta_figures("nothing new", old, old, scratch)
    measured += delta_figures("1 % more rows", old, made.snapshot_with_more(), scratch)
    return [*measured, *delta_figures("all listening changed", old, made.snapshot_heard_otherwise(), scratch)]


class _Made:
    """A synthetic dump and the snapshots that are built of it and of what becomes of it."""

    def __init__(self, scratch: Path) -> None:
        self._dump = scratch / "dump"
        self._staging = DiskStaging(scratch)
        self._folder = scratch / "catalogue"
        self._write(self._dump, SynthSettings(TRACKS))

    def _write(self, folder: Path, settings: SynthSettings) -> None:
        write_synthetic(settings, folder, self._staging.writer, SILENT)

    def _built(self, *dumps: tuple[Path, str]) -> Path:
        """Return the snapshot of these dumps. dumps: each folder with the name of the source that it is imported as."""
        blobs = DiskBlobs(self._folder)
        with Catalogue(blobs, DiskStaging(self._dump.parent / "staging"), SystemClock()) as catalogue:
            for folder, name in dumps:
                mapping = TableMapping.from_toml((self._dump / "catalogue.toml").read_bytes(), "catalogue.toml")
                catalogue.import_table(sorted(folder.glob("*.parquet")), replace(mapping, name=name), SILENT)
            return self._folder / catalogue.build(SILENT).name

    def snapshot(self) -> Path:
        """Return the snapshot of the dump."""
        return self._built((self._dump, "synthetic"))

    def snapshot_with_more(self) -> Path:
        """Return the snapshot of the dump and of a hundredth as many other rows."""
        more = self._dump.with_name("more")
        self._write(more, SynthSettings(TRACKS // 100, seed=2))
        return self._built((more, "synthetic-more"))

    def snapshot_heard_otherwise(self) -> Path:
        """Return the snapshot with a tenth more listens, by chance, on every row."""
        rng = np.random.default_rng(1)
        heard = self._dump.with_name("heard")
        heard.mkdir()
        for path in sorted(self._dump.glob("*.parquet")):
            rows = pq.read_table(path)
            for name in ("listens", "listeners"):
                before = rows[name].fill_null(0).to_numpy().astype(np.int64)
                rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(before + rng.poisson(before / 10)))
            most = np.minimum(rows["listens"].to_numpy(), rows["listeners"].to_numpy())
            rows = rows.set_column(rows.schema.get_field_index("listeners"), "listeners", pa.array(most))
            pq.write_table(rows, heard / path.name)
        return self._built((heard, "synthetic"))


def export_figures(snapshot: Path, folder: Path) -> list[Figure]:
    """Return what exports of a snapshot take. folder: for them; they stay there."""
    staging = DiskStaging(folder)
    measured = []
    for form in FORMATS:
        with Stopwatch() as watch:
            export = export_snapshot(snapshot, form, staging.folder(form), staging, SILENT)
        million, size = export.recording_count / 1e6, export.export_bytes / export.recording_count
        measured.append(Figure(f"catalogue export as {form}, of a million", watch.seconds / million, "s", less_is_better=True))
        measured.append(Figure(f"catalogue export as {form}, all tables", size, "B a track", less_is_better=True))
    return measured


def bytes_a_track(snapshot: Path, exported: Path) -> list[Figure]:
    """Return what a recording takes in the snapshot's Parquet and in SQLite. exported: catalogue.sqlite of the same snapshot.

    The file is changed: other tables are dropped, so that the same rows and columns are compared.
    """
    rows = sum(pq.read_metadata(path).num_rows for path in recording_files(snapshot))
    parquet = sum(path.stat().st_size for path in recording_files(snapshot)) / rows
    with closing(sqlite3.connect(exported, isolation_level=None)) as opened:
        for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if name != RECORDINGS:
                opened.execute(f"DROP TABLE {name}")
        opened.execute("VACUUM")
        indexed = _packed(exported) / rows
        for column in INDEXES[RECORDINGS]:
            opened.execute(f"DROP INDEX {RECORDINGS}_{column}")
        opened.execute("VACUUM")
        plain = _packed(exported) / rows
        _shorten_ids(opened)
        short = _packed(exported) / rows
    columns = f"Parquet, {len(COLUMNS[RECORDINGS])} columns"

    def beside(what: str, peer: Peer, goal: Goal | None = None) -> Figure:
        return Figure(f"{columns}, {what}", parquet, "B a track", peer, goal, less_is_better=True)

    return [
        beside("without indexes", Peer("SQLite, zstd -19", plain), Goal(1 / PLAIN_MAX, of_ratio=True)),
        beside("with indexes", Peer("SQLite by id, ISRC and artist, zstd -19", indexed), Goal(1 / INDEXED_MAX, of_ratio=True)),
        beside("ids as bytes", Peer("SQLite with ids as blobs, zstd -19", short)),
    ]


def _shorten_ids(opened: sqlite3.Connection) -> None:
    """Turn the ids into 16 bytes, as nobody would type them."""
    ids = [name for name, kind in COLUMNS[RECORDINGS].items() if kind == pa.uuid()]
    opened.create_function(
        "short", 1, lambda text: None if text is None else bytes.fromhex(text.replace("-", "")), deterministic=True
    )
    opened.execute(f"UPDATE {RECORDINGS} SET {', '.join(f'{name} = short({name})' for name in ids)}")
    opened.execute("VACUUM")


def _packed(path: Path) -> int:
    """Return how many bytes a file packs to."""
    packer = zstandard.ZstdCompressor(level=PACK_LEVEL).compressobj(size=path.stat().st_size)
    total = 0
    with path.open("rb") as stream:
        while block := stream.read(COPY_BYTES):
            total += len(packer.compress(block))
    return total + len(packer.flush())


def delta_figures(what: str, old: Path, new: Path, scratch: Path) -> list[Figure]:
    """Return what the delta from one snapshot to another takes, and what making and applying it costs."""
    staging = DiskStaging(scratch / "deltas")

    def place() -> DeltaPlace:
        return DeltaPlace(staging, staging.folder("scratch"), DuckSettings(), SILENT)

    delta, made = staging.folder("delta"), staging.folder("made")
    with Stopwatch() as diffing:
        diff_snapshots(old, new, delta, place())
    with Stopwatch() as applying:
        apply_delta(old, delta, made, place())
    rows = sum(pq.read_metadata(path).num_rows for path in recording_files(new)) / 1e6
    return [
        Figure(
            f"catalogue delta, {what}: of the newer snapshot", 100 * _bytes_of(delta) / _bytes_of(new), "%", less_is_better=True
        ),
        Figure(f"catalogue diff, {what}, of a million", diffing.seconds / rows, "s", less_is_better=True),
        Figure(f"catalogue apply with proof, {what}, of a million", applying.seconds / rows, "s", less_is_better=True),
    ]


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
