"""Which objects changed when: the list that harvesters page through, in step with what is held and what was withdrawn.

All of it follows from the rows of objects, versions and withdrawals, so that a register made anew has the same. An object is on
the list once any version of it could be shared, and stays on it for ever: what was purged is still told to be gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, literal, select, tuple_

from fonoteca.formats.tombstones import parse_tombstone
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Act, Kind
from fonoteca.register.bulk import batched
from fonoteca.register.schema import change, object_, version, withdrawal
from fonoteca.sql.engine import insert_or

OBJECTS_AT_ONCE = 500
SOURCES_MAX = 1_000
"""Kinds and sources that are looked for: an archive has a dozen."""

_SOURCE = re.compile(r"[a-z][a-z0-9-]*")
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """When an object, or what is said of it, last changed. source: where its item came from."""

    object_id: ObjectId
    kind: str
    source: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the list. kind, source: "" for any. since: inclusive; before: exclusive; None for no bound."""

    kind: str = ""
    source: str = ""
    since: datetime | None = None
    before: datetime | None = None


Position = tuple[datetime, str]
"""The last row seen: its time of change and its object."""


class Changes:
    """The list of changes, in order of time and object. Made by `Register.changes`."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reading = reading

    def page(self, span: Span, after: Position | None, limit: int) -> list[ChangeRow]:
        """Return the rows of a span that come next. Cost: one look-up and `limit` rows, wherever the page is."""
        with self._reading() as connection:
            return [_row(each) for each in connection.execute(changes_after(span, after, limit))]

    def count(self, span: Span) -> int:
        """Return how many rows a span has. Cost: a pass over its part of an index."""
        with self._reading() as connection:
            return int(connection.execute(changes_in(span)).scalar_one())

    def of(self, object_id: str) -> ChangeRow | None:
        """Return an object's row, None when it is not on the list."""
        with self._reading() as connection:
            found = connection.execute(change_of(object_id)).one_or_none()
        return None if found is None else _row(found)

    def earliest(self) -> datetime | None:
        """Return the first time on the list, None for an empty one."""
        rows = self.page(Span(), None, 1)
        return rows[0].changed_at if rows else None

    def sources(self) -> list[tuple[str, str]]:
        """Return each kind and source that the list has, in order. Cost: a look-up for each of them."""
        found: list[tuple[str, str]] = []
        with self._reading() as connection:
            for kind in sorted(Kind):
                while len(found) < SOURCES_MAX:
                    last = found[-1][1] if found and found[-1][0] == kind else ""
                    source = connection.execute(source_after(kind, last)).scalar()
                    if source is None:
                        break
                    found.append((str(kind), source))
        return found


def changes_after(span: Span, after: Position | None, limit: int) -> Select[Any]:
    """Select a page of changes."""
    query = _within(select(change), span)
    if after is not None:
        place = tuple_(literal(after[0], change.c.changed_at.type), literal(after[1], change.c.object_id.type))
        query = query.where(tuple_(change.c.changed_at, change.c.object_id) > place)
    return query.order_by(change.c.changed_at, change.c.object_id).limit(limit)


def changes_in(span: Span) -> Select[Any]:
    """Select the number of changes in a span."""
    return _within(select(func.count()).select_from(change), span)


def change_of(object_id: str) -> Select[Any]:
    """Select an object's change."""
    return select(change).where(change.c.object_id == object_id)


def source_after(kind: str, source: str) -> Select[Any]:
    """Select the source of a kind that comes next."""
    return select(change.c.source).where(change.c.kind == kind, change.c.source > source).order_by(change.c.source).limit(1)


def _within(query: Select[Any], span: Span) -> Select[Any]:
    if span.kind:
        query = query.where(change.c.kind == span.kind)
    if span.source:
        query = query.where(change.c.source == span.source)
    if span.since is not None:
        query = query.where(change.c.changed_at >= span.since)
    return query.where(change.c.changed_at < span.before) if span.before is not None else query


def _row(row: Row[Any]) -> ChangeRow:
    return ChangeRow(ObjectId(row.object_id), row.kind, row.source, row.changed_at)


# Keeping it in step -------------------------------------------------------------------------------------------------


def note_changes(connection: Connection, object_ids: Iterable[str]) -> None:
    """Bring the rows of some objects up to date with what is held and said of them. Cost: four statements for a few hundred."""
    harvested = sorted({each for each in object_ids if ObjectId(each).kind in tuple(Kind)})
    for some in batched(harvested, OBJECTS_AT_ONCE):
        rows = list(_derived(connection, some))
        off = sorted(set(some) - {row["object_id"] for row in rows})
        if off:
            connection.execute(delete(change).where(change.c.object_id.in_(off)))
        if rows:
            statement = insert_or(connection, change)
            later = {"changed_at": statement.excluded["changed_at"]}
            connection.execute(statement.on_conflict_do_update(index_elements=["object_id"], set_=later), rows)


def note_all_changes(connection: Connection) -> None:
    """Fill an empty list from the other tables. Cost: a pass over the objects."""
    note_changes(connection, connection.execute(select(withdrawal.c.object_id)).scalars().all())
    after = ""
    while some := connection.execute(_objects_after(after)).scalars().all():
        note_changes(connection, some)
        after = some[-1]


def _objects_after(after: str) -> Select[Any]:
    return select(object_.c.object_id).where(object_.c.object_id > after).order_by(object_.c.object_id).limit(OBJECTS_AT_ONCE)


def _derived(connection: Connection, object_ids: Collection[str]) -> Iterator[dict[str, object]]:
    """Yield the rows that some objects should have."""
    said = _said(connection, object_ids)
    heads = {row.object_id: row for row in connection.execute(_heads(object_ids))}
    for object_id in object_ids:
        head, times = heads.get(object_id), said.get(object_id, [])
        if head.shared if head else times:
            moments = [*times, head.head_at] if head else times
            named = ObjectId(object_id)
            source = named.key.split(":", 1)[0]
            yield {
                "object_id": object_id,
                "kind": named.kind,
                "source": source if _SOURCE.fullmatch(source) else _OTHER,
                "changed_at": max(moments),
            }


def _heads(object_ids: Collection[str]) -> Select[Any]:
    """Select when objects' heads were made, and whether any version of them could be shared."""
    could = version.c.acts.like(f"%{Act.SHARE.value}%")
    shared = select(version.c.id).where(version.c.object_key == object_.c.id, could).exists().label("shared")
    return select(object_.c.object_id, object_.c.head_at, shared).where(object_.c.object_id.in_(object_ids))


def _said(connection: Connection, object_ids: Collection[str]) -> dict[str, list[datetime]]:
    """Return by object when something was said of it, or done about that."""
    query = select(withdrawal).where(withdrawal.c.object_id.in_(object_ids)).order_by(withdrawal.c.object_id)
    return {
        object_id: [moment for row in rows for moment in _moments(row)]
        for object_id, rows in groupby(connection.execute(query), key=lambda row: row.object_id)
    }


def _moments(row: Row[Any]) -> Sequence[datetime]:
    stated = parse_tombstone(row.tombstone, f"withdrawal of {row.object_id}").dates.effective_at
    return [each for each in (stated, row.answered_at, row.purge_at, row.purged_at) if each is not None]
