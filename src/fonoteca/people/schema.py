"""The tables. Their names begin with `people_`, since on PostgreSQL they share a database with the register's.

Times are seconds since 1970. Digests are BLAKE2b-256 of random tokens, in hexadecimal digits.
What is kept for an account beside these is in `personal.tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    event,
    insert,
    inspect,
    select,
    update,
)

from fonoteca.model.errors import StoreError
from fonoteca.sql.engine import lock_migrations, reading, writing

VERSION = 6
CONTENT_LOCK = 0x666F6E71
"""Not the register's: a sign-in need not wait while the register is made anew."""

metadata = MetaData()


def _owner() -> Column[int]:
    return Column("account", ForeignKey("people_account.number", ondelete="CASCADE"), nullable=False, index=True)


version = Table("people_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

accounts = Table(
    "people_account",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("folded", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("password", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

keys = Table(
    "people_key",
    metadata,
    Column("number", Integer, primary_key=True),
    _owner(),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger),
)

secrets = Table(
    "people_secret",
    metadata,
    Column("number", Integer, primary_key=True),
    _owner(),
    Column("name", String, nullable=False),
    Column("sealed", String, nullable=False),
    Column("created", BigInteger, nullable=False),
)

sessions = Table(
    "people_session",
    metadata,
    Column("digest", String, primary_key=True),
    _owner(),
    Column("expires", BigInteger, nullable=False, index=True),
)

setups = Table(
    "people_setup",
    metadata,
    Column("digest", String, primary_key=True),
    Column("expires", BigInteger, nullable=False),
)
"""Tokens that let whoever started the site make the first operator. All go when there is one."""

tries = Table(
    "people_try",
    metadata,
    Column("who", String, primary_key=True),
    Column("since", BigInteger, nullable=False, index=True),
    Column("count", Integer, nullable=False),
)
"""Sign-ins that were tried. Names and addresses are digests, and rows go when their time is over."""


Changes = Mapping[int, Callable[[Connection], None]]
"""What brings the tables of a version to the next, beside tables that are new. 1 to 2: what is kept for accounts, all of it new.
2 to 3: fetches, likewise. 3 to 4: notices. 4 to 5: the docket. 5 to 6: what happened to each notice, its text's digest,
and when its state began."""


def prepare(engine: Engine, changes: Changes) -> None:
    """Make the tables where they are not, and bring older ones to this version. Cost: one look when they are there already.

    Raises: StoreError when a newer Fonoteca made them, which are then left as they are.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _forget_wholly)
    with reading(engine) as connection:
        if _found(connection) == VERSION:
            return
    with writing(engine, content_lock=CONTENT_LOCK) as connection:
        lock_migrations(connection)
        found = _found(connection)
        if found is not None and found > VERSION:
            said = f"the tables of accounts are at version {found}, this Fonoteca knows {VERSION}"
            raise StoreError("people", said, "Use that newer Fonoteca; nothing was changed.")
        metadata.create_all(connection)
        if found is None:
            connection.execute(insert(version).values(version=VERSION))
            return
        for step in range(found, VERSION):
            if step in changes:
                changes[step](connection)
        connection.execute(update(version).values(version=VERSION))


def _found(connection: Connection) -> int | None:
    """Return the version that the tables are at, None where there are none."""
    if not inspect(connection).has_table(version.name):
        return None
    found: int | None = connection.execute(select(version.c.version)).scalar_one_or_none()
    return found


def _forget_wholly(connection: Any, _record: object) -> None:
    """Have SQLite overwrite what is deleted: what somebody heard shall not lie in pages that are free."""
    connection.execute("PRAGMA secure_delete=ON").close()
