"""Rebuild: the register made anew from the store's bytes, for when it is lost or not believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fonoteca.editions import Editions, parse_drop_record, parse_member_list
from fonoteca.flows.records import MEMBERS_FILE, RECORD_FILE, record_document, record_stored
from fonoteca.flows.replay import replay
from fonoteca.model.corridor import Drop, DropKind
from fonoteca.model.ids import ObjectId
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
    """What a rebuild entered in the register."""

    object_count: int
    version_count: int
    drop_count: int
    event_count: int


def rebuild(rooms: RebuildRooms) -> Rebuilt:
    """Return what the register knows again, made from the store alone; metadata drops come from the edition that is out.

    Media files are not read: an audit proves them. Raises: FixityError for an object whose own records are damaged: repair first.
    """
    rooms.register.forget_all()
    objects = versions = 0
    with rooms.progress.task("reading the store", None, "objects") as advance:
        for object_id in rooms.store.object_ids():
            versions += _record_object(rooms, object_id)
            objects += 1
            advance(1)
    drops = [*_stored_drops(rooms.store), *_published_snapshots(rooms.editions)]
    for drop in drops:
        rooms.register.record_drop(drop)
    events = list(rooms.store.events())
    rooms.register.record_events(events)
    replay(rooms.register, events)
    return Rebuilt(objects, versions, len(drops), len(events))


def _record_object(rooms: RebuildRooms, object_id: ObjectId) -> int:
    """Return how many versions of an object were recorded."""
    if object_id.kind == "events":
        return 0
    head = rooms.store.head(object_id)
    for number in range(1, head + 1):
        stored = rooms.store.read(object_id, number)
        if object_id.kind in _OF_ITEMS:
            record_stored(rooms.store, rooms.register, stored)
        else:
            record_document(rooms.register, stored)
    return head


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
        )


def _published_snapshots(editions: Editions) -> Iterator[Drop]:
    """Yield the metadata drops of the edition that is out: snapshots are outside the store."""
    index = editions.index()
    for entry in index.entries if index else ():
        if entry.kind is DropKind.METADATA:
            yield Drop(
                id=entry.id,
                kind=entry.kind,
                members=(),
                infohash_v1=entry.infohash_v1,
                infohash_v2=entry.infohash_v2,
                drop_bytes=entry.drop_bytes,
                file_count=entry.file_count,
                coverage_share=entry.coverage_share,
                created_at=entry.created_at,
                supersedes=entry.supersedes,
            )
