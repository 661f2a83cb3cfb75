"""Seed: give drops to whoever asks, from the store in place, as long as rights let us."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fonoteca.editions import Editions, IndexEntry, snapshot_of
from fonoteca.flows.masks import Masks
from fonoteca.flows.superseded import outlived
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.swarmfile import UNREADABLE
from fonoteca.model.corridor import DropKind
from fonoteca.model.errors import FonotecaError
from fonoteca.model.ids import DropId
from fonoteca.model.rights import Policy, PublishingAdmission
from fonoteca.model.terms import ANYWHERE
from fonoteca.ports import Clock, Swarm, TendedSwarm
from fonoteca.register import Register
from fonoteca.rights import judge_again
from fonoteca.search import SearchIndex
from fonoteca.store import Store


@dataclass(frozen=True, slots=True)
class SeedRooms:
    """What seeding needs. name: of the archive. store_folder and catalogue_folder: where the bytes lie, read in place.

    store_folder: None for a store that is no folder. beside: editions of archives that are followed beside the first one.
    """

    name: str
    store: Store
    register: Register
    editions: Editions
    swarm: Swarm
    policy: Policy
    clock: Clock
    store_folder: Path | None
    catalogue_folder: Path
    search: SearchIndex
    beside: tuple[Editions, ...] = ()


@dataclass(frozen=True, slots=True)
class Seeding:
    """What is given out now, of the edition with this number, None without one.

    withheld: drop to the reason why it is not given. payload_bytes: of the drops that are.
    """

    drops: tuple[DropId, ...] = ()
    withheld: tuple[tuple[DropId, str], ...] = ()
    payload_bytes: int = 0
    edition: int | None = None


def seed_again(rooms: SeedRooms, swarm: TendedSwarm, before: Seeding) -> Seeding:
    """Return what a swarm gives out from now on, after what it gave `before` and may not any more was taken from it."""
    seeding = seed(rooms)
    over = set(before.drops) - set(seeding.drops)
    for entry, editions in _entries(rooms).items() if over else ():
        if entry.id in over:
            swarm.unseed(editions.torrent_of(entry))
    return seeding


def seed(rooms: SeedRooms) -> Seeding:
    """Return what the swarm gives out from now on: every drop of the edition that is whole and may be shared today.

    Rights are judged again for every object, by its newest version: what a mirror holds was admitted by someone else. A drop
    whose rights or torrent cannot be read is withheld, and the others have their turn. Cost: one read of the rights of each.
    """
    index = rooms.editions.index()
    given: list[DropId] = []
    withheld: list[tuple[DropId, str]] = []
    payload_bytes = 0
    masks = Masks.now(rooms.register, rooms.clock.now())
    # A mirror that chose has not all that its edition names; and of what a newer snapshot replaced long ago nobody wants any more.
    known = {row.id for row in rooms.register.drops()} - outlived(index, rooms.clock.now())
    for entry, editions in _entries(rooms).items():
        if entry.id not in known:
            continue
        try:
            torrent = editions.torrent_of(entry)
            reason = _withheld(rooms, entry, masks) or _give(rooms, entry, masks, torrent)
            if reason:
                rooms.swarm.unseed(torrent)
        except FonotecaError as error:
            reason = f"{UNREADABLE}: {error}"
        if reason:
            withheld.append((entry.id, reason))
        else:
            given.append(entry.id)
            payload_bytes += entry.drop_bytes
    return Seeding(tuple(given), tuple(withheld), payload_bytes, index.number if index else None)


def give_now(rooms: SeedRooms, entry: IndexEntry, torrent: bytes) -> str:
    """Return why a drop that was just taken is not given out from now on, "" when it is: before its edition is in force here.

    The first run of a large mirror takes weeks, and what it holds is of use to others all that time.
    """
    masks = Masks.now(rooms.register, rooms.clock.now())
    try:
        return _withheld(rooms, entry, masks) or _give(rooms, entry, masks, torrent)
    except FonotecaError as error:
        return f"{UNREADABLE}: {error}"


def _entries(rooms: SeedRooms) -> dict[IndexEntry, Editions]:
    """Return every drop of the editions that are here, each once, and one that has its torrent."""
    found: dict[DropId, tuple[IndexEntry, Editions]] = {}
    for editions in (rooms.editions, *rooms.beside):
        index = editions.index()
        for entry in index.entries if index else ():
            if editions is rooms.editions or not entry.kind.is_snapshot:
                found.setdefault(entry.id, (entry, editions))
    return dict(found.values())


def _give(rooms: SeedRooms, entry: IndexEntry, masks: Masks, torrent: bytes) -> str:
    """Return why a drop cannot be given out, "" when it is from now on, but for what is withdrawn of it."""
    root = rooms.store_folder
    if entry.kind.is_snapshot:
        root = _snapshot_folder(rooms, entry, torrent)
        if root is None:
            return "its snapshot was deleted"
    if root is None:
        return "a swarm reads files in place, and this store is on S3; `fonoteca serve` gives it out as a web seed"
    masked = masks.paths(rooms.register, rooms.register.members_of_drop(entry.id), torrent) if masks else frozenset()
    if len(masked) >= entry.file_count:
        return "nothing of it may be given out now"
    rooms.swarm.seed(torrent, root, without=masked)
    return ""


def _snapshot_folder(rooms: SeedRooms, entry: IndexEntry, torrent: bytes) -> Path | None:
    """Return where the files of a snapshot lie, None when they are gone."""
    metainfo = parse_torrent(torrent)
    if entry.kind is DropKind.SEARCH:
        snapshot = snapshot_of(metainfo.name, rooms.name, entry.kind)
        return rooms.search.folder_with(snapshot, {file.path: file.file_bytes for file in metainfo.files})
    place = rooms.catalogue_folder / snapshot_of(metainfo.name, rooms.name, entry.kind)
    return place if place.is_dir() else None


def _withheld(rooms: SeedRooms, entry: IndexEntry, masks: Masks) -> str:
    """Return why a drop may not be given out, "" when it may."""
    for object_id in dict.fromkeys(member.object_id for member in rooms.register.members_of_drop(entry.id)):
        if masks.hide_whole(object_id):
            continue
        decision = judge_again(rooms.store.rights(object_id), rooms.policy, rooms.clock.now(), ANYWHERE)
        if not isinstance(decision, PublishingAdmission):
            return f"{object_id} may not be shared any more"
    return ""
