"""The engine under the tables of a room. What differs between SQLite and PostgreSQL is here and in the register's `bulk`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from fonoteca.model.errors import StoreError, UsageError
from fonoteca.sql.failures import failure, may_try_again, shown_address

BUSY_TIMEOUT_MS = 60_000
"""How long a writer waits for another process's transaction. A server and a command write at once; none writes for long."""

CACHE_KIB = 65_536
"""SQLite's page cache of one connection: 64 MiB."""

LOG_PAGES = 16_384
"""SQLite folds its log into the database file once it has 64 MiB, not 4: a page that many commits change is written there once.
Recording ran 1.7 times as fast in wall time, 1.1 in processor time (350,000 files, 500 versions a commit)."""

CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 600_000
"""How long PostgreSQL works on one statement. Migrations and a register made anew may take longer."""

POOL_CONNECTIONS, POOL_OVERFLOW, POOL_WAIT_S = 5, 10, 30
"""Connections that a process keeps, those it may open beside them, and how long a thread waits for one to be free."""

SILENCE_MAX_MS = 60_000
"""How long a server that does not answer the network counts as alive."""

TRANSACTION_TRIES = 5
"""Writers that lock the same rows in different orders: PostgreSQL undoes one of them, which tries again so many times."""

_WRITES = "fonoteca_writes"
_MIGRATION_LOCK = 0x666F6E6F
"""Key of the PostgreSQL advisory lock under which migrations run: `fono` in ASCII."""

CONTENT_LOCK = 0x666F6E70
"""Writers of the register share this advisory lock of the schema; whoever makes it anew has it alone."""

_REMEDY = "Set `register` in fonoteca.toml to sqlite or postgresql+psycopg://USER@HOST/DATABASE."

_T = TypeVar("_T")


def open_engine(url_or_path: str) -> Engine:
    """Return an engine for a SQLAlchemy URL, or for a SQLite file given by its path. Connects to nothing yet.

    Raises: UsageError for an URL that no engine here understands, or when the driver is not installed.
    """
    if "://" not in url_or_path:
        return _sqlite_engine(make_url("sqlite://").set(database=url_or_path))
    shown = shown_address(url_or_path)
    try:
        url = make_url(url_or_path)
        if url.host and "@" in url.host:
            raise UsageError(shown, "not a register's address: an `@` in the password", "Write it as %40.")
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url)
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise UsageError(shown, f"expected sqlite or postgresql with psycopg, found {url.drivername}", _REMEDY)
        return _postgresql_engine(url.set(drivername="postgresql+psycopg"))
    except ImportError as error:
        raise UsageError(shown, "PostgreSQL's driver is not installed", "Install it: `pip install 'fonoteca[many]'`.") from error
    except (ArgumentError, ValueError):
        raise UsageError(shown, "not a register's address", _REMEDY) from None  # its words may hold the password


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url)
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
        f"wal_autocheckpoint={LOG_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin as a writer at once where one will write: a reader that turns writer fails when another wrote meanwhile."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_engine(url: URL) -> Engine:
    """Return an engine whose connections give up on a silent server, a lock and a statement, each after its limit.

    What the address itself says of libpq's options goes before ours.
    """
    options = {
        "application_name": "fonoteca",
        "connect_timeout": CONNECT_TIMEOUT_S,
        "keepalives_idle": SILENCE_MAX_MS // 2000,
        "keepalives_interval": SILENCE_MAX_MS // 6000,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE_MAX_MS,
        "options": f"-c lock_timeout={BUSY_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS}",
    }
    engine = create_engine(
        url,
        connect_args={name: value for name, value in options.items() if name not in url.query},
        pool_pre_ping=True,
        pool_size=POOL_CONNECTIONS,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    """Let a commit return when it is on disk, also where the server's own setting is not to wait."""
    durable = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    connection.execute(durable).close()
    connection.commit()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of the register throughout. Raises: StoreError when the engine fails."""
    with told(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


@contextmanager
def writing(
    engine: Engine, before_commit: Callable[[], None] | None = None, *, alone: bool = False, content_lock: int = CONTENT_LOCK
) -> Iterator[Connection]:
    """Give a connection whose changes become durable together when the context ends well, or not at all.

    before_commit: called last, with everything written and nothing durable yet. alone: no other writer until then.
    content_lock: key of the lock that writers of the same tables share; rooms that keep their own need not wait for each other.
    Raises: StoreError when the engine fails. When that is while it commits, the changes may have become durable all the same.
    """
    with told(engine), engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            kind = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
            connection.execute(text(f"SELECT {kind}(:key, hashtext(current_schema()))"), {"key": content_lock})
            if alone:
                take_time(connection)
        yield connection
        if before_commit is not None:
            before_commit()


def write(
    engine: Engine,
    work: Callable[[Connection], _T],
    before_commit: Callable[[], None] | None = None,
    *,
    content_lock: int = CONTENT_LOCK,
) -> _T:
    """Return what `work` returns, its changes durable together; it is called again when another writer was in its way.

    Raises: StoreError when the engine fails, or others were in the way `TRANSACTION_TRIES` times.
    """
    for _ in range(TRANSACTION_TRIES - 1):
        try:
            with writing(engine, before_commit, content_lock=content_lock) as connection:
                return work(connection)
        except StoreError as error:
            if not may_try_again(error):
                raise
    with writing(engine, before_commit, content_lock=content_lock) as connection:
        return work(connection)


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Turn the exceptions of the engine and its driver into StoreError, here and nowhere else."""
    try:
        yield
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise failure(engine.url, error) from error


def lock_migrations(connection: Connection) -> None:
    """Let one process migrate at a time, as long as it takes. On SQLite the transaction, begun as a writer, is the lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        take_time(connection)


def take_time(connection: Connection) -> None:
    """Let the statements of this transaction take as long as they need."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def one_at_a_time(connection: Connection, key: int) -> None:
    """Let one transaction of those that name this key go on at a time; on SQLite one writer is alone as it is."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key, hashtext(current_schema()))"), {"key": key})


def insert_or(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that takes `on_conflict_do_nothing` and `on_conflict_do_update`, which both engines spell alike."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
