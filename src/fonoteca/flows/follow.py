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

from fonoteca.editions import Editions, Index, IndexEntry, ManifestedDrop, check_drops, list_members, read_drop, read_index
from fonoteca.flows.catalogue import CatalogueRooms, index_for_search
from fonoteca.flows.records import record_stored, store_member_list
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.hashing import FileHasher
from fonoteca.formats.metainfo import Announce, announced_also
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
    """What a mirror needs. fetch: reads the edition that is followed."""

    store: Store
    register: Register
    editions: Editions
    catalogue: CatalogueRooms
    staging: Staging
    fetch: Fetch
    swarm: Swarm
    whereabouts: Whereabouts


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
    superseded = {entry.supersedes for entry in index.entries}
    wanted = _proved_entries(rooms, index, [entry for entry in index.entries if entry.id not in superseded])
    verified = fetched_bytes = 0
    for entry in wanted:
        fetched_bytes += _take(rooms, index, entry)
        verified += entry.file_count
    rooms.editions.mirror(index, rooms.fetch.read)
    index_for_search(rooms.catalogue)
    return Followed(index.number, tuple(entry.id for entry in wanted), verified, fetched_bytes)


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
    listed = set(index.entries)
    for entry in own.entries:
        if entry not in listed:
            raise TrustError(f"drop {entry.id}", "it was changed or taken out of the edition", "Ask the archive's operator.")


def _proved_entries(rooms: FollowRooms, index: Index, entries: Sequence[IndexEntry]) -> list[IndexEntry]:
    """Return the entries that are not held yet, after all drops of the edition were proved to fit together."""
    rows = {row.id: row for row in rooms.register.drops()}
    drops, wanted = [], []
    for entry in entries:
        row = rows.get(entry.id)
        if row is None:
            wanted.append(entry)
            drops.append(read_drop(rooms.fetch.read, index, entry).drop)
        elif (row.infohash_v1, row.infohash_v2) != (entry.infohash_v1, entry.infohash_v2):
            problem = f"held with infohash {row.infohash_v2}, the index says {entry.infohash_v2}"
            raise TrustError(f"drop {entry.id}", problem, "Ask the archive's operator.")
        else:
            drops.append(row.with_members(rooms.register.members_of_drop(entry.id)))
    check_drops(drops)
    return wanted


def _take(rooms: FollowRooms, index: Index, entry: IndexEntry) -> int:
    """Return the payload bytes that one drop cost, after all of it is held."""
    manifested = read_drop(rooms.fetch.read, index, entry)
    folder = rooms.staging.kept_folder(f"{FOLLOW_PREFIX}{entry.id}")
    with rooms.catalogue.progress.task(f"fetching {entry.id}", entry.drop_bytes, "B") as advance:
        torrent = announced_also(manifested.torrent, Announce(web_seeds=rooms.whereabouts.web_seeds))
        fetched_bytes = rooms.swarm.fetch(torrent, folder, rooms.whereabouts.peers, advance)
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
