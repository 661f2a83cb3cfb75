"""Bringing a register's tables to this version, by the migrations packaged beside this module."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from fonoteca.model.errors import StoreError
from fonoteca.register.engine import lock_migrations, reading, writing

HEAD = "0006"
"""The newest migration. Known here so that a register that is at it is opened without Alembic, which is slow to import."""


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest version, in one transaction. Cost: one look when they are there already.

    Raises: StoreError when a newer Fonoteca made the register, which is then left as it is.
    """
    with reading(engine) as connection:
        if _found(connection) == HEAD:
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


def _found(connection: Connection) -> str | None:
    """Return the version that the tables are at, None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found
