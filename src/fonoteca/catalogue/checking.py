"""Raw rows judged by the rules of `checks`: the sound ones kept as Parquet, the others handed to the quarantine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

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
_ROW_NUMBER = "file_row_number"
"""What DuckDB calls a row's place in its Parquet file, from 0, where no column has that name."""
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
    if "No space left" in said or "Could not write" in said:
        return StoreError(table.file, f"DuckDB failed: {said}", "Check the free space; the snapshot that was current still is.")
    return SourceError(table.file, f"not whole Parquet: {said}", "Nothing was imported; mend the file or fetch it again.")


def _keep(
    duck: duckdb.DuckDBPyConnection, table: RawTable, heading: Heading, target: Path, reject: Callable[[BadRow], None]
) -> int:
    raw, cells = _raw(duck, table)
    sql = checked(table.rows, cells, heading.name, heading.key_source)
    relation = _judged(table, raw, sql)
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


def _raw(duck: duckdb.DuckDBPyConnection, table: RawTable) -> tuple[str, dict[str, Cell]]:
    """Return a SELECT of the columns that fields are read from and `raw_line`, and each field's cell in it.

    The columns have names of ours, c0, c1, ...: a table may call its own what it likes.
    """
    path = quoted(table.path)
    described = duck.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()
    # DuckDB knows no capitals and renames what is alike without them, so a column is found by its place.
    columns = dict(zip(reversed(pq.read_schema(table.path).names), reversed(described), strict=True))
    chosen, cells = [], {}
    for number, (field, column) in enumerate(table.columns.items()):
        name, kind, *_ = columns[column]
        chosen.append(f"{_identifier(name)} AS c{number}")
        cells[field] = Cell(f"c{number}", str(kind), field)
    numbered = ""
    if table.line_column:
        chosen.append(f"{_identifier(table.line_column)} AS raw_line")
    elif any(str(name).lower() == _ROW_NUMBER for name, *_ in described):
        chosen.append("row_number() OVER () AS raw_line")  # slower, and the only way past a column of that name
    else:
        chosen.append(f"{_ROW_NUMBER} + 1 AS raw_line")
        numbered = f", {_ROW_NUMBER} = true"
    return f"SELECT {', '.join(chosen)} FROM read_parquet({path}{numbered})", cells


def _identifier(name: object) -> str:
    """Return a column's name as SQL."""
    return '"' + str(name).replace('"', '""') + '"'


def _judged(table: RawTable, raw: str, sql: Checked) -> str:
    """Return a SELECT of the raw columns with line, fault and remark."""
    judged = f"SELECT *, raw_line AS line, {sql.fault} AS fault, {sql.remark} AS remark FROM ({raw})"
    if table.rows != LISTENING:
        return judged
    # A second count for the same recording would be counted twice.
    key = sql.key
    first = f"min(raw_line) FILTER (WHERE fault IS NULL) OVER (PARTITION BY {key})"
    repeats = "'repeats line ' || first_line || ', which has the same recording'"
    return f"""SELECT * REPLACE (coalesce(fault, CASE WHEN raw_line > first_line THEN {repeats} END) AS fault)
        FROM (SELECT *, {first} AS first_line FROM ({judged}))"""
