"""Bringing a register's tables to this version, by the migrations packaged beside this module."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from fonoteca.model.errors import StoreError
from fonoteca.register.engine import lock_migrations, reading, writing


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest version, in one transaction. Cost: one look when they are there already.

    Raises: StoreError when a newer Fonoteca made the register, which is then left as it is.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    with reading(engine) as connection:
        if _found(connection, scripts) == scripts.get_current_head():
            return
    with writing(engine) as connection:
        lock_migrations(connection)
        if _found(connection, scripts) != scripts.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _found(connection: Connection, scripts: ScriptDirectory) -> str | None:
    """Return the version that the tables are at, None for an empty database."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None:
        try:
            scripts.get_revision(found)
        except CommandError as error:
            raise StoreError(
                connection.engine.url.render_as_string(hide_password=True),
                f"made by a newer Fonoteca: its tables are at version {found}, this one knows up to {scripts.get_current_head()}",
                "Use that newer Fonoteca; nothing was changed.",
            ) from error
    return found
