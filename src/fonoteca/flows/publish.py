"""Publish: from what is held and may be shared to an edition that anyone can mirror.

Rules of order:
  1. the catalogue is brought up to date, so that drops know how much listening they carry;
  2. rights judge every version again: what may not be shared today goes into no drop;
  3. a drop of the store is recorded and its member list stored before an edition names it; `timestamp.json` is written last;
  4. a snapshot's drop is recorded after that: nothing but the edition knows it.
  5. of a drop of which something was purged, what is left goes into a successor; nothing that was withdrawn goes into any;
  6. the event log is told the edition's number last: one made anew, after all of `editions/` was lost, goes on from there.
Killed in between, the next run puts out what was recorded and not published, records what was put out, and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fonoteca.catalogue.mapping import STORE
from fonoteca.editions import (
    Announcement,
    Heading,
    Index,
    IndexEntry,
    Publication,
    Terms,
)
from fonoteca.editions.trust import Lack, Role
from fonoteca.flows.catalogue import index_for_search, refresh
from fonoteca.flows.events import record_events
from fonoteca.flows.press import Press, PublishRooms, Withheld
from fonoteca.flows.records import record_snapshots
from fonoteca.formats import tombstones
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.corridor import Drop, Event
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Authority, Purpose

PUBLISHED, EDITION = "published", "edition"
"""The event of an edition that is out, and what it is about."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a run put out. number: of the edition in force. drops: new in it, without members. made: whether anything was new.

    good_until: when mirrors refuse it unless it is signed anew. waits: what has too few signatures, so that what is new is not out;
    waiting_count: how many drops that is.
    """

    number: int
    made: bool
    drops: tuple[Drop, ...]
    withheld: tuple[Withheld, ...]
    good_until: datetime | None = None
    waits: tuple[Lack, ...] = ()
    waiting_count: int = 0


@dataclass(frozen=True, slots=True)
class Staged:
    """An edition to carry to where its keys are. files: by path. waits: what has too few signatures."""

    number: int
    drops: tuple[Drop, ...]
    waits: tuple[Lack, ...]
    files: Mapping[str, bytes]


def publish(rooms: PublishRooms) -> Published:
    """Return the edition that has everything which may be shared, after it is out. With nothing new, only its date is signed anew.

    Where keys that must sign what is new are elsewhere, the edition that is out is kept from expiring, and the rest waits.
    Raises: StoreError when the register does not know a drop that is out: its members would go out a second time. UsageError when
    there is no edition yet and keys are elsewhere.
    """
    press, publication, terms = _prepared(rooms)
    waits = tuple(publication.draft.lacks())
    if waits and rooms.editions.index() is not None:
        withdrawable = all(lack.role is not Role.WITHDRAWALS for lack in waits)
        publication = rooms.editions.renewed(terms if withdrawable else replace(terms, withdrawals=None))
    rooms.editions.commit(publication)
    published = _published(rooms, press, publication)
    if not waits:
        return published
    return replace(published, drops=(), waits=waits, waiting_count=len(press.made))


def stage(rooms: PublishRooms) -> Staged:
    """Return what must be signed elsewhere before everything which may be shared is out. Raises: as `publish`."""
    press, publication, _ = _prepared(rooms)
    waits = tuple(publication.draft.lacks())
    return Staged(publication.number, tuple(press.made), waits, rooms.editions.staged(publication))


def finish(rooms: PublishRooms, stages: Sequence[Mapping[str, bytes]]) -> Published:
    """Return the edition that was staged and signed, after it is out.

    stages: the files of its folder, or of copies that were signed apart, by path. Raises: UsageError when signatures are missing
    still, or when something was published since.
    """
    before = rooms.editions.index()
    terms = Terms(rooms.catalogue.clock.now(), _withdrawals(rooms), after=_number_told(rooms))
    publication = rooms.editions.finish(stages, terms)
    known = {entry.id for entry in before.entries} if before else set()
    drops = tuple(_still_good(rooms, entry) for entry in publication.index.entries if entry.id not in known)
    rooms.editions.commit(publication)
    record_snapshots(rooms.register, publication.index, rooms.editions.has)
    _tell(rooms, publication.index)
    return Published(publication.number, publication.made, drops, (), rooms.editions.good_until())


def _still_good(rooms: PublishRooms, entry: IndexEntry) -> Drop:
    """Return a drop that was staged, if nothing happened since that keeps it from going out. Raises: UsageError.

    A snapshot has no members: one that is older than a withdrawal may name what was withdrawn.
    """
    drop, masked = entry.with_members(rooms.register.members_of_drop(entry.id)), _masked(rooms)
    if entry.kind.is_snapshot:
        gone = next((each for each, since in masked.items() if since > entry.created_at), None)
    else:
        gone = next((member.object_id for member in drop.members if member.object_id in masked), None)
    if gone is not None or (not drop.members and not drop.kind.is_snapshot):
        problem = f"{gone} was withdrawn since it was staged" if gone else "it was taken back since it was staged"
        raise UsageError(f"drop {entry.id}", problem, "Run `fonoteca publish --stage` again.")
    return drop


def _masked(rooms: PublishRooms) -> dict[ObjectId, datetime]:
    """Return what may not be shared, and when that was decided last."""
    found: dict[ObjectId, datetime] = {}
    for said in rooms.register.withdrawals.all():
        if said.masks(Purpose.SHARING):
            since, object_id = said.tombstone.dates.decided_at or said.tombstone.dates.notice_at, said.tombstone.object_id
            found[object_id] = max(since, found.get(object_id, since))
    return found


def _prepared(rooms: PublishRooms) -> tuple[Press, Publication, Terms]:
    """Return the edition that has everything which may be shared, signed by the keys that are here, and not out yet."""
    _check_known(rooms)
    snapshot = _snapshot(rooms)
    press = Press(rooms, snapshot.name)
    settings = rooms.settings
    heading = Heading(archive=settings.title, root_name=settings.name, piece_bytes=settings.piece_bytes)
    announced = Announcement(settings.editions.address, rooms.announce)
    terms = Terms(rooms.catalogue.clock.now(), _withdrawals(rooms), announced, _number_told(rooms))
    return press, rooms.editions.stage(heading, press.drops(), terms), terms


def _withdrawals(rooms: PublishRooms) -> bytes:
    """Return what this archive has withdrawn, as mirrors are told."""
    return tombstones.write(said.tombstone for said in rooms.register.withdrawals.all() if said.authority is Authority.OWN)


def _published(rooms: PublishRooms, press: Press, publication: Publication) -> Published:
    """Return what a run put out, after the register knows its snapshots."""
    index = rooms.editions.index()
    assert index is not None, "an edition is out"
    record_snapshots(rooms.register, index, rooms.editions.has)
    _tell(rooms, index)
    withheld = tuple(dict.fromkeys(press.withheld))
    return Published(publication.number, publication.made, tuple(press.made), withheld, rooms.editions.good_until())


def _tell(rooms: PublishRooms, index: Index) -> None:
    """Tell the log which edition is out."""
    if index.number > _number_told(rooms):
        facts = (("edition", index.number),)
        record_events(rooms, [Event(rooms.catalogue.clock.now(), PUBLISHED, EDITION, facts)])


def _number_told(rooms: PublishRooms) -> int:
    """Return the number of the last edition that the log was told of, 0 before one: mirrors have seen that."""
    return max((int(dict(event.facts)["edition"]) for event in rooms.register.events(1, EDITION)), default=0)


def _snapshot(rooms: PublishRooms) -> Snapshot:
    """Return the catalogue's snapshot of all that is held now.

    Where everything that it knew was withdrawn, no other can be made: the one in force stays, so that the tombstones get out. That
    of the origin of a promoted archive stays, too, until what it was made of is imported here: nobody here knows that otherwise.
    """
    inherited = _inherited_snapshot(rooms)
    if inherited is not None:
        return inherited
    try:
        return refresh(rooms.catalogue)
    except UsageError:
        in_force = rooms.catalogue.catalogue.snapshot()
        if in_force is None or not rooms.register.withdrawals.masked():
            raise
        return in_force


def _inherited_snapshot(rooms: PublishRooms) -> Snapshot | None:
    """Return the snapshot that a promoted archive has from its origin, None where one of its own says as much."""
    index, in_force = rooms.editions.index(), rooms.catalogue.catalogue.snapshot()
    if index is None or not index.promoted_from or in_force is None:
        return None
    here = {source.name for source in rooms.catalogue.catalogue.sources()}
    lost = sorted(source.name for source in in_force.sources if source.kind != STORE and source.name not in here)
    if not lost:
        return None
    said = f"the origin's catalogue stays: it was made of {', '.join(lost)}, which is not imported here"
    rooms.catalogue.progress.note(f"{said}; `fonoteca catalogue build` goes on without")
    index_for_search(rooms.catalogue)
    return in_force


def _check_known(rooms: PublishRooms) -> None:
    """Raise StoreError unless the register knows every drop of the store that is out."""
    index = rooms.editions.index()
    known = {row.id for row in rooms.register.drops()}
    for entry in index.entries if index else ():
        if not entry.kind.is_snapshot and entry.id not in known:
            raise StoreError(
                entry.id, "it is published, but the register does not know it", "Run `fonoteca rebuild`, then publish again."
            )
