"""What is held for a term, as the register knows it: for those who show or give many things at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from fonoteca.formats.terms import parse_term_text
from fonoteca.model.ids import ObjectId
from fonoteca.model.terms import Place, Term
from fonoteca.register.schema import object_, version


def termed() -> Select[Any]:
    """Select the objects whose head is for a term, with it."""
    return _TERMED


_HEAD = and_(object_.c.id == version.c.object_key, object_.c.head_version == version.c.version)
_TERMED = select(object_.c.object_id, version.c.term).join(object_, _HEAD).where(version.c.term.is_not(None))


class Terms:
    """The register as terms know it. Made by `Register.terms`."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reading = reading

    def all(self) -> Mapping[ObjectId, Term]:
        """Return what is held for a term, by object, none for most archives. Cost: how many there are."""
        with self._reading() as connection:
            rows = connection.execute(termed()).all()
        return {ObjectId(row.object_id): parse_term_text(row.term, f"the register's row of {row.object_id}") for row in rows}

    def closed(self, now: datetime, place: Place) -> frozenset[ObjectId]:
        """Return what does not go out to a place at a moment. Cost: as `all`."""
        return frozenset(object_id for object_id, term in self.all().items() if term.closed(now, place) is not None)
