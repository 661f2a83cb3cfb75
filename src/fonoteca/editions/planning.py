"""Which versions go into which drop: audio by the listening it carries, then artwork, in torrents that every client loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from fonoteca.editions.memberlist import check_same, listed, member_list_of, parse_member_list
from fonoteca.formats.metainfo import LOADABLE_TORRENT_BYTES_MAX, torrent_bytes_bound
from fonoteca.model.corridor import DropKind, DropMember, Shareable, StoredVersion
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.model.settings import EditionSettings

_STORE_KINDS = (DropKind.AUDIO, DropKind.ARTWORK)
"""Kinds of drops that are slices of the storage root, in the order of publication."""


@dataclass(frozen=True, slots=True)
class DropPlan:
    """A drop to be cut. members: in order of listening carried. needs: drops with earlier versions of members, ascending.

    coverage_share: of all listening, 0 to 1, by its objects, each counted once.
    """

    id: DropId
    kind: DropKind
    members: tuple[Shareable, ...]
    needs: tuple[DropId, ...]
    coverage_share: float


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


def plan_drops(shareables: Sequence[Shareable], already: Mapping[DropMember, DropId], limits: EditionSettings) -> list[DropPlan]:
    """Return the drops that publish what is in none yet, in the order in which to publish them.

    shareables: versions that may be shared, with the share of listening that each object carries; those in a drop already
        are passed over. already: every version that a drop carries.
    Laws: audio before artwork; objects by coverage_share, the greatest first, then by id; an object's versions ascend;
        no drop exceeds the limits (bytes, files, and what libtorrent loads by default) unless it is of one version alone.
    Raises: UsageError when an earlier version of an object is in no drop and not on offer: a mirror could not complete it.
    Cost: O(n log n); a member list is made for each drop.
    """
    fresh = [each for each in shareables if member_of(each.version) not in already]
    _check_closed(fresh, already)
    carried = dict(already)
    plans: list[DropPlan] = []
    for kind in _STORE_KINDS:
        for members in _packed(_in_order(each for each in fresh if each.version.object_id.kind == kind), limits):
            plan = _plan(kind, members, carried)
            carried.update((member_of(each.version), plan.id) for each in members)
            plans.append(plan)
    return plans


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
    return DropPlan(stored.drop_id, stored.kind, tuple(_in_order(members)), stored.needs, _carried_share(stored.kind, members))


def member_of(version: StoredVersion) -> DropMember:
    """Return the version as a member of a drop."""
    return DropMember(version.object_id, version.version)


def _check_closed(fresh: Sequence[Shareable], already: Mapping[DropMember, DropId]) -> None:
    """Raise UsageError when a version on offer builds on one that nobody could fetch."""
    offered = {member_of(each.version) for each in fresh}
    assert len(offered) == len(fresh), "a version is offered once"
    for object_id, version in sorted((each.object_id, each.version) for each in offered):
        earlier = DropMember(object_id, version - 1)
        if version > 1 and earlier not in offered and earlier not in already:
            raise UsageError(
                object_id,
                f"version {version} is to be published but version {version - 1} is in no drop",
                "Offer every version of the object; content of earlier versions is part of later ones.",
            )


def _in_order(shareables: Iterable[Shareable]) -> list[Shareable]:
    """Return versions by what their object carries, then by object id; versions of an object ascend."""
    members = list(shareables)
    best = _best_share(members)
    return sorted(members, key=lambda each: (-best[each.version.object_id], each.version.object_id, each.version.version))


def _best_share(members: Iterable[Shareable]) -> dict[ObjectId, float]:
    """Return what each object carries: versions of one object carry the same recordings, so the greatest share counts."""
    best: dict[ObjectId, float] = {}
    for each in members:
        object_id = each.version.object_id
        best[object_id] = max(best.get(object_id, 0.0), each.coverage_share)
    return best


def _packed(members: Iterable[Shareable], limits: EditionSettings) -> Iterator[list[Shareable]]:
    """Yield what goes into each drop, in order: a drop is closed when the next version would be too much."""
    current: list[Shareable] = []
    load = _Load()
    for each in members:
        added = load.plus(_load_of(each.version))
        if current and not added.fits(limits):
            yield current
            current, added = [], _load_of(each.version)
        current.append(each)
        load = added
    if current:
        yield current


def _load_of(version: StoredVersion) -> _Load:
    """Return what one version adds to a drop."""
    return _Load(version.version_bytes, len(version.members), torrent_bytes_bound(version.members))


def _plan(kind: DropKind, members: Sequence[Shareable], carried: Mapping[DropMember, DropId]) -> DropPlan:
    """Return the plan of one drop. carried: all versions in drops before this one."""
    inside = {member_of(each.version) for each in members}
    earlier = {DropMember(each.version.object_id, version) for each in members for version in range(1, each.version.version)}
    needs = tuple(sorted({carried[each] for each in earlier - inside if each in carried}))
    drop_id = member_list_of(kind, needs, (listed(each.version) for each in members)).drop_id
    return DropPlan(drop_id, kind, tuple(members), needs, _carried_share(kind, members))


def _carried_share(kind: DropKind, members: Sequence[Shareable]) -> float:
    """Return the share of listening that a drop carries, each object counted once. Nobody listens to artwork: it goes out in the
    order of its music, and carries none.
    """
    if kind is not DropKind.AUDIO:
        return 0.0
    return min(1.0, fsum(_best_share(members).values()))
