"""CSV, JSON lines and Parquet to rows with line numbers. A bad row is handed on; a broken file ends in a SourceError."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.desk import Cell, Desk, RawRows, RawTable
from fonoteca.catalogue.mapping import TableMapping
from fonoteca.catalogue.rows import BadRow, TableRow, shown
from fonoteca.model.errors import SourceError, UsageError

LINE_CHARS_MAX = 1 << 20
"""A longer line is not a table's: it would fill memory before a field could be looked at."""
BATCH_ROWS = 8192
_FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_REMEDY = "Nothing was imported; mend the file or fetch it again."


def lay_table(path: Path, mapping: TableMapping, desk: Desk) -> None:
    """Lay the rows of a table on the desk: Parquet as it is, CSV and JSON lines row by row.

    Raises: as `read_table`.
    """
    if not path.exists():
        raise UsageError(str(path), "no such file", "Name a table that is there.")
    if _format_of(path, mapping) == "parquet":
        with _whole_parquet(path), pq.ParquetFile(path) as table:
            _check_columns(str(path), mapping.columns, table.schema_arrow.names)
        desk.parquet(RawTable(mapping.rows, path, mapping.columns, path.name))
        return
    with desk.table(mapping.rows, tuple(mapping.columns), path.name) as rows:
        _lay(read_table(path, mapping), tuple(mapping.columns), rows, desk, path.name)


def relay_rows(table: RawTable, desk: Desk) -> RawTable:
    """Lay a Parquet table down again row by row, so that text that is not UTF-8 spoils its row only. Returns: the new table."""
    with desk.table(table.rows, tuple(table.columns), table.file) as rows:
        _lay(_read_parquet(table.path, table.columns), tuple(table.columns), rows, desk, table.file)
    return desk.tables[-1]


def _lay(found: Iterable[TableRow | BadRow], fields: Sequence[str], rows: RawRows, desk: Desk, file: str) -> None:
    for row in found:
        if isinstance(row, BadRow):
            desk.reject(file, row.line, row.reason, row.row)
            continue
        cells: list[Cell] = []
        for field in fields:
            value = row.cells.get(field)
            if isinstance(value, bool) or not isinstance(value, str | int | float | None):
                desk.reject(file, row.line, f"{field}: expected text or a number, found {type(value).__name__}", repr(row.cells))
                break
            cells.append(value)
        else:
            rows.put(row.line, cells)


def _format_of(path: Path, mapping: TableMapping) -> str:
    kind = mapping.format or _FORMATS.get(path.suffix.lower(), "")
    if not kind:
        raise UsageError(
            str(path), "cannot tell the table's format", f"Name it {'|'.join(_FORMATS)}, or set `format` in the mapping."
        )
    return kind


@dataclass(slots=True)
class _Read:
    """How far a table has been read."""

    rows: int = 0


@contextmanager
def _whole_parquet(path: Path) -> Iterator[_Read]:
    """Turn errors of reading Parquet into a SourceError with the position, which the context counts up."""
    read = _Read()
    try:
        yield read
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: after row {read.rows}", f"not whole Parquet: {shown(str(error))}", _REMEDY) from error


def read_table(path: Path, mapping: TableMapping) -> Iterator[TableRow | BadRow]:
    """Yield the rows of a table in order, streamed.

    Raises: UsageError when the file is not there or of unknown format; SourceError with the position when it breaks off or
    is not a table of the mapping's columns.
    """
    kind = _format_of(path, mapping)
    if not path.is_file():
        raise UsageError(str(path), "no such file")
    try:
        if kind == "parquet":
            yield from _read_parquet(path, mapping.columns)
            return
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            if kind == "csv":
                delimiter = mapping.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
                yield from _read_csv(str(path), stream, mapping.columns, delimiter)
            else:
                yield from _read_jsonl(str(path), stream, mapping.columns)
    except OSError as error:
        raise SourceError(str(path), f"cannot be read: {error}", _REMEDY) from error


def _lines(subject: str, stream: TextIO) -> Iterator[str]:
    count = 0
    while line := stream.readline(LINE_CHARS_MAX + 1):
        count += 1
        if len(line) > LINE_CHARS_MAX:
            raise SourceError(f"{subject}:{count}", f"a line longer than {LINE_CHARS_MAX} characters", _REMEDY)
        yield line


def _check_columns(subject: str, columns: Mapping[str, str], header: Sequence[str]) -> None:
    if missing := sorted(set(columns.values()) - set(header)):
        raise SourceError(
            subject,
            f"expected columns {', '.join(missing)}, found {shown(', '.join(header)) or 'none'}",
            "Correct [columns] in the mapping, or the file.",
        )


def _read_csv(subject: str, stream: TextIO, columns: Mapping[str, str], delimiter: str) -> Iterator[TableRow | BadRow]:
    reader = csv.reader(_lines(subject, stream), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise SourceError(f"{subject}:1", f"not CSV: {error}", _REMEDY) from error
    _check_columns(f"{subject}:1", columns, header)
    places = {field: header.index(column) for field, column in columns.items()}
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # At the end of the file the error is that of a quoted field cut short: the file is not whole. Before it, the
            # reader starts afresh on the next line, and only this row is lost.
            if "unexpected end of data" in str(error):
                raise SourceError(f"{subject}:{line}", "ends inside a quoted field", _REMEDY) from error
            yield BadRow(line, f"not CSV: {error}", "")
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            yield BadRow(line, f"expected {len(header)} columns, found {len(cells)}", shown(delimiter.join(cells)))
            continue
        yield TableRow(line, {field: cells[place] for field, place in places.items()})


def _read_jsonl(subject: str, stream: TextIO, columns: Mapping[str, str]) -> Iterator[TableRow | BadRow]:
    for line, text in enumerate(_lines(subject, stream), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield BadRow(line, f"not JSON: {shown(str(error))}", shown(text))
            continue
        if not isinstance(value, dict):
            yield BadRow(line, f"expected a JSON object, found {type(value).__name__}", shown(text))
            continue
        yield TableRow(line, {field: value.get(column) for field, column in columns.items()})


def _read_parquet(path: Path, columns: Mapping[str, str]) -> Iterator[TableRow | BadRow]:
    with _whole_parquet(path) as read, pq.ParquetFile(path) as table:
        _check_columns(str(path), columns, table.schema_arrow.names)
        wanted = sorted(set(columns.values()))
        for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
            yield from _batch_rows(batch, read.rows, columns)
            read.rows += batch.num_rows


def _batch_rows(batch: pa.RecordBatch, row_count: int, columns: Mapping[str, str]) -> Iterator[TableRow | BadRow]:
    """Yield a batch's rows; text that is not UTF-8 spoils its row, not the batch."""
    for index in range(batch.num_rows):
        line = row_count + index + 1
        try:
            cells = {field: batch.column(column)[index].as_py() for field, column in columns.items()}
        except (UnicodeDecodeError, pa.ArrowException, ValueError) as error:
            yield BadRow(line, f"not UTF-8 or out of range: {shown(str(error))}", "")
            continue
        yield TableRow(line, cells)
