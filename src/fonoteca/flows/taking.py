"""One run of a mirror taking drops: each is fetched, proved and held, and what other drops brought is not fetched again.

Rules of order:
  1. what is here already with the same content is not fetched: the same version of an object, or a file with the same digest;
  2. a drop is fetched into staging, where a killed run carries on;
  3. every file is read again and held against its inventory and the manifest before its version is renamed in;
  4. the register hears of a version after the store has it; of a drop after all its versions and its member list are there.
Where several archives are followed, an object of one that is here with other content from another is refused by name, and the rest
of its drop is taken: that drop is not whole here, so it is not given on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shutil import copyfileobj

from fonoteca.editions import (
    Asked,
    Editions,
    Index,
    IndexEntry,
    ManifestedDrop,
    ManifestRow,
    list_members,
    read_drop,
    snapshot_of,
)
from fonoteca.flows.catalogue import CatalogueRooms, adopt_index
from fonoteca.flows.masks import Masks
from fonoteca.flows.records import record_stored, store_member_list
from fonoteca.flows.selecting import FOLLOW_PREFIX, Appetite
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.hashing import hash_stream
from fonoteca.formats.metainfo import Announce, announced_also, parse_torrent
from fonoteca.formats.ocfl import object_path, version_folder
from fonoteca.model.corridor import DropKind, DropMember, StoredVersion
from fonoteca.model.errors import SourceError, StoreError, TrustError
from fonoteca.model.hashes import BLOCK_BYTES
from fonoteca.model.ids import ObjectId
from fonoteca.model.settings import Settings
from fonoteca.ports import Blobs, Fetch, Staging, Swarm
from fonoteca.register import Register
from fonoteca.store import Claims, Store

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FollowRooms:
    """What a mirror needs. settings: its own. fetch: reads the edition that is followed. blobs: the storage root.

    trust: keeps the newest signed metadata that was seen. asked: how the edition is to be believed. place: where that is read.
    origin: the mark of an archive that is followed beside the first one, "" for the first. others: editions of all others that are.
    give: gives a drop out as soon as it is held, if it may be, told its torrent.
    """

    settings: Settings
    store: Store
    register: Register
    editions: Editions
    catalogue: CatalogueRooms
    staging: Staging
    blobs: Blobs
    fetch: Fetch
    trust: Blobs
    asked: Asked
    swarm: Swarm
    whereabouts: Whereabouts
    appetite: Appetite = field(default_factory=Appetite)
    place: str = ""
    origin: str = ""
    others: tuple[Editions, ...] = ()
    give: Callable[[IndexEntry, bytes], object] = lambda entry, torrent: None


@dataclass(frozen=True, slots=True)
class Taken:
    """What one drop cost. verified_count: files whose sha256 was computed here. whole: nothing of it was refused."""

    verified_count: int
    fetched_bytes: int
    whole: bool


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The members of a drop: here already, not to be had here now, and refused."""

    held: Set[DropMember]
    left: Set[DropMember]
    refused: Set[DropMember]

    @property
    def passed_over(self) -> Set[DropMember]:
        """What is not fetched."""
        return self.held | self.left | self.refused


class Taking:
    """One run. unwanted: objects that whoever is followed has withdrawn, and does not give.

    conflicts: objects that were refused since they are here with other content, and what was found.
    """

    def __init__(self, rooms: FollowRooms, index: Index, unwanted: Collection[ObjectId] = ()) -> None:
        self._rooms = rooms
        self._index = index
        self._unwanted = frozenset(unwanted)
        self.conflicts: dict[ObjectId, str] = {}

    def take(self, entry: IndexEntry) -> Taken | None:
        """Return what one drop cost, after all of it is held. Versions that a killed run took in are not fetched again.

        None for a search index that nobody gives any more, or that this version cannot read: one is built here instead.
        """
        rooms = self._rooms
        manifested = read_drop(rooms.fetch.read, self._index, entry)
        members = self._sort(manifested)
        missed = members.passed_over
        without = {row.path for row in manifested.rows if row.object_id and DropMember(row.object_id, row.version) in missed}
        copies = self._held_elsewhere(row for row in manifested.rows if row.path not in without)
        folder = rooms.staging.kept_folder(f"{FOLLOW_PREFIX}{entry.id}")
        for member in members.left | members.refused:  # an earlier run may have fetched some of it
            rooms.staging.discard(folder / object_path(member.object_id))
        wanted_bytes = sum(row.file_bytes for row in manifested.rows if row.path not in without and row.path not in copies)
        with rooms.catalogue.progress.task(f"fetching {entry.id}", wanted_bytes, "B") as advance:
            torrent = announced_also(manifested.torrent, Announce(web_seeds=rooms.whereabouts.web_seeds))
            try:
                fetched_bytes = rooms.swarm.fetch(torrent, folder, rooms.whereabouts.peers, advance, {*without, *copies})
            except SourceError as error:
                if entry.kind is not DropKind.SEARCH:
                    raise
                rooms.catalogue.progress.note(f"{error}; a search index is built here")
                return None
        for path, source in copies.items():
            self._copy(source, folder / path)
        if entry.kind.is_snapshot:
            _check_files(folder, manifested)
            if not self._adopt_snapshot(folder, manifested):
                return None
        else:
            self._adopt(folder, manifested, members)
        whole = self.conflicts.keys().isdisjoint(member.object_id for member in manifested.drop.members)
        if whole:
            self._record(manifested)
            rooms.give(entry, manifested.torrent)
        rooms.staging.discard(folder)
        return Taken(entry.file_count - len(without), fetched_bytes, whole)

    def _sort(self, manifested: ManifestedDrop) -> _Sorted:
        """Return what becomes of each member of a drop."""
        rooms, drop = self._rooms, manifested.drop
        masks = Masks.now(rooms.register)
        replaced = any(drop.id in each.replaces for each in self._index.entries)
        claims = Claims(rooms.settings.piece_bytes, {row.path: row.sha256 for row in manifested.rows})
        held: set[DropMember] = set()
        left: set[DropMember] = set()
        for member in drop.members:
            if rooms.store.head(member.object_id) >= member.version:
                self._compare(rooms.store.read(member.object_id, member.version), claims)
                held.add(member)
            elif replaced or masks.reason(member.object_id) or member.object_id in self._unwanted:
                left.add(member)
        refused = {member for member in drop.members if member.object_id in self.conflicts}
        return _Sorted(held - refused, left - refused, refused)

    def _compare(self, stored: StoredVersion, claims: Claims) -> None:
        """Note an object that is here with other content than is claimed. Raises: as `_refuse`."""
        try:
            claims.check(stored)
        except TrustError as error:
            self._refuse(stored.object_id, error)

    def _refuse(self, object_id: ObjectId, error: TrustError) -> None:
        """Note that an object is refused. Raises: the error where nobody else is followed, who might have given the other one."""
        if not self._rooms.others:
            raise error
        self.conflicts.setdefault(object_id, f"{error.subject}: {error.problem}")

    def _held_elsewhere(self, rows: Iterable[ManifestRow]) -> Mapping[str, str]:
        """Return where files lie in the store already under another object, by the path of the one that is wanted.

        Only music and pictures are looked for. Cost: a question for a few hundred files; a read of those that are found.
        """
        found: dict[str, str] = {}
        # Smaller ones are a block of the swarm: to ask for them costs as much.
        wanted = [row for row in rows if row.object_id and row.file_bytes > BLOCK_BYTES]
        held = self._rooms.register.digests_held([row.sha256 for row in wanted])
        for row in (row for row in wanted if row.sha256 in held):
            known = self._rooms.register.files_by_digest(row.sha256)
            place = next((each.path for each in known if not each.damage and self._is(each.path, row)), None)
            if place is not None:
                found[row.path] = place
        return found

    def _is(self, path: str, row: ManifestRow) -> bool:
        """Whether the file at a path in the store has the bytes that a row says."""
        blobs = self._rooms.blobs
        if blobs.size(path) != row.file_bytes:
            return False
        digest = sha256()
        with closing(blobs.open(path)) as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest() == row.sha256

    def _copy(self, path: str, target: Path) -> None:
        """Put a file of the store in a staging folder, as a second name of it where the disk lets us: one copy then."""
        rooms = self._rooms
        rooms.staging.discard(target)
        here = rooms.blobs.local_path(path)
        if here is not None and rooms.staging.link(here, target):
            return
        with closing(rooms.blobs.open(path)) as source, rooms.staging.writer(target) as copy:
            copyfileobj(source, copy, _CHUNK_BYTES)

    def _adopt_snapshot(self, folder: Path, manifested: ManifestedDrop) -> bool:
        """Return whether a catalogue or a search index is in use now: an index may be of a version that nobody here can read."""
        rooms = self._rooms
        if manifested.drop.kind is DropKind.METADATA:
            rooms.catalogue.catalogue.adopt_snapshot(folder)
            return True
        name = snapshot_of(parse_torrent(manifested.torrent).name, rooms.settings.name, DropKind.SEARCH)
        try:
            adopt_index(rooms.catalogue, folder, name)
        except StoreError as error:
            rooms.catalogue.progress.note(f"{error}; a search index is built here")
            rooms.staging.discard(folder)
            return False
        return True

    def _adopt(self, folder: Path, manifested: ManifestedDrop, members: _Sorted) -> None:
        """Take the versions of a drop into the store and the register."""
        rooms = self._rooms
        claims = Claims(rooms.settings.piece_bytes, {row.path: row.sha256 for row in manifested.rows})
        for member in members.held:
            record_stored(rooms.store, rooms.register, rooms.store.read(member.object_id, member.version))
        fresh = [m for m in manifested.drop.members if m not in members.passed_over]
        for object_id in dict.fromkeys(sorted(m.object_id for m in fresh)):
            arrived = [
                (folder / object_path(object_id) / version_folder(m.version), object_id, m.version)
                for m in fresh
                if m.object_id == object_id
            ]
            try:
                for stored in rooms.store.adopt_versions(arrived, claims):
                    record_stored(rooms.store, rooms.register, stored)
            except TrustError as error:
                if rooms.store.head(object_id) == 0:  # it is not another's object that is in the way: these bytes lie
                    raise
                self._refuse(object_id, error)

    def _record(self, manifested: ManifestedDrop) -> None:
        """Keep the member list of a drop that is whole here, and enter it in the register."""
        rooms, drop = self._rooms, manifested.drop
        if not drop.kind.is_snapshot:
            members = list_members(drop.kind, drop.needs, manifested.rows)
            store_member_list(rooms.store, rooms.register, drop, members.to_bytes())
        rooms.register.record_drop(drop)


def _check_files(folder: Path, manifested: ManifestedDrop) -> None:
    """Raise TrustError unless every file of a snapshot has the sha256 that its manifest says."""
    for row in manifested.rows:
        with (folder / row.path).open("rb") as stream:
            found = hash_stream(stream, BLOCK_BYTES).sha256
        if found != row.sha256:
            raise TrustError(row.path, f"expected sha256 {row.sha256}, found {found}", "Follow another mirror of this archive.")
