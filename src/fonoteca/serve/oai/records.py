"""Records: what is told of an object, judged anew for each answer, since permission can be withdrawn."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, time, timedelta
from itertools import islice

from fonoteca.model.errors import FixityError, StoreError
from fonoteca.model.rights import Kind, RightsRecord
from fonoteca.model.terms import Closed
from fonoteca.model.withdrawal import Purpose, Tombstone, joined
from fonoteca.register import ChangeRow, FileRow, ObjectRow, genres_of
from fonoteca.rights import licence_named
from fonoteca.serve.passage import judge_passage
from fonoteca.serve.rooms import ServeRooms

log = logging.getLogger("fonoteca.serve")

ARTISTS_MAX, GENRES_MAX, TRACKS_MAX = 50, 20, 1_000
"""Of one record: more are in the archive's own pages."""


@dataclass(frozen=True, slots=True)
class Item:
    """A record's place on the list, and what is told of it. work: None where it is told to be deleted."""

    change: ChangeRow
    work: Work | None


@dataclass(frozen=True, slots=True)
class Work:
    """An object that may be shared, or may be later or elsewhere. files: of its head, without what was withdrawn.

    closed: why its term does not let it out to everyone now, None where it does.
    """

    row: ObjectRow
    rights: RightsRecord
    files: list[FileRow]
    closed: Closed | None = None

    @property
    def access(self) -> str:
        """In one word of the OpenAIRE guidelines, who may have it; "" for everyone, for good."""
        term = self.rights.term
        if self.closed is Closed.OVER:
            return "closedAccess"
        if term.ends is not None or term.territories is not None:
            return "restrictedAccess"
        return "embargoedAccess" if self.closed is Closed.EARLY else ""

    @property
    def embargo_end(self) -> date | None:
        """The first whole day, of UTC, on which everyone may have it; None where that is now, or never."""
        starts = self.rights.term.starts
        if starts is None or self.access != "embargoedAccess":
            return None
        day = starts.astimezone(UTC)
        return day.date() if day.time() == time() or day.date() == date.max else day.date() + timedelta(days=1)

    @property
    def is_audio(self) -> bool:
        """Whether it is music rather than pictures."""
        return self.row.kind == Kind.AUDIO

    @property
    def artists(self) -> tuple[str, ...]:
        """Who made it: of the object, and of its files, none twice, the object's first."""
        named = (self.row.artist, *(each.artist for each in self.files if self.is_audio))
        return tuple(islice(dict.fromkeys(filter(None, named)), ARTISTS_MAX))

    @property
    def genres(self) -> tuple[str, ...]:
        """Its genres, those of most files first."""
        counted = Counter(genre for each in self.files for genre in genres_of(each.stored.tags))
        return tuple(genre for genre, _ in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:GENRES_MAX])

    @property
    def years(self) -> tuple[int, ...]:
        """The years that its files name."""
        return tuple(sorted({each.year for each in self.files if each.year}))

    @property
    def media_types(self) -> tuple[str, ...]:
        """The types of its files."""
        return tuple(sorted({each.media_type for each in self.files}))

    @property
    def duration_s(self) -> int:
        """How long it is, rounded up; 0 where nobody knows."""
        return -(-sum(each.duration_ms for each in self.files) // 1000)

    @property
    def tracks(self) -> list[FileRow]:
        """Its parts."""
        return self.files[:TRACKS_MAX] if self.is_audio else []

    @property
    def licences(self) -> tuple[tuple[str, str], ...]:
        """The address and name of each licence that it is under."""
        uris = self.rights.licence_uri.split(" AND ")
        known = licence_named(self.rights.licence_uri)
        names = known.name.split(" AND ") if known else uris
        return tuple(zip(uris, names if len(names) == len(uris) else uris, strict=True))


def items(rooms: ServeRooms, changes: list[ChangeRow]) -> Iterator[Item]:
    """Yield what is told of changed objects. Cost: four look-ups in the register and a read of its rights for each.

    One whose rights cannot be read now is left out and logged: nobody can say whether it may be told of, and the rest may.
    """
    for change in changes:
        try:
            yield item(rooms, change)
        except (StoreError, FixityError) as error:
            log.error("OAI-PMH leaves out %s: %s", change.object_id, error)


def item(rooms: ServeRooms, change: ChangeRow) -> Item:
    """Return what is told of one. Raises: StoreError or FixityError when its rights cannot be read."""
    row = rooms.register.object(change.object_id)
    if row is None:
        return Item(change, None)
    masks = _masks(rooms, change)
    if any(mask.whole for mask in masks):
        return Item(change, None)
    passage = judge_passage(rooms, change.object_id)
    if not passage.shared and passage.closed is None:
        return Item(change, None)
    files = [
        each for each in rooms.register.files(change.object_id) if not any(mask.means(each.stored.hashes.sha256) for mask in masks)
    ]
    return Item(change, Work(row, passage.record, files, passage.closed) if files else None)


def _masks(rooms: ServeRooms, change: ChangeRow) -> list[Tombstone]:
    """Return what was withdrawn of an object from lists, and from listening, which is what a record leads to."""
    said = rooms.register.withdrawals.of(change.object_id)
    by_purpose = ([each.tombstone for each in said if each.masks(purpose)] for purpose in (Purpose.FINDING, Purpose.LISTENING))
    return [joined(tombstones) for tombstones in by_purpose if tombstones]
