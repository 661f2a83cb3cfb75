"""Whose a register is, as its store says it: two archives that wrote in one database would mix what they hold."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from fonoteca.formats.claim import Claim
from fonoteca.model.errors import ClaimedError
from fonoteca.register.schema import owner
from fonoteca.sql.engine import insert_or

_ONE = 1
_REMEDY = "Give this archive a database of its own: set `register` in fonoteca.toml, and run `fonoteca rebuild`."


def owned() -> Select[Any]:
    """Select whose the register is."""
    return select(owner.c.archive_id, owner.c.name).where(owner.c.place == _ONE)


def owner_of(connection: Connection) -> Claim | None:
    """Return whose the register is, None for nobody's."""
    row = connection.execute(owned()).one_or_none()
    return None if row is None else Claim(row.archive_id, row.name)


def check_owner(found: Claim | None, own: Claim) -> None:
    """Raise ClaimedError when a register belongs to another archive."""
    if found is not None and found.archive_id != own.archive_id:
        raise ClaimedError("register", f"it belongs to the archive {found}, and this is {own}", _REMEDY)


def claim_register(connection: Connection, own: Claim) -> None:
    """Make the register the archive's, if it is nobody's. Raises: ClaimedError when it is another's."""
    statement = insert_or(connection, owner).values(place=_ONE, archive_id=own.archive_id, name=own.name)
    connection.execute(statement.on_conflict_do_nothing())
    check_owner(owner_of(connection), own)


def hand_over(connection: Connection, before: Claim | None, own: Claim) -> None:
    """Make the register the archive's, if it is nobody's or the one's before. Raises: ClaimedError when it is a third's."""
    found = owner_of(connection)
    if found is None or before is None or found.archive_id != before.archive_id:
        check_owner(found, own)
    row = {"archive_id": own.archive_id, "name": own.name}
    statement = insert_or(connection, owner).values(place=_ONE, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["place"], set_=row))
