"""Many rows at once, the fastest way that each engine has, inside a transaction that `engine` began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, String, Table, TypeDecorator

NATURAL_KEYS = {"item": ("key",), "object": ("object_id",), "event": ("digest",), "fixity_check": ("member_key", "at")}
"""Of the tables whose rows several writers may bring at once."""

_T = TypeVar("_T")

Rows = Sequence[Sequence[Any]]


def batched(things: Sequence[_T], count: int) -> Iterator[Sequence[_T]]:
    """Yield the things in their order, so many at a time."""
    for start in range(0, len(things), count):
        yield things[start : start + count]


def reserve_keys(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """Return so many new values of a table's `id`, ascending, that no other writer gets.

    On SQLite the transaction keeps other writers out; PostgreSQL's sequence gives none twice.
    """
    if connection.dialect.name == "postgresql":
        statement = f"SELECT nextval('{table.name}_id_seq') FROM generate_series(1, {count})"
        return connection.exec_driver_sql(statement).scalars().all()
    last = connection.exec_driver_sql(f'SELECT max(id) FROM "{table.name}"').scalar() or 0
    return range(last + 1, last + 1 + count)


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert rows, each a value for each of the columns; columns not named take their defaults.

    PostgreSQL takes them as one COPY: no round trip a row, and nothing to plan.
    """
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "postgresql":
        driver = connection.connection.driver_connection
        assert driver is not None, "the connection is open"
        with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
            for row in _bound(connection, table, columns, rows):
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'
    connection.exec_driver_sql(statement, list(_bound(connection, table, columns, rows)))


def insert_missing(connection: Connection, table: Table, columns: Sequence[str], rows: Rows) -> int:
    """Insert the rows whose natural key no row has yet. Returns: how many that were.

    rows: in order of that key, as all writers give them, so that two seldom wait for each other crosswise. A row that another
    writer is about to commit is waited for.
    """
    if not rows:
        return 0
    key = ", ".join(NATURAL_KEYS[table.name])
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{_array_type(connection, table, name)}" for name in columns)
        statement = f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT ({key}) DO NOTHING'
        values = tuple(list(column) for column in zip(*_bound(connection, table, columns, rows), strict=True))
        return connection.exec_driver_sql(statement, values).rowcount
    marks = ", ".join("?" * len(columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO NOTHING'
    return connection.exec_driver_sql(statement, list(_bound(connection, table, columns, rows))).rowcount


def _bound(connection: Connection, table: Table, columns: Sequence[str], rows: Rows) -> Iterable[tuple[Any, ...]]:
    """Return the rows as the driver takes them: what the schema's own types say, and plain text in place of our kinds of text."""
    converted = [_converted(connection, table, name, values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)]
    return zip(*converted, strict=True)


def _array_type(connection: Connection, table: Table, name: str) -> str:
    """Return the type of an array of a column's values, its collation left out."""
    kind = table.c[name].type
    return "text[]" if isinstance(kind, String) else f"{kind.compile(connection.dialect)}[]"


def _converted(connection: Connection, table: Table, name: str, values: Sequence[Any]) -> Iterable[Any]:
    """Return a column's values as the driver takes them."""
    kind = table.c[name].type
    if isinstance(kind, TypeDecorator):
        convert: Callable[[Any, Any], Any] = kind.process_bind_param
        return [convert(value, connection.dialect) for value in values]
    return [None if value is None else str(value) for value in values] if isinstance(kind, String) else values
