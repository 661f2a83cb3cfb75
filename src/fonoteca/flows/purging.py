"""Purging: the bytes of a withdrawn object leave the store for good; its tombstone and what happened to it stay.

Rules of order:
  1. what of the object was not withdrawn is held as an object of its own first;
  2. the order is in the event log, and from then on nothing gives the object out;
  3. the object leaves the store, then the register;
  4. the event log has it that it is gone.
Killed after 2, whoever writes in the archive next goes on; killed before, the same command does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

from fonoteca.flows.events import EventRooms, record_events
from fonoteca.flows.records import entry_of
from fonoteca.formats.objectjson import ObjectMetadata
from fonoteca.formats.ocfl import object_path
from fonoteca.model.corridor import Candidate, Event, StagedFile, StagedVersion, StoredFile
from fonoteca.model.errors import FixityError, RightsError
from fonoteca.model.ids import ItemKey, LogicalPath, ObjectId
from fonoteca.model.rights import Admission, Policy
from fonoteca.model.terms import ANYWHERE
from fonoteca.model.withdrawal import Authority, Withdrawal
from fonoteca.ports import Blobs, Clock, Staging
from fonoteca.register import Register
from fonoteca.rights import judge_again
from fonoteca.store import Store

PURGE_BEGUN, PURGED, KEPT_PART = "purge-begun", "purged", "kept-part"
_CHUNK_BYTES = 1 << 20
_KEY_CHARACTERS_MAX = 170
"""Of an item's key before what tells its remainder from it: keys have 200 at most."""


class PurgeRooms(EventRooms, Protocol):
    """What has a store, a register and a clock."""

    @property
    def clock(self) -> Clock:
        """The time, for the record."""
        ...


@dataclass(frozen=True, slots=True)
class SplitRooms:
    """What keeping a part of an object needs. blobs: the storage root."""

    store: Store
    register: Register
    clock: Clock
    blobs: Blobs
    staging: Staging
    policy: Policy


def order_purge(rooms: PurgeRooms, withdrawal: Withdrawal) -> None:
    """Purge an object that was withdrawn; one whose purge was ordered before is gone on with."""
    if withdrawal.purged_at is not None:
        return
    if withdrawal.purge_at is None:
        at = rooms.clock.now()
        record_events(rooms, [Event(at, PURGE_BEGUN, withdrawal.tombstone.object_id, _facts(withdrawal))])
        rooms.register.withdrawals.order_purge(withdrawal, at)
        withdrawal = replace(withdrawal, purge_at=at)
    _purge(rooms, withdrawal)


def finish_purges(rooms: PurgeRooms) -> list[ObjectId]:
    """Return the objects whose purge was cut short and is done now. Cost: a question."""
    under_way = rooms.register.withdrawals.purges_under_way()
    for withdrawal in under_way:
        _purge(rooms, withdrawal)
    return [each.tombstone.object_id for each in under_way]


def _purge(rooms: PurgeRooms, withdrawal: Withdrawal) -> None:
    object_id = withdrawal.tombstone.object_id
    rooms.store.purge(object_id)
    rooms.register.withdrawals.forget(object_id)
    at = rooms.clock.now()
    record_events(rooms, [Event(at, PURGED, object_id, _facts(withdrawal))])
    rooms.register.withdrawals.note_purged(withdrawal, at)


def _facts(withdrawal: Withdrawal) -> tuple[tuple[str, str | int], ...]:
    said = (("authority", withdrawal.authority), ("number", withdrawal.tombstone.number))
    return (*said, ("origin", withdrawal.origin)) if withdrawal.origin else said


# What is left of an object ------------------------------------------------------------------------------------------


def keep_part(rooms: SplitRooms, withdrawal: Withdrawal) -> ObjectId | None:
    """Return the object that holds what of another one was not withdrawn, None when nothing is left or all was meant.

    Again, nothing is made anew. A mirror makes none: it gets that of the archive which it follows.
    Raises: RightsError when what is left may not be held; FixityError when a byte of it is damaged: repair first.
    """
    tombstone = withdrawal.tombstone
    if tombstone.whole or withdrawal.authority is Authority.FOLLOWED or withdrawal.purge_at is not None:
        return None
    metadata = rooms.store.metadata(tombstone.object_id)
    left = [file for file in metadata.files if not tombstone.means(file.hashes.sha256)]
    if not left:
        return None
    staged, salted = _staged(rooms, tombstone.object_id, metadata, left)
    commit = rooms.store.commit(staged, salted, "Keep what was not withdrawn")
    rooms.register.record(*entry_of(rooms.store, commit.version))
    kept = commit.version.object_id
    if not any(event.what == KEPT_PART for event in rooms.register.events(subject=kept)):
        record_events(rooms, [Event(rooms.clock.now(), KEPT_PART, kept, (("of", tombstone.object_id), ("files", len(left))))])
    return kept


def _staged(
    rooms: SplitRooms, object_id: ObjectId, metadata: ObjectMetadata, left: Sequence[StoredFile]
) -> tuple[StagedVersion, list[str]]:
    """Return the remainder staged under a key of its own, and the salted digests of its evidence."""
    record = replace(rooms.store.rights(object_id), item=_key_of_part(metadata, left))
    decision = judge_again(record, rooms.policy, rooms.clock.now(), ANYWHERE)
    if not isinstance(decision, Admission):
        problem = f"what is not withdrawn of it may not be held: {decision.reason}"
        raise RightsError(object_id, problem, "Withdraw all of it, without --file.")
    folder = rooms.staging.folder(f"ingest-part-{sha256(object_id.encode()).hexdigest()[:16]}")
    files = []
    for number, file in enumerate(left, 1):
        path = folder / f"{number:06d}"
        digest = sha256()
        key = f"{object_path(object_id)}/{file.content_path}"
        with rooms.staging.writer(path) as target, closing(rooms.blobs.open(key)) as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
        if digest.hexdigest() != file.hashes.sha256:
            raise FixityError(key, f"expected sha256 {file.hashes.sha256}, found {digest.hexdigest()}", "Run `fonoteca repair`.")
        files.append(StagedFile(LogicalPath(file.logical_path), path, file.hashes, file.media_type, file.probe, file.tags))
    candidate = Candidate(
        item=record.item,
        kind=metadata.kind,
        title=metadata.title,
        artist=metadata.artist,
        source_uri=metadata.source_uri,
        files=(),
        evidence=decision.evidence,
        attribution=record.attribution,
        notices=record.notices,
    )
    staged = StagedVersion(candidate, decision, folder, tuple(files), ())
    return staged, [each.salted_sha256 for each in record.evidence]


def _key_of_part(metadata: ObjectMetadata, left: Sequence[StoredFile]) -> ItemKey:
    """Return the key of what is left of an item: that of the item, and a digest of what is left."""
    told = "".join(f"{file.hashes.sha256} {file.logical_path}\n" for file in left)
    mark = "." if "#" in metadata.item else "#"
    return ItemKey(f"{metadata.item[:_KEY_CHARACTERS_MAX]}{mark}part-{sha256(told.encode()).hexdigest()[:16]}")


def texts(event: Event) -> Mapping[str, str]:
    """Return an event's facts as text."""
    return {name: str(value) for name, value in event.facts}
