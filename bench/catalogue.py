"""How long a snapshot of the starter catalogue takes to build, beside DuckDB doing the least that any build must."""

from __future__ import annotations

from pathlib import Path

import duckdb

from bench.report import Figure, Peer
from bench.starter import starter_archive
from bench.stopwatch import Stopwatch
from fonoteca.catalogue.starter import starter_table


def figures(scratch: Path) -> list[Figure]:
    """Return the seconds that one build takes, listening and three tables included."""
    with starter_archive(scratch / "archive") as archive, Stopwatch() as watch:
        snapshot = archive.catalogue.build()
    alone_s = _duckdb_alone_s(scratch / "alone.parquet")
    name = f"catalogue build, {snapshot.recording_count:,} recordings with popularity"
    return [Figure(name, watch.seconds, "s", Peer("DuckDB alone: CSV sorted into Parquet", alone_s), less_is_better=True)]


def _duckdb_alone_s(target: Path) -> float:
    with starter_table() as (source, _), Stopwatch() as watch, duckdb.connect() as duck:
        rows = duck.read_csv(str(source), header=True, all_varchar=True)
        rows.order("artist, title").write_parquet(str(target), compression="zstd")
    return watch.seconds
