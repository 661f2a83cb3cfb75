"""Which row of the older snapshot each row of the newer one is: by the table's key, in DuckDB, which spills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from fonoteca.catalogue.duck import quoted
from fonoteca.catalogue.layout import ARTISTS, MERGED, RECORDINGS, RELEASES, SHARD_ROWS
from fonoteca.model.errors import StoreError

KEYS: Mapping[str, str] = {RECORDINGS: "id", MERGED: "id", RELEASES: "release_id", ARTISTS: "name"}
Places = npt.NDArray[np.int64]


def row_counts(files: Sequence[Path]) -> list[int]:
    """Return how many rows each file has. Cost: a footer each."""
    return [pq.read_metadata(path).num_rows for path in files]


def pair_rows(duck: duckdb.DuckDBPyConnection, table: str, old: Sequence[Path], new: Sequence[Path]) -> Places:
    """Return for each row of the newer table its place in the older one, from 0 over all files; -1 when it was not there.

    Rows of one key (several rows may be merged under one id) are paired in the order in which they stand.
    Cost: a hash join of the keys and a sort of the places; 8 B a row of memory besides DuckDB's.
    """
    count = sum(row_counts(new))
    places = np.full(count, -1, np.int64)
    if not count or not old:
        return places
    query = f"""
        SELECT coalesce(o.row, -1) AS place FROM ({_keyed(table, new)}) n LEFT JOIN ({_keyed(table, old)}) o
        ON n.key = o.key AND n.nth = o.nth ORDER BY n.row
    """
    filled = 0
    for batch in duck.sql(query).to_arrow_reader(SHARD_ROWS):
        if filled + batch.num_rows > count:
            filled += batch.num_rows
            break
        places[filled : filled + batch.num_rows] = batch.column(0).to_numpy(zero_copy_only=False)
        filled += batch.num_rows
    if filled != count:
        raise StoreError(table, f"{count} rows make {filled} pairs: a key stands twice", "Build the catalogue again.")
    return places


def _keyed(table: str, files: Sequence[Path]) -> str:
    """Return SQL for key, nth row of that key (from 1) and row of each row of a table."""
    parts, first = [], 0
    for path, count in zip(files, row_counts(files), strict=True):
        rows = f"read_parquet({quoted(path)}, file_row_number = true)"
        parts.append(f"SELECT {KEYS[table]} AS key, file_row_number + {first} AS row FROM {rows}")
        first += count
    rows = " UNION ALL ".join(parts)
    if table == RECORDINGS:
        return f"SELECT key, row, 1 AS nth FROM ({rows})"
    return f"SELECT key, row, row_number() OVER (PARTITION BY key ORDER BY row) AS nth FROM ({rows})"
