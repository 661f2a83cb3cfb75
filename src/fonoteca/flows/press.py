"""What goes into an edition's drops: snapshots, what is in no drop yet, and what is left of drops of which something was purged.

One drop is in memory at a time, whatever an edition holds: versions are lined up by the few bytes that order them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fonoteca.editions import (
    CutDrop,
    DropPlan,
    Editions,
    ManifestedDrop,
    Offered,
    SnapshotPlan,
    cut,
    cut_snapshot,
    line_up,
    member_list,
    pack,
    place_of,
    plan_drops,
    rows_of_plan,
    rows_of_snapshot,
)
from fonoteca.flows.catalogue import CatalogueRooms
from fonoteca.flows.events import record_events
from fonoteca.flows.listening import listening
from fonoteca.flows.masks import Masks
from fonoteca.flows.records import store_member_list
from fonoteca.flows.successors import TAKEN_BACK, to_replace
from fonoteca.formats.hashing import hash_stream
from fonoteca.formats.torrentreading import Announce
from fonoteca.model.corridor import Drop, DropKind, DropMember, Event, MemberFile, Shareable
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import DropId
from fonoteca.model.rights import Hold, Kind, PublishingAdmission, Refusal
from fonoteca.model.settings import Settings
from fonoteca.model.terms import ANYWHERE
from fonoteca.register import DropRow, Register
from fonoteca.rights import describe_kept, judge_again
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


class Press:
    """One run of publishing: gives drops one at a time and remembers what it made and what it withheld."""

    def __init__(self, rooms: PublishRooms, snapshot: str) -> None:
        self._rooms = rooms
        self._snapshot = snapshot
        self._listening = listening(rooms.register, rooms.catalogue.catalogue)
        self._index = rooms.editions.index()
        self._published = {entry.id for entry in self._index.entries} if self._index else set()
        self.made: list[Drop] = []
        self.withheld: list[Withheld] = []
        self._taken_back: set[DropId] = set()
        self._masks = Masks.now(rooms.register)

    def drops(self) -> Iterator[ManifestedDrop]:
        """Yield the drops to put out, in order: catalogue, search index, what an earlier run left unpublished, audio, artwork."""
        yield from self._told(self._snapshots())
        for row in self._rooms.register.drops():
            if row.id not in self._published and not row.kind.is_snapshot:
                yield from self._told(self._unfinished(row))
        for row, left in to_replace(self._rooms.register, self._published):
            yield from self._told(self._succeed(row, left))
        for kind in Kind:
            yield from self._told(self._fresh(kind))

    def _told(self, drops: Iterator[ManifestedDrop]) -> Iterator[ManifestedDrop]:
        """Yield drops, remembering each without its members, which are too many together."""
        for each in drops:
            self.made.append(replace(each.drop, members=()))
            yield each

    def _fresh(self, kind: Kind) -> Iterator[ManifestedDrop]:
        """Yield the drops of what is in none yet. One drop's versions are in memory at a time."""
        publishing = self._rooms.register.publishing
        members = self._shareables(publishing.members(line_up(self._offers(kind))))
        for plan in pack(DropKind(kind), members, publishing.carrier, self._rooms.settings.editions):
            yield from self._record(plan)

    def _offers(self, kind: Kind) -> Iterator[Offered]:
        """Yield what is in no drop, to be lined up; rights are asked when its turn comes."""
        publishing = self._rooms.register.publishing
        for key, member in publishing.undropped(kind):
            object_id = member.object_id
            corrects = member.version > 1 and publishing.carrier(DropMember(object_id, 1)) is not None
            yield Offered(key, place_of(object_id), member.version, self._listening.of(object_id)[0], corrects)

    def _snapshots(self) -> Iterator[ManifestedDrop]:
        """Yield the drops of the catalogue's snapshot and of its search index, if they are not out yet."""
        rooms, settings = self._rooms, self._rooms.settings
        snapshots = {DropKind.METADATA: rooms.catalogue.catalogue.snapshot_files(), DropKind.SEARCH: rooms.catalogue.search.files()}
        for kind, found in snapshots.items():
            files = tuple(MemberFile(name, _hash_file(path, settings.piece_bytes)) for name, path in found)
            supersedes = self._index.current_snapshot(kind) if self._index else None
            plan = SnapshotPlan(self._snapshot, files, supersedes, kind)
            if plan.id not in self._published:
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
            record_events(self._rooms, [Event(self._rooms.catalogue.clock.now(), TAKEN_BACK, row.id)])
            self._rooms.register.forget_drop(row.id)
            self._taken_back.add(row.id)
            return
        plan = DropPlan(row.id, row.kind, shareables, row.needs, row.coverage_share, row.ranks)
        made = self._cut(plan, row)
        yield self._store(plan, replace(made, drop=replace(made.drop, replaces=row.replaces)))

    def _succeed(self, row: DropRow, left: Sequence[DropMember]) -> Iterator[ManifestedDrop]:
        """Yield what takes the place of a drop of which something was purged; nothing where nothing is left to share.

        What is left and may not be shared today is free to go into a drop of another day.
        """
        rooms = self._rooms
        shareables = list(self._shareables(iter(left)))
        if shareables:
            already = self._carriers(shareables, row.id)
            for plan in plan_drops(shareables, already, rooms.settings.editions):
                yield from self._record(plan, replaces=(row.id,))

    def _carriers(self, shareables: Sequence[Shareable], but: DropId) -> dict[DropMember, DropId]:
        """Return which other drops carry versions that these build on."""
        earlier = (DropMember(s.version.object_id, number) for s in shareables for number in range(1, s.version.version))
        carriers = ((member, self._rooms.register.publishing.carrier(member)) for member in earlier)
        return {member: drop for member, drop in carriers if drop is not None and drop != but}

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
        if not rooms.register.auditing.is_sound(member.object_id):
            return Withheld(member, "its last audit found it damaged: run `fonoteca repair`")
        if rooms.register.waits(member.object_id):
            return Withheld(member, "its audio waits for its analysis: run `fonoteca analyse`")
        if owner is not None and not owner.file_count:
            return Withheld(member, "its analysis found no sound file in it")
        record = rooms.store.rights(member.object_id)
        decision = judge_again(record, rooms.catalogue.policy, rooms.catalogue.clock.now(), ANYWHERE)
        if not isinstance(decision, PublishingAdmission):
            reason = decision.reason if isinstance(decision, Refusal | Hold) else describe_kept(decision, ANYWHERE)
            return Withheld(member, reason)
        version = rooms.register.stored_version(member.object_id, member.version)
        assert version is not None, "the register gave this member"
        return Shareable(version, decision, *self._listening.of(member.object_id))


def _hash_file(path: Path, piece_bytes: int) -> FileHashes:
    """Return the hashes of a file of a snapshot."""
    with path.open("rb") as stream:
        return hash_stream(stream, piece_bytes)
