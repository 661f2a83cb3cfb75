"""Follow: become a mirror. Choose drops, fetch them, prove every byte, and hold them in a valid store of one's own.

Rules of order:
  1. the index is believed when the keys of the archive that is followed signed for it (`trust/` keeps what was seen of them), and
     torrents, manifests and member lists prove each other;
  2. what was withdrawn is masked before anything is fetched, and none of it is fetched;
  3. all that tells of the edition is copied before its first drop: from then on a swarm without its origin has all that it takes;
  4. drops are taken, one after the other (`taking`);
  5. the edition is copied last, so that whoever follows this mirror finds only what it has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from fonoteca.editions import Choice, Index, TrustedEdition, believe_on
from fonoteca.flows.catalogue import index_for_search
from fonoteca.flows.heeding import Speaker, acknowledge_edition, heed, listened_to, stop_giving
from fonoteca.flows.origins import seen_beside
from fonoteca.flows.promote import check_follows, check_not_promoting, note_place
from fonoteca.flows.records import forget_snapshots, record_snapshots
from fonoteca.flows.selecting import preview, select
from fonoteca.flows.superseded import let_go
from fonoteca.flows.taking import FollowRooms as FollowRooms
from fonoteca.flows.taking import Taking
from fonoteca.model.errors import FonotecaError, SourceError, TrustError
from fonoteca.model.ids import DropId, ObjectId, Sha256
from fonoteca.model.withdrawal import Purpose


@dataclass(frozen=True, slots=True)
class Followed:
    """What a run took. drops: new here. verified_count: files whose sha256 was computed from what arrived.

    signed_at and expired: of the edition. root_sha256: of the root that it is signed under; first_use: it was taken on trust now.
    withdrawn: statements about withdrawals that are new. choice: what was to be held, and why. conflicts: objects that were refused
    since they are here with other content from another archive, and what was found.
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
    conflicts: tuple[tuple[ObjectId, str], ...] = ()


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
    view = seen_beside(rooms, index) if rooms.origin else index
    gives = frozenset(entry.infohash_v2 for entry in view.entries) if rooms.origin else None
    masked = heed(rooms, trusted.withdrawals, rooms.catalogue.clock.now(), Speaker(rooms.origin, gives, succeeded))
    stop_giving(rooms.register, (rooms.editions, *rooms.others), masked, rooms.swarm.unseed)
    copy = rooms.editions.copy_of(trusted, rooms.fetch.read)
    rooms = replace(rooms, fetch=copy)
    selected = select(rooms, view, frozenset(own.entries if own else ()))
    everything = rooms.appetite.space_bytes is None and not rooms.origin
    copy.lay(None if everything else selected.kept)
    taking = Taking(rooms, view, [each.object_id for each in listened_to(trusted.withdrawals) if each.masks(Purpose.SHARING)])
    taken = {entry.id: one for entry in selected.wanted if (one := taking.take(entry)) is not None}
    lacking = {entry.id for entry in selected.wanted if entry.id not in taken or not taken[entry.id].whole}
    rooms.editions.mirror(trusted, rooms.fetch.read, None if everything else selected.kept - lacking)
    if not rooms.origin:
        _refresh_snapshots(rooms, index)
    times = (rooms.catalogue.clock.now(), trusted.expires_at)
    acknowledge_edition(rooms.register, rooms.editions, trusted.withdrawals, times)
    note_place(rooms.trust, rooms.place)
    return Followed(
        number=index.number,
        drops=tuple(drop_id for drop_id in taken if drop_id not in lacking),
        verified_count=sum(one.verified_count for one in taken.values()),
        fetched_bytes=sum(one.fetched_bytes for one in taken.values()),
        signed_at=trusted.signed_at,
        expired=trusted.expired,
        root_sha256=trusted.root_sha256,
        first_use=trusted.first_use,
        withdrawn=len(masked),
        choice=selected.choice,
        conflicts=tuple(taking.conflicts.items()),
    )


def explain(rooms: FollowRooms) -> Choice:
    """Return what a run would hold, and why. Nothing is fetched but what tells of the edition. Raises: as `follow`."""
    index = _believed(rooms).index
    return preview(rooms, seen_beside(rooms, index) if rooms.origin else index)


def _refresh_snapshots(rooms: FollowRooms, index: Index) -> None:
    """Bring catalogues, search indexes and their drops up to what the edition says that is out now."""
    forget_snapshots(rooms.register, index)
    record_snapshots(rooms.register, index, rooms.editions.has)
    let_go(rooms.catalogue.catalogue, rooms.editions, rooms.catalogue.clock.now())
    index_for_search(rooms.catalogue)


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
    """Raise TrustError when the edition is older than the one that this mirror has, or takes back what that one said.

    Catalogues and search indexes of before are not in an edition that was made anew, from the store, after all of it was lost.
    """
    if index.number < own.number:
        problem = f"edition {index.number} is older than edition {own.number}, which was seen already"
        raise TrustError("index.json", problem, "Someone may be serving an old copy: follow another mirror.")
    if index.number == own.number and index != own:
        problem = f"edition {index.number} was seen already, and said something else"
        raise TrustError("index.json", problem, "Ask the archive's operator.")
    listed = set(index.entries)
    for entry in own.entries:
        if entry not in listed and not entry.kind.is_snapshot:
            raise TrustError(f"drop {entry.id}", "it was changed or taken out of the edition", "Ask the archive's operator.")
