"""Rebuild: the register made anew from the store's bytes, for when it is lost or not believed."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime

from fonoteca.editions import Editions, parse_drop_record, parse_member_list
from fonoteca.flows.records import MEMBERS_FILE, RECORD_FILE, record_document, record_snapshots, record_stored
from fonoteca.flows.replay import replay
from fonoteca.flows.successors import TAKEN_BACK
from fonoteca.flows.withdrawn import TELLING, replay_withdrawals
from fonoteca.model.corridor import Drop, DropMember, Event
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.model.rights import Kind
from fonoteca.ports import Progress
from fonoteca.register import Register
from fonoteca.store import Store

_OF_ITEMS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class RebuildRooms:
    """What a rebuild needs."""

    store: Store
    register: Register
    editions: Editions
    progress: Progress


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild entered in the register. damaged_log: segments of the event log that could not be read, by path."""

    object_count: int
    version_count: int
    drop_count: int
    event_count: int
    damaged_log: tuple[str, ...]


def rebuild(rooms: RebuildRooms) -> Rebuilt:
    """Return what the register knows again, made from the store alone; metadata drops come from the edition that is out.

    The new register takes the old one's place when it is whole. Media files are not read: an audit proves them.
    Raises: FixityError for an object whose own records are damaged; the register stays as it was then, so that it can be
    repaired first.
    """
    with rooms.register.made_anew() as register:
        told = _Told.by(rooms.store)
        _replay_withdrawals(rooms.store, register, told)
        objects = versions = 0
        with rooms.progress.task("reading the store", None, "objects") as advance:
            for object_id in rooms.store.object_ids():
                versions += _record_object(rooms.store, register, object_id)
                objects += 1
                advance(1)
        index = rooms.editions.index()
        published = {entry.id for entry in index.entries} if index else set()
        for drop in _drops(rooms.store, published, told):
            register.record_drop(drop)
        if index is not None:
            record_snapshots(register, index, rooms.editions.has)
        events, damaged = 0, []
        for segment in rooms.store.log():
            register.record_events(segment.events)
            replay(register, segment.events)
            events += len(segment.events)
            if segment.damage:
                damaged.append(segment.path)
        return Rebuilt(objects, versions, len(register.drops()), events, tuple(damaged))


@dataclass(slots=True)
class _Told:
    """What the event log tells of what the store's objects cannot.

    withdrawals: events that tell of them. taken_back: when drops were that never went out. whole: whether all of the log is there.
    """

    withdrawals: list[Event] = field(default_factory=list)
    taken_back: dict[str, datetime] = field(default_factory=dict)
    whole: bool = True

    @classmethod
    def by(cls, store: Store) -> _Told:
        """Return what a store's log tells. Cost: one read of it."""
        told = cls()
        for segment in store.log():
            told.withdrawals += (event for event in segment.events if event.what in TELLING)
            told.taken_back |= {event.subject: event.at for event in segment.events if event.what == TAKEN_BACK}
            told.whole = told.whole and not segment.damage
        return told


def _replay_withdrawals(store: Store, register: Register, told: _Told) -> None:
    """Enter what was withdrawn, and let go of what is to be purged: a kill may have left half of it, which nobody could read.

    Where a part of the log is lost, what the register knew of withdrawals stays beside what is left: nothing comes back by damage.
    """
    if told.whole:
        register.withdrawals.clear()
    replay_withdrawals(register, told.withdrawals)
    for each in register.withdrawals.purges_under_way():
        store.purge(each.tombstone.object_id)


def _record_object(store: Store, register: Register, object_id: ObjectId) -> int:
    """Return how many versions of an object were recorded."""
    if object_id.kind == "events":
        return 0
    head = store.head(object_id)
    for number in range(1, head + 1):
        stored = store.read(object_id, number)
        if object_id.kind in _OF_ITEMS:
            record_stored(store, register, stored)
        else:
            record_document(register, stored)
    return head


def _drops(store: Store, published: Set[DropId], told: _Told) -> Iterator[Drop]:
    """Yield the drops of the store, those that are out first, without those that publishing took back.

    A drop that was taken back has left its member list; what of its members could go out is in a drop that was made later.
    """
    carried: dict[DropMember, DropId] = {}
    for drop in sorted(_stored_drops(store), key=lambda drop: (drop.id in published, drop.created_at), reverse=True):
        overlap = {carried[member] for member in drop.members if member in carried}
        lives = overlap <= set(drop.replaces) and told.taken_back.get(drop.id, drop.created_at) <= drop.created_at
        if drop.id in published or lives:
            for member in drop.members:
                carried.setdefault(member, drop.id)
            yield drop


def _stored_drops(store: Store) -> Iterator[Drop]:
    """Yield the drops whose member lists the store keeps."""
    for object_id in store.object_ids("drop"):
        members = parse_member_list(store.document(object_id, MEMBERS_FILE))
        record = parse_drop_record(store.document(object_id, RECORD_FILE))
        yield Drop(
            id=record.id,
            kind=members.kind,
            members=tuple(each.member for each in members.members),
            infohash_v1=record.infohash_v1,
            infohash_v2=record.infohash_v2,
            drop_bytes=sum(each.member_bytes for each in members.members),
            file_count=sum(each.file_count for each in members.members),
            coverage_share=record.coverage_share,
            created_at=record.created_at,
            needs=members.needs,
            ranks=record.ranks,
            replaces=record.replaces,
        )
