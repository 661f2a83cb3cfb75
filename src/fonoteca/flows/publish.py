"""Publish: from what is held and may be shared to an edition that anyone can mirror.

Rules of order:
  1. the catalogue is brought up to date, so that drops know how much listening they carry;
  2. rights judge every version again: what may not be shared today goes into no drop;
  3. a drop of the store is recorded and its member list stored before an edition names it; `timestamp.json` is written last;
  4. a snapshot's drop is recorded after that: nothing but the edition knows it.
  5. of a drop of which something was purged, what is left goes into a successor; nothing that was withdrawn goes into any.
Killed in between, the next run puts out what was recorded and not published, records what was put out, and goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fonoteca.editions import (
    CutDrop,
    DropPlan,
    Editions,
    Heading,
    ManifestedDrop,
    SnapshotPlan,
    Terms,
    cut,
    cut_snapshot,
    member_list,
    plan_drops,
    rows_of_plan,
    rows_of_snapshot,
)
from fonoteca.flows.catalogue import CatalogueRooms, refresh
from fonoteca.flows.masks import Masks
from fonoteca.flows.records import record_snapshots, store_member_list
from fonoteca.flows.successors import to_replace
from fonoteca.formats import tombstones
from fonoteca.formats.hashing import hash_stream
from fonoteca.formats.torrentreading import Announce
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.corridor import Drop, DropMember, MemberFile, Shareable
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.model.rights import Hold, Kind, Refusal, SharingAdmission
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Authority
from fonoteca.register import DropRow, Register
from fonoteca.rights import judge_again
from fonoteca.store import Store


@dataclass(frozen=True, slots=True)
class PublishRooms:
    """The rooms and settings that publishing needs."""

    store: Store
    register: Register
    editions: Editions
    catalogue: CatalogueRooms
    settings: Settings

    @property
    def announce(self) -> Announce:
        """Where clients hear of peers."""
        return Announce(self.settings.editions.trackers, self.settings.editions.web_seeds)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A version that is held but not published, and why."""

    member: DropMember
    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """What a run put out. number: of the edition in force. drops: new in it, in order. made: whether anything was new."""

    number: int
    made: bool
    drops: tuple[Drop, ...]
    withheld: tuple[Withheld, ...]


def publish(rooms: PublishRooms) -> Published:
    """Return the edition that has everything which may be shared, after it is out. With nothing new, nothing changes.

    Raises: StoreError when the register does not know a drop that is out: its members would go out a second time.
    """
    _check_known(rooms)
    snapshot = _snapshot(rooms)
    press = _Press(rooms, snapshot.name)
    settings = rooms.settings
    withdrawals = tombstones.write(said.tombstone for said in rooms.register.withdrawals.all() if said.authority is Authority.OWN)
    heading = Heading(archive=settings.title, root_name=settings.name, piece_bytes=settings.piece_bytes)
    publication = rooms.editions.publish(heading, press.drops(), Terms(rooms.catalogue.clock.now(), withdrawals))
    index = rooms.editions.index()
    assert index is not None, "an edition is out"
    record_snapshots(rooms.register, index)
    return Published(publication.number, publication.made, tuple(press.made), tuple(dict.fromkeys(press.withheld)))


def _snapshot(rooms: PublishRooms) -> Snapshot:
    """Return the catalogue's snapshot of all that is held now.

    Where everything that it knew was withdrawn, no other can be made: the one in force stays, so that the tombstones get out.
    """
    try:
        return refresh(rooms.catalogue)
    except UsageError:
        in_force = rooms.catalogue.catalogue.snapshot()
        if in_force is None or not rooms.register.withdrawn():
            raise
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


class _Press:
    """One run of publishing: gives drops one at a time and remembers what it made and what it withheld."""

    def __init__(self, rooms: PublishRooms, snapshot: str) -> None:
        self._rooms = rooms
        self._snapshot = snapshot
        self._shares = _listening_by_item(rooms)
        index = rooms.editions.index()
        self._published = {entry.id for entry in index.entries} if index else set()
        self._current_snapshot = index.current_snapshot() if index else None
        self.made: list[Drop] = []
        self.withheld: list[Withheld] = []
        self._taken_back: set[DropId] = set()
        self._masks = Masks.now(rooms.register)

    def drops(self) -> Iterator[ManifestedDrop]:
        """Yield the drops to put out, in order: metadata, what an earlier run left unpublished, audio, artwork."""
        yield from self._told(self._metadata())
        for row in self._rooms.register.drops():
            if row.id not in self._published and not row.kind.is_snapshot:
                yield from self._told(self._unfinished(row))
        for row, left in to_replace(self._rooms.register, self._published):
            yield from self._told(self._succeed(row, left))
        fresh = [s for kind in Kind for s in self._shareables(self._rooms.register.undropped(kind))]
        already = self._rooms.register.dropped_members() if fresh else {}
        for plan in plan_drops(fresh, already, self._rooms.settings.editions):
            yield from self._told(self._record(plan))

    def _told(self, drops: Iterator[ManifestedDrop]) -> Iterator[ManifestedDrop]:
        """Yield drops, remembering each."""
        for each in drops:
            self.made.append(each.drop)
            yield each

    def _metadata(self) -> Iterator[ManifestedDrop]:
        """Yield the drop of the catalogue's snapshot if it is not out yet."""
        rooms = self._rooms
        files = tuple(
            MemberFile(name, _hash_file(path, rooms.settings.piece_bytes))
            for name, path in rooms.catalogue.catalogue.snapshot_files()
        )
        plan = SnapshotPlan(self._snapshot, files, supersedes=self._current_snapshot)
        if plan.id in self._published:
            return
        settings = rooms.settings
        made = cut_snapshot(plan, settings.name, settings.piece_bytes, rooms.announce, rooms.catalogue.clock.now())
        yield ManifestedDrop(made.drop, made.torrent, rows_of_snapshot(plan))

    def _unfinished(self, row: DropRow) -> Iterator[ManifestedDrop]:
        """Yield a drop that was recorded and not published.

        One of which something may no longer be shared is taken back, and so are those that need it: what may be shared of
        them goes into new drops.
        """
        judged = [self._judged(member) for member in self._rooms.register.members_of_drop(row.id)]
        shareables = tuple(each for each in judged if isinstance(each, Shareable))
        if len(shareables) < len(judged) or self._taken_back.intersection(row.needs):
            self._rooms.register.forget_drop(row.id)
            self._taken_back.add(row.id)
            return
        plan = DropPlan(row.id, row.kind, shareables, row.needs, row.coverage_share)
        made = self._cut(plan, row)
        yield self._store(plan, replace(made, drop=replace(made.drop, replaces=row.replaces)))

    def _succeed(self, row: DropRow, left: Sequence[DropMember]) -> Iterator[ManifestedDrop]:
        """Yield what takes the place of a drop of which something was purged; nothing where nothing is left to share.

        What is left and may not be shared today is free to go into a drop of another day.
        """
        rooms = self._rooms
        shareables = list(self._shareables(iter(left)))
        if shareables:
            already = {member: drop for member, drop in rooms.register.dropped_members().items() if drop != row.id}
            for plan in plan_drops(shareables, already, rooms.settings.editions):
                yield from self._record(plan, replaces=(row.id,))

    def _record(self, plan: DropPlan, replaces: tuple[DropId, ...] = ()) -> Iterator[ManifestedDrop]:
        """Yield a planned drop after the register and the store have it."""
        made = self._cut(plan, None)
        made = replace(made, drop=replace(made.drop, replaces=replaces))
        self._rooms.register.record_drop(made.drop)
        yield self._store(plan, made)

    def _cut(self, plan: DropPlan, row: DropRow | None) -> CutDrop:
        """Return the drop of a plan, dated as it was recorded or now."""
        rooms, settings = self._rooms, self._rooms.settings
        created_at = row.created_at if row else rooms.catalogue.clock.now()
        return cut(plan, settings.name, settings.piece_bytes, rooms.announce, created_at)

    def _store(self, plan: DropPlan, made: CutDrop) -> ManifestedDrop:
        """Return the drop with its manifest after its member list is stored."""
        store_member_list(self._rooms.store, self._rooms.register, made.drop, member_list(plan))
        return ManifestedDrop(made.drop, made.torrent, rows_of_plan(plan))

    def _shareables(self, members: Iterator[DropMember]) -> Iterator[Shareable]:
        """Yield the versions that rights let us share, with the listening that their items carry; note the others."""
        for member in members:
            judged = self._judged(member)
            if isinstance(judged, Shareable):
                yield judged
            else:
                self.withheld.append(judged)

    def _judged(self, member: DropMember) -> Shareable | Withheld:
        """Return the version as it may be shared now, or why it may not."""
        rooms = self._rooms
        if reason := self._masks.reason(member.object_id):
            return Withheld(member, reason)
        owner = rooms.register.object(member.object_id)
        if owner is not None and owner.quarantined_at is not None:
            return Withheld(member, f"it is in quarantine until it is healed: {owner.quarantine}")
        if rooms.register.waits(member.object_id):
            return Withheld(member, "its audio waits for its analysis: run `fonoteca analyse`")
        if owner is not None and not owner.file_count:
            return Withheld(member, "its analysis found no sound file in it")
        record = rooms.store.rights(member.object_id)
        decision = judge_again(record, rooms.catalogue.policy, rooms.catalogue.clock.now())
        if not isinstance(decision, SharingAdmission):
            reason = decision.reason if isinstance(decision, Refusal | Hold) else "it may be held but not shared"
            return Withheld(member, reason)
        version = rooms.register.stored_version(member.object_id, member.version)
        assert version is not None, "the register gave this member"
        return Shareable(version, decision, self._shares[member.object_id.key])


def _hash_file(path: Path, piece_bytes: int) -> FileHashes:
    """Return the hashes of a file of a snapshot."""
    with path.open("rb") as stream:
        return hash_stream(stream, piece_bytes)


def _listening_by_item(rooms: PublishRooms) -> defaultdict[str, float]:
    """Return the share of all listening that each item carries, by item key: its artwork goes out in the same order."""
    tracks = [(track.object_id, track.recording) for track in rooms.register.held_tracks()]
    share_of = rooms.catalogue.catalogue.shares([recording for _, recording in tracks])
    shares: defaultdict[str, float] = defaultdict(float)
    for object_id, recording in tracks:
        shares[ObjectId(object_id).key] += share_of.get(recording, 0.0)
    return shares
