"""Which versions go into which drop: audio by the listening it carries, then artwork, in torrents that every client loads."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import fsum

import numpy as np

from fonoteca.editions.memberlist import check_same, listed, member_list_of, parse_member_list
from fonoteca.formats.metainfo import LOADABLE_TORRENT_BYTES_MAX, torrent_bytes_bound
from fonoteca.model.corridor import DropKind, DropMember, RankRange, Shareable, StoredVersion
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.model.settings import EditionSettings

_STORE_KINDS = (DropKind.AUDIO, DropKind.ARTWORK)
"""Kinds of drops that are slices of the storage root, in the order of publication."""


@dataclass(frozen=True, slots=True)
class DropPlan:
    """A drop to be cut. members: in order of listening carried. needs: drops with earlier versions of members, ascending.

    coverage_share: of all listening, 0 to 1, by the objects whose first version is in it. ranks: of its recordings.
    """

    id: DropId
    kind: DropKind
    members: tuple[Shareable, ...]
    needs: tuple[DropId, ...]
    coverage_share: float
    ranks: RankRange | None = None


@dataclass(frozen=True, slots=True)
class _Load:
    """What a drop weighs against its limits."""

    drop_bytes: int = 0
    file_count: int = 0
    torrent_bytes: int = 0

    def plus(self, other: _Load) -> _Load:
        """Return both together."""
        return _Load(
            self.drop_bytes + other.drop_bytes,
            self.file_count + other.file_count,
            self.torrent_bytes + other.torrent_bytes,
        )

    def fits(self, limits: EditionSettings) -> bool:
        """Return whether a drop may weigh so much."""
        return (
            self.drop_bytes <= limits.drop_bytes_max
            and self.file_count <= limits.drop_files_max
            and self.torrent_bytes <= LOADABLE_TORRENT_BYTES_MAX
        )


@dataclass(frozen=True, slots=True)
class Offered:
    """A version on offer, in few bytes. key: by which the caller knows it again. share: of all listening, the same for all versions
    of an object. place: of the object, from its digest (`place_of`). corrects: whether an earlier version is in a drop already.
    """

    key: int
    place: int
    version: int
    share: float
    corrects: bool = False


def place_of(object_id: ObjectId) -> int:
    """Return where an object stands among those as popular: the first 8 bytes of the digest that its folders are named by."""
    return int.from_bytes(sha256(object_id.encode()).digest()[:8], "big")


def line_up(offers: Iterable[Offered]) -> Iterator[int]:
    """Yield the keys of versions of one kind in the order of publication.

    Law: new objects by share, the greatest first, then by place, versions ascending; then corrections likewise, so that new music
        seldom needs an older drop.
    Memory: 33 B a version, and as much again while sorting. Cost: about 1 us a version.
    """
    keys, places, versions, shares, corrects = array("q"), array("Q"), array("I"), array("d"), array("b")
    for each in offers:
        keys.append(each.key)
        places.append(each.place)
        versions.append(each.version)
        shares.append(-each.share)
        corrects.append(each.corrects)
    columns = (
        np.frombuffer(versions, dtype=np.uint32),
        np.frombuffer(places, dtype=np.uint64),
        np.frombuffer(shares, dtype=np.float64),
        np.frombuffer(corrects, dtype=np.int8),
    )
    order = np.lexsort(columns) if keys else ()
    for index in order:
        yield keys[index]


def plan_drops(shareables: Sequence[Shareable], already: Mapping[DropMember, DropId], limits: EditionSettings) -> list[DropPlan]:
    """Return the drops that publish what is in none yet, in the order in which to publish them. See `line_up` and `pack`.

    shareables: versions that may be shared, with the share of listening that each object carries; those in a drop already
        are passed over. already: every version that a drop carries.
    """
    fresh = [each for each in shareables if member_of(each.version) not in already]
    assert len({member_of(each.version) for each in fresh}) == len(fresh), "a version is offered once"
    best = _best_share(fresh)
    plans: list[DropPlan] = []
    for kind in _STORE_KINDS:
        offers = (
            Offered(
                key=index,
                place=place_of(each.version.object_id),
                version=each.version.version,
                share=best[each.version.object_id],
                corrects=DropMember(each.version.object_id, 1) in already,
            )
            for index, each in enumerate(fresh)
            if each.version.object_id.kind == kind
        )
        plans += pack(kind, (fresh[key] for key in line_up(offers)), already.get, limits)
    return plans


def pack(
    kind: DropKind,
    members: Iterable[Shareable],
    carrier: Callable[[DropMember], DropId | None],
    limits: EditionSettings,
) -> Iterator[DropPlan]:
    """Yield drops of members that come in the order of publication; one drop's members are in memory at a time.

    carrier: gives the drop that carried a version before, None for none; asked for corrections alone.
    Law: no drop exceeds the limits (bytes, files, and what libtorrent loads by default) unless it is of one version alone.
    Raises: UsageError when an earlier version of an object is in no drop and not on offer: a mirror could not complete it.
    """
    known: dict[DropMember, DropId] = {}

    def carried(member: DropMember) -> DropId | None:
        return known.get(member) or carrier(member)

    for packed in _packed(members, limits):
        plan = _plan(kind, packed, carried)
        last = packed[-1].version.object_id
        before = known.items() if packed[0].version.object_id == last else ()
        inside = ((member_of(each.version), plan.id) for each in packed)
        # An object's versions are neighbours: only those of the last one may be asked for again.
        known = {member: drop for member, drop in (*before, *inside) if member.object_id == last}
        yield plan


def member_list(plan: DropPlan) -> bytes:
    """Return the canonical member list, to be stored as the object `ObjectId.of("drop", plan.id)` before signing."""
    return member_list_of(plan.kind, plan.needs, (listed(each.version) for each in plan.members)).to_bytes()


def restore_plan(content: bytes, shareables: Sequence[Shareable]) -> DropPlan:
    """Return the plan that a stored member list is of, to cut the same drop again.

    shareables: at least the members of the list. Raises: FormatError for a list that is none; StoreError when a member is
    not among the shareables or has other files than were listed.
    """
    stored = parse_member_list(content)
    offered = {member_of(each.version): each for each in shareables}
    members: list[Shareable] = []
    for expected in stored.members:
        shareable = offered.get(expected.member)
        if shareable is None:
            raise StoreError(stored.drop_id, f"needs {expected.object_id} v{expected.version}, which is not to be shared")
        check_same(stored.drop_id, expected, listed(shareable.version))
        members.append(shareable)
    share, ranks = _carried_share(stored.kind, members), _ranks_of(members)
    return DropPlan(stored.drop_id, stored.kind, tuple(_in_order(members)), stored.needs, share, ranks)


def member_of(version: StoredVersion) -> DropMember:
    """Return the version as a member of a drop."""
    return DropMember(version.object_id, version.version)


def _in_order(shareables: Iterable[Shareable]) -> list[Shareable]:
    """Return the versions of one drop in the order of publication. See `line_up`."""
    members = list(shareables)
    best = _best_share(members)
    inside = {member_of(each.version) for each in members}

    def order(each: Shareable) -> tuple[bool, float, int, int]:
        object_id = each.version.object_id
        corrects = DropMember(object_id, 1) not in inside
        return corrects, -best[object_id], place_of(object_id), each.version.version

    return sorted(members, key=order)


def _best_share(members: Iterable[Shareable]) -> dict[ObjectId, float]:
    """Return what each object carries: versions of one object carry the same recordings, so the greatest share counts."""
    best: dict[ObjectId, float] = {}
    for each in members:
        object_id = each.version.object_id
        best[object_id] = max(best.get(object_id, 0.0), each.coverage_share)
    return best


def _packed(members: Iterable[Shareable], limits: EditionSettings) -> Iterator[list[Shareable]]:
    """Yield what goes into each drop, in order: a drop is closed when the next version would be too much, and where corrections
    begin, which come last.
    """
    current: list[Shareable] = []
    load, last, correcting = _Load(), None, False
    for each in members:
        begins = not correcting and each.version.version > 1 and each.version.object_id != last
        added = load.plus(_load_of(each.version))
        if current and (begins or not added.fits(limits)):
            yield current
            current, added = [], _load_of(each.version)
        current.append(each)
        load, last, correcting = added, each.version.object_id, correcting or begins
    if current:
        yield current


def _load_of(version: StoredVersion) -> _Load:
    """Return what one version adds to a drop."""
    return _Load(version.version_bytes, len(version.members), torrent_bytes_bound(version.members))


def _plan(kind: DropKind, members: Sequence[Shareable], carrier: Callable[[DropMember], DropId | None]) -> DropPlan:
    """Return the plan of one drop. carrier: gives the drop before this one that carries a version."""
    inside = {member_of(each.version) for each in members}
    earlier = {DropMember(each.version.object_id, version) for each in members for version in range(1, each.version.version)}
    needs: set[DropId] = set()
    for member in sorted(earlier - inside, key=lambda each: (each.object_id, each.version)):
        carried = carrier(member)
        if carried is None:
            raise UsageError(
                member.object_id,
                f"a later version is to be published but version {member.version} is in no drop",
                "Offer every version of the object; content of earlier versions is part of later ones.",
            )
        needs.add(carried)
    listed_members = member_list_of(kind, needs, (listed(each.version) for each in members))
    return DropPlan(
        listed_members.drop_id, kind, tuple(members), listed_members.needs, _carried_share(kind, members), _ranks_of(members)
    )


def _carried_share(kind: DropKind, members: Sequence[Shareable]) -> float:
    """Return the share of listening that a drop carries: of the objects whose first version is in it, so that those of all drops
    add up. Nobody listens to artwork: it goes out in the order of its music, and carries none.
    """
    if kind is not DropKind.AUDIO:
        return 0.0
    first = {each.version.object_id for each in members if each.version.version == 1}
    shares = _best_share(members)
    return min(1.0, fsum(shares[object_id] for object_id in first))


def _ranks_of(members: Iterable[Shareable]) -> RankRange | None:
    """Return the ranks of the most and of the least heard recording of a drop, None where none has a rank."""
    known = [each.ranks for each in members if each.ranks is not None]
    return RankRange(min(each.first for each in known), max(each.last for each in known)) if known else None
