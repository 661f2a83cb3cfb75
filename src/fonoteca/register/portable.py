"""The register as lines of text that any engine can be filled from: what a backup keeps.

One JSON value a line: first `{"format": ..., "tables": version}`, then for each table `{"table": name, "columns": [...]}` and a
list for each of its rows, in order of key. Values are as the database has them; bytes are `{"hex": ...}`, and numbers that not
every reader of JSON can hold are `{"number": "..."}`. Whose the register is stays out: what is filled keeps its owner.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Boolean, Connection, Table, column, delete, insert, select, text
from sqlalchemy import table as plain_table

from fonoteca.formats.strictjson import INTEGER_MAX, parse_json
from fonoteca.model.errors import FormatError
from fonoteca.register.changes import note_all_changes
from fonoteca.register.migrate import HEAD
from fonoteca.register.schema import album, album_credit, album_genre, change, metadata, owner
from fonoteca.register.shelving import shelve_all

FORMAT = "fonoteca-register/1"
LINE_BYTES_MAX = 256 << 20
"""A row of hashes has 104 B a piece: no file is longer than 41 GB in the shortest pieces, or 660 GB in those of 256 KiB."""
_ROWS_AT_ONCE = 1000
_DERIVED = (album, album_credit, album_genre, change)
_TABLES = [table for table in metadata.sorted_tables if table is not owner and table not in _DERIVED]
_SUBJECT = "register.jsonl"
_REMEDY = "Use another backup, or make the register anew from the store with `fonoteca rebuild`."


def dump(connection: Connection) -> Iterator[bytes]:
    """Yield all rows of all tables as lines, from one state of the register. Cost: a pass over everything."""
    yield _line({"format": FORMAT, "tables": HEAD})
    for table in _TABLES:
        names = [each.name for each in table.c]
        yield _line({"table": table.name, "columns": names})
        plain = _plain(table)
        question = select(*(plain.c[name] for name in names)).order_by(*(plain.c[each.name] for each in table.primary_key))
        for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(question):
            yield _line([_told(value) for value in row])


def load(connection: Connection, lines: Iterable[bytes]) -> int:
    """Fill the register from lines that `dump` gave, in place of all that it holds. Returns: how many rows.

    Raises: FormatError for lines of another kind or of newer tables; then nothing may be kept of the transaction.
    """
    rest = iter(lines)
    head = _parsed(next(rest, b""))
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise FormatError(_SUBJECT, f"expected {FORMAT}", _REMEDY)
    if str(head.get("tables")) > HEAD:
        problem = f"its tables are at version {head['tables']}, this Fonoteca knows up to {HEAD}"
        raise FormatError(_SUBJECT, problem, "Install the newest Fonoteca.")
    for table in (*_DERIVED, *reversed(_TABLES)):
        connection.execute(delete(table))
    filler = _Filler(connection)
    for line in rest:
        filler.take(_parsed(line))
    filler.flush()
    _go_on_counting(connection)
    shelve_all(connection)
    note_all_changes(connection)
    return filler.row_count


class _Filler:
    """Takes the lines of tables one by one and inserts their rows many at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._table: Table | None = None
        self._columns: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self.row_count = 0

    def take(self, found: Any) -> None:
        """Take a line: the head of the next table, or a row of this one."""
        if isinstance(found, dict):
            self.flush()
            self._table, self._columns = _table_of(found)
        elif self._table is not None and isinstance(found, list) and len(found) == len(self._columns):
            kinds = self._table.c
            values = zip(self._columns, found, strict=True)
            self._rows.append({name: _stored(value, truth=isinstance(kinds[name].type, Boolean)) for name, value in values})
            if len(self._rows) == _ROWS_AT_ONCE:
                self.flush()
        else:
            raise FormatError(_SUBJECT, "a line is neither a table nor one of its rows", _REMEDY)

    def flush(self) -> None:
        """Insert what waits."""
        if self._rows and self._table is not None:
            self._connection.execute(insert(_plain(self._table)), self._rows)
            self.row_count += len(self._rows)
            self._rows = []


def _plain(table: Table) -> Any:
    """Return the table without types of ours: values pass as the database has them."""
    return plain_table(table.name, *(column(each.name, each.type if isinstance(each.type, Boolean) else None) for each in table.c))


def _table_of(found: Mapping[str, Any]) -> tuple[Table, list[str]]:
    """Return the table that a line names, and the columns of the rows that follow: all of an older register's, or fewer."""
    table, columns = metadata.tables.get(str(found.get("table"))), found.get("columns")
    if table is None or not isinstance(columns, list) or not set(columns) <= set(table.c.keys()):
        raise FormatError(_SUBJECT, f"no table of a register has these columns: {found!r:.200}", _REMEDY)
    return table, columns


def _go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL give keys after those that were filled in. SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in _TABLES:
        key = table.autoincrement_column
        if key is not None:
            named = {"table": f'"{table.name}"', "key": key.name}
            sequence = connection.execute(text("SELECT pg_get_serial_sequence(:table, :key)"), named).scalar()
            if sequence:
                most = f'SELECT setval(:sequence, (SELECT coalesce(max("{key.name}"), 0) + 1 FROM "{table.name}"), false)'
                connection.execute(text(most), {"sequence": sequence})


def _told(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"hex": bytes(value).hex()}
    return {"number": str(value)} if isinstance(value, int) and abs(value) > INTEGER_MAX else value


def _stored(value: Any, *, truth: bool) -> Any:
    if truth and value is not None:
        return bool(value)
    if isinstance(value, dict):
        try:
            return int(value["number"]) if "number" in value else bytes.fromhex(value["hex"])
        except (KeyError, ValueError, TypeError):
            raise FormatError(_SUBJECT, f"neither a number nor bytes: {value!r:.100}", _REMEDY) from None
    return value


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> Any:
    if len(line) > LINE_BYTES_MAX:
        raise FormatError(_SUBJECT, f"a line of {len(line):,} bytes", _REMEDY)
    return parse_json(line, _SUBJECT)
