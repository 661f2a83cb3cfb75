"""Which objects' sources are to be asked again what they say of the rights: those that were asked the longest ago."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from fonoteca.model.ids import ObjectId
from fonoteca.register.schema import event, item, object_

SOURCE_CONFIRMED, SOURCE_RESTATED = "source-confirmed", "source-restated"
SOURCE_DOUBTED, SOURCE_SILENT = "source-doubted", "source-silent"
ASKED = (SOURCE_CONFIRMED, SOURCE_RESTATED, SOURCE_DOUBTED, SOURCE_SILENT)
"""The events of a source that was asked again: it said the same; as much or more; less, or nothing; it did not answer."""


@dataclass(frozen=True, slots=True)
class AskedRow:
    """An object whose source can be asked. asked_at: when it last was; when it was taken in, where never since."""

    object_id: ObjectId
    source: str
    asked_at: datetime


class Asking:
    """The register as whoever asks sources again knows it. Made by `Register.asking`."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reading = reading

    def longest_ago(self, sources: Collection[str], before: datetime | None, limit: int) -> list[AskedRow]:
        """Return objects of these kinds of source that were asked about last before a time (None: ever), the longest ago first.

        Cost: a pass over the objects of these sources, with a look into an index for each.
        """
        told = and_(event.c.subject == object_.c.object_id, event.c.what.in_(ASKED))
        last = select(func.max(event.c.at)).where(told).correlate(object_).scalar_subquery()
        asked_at = func.coalesce(last, object_.c.head_at, type_=object_.c.head_at.type).label("asked_at")
        rows = select(object_.c.object_id, item.c.source, asked_at).join(item, item.c.key == object_.c.item_key)
        found = rows.where(item.c.source.in_(sources)).subquery()
        chosen = select(found).order_by(found.c.asked_at, found.c.object_id).limit(limit)
        if before is not None:
            chosen = chosen.where(found.c.asked_at < before)
        with self._reading() as connection:
            return [AskedRow(ObjectId(row.object_id), row.source, row.asked_at) for row in connection.execute(chosen)]
