"""Follow: become a mirror. Choose drops, fetch them, prove every byte, and hold them in a valid store of one's own.

Rules of order:
  1. the index is believed only as far as torrents, manifests and member lists prove each other;
  2. a drop is fetched into staging, where a killed run carries on;
  3. every file is read again and held against its inventory and the manifest before its version is renamed in;
  4. the register hears of a version after the store has it; of a drop after all its versions are there;
  5. the edition is copied last, so that whoever follows this mirror finds only what it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteca.editions import Editions, Index, IndexEntry, ManifestedDrop, list_members, read_drop, read_index
from fonoteca.flows.catalogue import CatalogueRooms, index_for_search
from fonoteca.flows.records import record_stored, store_member_list
from fonoteca.formats.hashing import FileHasher
from fonoteca.formats.ocfl import object_path, version_folder
from fonoteca.model.corridor import DropKind, StoredVersion
from fonoteca.model.errors import TrustError
from fonoteca.model.ids import DropId
from fonoteca.ports import Fetch, Staging, Swarm
from fonoteca.register import Register
from fonoteca.store import Store

FOLLOW_PREFIX = "follow-"
"""How the names of staging folders begin in which downloads are under way: they are kept for the next run."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FollowRooms:
    """What a mirror needs. fetch: reads the edition that is followed. peers: host and port of who has its bytes."""

    store: Store
    register: Register
    editions: Editions
    catalogue: CatalogueRooms
    staging: Staging
    fetch: Fetch
    swarm: Swarm
    peers: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Followed:
    """What a run took. drops: new here. verified_count: files whose sha256 was computed from what arrived."""

    number: int
    drops: tuple[DropId, ...]
    verified_count: int
    fetched_bytes: int


def follow(rooms: FollowRooms) -> Followed:
    """Return what was taken from the edition that is followed; everything in it is held here then.

    Raises: TrustError for an edition, a drop or bytes that lie, and for an edition older than one seen: what was proved
    before stays, nothing else is taken. SourceError when nobody sends; run again to carry on.
    """
    index = read_index(rooms.fetch.read)
    _check_same_archive(rooms.editions, index)
    held = {row.id for row in rooms.register.drops()}
    superseded = {entry.supersedes for entry in index.entries}
    taken: list[DropId] = []
    verified = fetched_bytes = 0
    for entry in index.entries:
        if entry.id in held or entry.id in superseded:
            continue
        fetched_bytes += _take(rooms, index, entry)
        verified += entry.file_count
        taken.append(entry.id)
    rooms.editions.mirror(index, rooms.fetch.read)
    index_for_search(rooms.catalogue)
    return Followed(index.number, tuple(taken), verified, fetched_bytes)


def _check_same_archive(editions: Editions, index: Index) -> None:
    """Raise TrustError when this mirror holds another archive, or a newer edition of this one."""
    own = editions.index()
    if own is None:
        return
    if (own.heading.root_name, own.heading.piece_bytes) != (index.heading.root_name, index.heading.piece_bytes):
        problem = f"an edition of {index.heading.root_name!r}, but this folder mirrors {own.heading.root_name!r}"
        raise TrustError("index.json", problem, "Follow another archive in another folder.")
    if index.number < own.number:
        problem = f"edition {index.number} is older than edition {own.number}, which was seen already"
        raise TrustError("index.json", problem, "Someone may be serving an old copy: follow another mirror.")


def _take(rooms: FollowRooms, index: Index, entry: IndexEntry) -> int:
    """Return the payload bytes that one drop cost, after all of it is held."""
    manifested = read_drop(rooms.fetch.read, index, entry)
    folder = rooms.staging.kept_folder(f"{FOLLOW_PREFIX}{entry.id}")
    with rooms.catalogue.progress.task(f"fetching {entry.id}", entry.drop_bytes, "B") as advance:
        fetched_bytes = rooms.swarm.fetch(manifested.torrent, folder, rooms.peers, advance)
    if entry.kind is DropKind.METADATA:
        _check_files(folder, manifested)
        rooms.catalogue.catalogue.adopt_snapshot(folder)
        rooms.register.record_drop(manifested.drop)
    else:
        _adopt(rooms, folder, manifested)
    rooms.staging.discard(folder)
    return fetched_bytes


def _check_files(folder: Path, manifested: ManifestedDrop) -> None:
    """Raise TrustError unless every file of a snapshot has the sha256 that its manifest says."""
    for row in manifested.rows:
        hasher = FileHasher(_CHUNK_BYTES)
        with (folder / row.path).open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                hasher.update(chunk)
        if (found := hasher.finish().sha256) != row.sha256:
            raise TrustError(row.path, f"expected sha256 {row.sha256}, found {found}", "Follow another mirror of this archive.")


def _adopt(rooms: FollowRooms, folder: Path, manifested: ManifestedDrop) -> None:
    """Take the versions of a drop into the store and the register, then the drop itself."""
    drop = manifested.drop
    arrived = [
        (folder / object_path(m.object_id) / version_folder(m.version), m.object_id, m.version)
        for m in sorted(drop.members, key=lambda m: (m.object_id, m.version))
    ]
    claimed = {row.path: row.sha256 for row in manifested.rows}
    for stored in rooms.store.adopt_versions(arrived):
        _check_claims(stored, claimed)
        record_stored(rooms.store, rooms.register, stored)
    rooms.register.record_drop(drop)
    members = list_members(drop.kind, drop.needs, manifested.rows)
    store_member_list(rooms.store, rooms.register, drop, members.to_bytes())


def _check_claims(stored: StoredVersion, claimed: Mapping[str, str]) -> None:
    """Raise TrustError when the manifest claims other digests than were proved."""
    for member in stored.members:
        if claimed.get(member.path) != member.hashes.sha256:
            problem = f"the manifest says sha256 {claimed.get(member.path)}, its bytes have {member.hashes.sha256}"
            raise TrustError(member.path, problem, "Tell the archive's operator.")
