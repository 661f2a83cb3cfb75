"""Bringing a register's tables to this version, by the migrations packaged beside this module."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from fonoteca.model.errors import StoreError
from fonoteca.register.schema import metadata
from fonoteca.sql.engine import lock_migrations, reading, writing

HEAD = "0013"
"""The newest migration. Known here so that a register that is at it is opened without Alembic, which is slow to import."""


def migrate(engine: Engine, *, from_the_first: bool = False) -> None:
    """Bring the tables to the newest version, in one transaction. Cost: one look when they are there already.

    An empty database is given the newest tables at once, which are to the letter what all migrations make: 10 ms, where these
    take 160. from_the_first: migrate it all the same, so that a test can say so.
    Raises: StoreError when a newer Fonoteca made the register, which is then left as it is.
    """
    with reading(engine) as connection:
        if _found(connection) == HEAD:
            return
    if not from_the_first and _made_anew(engine):
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == HEAD, "HEAD names the newest migration"
    with writing(engine) as connection:
        lock_migrations(connection)
        found = _found(connection)
        if found == HEAD:
            return
        try:
            scripts.get_revision(found) if found else None
        except CommandError as error:
            raise StoreError(
                connection.engine.url.render_as_string(hide_password=True),
                f"made by a newer Fonoteca: its tables are at version {found}, this one knows up to {HEAD}",
                "Use that newer Fonoteca; nothing was changed.",
            ) from error
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _made_anew(engine: Engine) -> bool:
    """Make the newest tables where there are none. Returns: whether they are there now."""
    with writing(engine) as connection:
        lock_migrations(connection)
        if not inspect(connection).get_table_names():
            metadata.create_all(connection, checkfirst=False)
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
        return _found(connection) == HEAD


def _found(connection: Connection) -> str | None:
    """Return the version that the tables are at, None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found
