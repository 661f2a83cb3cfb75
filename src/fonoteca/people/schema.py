"""The tables. Their names begin with `people_`, since on PostgreSQL they share a database with the register's.

Times are seconds since 1970. Digests are BLAKE2b-256 of random tokens, in hexadecimal digits.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Engine, ForeignKey, Integer, MetaData, String, Table, insert, select

from fonoteca.model.errors import StoreError
from fonoteca.sql.engine import lock_migrations, writing

VERSION = 1
CONTENT_LOCK = 0x666F6E71
"""Not the register's: a sign-in need not wait while the register is made anew."""

metadata = MetaData()


def _owner() -> Column[int]:
    return Column("account", ForeignKey("people_account.number"), nullable=False, index=True)


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

tries = Table(
    "people_try",
    metadata,
    Column("who", String, primary_key=True),
    Column("since", BigInteger, nullable=False, index=True),
    Column("count", Integer, nullable=False),
)
"""Sign-ins that were tried. Names and addresses are digests, and rows go when their time is over."""


def prepare(engine: Engine) -> None:
    """Make the tables where they are not. Raises: StoreError when a newer Fonoteca made them."""
    with writing(engine, content_lock=CONTENT_LOCK) as connection:
        lock_migrations(connection)
        metadata.create_all(connection)
        found = connection.execute(select(version.c.version)).scalar_one_or_none()
        if found is None:
            connection.execute(insert(version).values(version=VERSION))
        elif found != VERSION:
            said = f"the tables of accounts are at version {found}, this Fonoteca knows {VERSION}"
            raise StoreError("people", said, "Use that newer Fonoteca; nothing was changed.")
