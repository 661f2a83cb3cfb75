"""The engine under the register. All that differs between SQLite and PostgreSQL is in this module and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from fonoteca.model.errors import StoreError, UsageError

BUSY_TIMEOUT_MS = 60_000
"""How long a writer waits for another process's transaction. A server and a command write at once; none writes for long."""

CACHE_KIB = 65_536
"""SQLite's page cache of one connection: 64 MiB."""

_WRITES = "fonoteca_writes"
_MIGRATION_LOCK = 0x666F6E6F
"""Key of the PostgreSQL advisory lock under which migrations run: `fono` in ASCII."""


def open_engine(url_or_path: str) -> Engine:
    """Return an engine for a SQLAlchemy URL, or for a SQLite file given by its path.

    Raises: UsageError for an URL that no engine here understands.
    """
    try:
        url = make_url(url_or_path) if "://" in url_or_path else make_url("sqlite://").set(database=url_or_path)
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            raise UsageError(
                url_or_path, f"expected sqlite or postgresql, found {url.get_backend_name()}", "Set `register` in fonoteca.toml."
            )
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() == "postgresql")
    except (ArgumentError, ImportError) as error:
        raise UsageError(url_or_path, f"not a register's address: {error}", "Set `register` in fonoteca.toml.") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Set a new SQLite connection up: readers beside one writer, durable commits, foreign keys.

    `synchronous=FULL` syncs the log at each commit, so that what is acknowledged survives a power cut; NORMAL would not
    promise that in WAL mode (sqlite.org/pragma.html#pragma_synchronous).
    """
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"cache_size=-{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin as a writer at once where one will write: a reader that turns writer fails when another wrote meanwhile."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of the register throughout. Raises: StoreError when the engine fails."""
    with told(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, before_commit: Callable[[], None] | None = None) -> Iterator[Connection]:
    """Give a connection whose changes become durable together when the context ends well, or not at all.

    before_commit: called last, with everything written and nothing durable yet. Raises: StoreError when the engine fails.
    """
    with told(engine), engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection
        if before_commit is not None:
            before_commit()


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Turn the engine's exceptions into StoreError, here and nowhere else."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StoreError(
            engine.url.render_as_string(hide_password=True),
            f"the register failed: {cause}",
            "Check disk space and permissions, and that the address in fonoteca.toml is right; then run the command again.",
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(engine.url.render_as_string(hide_password=True), f"the register failed: {error}") from error


def lock_migrations(connection: Connection) -> None:
    """Let one process migrate at a time. On SQLite the transaction, begun as a writer, is the lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def insert_or(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that takes `on_conflict_do_nothing` and `on_conflict_do_update`, which both engines spell alike."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def query_plan(connection: Connection, statement: str) -> list[str]:
    """Return the steps by which the engine would answer a statement, as it words them itself."""
    prefix = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    return [str(row[-1]) for row in connection.exec_driver_sql(prefix + statement)]
