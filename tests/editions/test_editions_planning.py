"""Laws of what goes into which drop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from editions_payload import HEADING, NOW, PIECE_BYTES, Payload
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.editions import cut, member_list, pack, parse_member_list, plan_drops, restore_plan
from fonoteca.editions.planning import DropPlan, member_of, place_of
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import LOADABLE_TORRENT_BYTES_MAX, Announce, torrent_bytes_bound
from fonoteca.model.corridor import DropKind, DropMember, MemberFile, RankRange, Shareable
from fonoteca.model.errors import FormatError, StoreError, UsageError
from fonoteca.model.ids import DropId
from fonoteca.model.settings import EditionSettings

WIDE = EditionSettings()
SMALL = st.builds(EditionSettings, drop_bytes_max=st.integers(1, 5000), drop_files_max=st.integers(1, 12))


@st.composite
def offers(draw: st.DrawFn) -> list[Shareable]:
    """Return versions of a few objects, closed under earlier versions, in any order."""
    payload = Payload()
    found = []
    for name in draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)):
        kind = draw(st.sampled_from(["audio", "artwork"]))
        for number in range(1, draw(st.integers(1, 3)) + 1):
            lengths = draw(st.lists(st.integers(1, 2000), max_size=3))
            share = draw(st.sampled_from([0.0, 0.1, 0.2, 0.25]))
            found.append(payload.shareable(payload.version(name, number, lengths, kind), share))
    return draw(st.permutations(found))


def files_of(plan: DropPlan) -> int:
    """Return the number of files in a drop."""
    return sum(len(each.version.members) for each in plan.members)


def bytes_of(plan: DropPlan) -> int:
    """Return the bytes in a drop."""
    return sum(each.version.version_bytes for each in plan.members)


@settings(deadline=None)
@given(offers(), SMALL)
def test_every_version_is_in_one_drop_and_no_drop_exceeds_its_limits(offer: list[Shareable], limits: EditionSettings) -> None:
    plans = plan_drops(offer, {}, limits)
    placed = [member_of(each.version) for plan in plans for each in plan.members]
    assert sorted(placed, key=str) == sorted((member_of(each.version) for each in offer), key=str)
    for plan in plans:
        within = bytes_of(plan) <= limits.drop_bytes_max and files_of(plan) <= limits.drop_files_max
        assert within or len(plan.members) == 1


@settings(deadline=None)
@given(offers(), SMALL)
def test_a_drop_needs_exactly_the_drops_before_it_that_hold_earlier_versions(
    offer: list[Shareable], limits: EditionSettings
) -> None:
    carried: dict[DropMember, DropId] = {}
    for plan in plan_drops(offer, {}, limits):
        carried.update((member_of(each.version), plan.id) for each in plan.members)
        earlier = {
            carried[DropMember(each.version.object_id, number)]
            for each in plan.members
            for number in range(1, each.version.version)
        }
        assert plan.needs == tuple(sorted(earlier - {plan.id}))


@settings(deadline=None)
@given(offers(), SMALL, st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_the_offer(offer: list[Shareable], limits: EditionSettings, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(offer)
    random.shuffle(shuffled)
    assert plan_drops(shuffled, {}, limits) == plan_drops(offer, {}, limits)


@settings(deadline=None)
@given(offers(), SMALL, SMALL)
def test_what_is_in_a_drop_is_never_put_in_another(offer: list[Shareable], first: EditionSettings, second: EditionSettings) -> None:
    before = [each for each in offer if each.version.version == 1]
    old = plan_drops(before, {}, first)
    already = {member_of(each.version): plan.id for plan in old for each in plan.members}
    new = plan_drops(offer, already, second)
    assert {member_of(each.version) for plan in new for each in plan.members}.isdisjoint(already)
    assert plan_drops(before, already, second) == []


@settings(deadline=None)
@given(offers(), SMALL)
def test_audio_comes_before_artwork_and_the_most_heard_first(offer: list[Shareable], limits: EditionSettings) -> None:
    plans = plan_drops(offer, {}, limits)
    assert [plan.kind for plan in plans] == sorted((plan.kind for plan in plans), key=[DropKind.AUDIO, DropKind.ARTWORK].index)
    best: dict[str, float] = {}
    for each in offer:
        best[each.version.object_id] = max(best.get(each.version.object_id, 0.0), each.coverage_share)
    for kind in (DropKind.AUDIO, DropKind.ARTWORK):
        placed = [each.version for plan in plans if plan.kind == kind for each in plan.members]
        keys = [(-best[version.object_id], place_of(version.object_id), version.version) for version in placed]
        assert keys == sorted(keys)


def test_a_drop_says_what_its_objects_carry_each_counted_once() -> None:
    payload = Payload()
    offer = [payload.shareable(payload.version("a", number), share) for number, share in ((1, 0.25), (2, 0.125))]
    offer.append(payload.shareable(payload.version("b"), 0.5))
    (plan,) = plan_drops(offer, {}, WIDE)
    assert plan.coverage_share == 0.75
    later = plan_drops(
        [payload.shareable(payload.version("a", 3), 0.25)],
        {DropMember(offer[0].version.object_id, n): plan.id for n in (1, 2)},
        WIDE,
    )
    assert [each.coverage_share for each in later] == [0.0], "the shares of all drops add up to the coverage"


def test_a_drop_says_the_ranks_of_its_recordings() -> None:
    payload = Payload()
    ranks = {"a": RankRange(3, 70), "b": None, "c": RankRange(11, 4000)}
    offer = [replace(payload.shareable(payload.version(name)), ranks=found) for name, found in ranks.items()]
    (plan,) = plan_drops(offer, {}, WIDE)
    assert plan.ranks == cut(plan, HEADING.root_name, PIECE_BYTES, Announce(), NOW).drop.ranks == RankRange(3, 4000)
    (unheard,) = plan_drops(offer[1:2], {}, WIDE)
    assert unheard.ranks is None


def test_corrections_of_what_is_out_are_in_drops_of_their_own() -> None:
    payload = Payload()
    old = payload.shareable(payload.version("a"), 0.5)
    (out,) = plan_drops([old], {}, WIDE)
    offer = [payload.shareable(payload.version("a", 2), 0.5), payload.shareable(payload.version("b"), 0.1)]
    new, correction = plan_drops(offer, {member_of(old.version): out.id}, WIDE)
    assert ([each.version.object_id.key for each in new.members], new.needs) == (["folder:b"], ())
    assert ([each.version.object_id.key for each in correction.members], correction.needs) == (["folder:a"], (out.id,))


def test_drops_are_packed_one_at_a_time() -> None:
    payload = Payload()
    given: list[str] = []

    def members() -> Iterator[Shareable]:
        for name in "abcdef":
            given.append(name)
            yield payload.shareable(payload.version(name))

    plans = pack(DropKind.AUDIO, members(), lambda member: None, EditionSettings(drop_files_max=8))
    assert len(next(plans).members) == 2
    assert given == list("abc"), "one more than it holds"


def test_a_version_whose_earlier_one_nobody_could_fetch_is_refused() -> None:
    payload = Payload()
    with pytest.raises(UsageError, match="version 1 is in no drop"):
        plan_drops([payload.shareable(payload.version("a", 2))], {}, WIDE)


def test_a_drop_stays_small_enough_for_the_torrent_file_to_load_everywhere() -> None:
    payload = Payload()
    version = payload.version("a", lengths=[])
    long_file = hash_bytes(b"", PIECE_BYTES)
    pieces = LOADABLE_TORRENT_BYTES_MAX // 52 * 2 // 3
    huge = MemberFile(
        "abc/x/v1/content/x",
        type(long_file)(
            pieces * PIECE_BYTES, PIECE_BYTES, long_file.sha256, bytes(32), bytes(32 * pieces), bytes(20 * pieces), bytes(20)
        ),
    )
    offer = []
    for name in "abc":
        version = payload.version(name, lengths=[])
        offer.append(payload.shareable(type(version)(version.object_id, 1, NOW, version.object_path, (*version.members, huge), ())))
    assert [len(plan.members) for plan in plan_drops(offer, {}, EditionSettings(drop_bytes_max=10**15))] == [1, 1, 1]


@settings(deadline=None)
@given(offers())
def test_the_bound_on_a_torrents_length_holds(offer: list[Shareable]) -> None:
    for plan in plan_drops(offer, {}, WIDE):
        bound = sum(torrent_bytes_bound(each.version.members) for each in plan.members)
        assert len(cut(plan, HEADING.root_name, PIECE_BYTES, Announce(), NOW).torrent) <= bound + 300


@settings(deadline=None)
@given(offers(), SMALL)
def test_a_plan_is_restored_from_its_stored_list(offer: list[Shareable], limits: EditionSettings) -> None:
    for plan in plan_drops(offer, {}, limits):
        content = member_list(plan)
        assert parse_member_list(content).drop_id == plan.id
        again = restore_plan(content, offer)
        assert cut(again, "jazz", PIECE_BYTES, Announce(), NOW) == cut(plan, "jazz", PIECE_BYTES, Announce(), NOW)


def test_a_list_whose_members_changed_or_went_is_not_restored() -> None:
    payload = Payload()
    (plan,) = plan_drops([payload.shareable(payload.version("a"))], {}, WIDE)
    with pytest.raises(StoreError, match="not to be shared"):
        restore_plan(member_list(plan), [])
    with pytest.raises(StoreError, match="never change"):
        restore_plan(member_list(plan), [payload.shareable(payload.version("a", lengths=(40_000, 70_001)))])


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c + b" ",
        lambda c: c.replace(b'"audio"', b'"metadata2"'),
        lambda c: c.replace(b'"version": 1', b'"version": 0'),
        lambda c: c.replace(b'"version": 1', b'"version": "1"'),
        lambda c: c.replace(b"fonoteca-drop/1", b"fonoteca-drop/9"),
        lambda c: c.replace(b'"members"', b'"others"'),
        lambda c: b"[]",
        lambda c: b"{",
    ],
)
def test_a_list_that_is_not_canonical_is_refused(damage) -> None:  # type: ignore[no-untyped-def]
    payload = Payload()
    (plan,) = plan_drops([payload.shareable(payload.version("a"))], {}, WIDE)
    with pytest.raises(FormatError):
        parse_member_list(damage(member_list(plan)))


def test_an_admission_opens_the_gate_for_its_own_object_alone() -> None:
    payload = Payload()
    one, other = payload.version("a"), payload.version("b")
    with pytest.raises(AssertionError, match="comes with the admission of urn:fonoteca:audio:folder:b"):
        replace(payload.shareable(other), version=one)
