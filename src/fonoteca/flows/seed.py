"""Seed: give drops to whoever asks, from the store in place, as long as rights let us."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fonoteca.editions import Editions, Index, IndexEntry, snapshot_torrent_name
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.model.corridor import DropKind
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.model.rights import Act, Policy, SharingAdmission
from fonoteca.ports import Clock, Swarm
from fonoteca.register import Register
from fonoteca.rights import judge_again, policy_digest
from fonoteca.store import Store


@dataclass(frozen=True, slots=True)
class SeedRooms:
    """What seeding needs. store_folder and catalogue_folder: where the bytes lie, read in place."""

    store: Store
    register: Register
    editions: Editions
    swarm: Swarm
    policy: Policy
    clock: Clock
    store_folder: Path
    catalogue_folder: Path


@dataclass(frozen=True, slots=True)
class Seeding:
    """What is given out now. withheld: drop to the reason why it is not."""

    drops: tuple[DropId, ...]
    withheld: tuple[tuple[DropId, str], ...]


def seed(rooms: SeedRooms) -> Seeding:
    """Return what the swarm gives out from now on: every drop of the edition that is whole and may be shared today."""
    index = rooms.editions.index()
    given, withheld = [], []
    for entry in index.entries if index else ():
        reason = _withheld(rooms, entry)
        root = _root(rooms, index, entry) if index else rooms.store_folder
        if not reason and not root.is_dir():
            reason = "its snapshot was deleted"
        if reason:
            withheld.append((entry.id, reason))
            continue
        rooms.swarm.seed(rooms.editions.torrent(entry.id), root)
        given.append(entry.id)
    return Seeding(tuple(given), tuple(withheld))


def _root(rooms: SeedRooms, index: Index, entry: IndexEntry) -> Path:
    """Return the folder below which a drop's files lie at the torrent's paths."""
    if entry.kind is not DropKind.METADATA:
        return rooms.store_folder
    name = parse_torrent(rooms.editions.torrent(entry.id)).name
    return rooms.catalogue_folder / name.removeprefix(snapshot_torrent_name(index.heading.root_name, ""))


def _withheld(rooms: SeedRooms, entry: IndexEntry) -> str:
    """Return why a drop may not be given out, "" when it may."""
    digest = policy_digest(rooms.policy)
    for object_id in dict.fromkeys(member.object_id for member in rooms.register.members_of_drop(entry.id)):
        if not _may_share(rooms, object_id, digest):
            return f"{object_id} may not be shared any more"
    return ""


def _may_share(rooms: SeedRooms, object_id: ObjectId, digest: str) -> bool:
    """Return whether an object may be shared today, as the rights of its newest version say: they can take back what an older
    one granted. Under the policy that admitted it, the register's own word is enough.
    """
    versions = rooms.register.versions(object_id)
    if versions and versions[-1].policy_digest == digest:
        return Act.SHARE in versions[-1].acts
    decision = judge_again(rooms.store.rights(object_id), rooms.policy, rooms.clock.now())
    return isinstance(decision, SharingAdmission)
