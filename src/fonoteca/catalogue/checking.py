"""Raw rows judged by the rules of `checks`: the sound ones kept as Parquet, the others handed to the quarantine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from fonoteca.catalogue.checks import Cell, Checked, checked
from fonoteca.catalogue.desk import HELD, LISTENING, Desk, Heading, RawTable
from fonoteca.catalogue.duck import quoted
from fonoteca.catalogue.rows import ROW_CHARS_SHOWN, BadRow
from fonoteca.catalogue.tables import relay_rows
from fonoteca.model.errors import SourceError, StoreError

KEPT = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 6, ROW_GROUP_SIZE 122880"
BATCH_ROWS = 8192
_ORDER = {HELD: "ORDER BY id, object_id, logical_path"}
"""Rows stay in the order of their source; what is held has none of its own, and of several files the first speaks."""
_NOT_TEXT = "Invalid string encoding"
"""What DuckDB says of a Parquet file whose text is not UTF-8."""


def keep_sound_rows(
    duck: duckdb.DuckDBPyConnection, desk: Desk, heading: Heading, folder: Path, reject: Callable[[BadRow], None]
) -> dict[str, int]:
    """Write the sound rows of all tables on the desk into the folder, in their order. Returns: rows by kind.

    Cost: two scans, one that keeps and one that looks for bad rows. Raises: SourceError for Parquet that is not whole.
    """
    counts: dict[str, int] = {}
    number: dict[str, int] = {}
    for table in list(desk.tables):
        place = number[table.rows] = number.get(table.rows, -1) + 1
        target = folder / f"{table.rows}-{place:05}.parquet"
        try:
            count = _keep(duck, table, heading, target, reject)
        except duckdb.Error as error:
            if table.line_column or not isinstance(error, duckdb.IOException | duckdb.InvalidInputException):
                raise  # our own file or our own statement: not the source's fault
            if _NOT_TEXT in str(error):
                # One text that is not UTF-8 spoils its row, not the file: read it row by row.
                relayed = relay_rows(table, desk)
                count = _keep(duck, relayed, heading, target, reject)
            else:
                raise _unreadable(table, error) from error
        counts[table.rows] = counts.get(table.rows, 0) + count
        if not count:
            target.unlink()
    return counts


def _unreadable(table: RawTable, error: duckdb.Error) -> Exception:
    said = str(error).splitlines()[0]
    if "No space left" in said or "Could not write" in said or "temp" in said:
        return StoreError(table.file, f"DuckDB failed: {said}", "Check the free space; the snapshot that was current still is.")
    return SourceError(table.file, f"not whole Parquet: {said}", "Nothing was imported; mend the file or fetch it again.")


def _keep(
    duck: duckdb.DuckDBPyConnection, table: RawTable, heading: Heading, target: Path, reject: Callable[[BadRow], None]
) -> int:
    kinds = {
        str(name): str(kind)
        for name, kind, *_ in duck.execute("DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(table.path)}).fetchall()
    }
    cells = {field: Cell(f'"{column}"', kinds[column], field) for field, column in table.columns.items()}
    sql = checked(table.rows, cells, heading.name, heading.key_source)
    relation = _relation(table, sql)
    sound = f"SELECT {sql.columns} FROM ({relation}) WHERE fault IS NULL {_ORDER.get(table.rows, '')}"
    found = duck.execute(f"COPY ({sound}) TO {quoted(target)} ({KEPT})").fetchone()
    assert found is not None
    shown = "CAST({" + ", ".join(f"{quoted(field)}: {cell.sql}" for field, cell in cells.items()) + "} AS VARCHAR)"
    answer = duck.execute(
        f"""SELECT line, coalesce(fault, remark), substr({shown}, 1, {ROW_CHARS_SHOWN}), fault IS NULL
        FROM ({relation}) WHERE fault IS NOT NULL OR remark IS NOT NULL"""
    )
    while batch := answer.fetchmany(BATCH_ROWS):
        for line, reason, row, kept in batch:
            reject(BadRow(line, reason, row, table.file, kept))
    return int(found[0])


def _relation(table: RawTable, sql: Checked) -> str:
    """Return a SELECT of the raw columns with line, fault and remark."""
    path = quoted(table.path)
    if table.line_column:
        raw = f'SELECT *, "{table.line_column}" AS raw_line FROM read_parquet({path})'
    else:
        raw = f"SELECT *, file_row_number + 1 AS raw_line FROM read_parquet({path}, file_row_number = true)"
    judged = f"SELECT *, raw_line AS line, {sql.fault} AS fault, {sql.remark} AS remark FROM ({raw})"
    if table.rows != LISTENING:
        return judged
    # A second count for the same recording would be counted twice.
    key = sql.key
    first = f"min(raw_line) FILTER (WHERE fault IS NULL) OVER (PARTITION BY {key})"
    repeats = "'repeats line ' || first_line || ', which has the same recording'"
    return f"""SELECT * REPLACE (coalesce(fault, CASE WHEN raw_line > first_line THEN {repeats} END) AS fault)
        FROM (SELECT *, {first} AS first_line FROM ({judged}))"""
