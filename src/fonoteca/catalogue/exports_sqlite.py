"""The export in SQLite: one file with every table, indexes on what people look things up by, and what the columns mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

from fonoteca.catalogue.citation import Citation
from fonoteca.catalogue.dictionary import TABLE_MEANINGS, dictionary
from fonoteca.catalogue.duck import DuckSettings, open_duck, quoted
from fonoteca.catalogue.layout import ARTISTS, COLUMNS, EMPTY_COLUMNS, MERGED, RECORDINGS, RELEASES, TABLES, table_files
from fonoteca.ports import Staging

SQLITE_FILE = "catalogue.sqlite"
BATCH_ROWS = 8192
APPLICATION_ID = 0x464F4E4F
"""`FONO`: what `file` and SQLite's own tools can tell the file by (PRAGMA application_id)."""

_TYPES: Mapping[pa.DataType, str] = {
    pa.uuid(): "TEXT",
    pa.string(): "TEXT",
    pa.float32(): "REAL",
    pa.float64(): "REAL",
}
"""All others are INTEGER. An id is text as people write it: 36 characters instead of 16 bytes, but one can type it."""

INDEXES: Mapping[str, Sequence[str]] = {
    RECORDINGS: ("id", "isrc", "artist"),
    MERGED: ("id", "rank"),
    RELEASES: ("release_id",),
    ARTISTS: ("name",),
}
"""Besides `rank`, which is the key of `recordings`."""


def write_sqlite(snapshot: Path, citation: Citation, folder: Path, staging: Staging, advance: Callable[[int], None]) -> None:
    """Write catalogue.sqlite. Cost: about 8 s a million recordings, the indexes a third of it; memory does not grow with them.

    No journal: what is cut short is thrown away whole with the folder that it is in.
    """
    with closing(sqlite3.connect(folder / SQLITE_FILE, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        target.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        target.execute("BEGIN")
        _write_papers(target, citation)
        with open_duck(DuckSettings(), None) as duck:
            for table in TABLES:
                create_table(target, table)
                for path in table_files(snapshot, table):
                    _insert(duck, path, target, table, advance)
        for table, columns in INDEXES.items():
            for column in columns:
                target.execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")
        target.execute("COMMIT")


def create_table(target: sqlite3.Connection, table: str) -> None:
    """Make an empty table with the columns of a snapshot's table."""
    columns = []
    for name, kind in COLUMNS[table].items():
        key = " PRIMARY KEY" if (table, name) == (RECORDINGS, "rank") else ""
        columns.append(f"{name} {_TYPES.get(kind, 'INTEGER')}{key}{'' if name in EMPTY_COLUMNS else ' NOT NULL'}")
    target.execute(f"CREATE TABLE {table} ({', '.join(columns)})")


def _insert(
    duck: duckdb.DuckDBPyConnection, path: Path, target: sqlite3.Connection, table: str, advance: Callable[[int], None]
) -> None:
    """Copy the rows of one file, batch by batch."""
    columns = COLUMNS[table]
    # Whether a value is true is 1 or 0 in SQLite; a Python bool is taken as such.
    chosen = ", ".join(f"{name}::VARCHAR" if kind == pa.uuid() else name for name, kind in columns.items())
    insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})"
    rows = duck.execute(f"SELECT {chosen} FROM read_parquet({quoted(path)})")
    while batch := rows.fetchmany(BATCH_ROWS):
        target.executemany(insert, batch)
        advance(len(batch))


def _write_papers(target: sqlite3.Connection, citation: Citation) -> None:
    """Write what the file is, what its columns mean and whom it is made of."""
    target.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    about = {
        "id": citation.id,
        "title": citation.title,
        "abstract": citation.abstract(),
        "snapshot": citation.name,
        "snapshot_sha256": citation.digest,
    }
    target.executemany("INSERT INTO about VALUES (?, ?)", about.items())
    target.execute(
        """CREATE TABLE data_dictionary ("table" TEXT, "column" TEXT, kind TEXT, may_be_null INTEGER, unit TEXT, meaning TEXT,
        PRIMARY KEY ("table", "column"))"""
    )
    target.executemany("INSERT INTO data_dictionary VALUES (?, '', '', 0, '', ?)", TABLE_MEANINGS.items())
    columns = [(c.table, c.name, c.kind, c.may_be_null, c.unit, c.meaning) for c in dictionary()]
    target.executemany("INSERT INTO data_dictionary VALUES (?, ?, ?, ?, ?, ?)", columns)
    target.execute(
        """CREATE TABLE sources (name TEXT PRIMARY KEY, kind TEXT, date TEXT, licence TEXT, attribution TEXT, row_count INTEGER,
        synthetic INTEGER)"""
    )
    sources = [(s.name, s.kind, s.date, s.licence, s.attribution, s.row_count, s.synthetic) for s in citation.sources]
    target.executemany("INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?)", sources)
