"""Listening histories in the files that people have: who played what how often, or how often each item was played.

CSV, TSV or any delimiter (.csv, .tsv, .dat, .txt), JSON lines (.jsonl, .ndjson) or Parquet, also packed (.gz, .zst), read by
DuckDB. Columns are known by their names, whatever their case:

- item: see ITEM_NAMES; the first of them that the file has;
- listens: see LISTENS_NAMES; without it every row is one listen, as in a log;
- listeners, for a table of items; or listener, for a table of (listener, item) rows, of which the listeners are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fonoteca.model.errors import SourceError, StoreError, UsageError

ITEM_NAMES = (
    "item", "item_id", "recording", "recording_id", "recording_mbid", "recording_msid", "track", "track_id", "isrc", "mbid", "uuid",
    "key", "id", "artist", "artist_id", "artist_mbid", "artist_name", "name",
)  # fmt: skip
"""In order of choice, without the underscores that some leave out."""
LISTENS_NAMES = ("listens", "listen_count", "total_listen_count", "plays", "play_count", "scrobbles", "weight", "count")
LISTENERS_NAMES = ("listeners", "listener_count", "users", "user_count", "total_user_count")
LISTENER_NAMES = ("listener", "listener_id", "user", "user_id", "user_name", "person", "person_id")
LISTENS_MAX = 1 << 53
"""Beyond, a count is no whole number in the arithmetic of most who write them."""
_PACKINGS = (".gz", ".zst")
_CSV, _JSON, _PARQUET = (".csv", ".tsv", ".dat", ".txt"), (".jsonl", ".ndjson"), (".parquet",)


@dataclass(frozen=True, slots=True)
class History:
    """What a history says of each item that it has. items: distinct, ascending, as text; listens: at least 1.

    listeners: at least 1 each, None where the file does not say. people: who listened, None when it does not say.
    bad_rows: reason to how many rows were left out for it.
    """

    name: str
    items: pa.StringArray
    listens: NDArray[np.int64]
    listeners: NDArray[np.int64] | None
    people: int | None
    bad_rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Names of columns, "" for none."""

    item: str
    listens: str
    listeners: str
    listener: str


def read_history(duck: duckdb.DuckDBPyConnection, path: Path) -> History:
    """Return the history in a file. duck: its memory bounds what is held at once.

    Raises: UsageError for a file that cannot be opened or whose columns say nothing; SourceError for one that breaks off or
    has no sound row.
    """
    if not path.is_file():
        raise UsageError(str(path), "there is no such file", "Name a listening history: CSV, TSV, JSON lines or Parquet.")
    table = _table(path)
    try:
        names = [row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM {table}", {"path": str(path)}).fetchall()]
        columns = _columns(str(path), names)
        duck.execute(f"CREATE OR REPLACE TEMP TABLE history AS {_judged(table, columns)}", {"path": str(path)})
        bad = dict(
            duck.execute("SELECT reason, count(*) FROM history WHERE reason <> '' GROUP BY reason ORDER BY reason").fetchall()
        )
        if table.startswith("read_csv"):
            bad |= _rejected(duck)
        return _gathered(duck, path, columns, bad)
    except duckdb.OutOfMemoryException as error:
        problem = f"it needs more memory or disk than there is: {str(error).splitlines()[0]}"
        raise StoreError(str(path), problem, "Free some space, or count its listens by item first.") from error
    except duckdb.Error as error:
        raise SourceError(
            str(path),
            f"cannot be read: {str(error).splitlines()[0]}",
            "Check that the file is whole, and what its name says it is.",
        ) from error
    finally:
        duck.execute("DROP TABLE IF EXISTS history")


def _table(path: Path) -> str:
    """Return the DuckDB function that reads the file, by what its name ends in."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKINGS:
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    if last in _CSV:
        return "read_csv($path, all_varchar = true, header = true, store_rejects = true, sample_size = 20480)"
    if last in _JSON:
        # Depth 1 leaves every value as JSON: no guess at a type from the first rows can fail on a later one. A line that is no
        # JSON gives a row of NULLs.
        return "read_json($path, format = 'newline_delimited', maximum_depth = 1, ignore_errors = true)"
    if last in _PARQUET:
        return "read_parquet($path)"
    known = " ".join((*_CSV, *_JSON, *_PARQUET))
    raise UsageError(str(path), f"its name does not end like a listening history: {known}", "Rename it, or name another.")


def _columns(subject: str, names: Sequence[str]) -> _Columns:
    found = {name.casefold().replace("_", "").replace(" ", ""): name for name in reversed(names)}

    def first(wanted: Sequence[str]) -> str:
        return next((found[key] for name in wanted if (key := name.replace("_", "")) in found), "")

    columns = _Columns(first(ITEM_NAMES), first(LISTENS_NAMES), first(LISTENERS_NAMES), first(LISTENER_NAMES))
    shown = ", ".join(names[:20])
    if not columns.item:
        raise UsageError(subject, f"no column is an item; it has {shown}", f"Name one of them {', '.join(ITEM_NAMES[:4])}, ...")
    if not columns.listens and not columns.listener:
        raise UsageError(
            subject, f"no column counts listens; it has {shown}", f"Name one of them {', '.join(LISTENS_NAMES[:4])}, ..."
        )
    return columns


def _named(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _judged(table: str, columns: _Columns) -> str:
    """Return SQL for every row: item, listens, listeners, listener, and why it is bad, "" where it is not."""

    def text(column: str) -> str:
        return f"json_extract_string({_named(column)}, '$')" if table.startswith("read_json") else f"{_named(column)}::VARCHAR"

    listens = f"try_cast({text(columns.listens)} AS DOUBLE)" if columns.listens else "1.0::DOUBLE"
    listeners = f"try_cast({text(columns.listeners)} AS DOUBLE)" if columns.listeners else "NULL::DOUBLE"
    listener = text(columns.listener) if columns.listener else "NULL::VARCHAR"
    wrong_people = "listeners IS NULL OR NOT (listeners >= 0 AND listeners <= listens AND listeners = floor(listeners))"
    reasons = [
        ("item IS NULL OR trim(item) = ''", "no item"),
        ("contains(item, chr(0))", "a NUL in the item"),
        (
            f"listens IS NULL OR NOT (listens >= 0 AND listens <= {LISTENS_MAX} AND listens = floor(listens))",
            "listens are not a whole number from 0",
        ),
        *([(wrong_people, "listeners are not a whole number up to listens")] if columns.listeners else []),
        *([("listener IS NULL OR listener = ''", "no listener")] if columns.listener else []),
    ]
    cases = " ".join(f"WHEN {condition} THEN '{reason}'" for condition, reason in reasons)
    return f"""
        SELECT *, CASE {cases} ELSE '' END AS reason
        FROM (SELECT {text(columns.item)} AS item, {listens} AS listens, {listeners} AS listeners,
            {listener} AS listener FROM {table})
    """


def _rejected(duck: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the rows of the last CSV file that could not be split, by reason, and forget them."""
    rows = duck.execute(
        "SELECT lower(replace(error_type::VARCHAR, '_', ' ')), count(DISTINCT line) FROM reject_errors GROUP BY 1 ORDER BY 1"
    ).fetchall()
    duck.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    return dict(rows)


def _gathered(duck: duckdb.DuckDBPyConnection, path: Path, columns: _Columns, bad: Mapping[str, int]) -> History:
    listeners = "count(DISTINCT listener)" if columns.listener else "sum(listeners)"
    rows = duck.sql(
        f"""
        SELECT item, sum(listens)::BIGINT AS listens, greatest({listeners}, 1)::BIGINT AS listeners
        FROM history WHERE reason = '' AND listens > 0 GROUP BY item ORDER BY item
        """
    ).to_arrow_table()
    if not rows.num_rows:
        why = ", ".join(f"{count} {reason}" for reason, count in bad.items()) or "the file is empty"
        raise SourceError(str(path), f"no row says that anything was heard: {why}", "Check the columns.")
    counted = columns.listener or columns.listeners
    people = None
    if columns.listener:
        found = duck.execute("SELECT count(DISTINCT listener) FROM history WHERE reason = '' AND listens > 0").fetchone()
        people = int(found[0]) if found else None
    column = rows.combine_chunks()
    return History(
        path.name,
        pa.concat_arrays(column["item"].chunks).cast(pa.string()),
        column["listens"].to_numpy(),
        column["listeners"].to_numpy() if counted else None,
        people,
        bad,
    )
