"""Which recordings are no more, told for people: those that are part of another now, and those that are nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from fonoteca.catalogue.deltas.pairing import Places, row_counts
from fonoteca.catalogue.deltas.piles import Piles
from fonoteca.catalogue.duck import quoted
from fonoteca.catalogue.layout import MERGED, RECORDINGS, table_files

REMOVED_FILE, MERGED_FILE = "removed.parquet", "merged.parquet"


def tell_gone(duck: duckdb.DuckDBPyConnection, old: Path, new: Path, places: Places, folder: Path) -> tuple[int, int]:
    """Write which recordings of the older snapshot are none of the newer. places: of the newer's recordings in the older.

    Returns: how many were removed, and how many merged.
    """
    gone = np.ones(sum(row_counts(table_files(old, RECORDINGS))), np.bool_)
    gone[places[places >= 0]] = False
    ranks = np.flatnonzero(gone) + 1
    if not len(ranks):
        return 0, 0
    duck.register("gone_ranks", pa.table({"rank": ranks}))
    duck.execute(
        f"""
        CREATE TEMP TABLE gone AS SELECT id, title, artist, rank FROM read_parquet({_list(table_files(old, RECORDINGS))})
        WHERE rank IN (SELECT rank FROM gone_ranks);
        CREATE TEMP TABLE gone_into AS SELECT g.id, min(m.rank) AS new_rank, arg_min(m.rule, m.rank) AS rule
        FROM gone g JOIN read_parquet({_list(table_files(new, MERGED))}) m ON m.id = g.id GROUP BY g.id;
        """
    )
    removed = duck.sql(
        f"""
        SELECT {_bytes("id")} AS id, title, artist, rank FROM gone
        WHERE id NOT IN (SELECT id FROM gone_into) ORDER BY rank
        """
    ).to_arrow_table()
    merged = duck.sql(
        f"""
        SELECT {_bytes("g.id")} AS id, {_bytes("r.id")} AS into, i.rule, g.title, g.artist, g.rank
        FROM gone g JOIN gone_into i ON i.id = g.id
        JOIN read_parquet({_list(table_files(new, RECORDINGS))}) r ON r.rank = i.new_rank ORDER BY g.rank
        """
    ).to_arrow_table()
    duck.unregister("gone_ranks")
    with Piles(folder / RECORDINGS) as piles:
        for name, rows in ((REMOVED_FILE, removed), (MERGED_FILE, merged)):
            if rows.num_rows:
                piles.put(name, _with_uuids(rows))
    return removed.num_rows, merged.num_rows


def _bytes(column: str) -> str:
    """Return SQL for a UUID's bytes: DuckDB hands UUIDs to Arrow as text."""
    return f"unhex(replace({column}::VARCHAR, '-', ''))"


def _with_uuids(rows: pa.Table) -> pa.Table:
    for name in ("id", "into"):
        if name in rows.schema.names:
            storage = rows[name].combine_chunks().cast(pa.binary(16))
            rows = rows.set_column(rows.schema.get_field_index(name), name, pa.ExtensionArray.from_storage(pa.uuid(), storage))
    return rows


def _list(paths: Sequence[Path]) -> str:
    return f"[{', '.join(quoted(path) for path in paths)}]"
