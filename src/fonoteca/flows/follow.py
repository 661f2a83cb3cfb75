"""Follow: become a mirror. Choose drops, fetch them, prove every byte, and hold them in a valid store of one's own.

Rules of order:
  1. the index is believed when the keys of the archive that is followed signed for it (`trust/` keeps what was seen of them), and
     torrents, manifests and member lists prove each other;
  2. what was withdrawn is masked before anything is fetched, and none of it is fetched;
  3. all that tells of the edition is copied before its first drop: from then on a swarm without its origin has all that it takes;
  4. a drop is fetched into staging, where a killed run carries on;
  5. every file is read again and held against its inventory and the manifest before its version is renamed in;
  6. the register hears of a version after the store has it; of a drop after all its versions and its member list are there;
  7. the edition is copied last, so that whoever follows this mirror finds only what it has.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from fonoteca.editions import (
    Asked,
    Choice,
    Editions,
    Index,
    IndexEntry,
    ManifestedDrop,
    TrustedEdition,
    believe_on,
    list_members,
    read_drop,
    snapshot_of,
)
from fonoteca.flows.catalogue import CatalogueRooms, adopt_index, index_for_search
from fonoteca.flows.heeding import acknowledge_edition, heed, stop_giving
from fonoteca.flows.masks import Masks
from fonoteca.flows.promote import check_follows, check_not_promoting, note_place
from fonoteca.flows.records import forget_snapshots, record_snapshots, record_stored, store_member_list
from fonoteca.flows.selecting import FOLLOW_PREFIX, Appetite, preview, select
from fonoteca.flows.superseded import let_go
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.hashing import hash_stream
from fonoteca.formats.metainfo import Announce, announced_also, parse_torrent
from fonoteca.formats.ocfl import object_path, version_folder
from fonoteca.model.corridor import DropKind, DropMember
from fonoteca.model.errors import FonotecaError, SourceError, StoreError, TrustError
from fonoteca.model.hashes import BLOCK_BYTES
from fonoteca.model.ids import DropId, Sha256
from fonoteca.model.settings import Settings
from fonoteca.ports import Blobs, Fetch, Staging, Swarm
from fonoteca.register import Register
from fonoteca.store import Claims, Store


@dataclass(frozen=True, slots=True)
class FollowRooms:
    """What a mirror needs. settings: its own. fetch: reads the edition that is followed.

    trust: keeps the newest signed metadata that was seen. asked: how the edition is to be believed. place: where that is read.
    """

    settings: Settings
    store: Store
    register: Register
    editions: Editions
    catalogue: CatalogueRooms
    staging: Staging
    fetch: Fetch
    trust: Blobs
    asked: Asked
    swarm: Swarm
    whereabouts: Whereabouts
    appetite: Appetite = field(default_factory=Appetite)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a run took. drops: new here. verified_count: files whose sha256 was computed from what arrived.

    signed_at and expired: of the edition. root_sha256: of the root that it is signed under; first_use: it was taken on trust now.
    withdrawn: statements about withdrawals that are new. choice: what was to be held, and why.
    """

    number: int
    drops: tuple[DropId, ...]
    verified_count: int
    fetched_bytes: int
    signed_at: datetime
    expired: bool
    root_sha256: Sha256
    first_use: bool
    withdrawn: int
    choice: Choice


def follow(rooms: FollowRooms) -> Followed:
    """Return what was taken from the edition that is followed: all of it is held here then, or what was chosen for the space.

    Raises: TrustError for an edition, a drop or bytes that lie, and for an edition older than one seen: what was proved
    before stays, nothing else is taken. SourceError when nobody sends; run again to carry on. UsageError in an archive that was
    promoted: it follows its origin no more.
    """
    trusted = _believed(rooms)
    index = trusted.index
    own = rooms.editions.index()
    if own is not None and rooms.editions.binds(trusted):
        _check_goes_on(own, index)
    succeeded = own is not None and not rooms.editions.begins_as(trusted)
    if own is not None and succeeded:
        _tell_what_is_left(rooms, own, index)
    masked = heed(rooms, trusted.withdrawals, rooms.catalogue.clock.now(), succeeded=succeeded)
    stop_giving(rooms.register, rooms.editions, masked, rooms.swarm.unseed)
    copy = rooms.editions.copy_of(trusted, rooms.fetch.read)
    rooms = replace(rooms, fetch=copy)
    selected = select(rooms, index, frozenset(own.entries if own else ()))
    everything = rooms.appetite.space_bytes is None
    copy.lay(None if everything else selected.kept)
    taken = {entry.id: one for entry in selected.wanted if (one := _take(rooms, index, entry)) is not None}
    kept = selected.kept - {entry.id for entry in selected.wanted if entry.id not in taken}
    rooms.editions.mirror(trusted, rooms.fetch.read, None if everything else kept)
    record_snapshots(rooms.register, index, rooms.editions.has)
    forget_snapshots(rooms.register, index)
    let_go(rooms.catalogue.catalogue, rooms.editions, rooms.catalogue.clock.now())
    index_for_search(rooms.catalogue)
    times = (rooms.catalogue.clock.now(), trusted.expires_at)
    acknowledge_edition(rooms.register, rooms.editions, trusted.withdrawals, times)
    note_place(rooms.trust, rooms.place)
    return Followed(
        number=index.number,
        drops=tuple(taken),
        verified_count=sum(one.verified_count for one in taken.values()),
        fetched_bytes=sum(one.fetched_bytes for one in taken.values()),
        signed_at=trusted.signed_at,
        expired=trusted.expired,
        root_sha256=trusted.root_sha256,
        first_use=trusted.first_use,
        withdrawn=len(masked),
        choice=selected.choice,
    )


def explain(rooms: FollowRooms) -> Choice:
    """Return what a run would hold, and why. Nothing is fetched but what tells of the edition. Raises: as `follow`."""
    return preview(rooms, _believed(rooms).index)


def _believed(rooms: FollowRooms) -> TrustedEdition:
    """Return the edition that is followed. Raises: TrustError, SourceError; UsageError for the origin of a promoted archive."""
    check_not_promoting(rooms.trust)
    try:
        return believe_on(rooms.fetch.read, rooms.trust, rooms.asked, rooms.editions.read_at_most)
    except TrustError as error:
        refusal = error
    except SourceError as error:
        return _awaited(rooms, error)
    check_follows(rooms, refusal)
    raise refusal


def _awaited(rooms: FollowRooms, failure: SourceError) -> TrustedEdition:
    """Return the edition of which a run before has a copy here, and not all drops yet. Raises: `failure` where there is none."""
    own = rooms.editions.index()

    def read(path: str, bytes_max: int) -> bytes:
        return rooms.editions.read_awaited(path, bytes_max, rooms.trust.read("timestamp.json"))

    try:
        found = believe_on(read, rooms.trust, rooms.asked, rooms.editions.read_at_most)
    except FonotecaError:  # there is none, or it is expired
        raise failure from None
    if own is not None and own.number >= found.index.number:
        raise failure
    rooms.catalogue.progress.note(f"{failure}; going on with edition {found.index.number}, which was begun before")
    return found


def _tell_what_is_left(rooms: FollowRooms, own: Index, index: Index) -> None:
    """Say what an archive that goes on from another one has not got of it."""
    left = {entry.id for entry in own.entries} - {entry.id for entry in index.entries}
    if left:
        said = f"{len(left)} drops of the edition before are not in this one: they stay, and are not given on"
        rooms.catalogue.progress.note(said)


def _check_goes_on(own: Index, index: Index) -> None:
    """Raise TrustError when the edition is older than the one that this mirror has, or takes back what that one said."""
    if index.number < own.number:
        problem = f"edition {index.number} is older than edition {own.number}, which was seen already"
        raise TrustError("index.json", problem, "Someone may be serving an old copy: follow another mirror.")
    if index.number == own.number and index != own:
        problem = f"edition {index.number} was seen already, and said something else"
        raise TrustError("index.json", problem, "Ask the archive's operator.")
    listed = set(index.entries)
    for entry in own.entries:
        if entry not in listed:
            raise TrustError(f"drop {entry.id}", "it was changed or taken out of the edition", "Ask the archive's operator.")


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one drop cost. verified_count: files whose sha256 was computed here."""

    verified_count: int
    fetched_bytes: int


def _take(rooms: FollowRooms, index: Index, entry: IndexEntry) -> _Taken | None:
    """Return what one drop cost, after all of it is held. Versions that a killed run took in are not fetched again.

    None for a search index that nobody gives any more, or that this version cannot read: one is built here instead.
    """
    manifested = read_drop(rooms.fetch.read, index, entry)
    drop = manifested.drop
    held = {member for member in drop.members if rooms.store.head(member.object_id) >= member.version}
    masks = Masks.now(rooms.register)
    replaced = any(entry.id in each.replaces for each in index.entries)
    left = {m for m in drop.members if m not in held and (replaced or masks.reason(m.object_id))}
    missed = held | left
    without = {row.path for row in manifested.rows if row.object_id and DropMember(row.object_id, row.version) in missed}
    folder = rooms.staging.kept_folder(f"{FOLLOW_PREFIX}{entry.id}")
    for member in left:  # an earlier run may have fetched some of it
        rooms.staging.discard(folder / object_path(member.object_id))
    wanted_bytes = sum(row.file_bytes for row in manifested.rows if row.path not in without)
    with rooms.catalogue.progress.task(f"fetching {entry.id}", wanted_bytes, "B") as advance:
        torrent = announced_also(manifested.torrent, Announce(web_seeds=rooms.whereabouts.web_seeds))
        try:
            fetched_bytes = rooms.swarm.fetch(torrent, folder, rooms.whereabouts.peers, advance, without)
        except SourceError as error:
            if entry.kind is not DropKind.SEARCH:
                raise
            rooms.catalogue.progress.note(f"{error}; a search index is built here")
            return None
    if entry.kind.is_snapshot:
        _check_files(folder, manifested)
        if not _adopt_snapshot(rooms, folder, manifested):
            return None
    else:
        _adopt(rooms, folder, manifested, held, left)
    rooms.register.record_drop(drop)
    rooms.staging.discard(folder)
    return _Taken(entry.file_count - len(without), fetched_bytes)


def _adopt_snapshot(rooms: FollowRooms, folder: Path, manifested: ManifestedDrop) -> bool:
    """Return whether a catalogue or a search index is in use now: an index may be of a version that nobody here can read."""
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


def _check_files(folder: Path, manifested: ManifestedDrop) -> None:
    """Raise TrustError unless every file of a snapshot has the sha256 that its manifest says."""
    for row in manifested.rows:
        with (folder / row.path).open("rb") as stream:
            found = hash_stream(stream, BLOCK_BYTES).sha256
        if found != row.sha256:
            raise TrustError(row.path, f"expected sha256 {row.sha256}, found {found}", "Follow another mirror of this archive.")


def _adopt(rooms: FollowRooms, folder: Path, manifested: ManifestedDrop, held: Set[DropMember], left: Set[DropMember]) -> None:
    """Take the versions of a drop into the store and the register, and then keep its member list.

    held: those that are there already. left: those that are not taken.
    """
    drop = manifested.drop
    claims = Claims(rooms.settings.piece_bytes, {row.path: row.sha256 for row in manifested.rows})
    arrived = [
        (folder / object_path(m.object_id) / version_folder(m.version), m.object_id, m.version)
        for m in drop.members
        if m not in held and m not in left
    ]
    for member in held:
        stored = rooms.store.read(member.object_id, member.version)
        claims.check(stored)
        record_stored(rooms.store, rooms.register, stored)
    for stored in rooms.store.adopt_versions(arrived, claims):
        record_stored(rooms.store, rooms.register, stored)
    members = list_members(drop.kind, drop.needs, manifested.rows)
    store_member_list(rooms.store, rooms.register, drop, members.to_bytes())
