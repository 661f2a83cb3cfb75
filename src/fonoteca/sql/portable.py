"""Tables as lines of text that any engine can be filled from: what a backup keeps of a room's tables.

One JSON value a line: first `{"format": ..., "tables": version}`, then for each table `{"table": name, "columns": [...]}` and a
list for each of its rows, in order of key. Values are as the database has them; bytes are `{"hex": ...}`, and numbers that not
every reader of JSON can hold are `{"number": "..."}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Table, column, delete, insert, select, text
from sqlalchemy import table as plain_table

from fonoteca.formats.strictjson import INTEGER_MAX, parse_json
from fonoteca.model.errors import FormatError

LINE_BYTES_MAX = 256 << 20
"""A row of hashes has 104 B a piece: no file is longer than 41 GB in the shortest pieces, or 660 GB in those of 256 KiB."""
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Portable:
    """Which tables are kept, in an order in which each follows those it points to. format, version: what their lines begin with.

    subject: what an error names. remedy: what to do about lines that cannot be used. veils: by table and column, what lines have
    instead of the column itself.
    """

    format: str
    version: str
    tables: Sequence[Table]
    subject: str
    remedy: str
    veils: Mapping[str, Mapping[str, ColumnElement[Any]]] = field(default_factory=dict)

    def dump(self, connection: Connection) -> Iterator[bytes]:
        """Yield all rows of all tables as lines, from one state of the database. Cost: a pass over everything."""
        yield _line({"format": self.format, "tables": self.version})
        for table in self.tables:
            names = [each.name for each in table.c]
            yield _line({"table": table.name, "columns": names})
            plain = _plain(table)
            veils = self.veils.get(table.name, {})
            question = (
                select(*(veils.get(name, plain.c[name]) for name in names))
                .select_from(plain)
                .order_by(*(plain.c[each.name] for each in table.primary_key))
            )
            for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(question):
                yield _line([_told(value) for value in row])

    def load(self, connection: Connection, lines: Iterable[bytes], derived: Sequence[Table] = ()) -> int:
        """Fill the tables from lines that `dump` gave, in place of all that they and the derived ones hold. Returns: how many rows.

        Raises: FormatError for lines of another kind or of newer tables; then nothing may be kept of the transaction.
        """
        rest = iter(lines)
        head = self._parsed(next(rest, b""))
        if not isinstance(head, dict) or head.get("format") != self.format:
            raise FormatError(self.subject, f"expected {self.format}", self.remedy)
        if str(head.get("tables")) > self.version:
            problem = f"its tables are at version {head['tables']}, this Fonoteca knows up to {self.version}"
            raise FormatError(self.subject, problem, "Install the newest Fonoteca.")
        for table in (*derived, *reversed(self.tables)):
            connection.execute(delete(table))
        filler = _Filler(self, connection)
        for line in rest:
            filler.take(self._parsed(line))
        filler.flush()
        self._go_on_counting(connection)
        return filler.row_count

    def table_of(self, found: Mapping[str, Any]) -> tuple[Table, list[str]]:
        """Return the table that a line names, and the columns of the rows that follow: all that an older one had, or fewer."""
        named = {table.name: table for table in self.tables}
        table, columns = named.get(str(found.get("table"))), found.get("columns")
        if table is None or not isinstance(columns, list) or not set(columns) <= set(table.c.keys()):
            raise self.refused(f"no table has these columns: {found!r:.200}")
        return table, columns

    def refused(self, problem: str) -> FormatError:
        """Return the error for a line that cannot be used."""
        return FormatError(self.subject, problem, self.remedy)

    def stored(self, value: Any, *, truth: bool) -> Any:
        """Return a value as the database has it. truth: whether it is true or false."""
        if truth and value is not None:
            return bool(value)
        if isinstance(value, dict):
            try:
                return int(value["number"]) if "number" in value else bytes.fromhex(value["hex"])
            except (KeyError, ValueError, TypeError):
                raise self.refused(f"neither a number nor bytes: {value!r:.100}") from None
        return value

    def _go_on_counting(self, connection: Connection) -> None:
        """Let PostgreSQL give keys after those that were filled in. SQLite does so by itself."""
        if connection.dialect.name != "postgresql":
            return
        for table in self.tables:
            key = table.autoincrement_column
            if key is not None:
                named = {"table": f'"{table.name}"', "key": key.name}
                sequence = connection.execute(text("SELECT pg_get_serial_sequence(:table, :key)"), named).scalar()
                if sequence:
                    most = f'SELECT setval(:sequence, (SELECT coalesce(max("{key.name}"), 0) + 1 FROM "{table.name}"), false)'
                    connection.execute(text(most), {"sequence": sequence})

    def _parsed(self, line: bytes) -> Any:
        if len(line) > LINE_BYTES_MAX:
            raise self.refused(f"a line of {len(line):,} bytes")
        return parse_json(line, self.subject)


class _Filler:
    """Takes the lines of tables one by one and inserts their rows many at a time."""

    def __init__(self, shape: Portable, connection: Connection) -> None:
        self._shape, self._connection = shape, connection
        self._table: Table | None = None
        self._columns: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self.row_count = 0

    def take(self, found: Any) -> None:
        """Take a line: the head of the next table, or a row of this one."""
        if isinstance(found, dict):
            self.flush()
            self._table, self._columns = self._shape.table_of(found)
        elif self._table is not None and isinstance(found, list) and len(found) == len(self._columns):
            kinds = self._table.c
            values = zip(self._columns, found, strict=True)
            stored = {name: self._shape.stored(value, truth=isinstance(kinds[name].type, Boolean)) for name, value in values}
            self._rows.append(stored)
            if len(self._rows) == _ROWS_AT_ONCE:
                self.flush()
        else:
            raise self._shape.refused("a line is neither a table nor one of its rows")

    def flush(self) -> None:
        """Insert what waits."""
        if self._rows and self._table is not None:
            self._connection.execute(insert(_plain(self._table)), self._rows)
            self.row_count += len(self._rows)
            self._rows = []


def _plain(table: Table) -> Any:
    """Return the table without types of ours: values pass as the database has them."""
    return plain_table(table.name, *(column(each.name, each.type if isinstance(each.type, Boolean) else None) for each in table.c))


def _told(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"hex": bytes(value).hex()}
    return {"number": str(value)} if isinstance(value, int) and abs(value) > INTEGER_MAX else value


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"
