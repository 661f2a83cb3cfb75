"""Laws of choosing drops, and how near the choice comes to the best one."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import chain, combinations
from math import fsum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.editions.choice import (
    BEGUN_FACTOR,
    SEEDS_COUNTED_MAX,
    Choice,
    Option,
    Situation,
    Why,
    choose,
    scarcity,
)
from fonoteca.model.corridor import DropKind
from fonoteca.model.ids import DropId

GB = 10**9


def option(number: int, space: int, share: float = 0.0, **more: object) -> Option:
    """Return an option of audio, or of what `kind` says."""
    kind = DropKind(str(more.pop("kind", "audio")))
    return Option(DropId(f"{kind}-{number:016x}"), kind, space, share, **more)  # type: ignore[arg-type]


def whys(choice: Choice) -> list[Why]:
    return [verdict.why for verdict in choice.verdicts]


def taken(choice: Choice) -> set[DropId]:
    return {verdict.option.id for verdict in choice.verdicts if verdict.taken}


def worth(options: list[Option], situation: Situation) -> float:
    return fsum(each.share * scarcity(situation.seeds.get(each.id)) for each in options)


def is_closed(some: tuple[Option, ...]) -> bool:
    there = {each.id for each in some}
    return all(need in there for each in some for need in each.needs)


def exact(options: list[Option], situation: Situation) -> float:
    """Return the most worth that fits, by looking at every set."""
    subsets = chain.from_iterable(combinations(options, count) for count in range(len(options) + 1))
    room = situation.space_bytes or 0
    return max(worth(list(some), situation) for some in subsets if sum(e.space_bytes for e in some) <= room and is_closed(some))


def in_order(options: list[Option], room: int) -> list[Option]:
    """Return what taking drops in order gives, leaving out those that do not fit."""
    there: dict[DropId, Option] = {}
    for each in options:
        if each.space_bytes <= room and all(need in there for need in each.needs):
            there[each.id] = each
            room -= each.space_bytes
    return list(there.values())


@st.composite
def worlds(draw: st.DrawFn, most: int = 9) -> tuple[list[Option], Situation]:
    """Return audio drops, some of which need others before them, and a situation."""
    options: list[Option] = []
    for number in range(draw(st.integers(1, most))):
        needs = draw(st.lists(st.sampled_from(options), max_size=2, unique_by=lambda each: each.id)) if options else []
        share = draw(st.integers(0, 100)) / 1000
        options.append(option(number, draw(st.integers(1, 40)), share, needs=tuple(sorted(each.id for each in needs))))
    seeds = draw(st.dictionaries(st.sampled_from([each.id for each in options]), st.integers(0, 7)))
    return options, Situation(draw(st.integers(0, 40 * most)), seeds=seeds)


@settings(deadline=None, max_examples=150)
@given(worlds())
def test_a_choice_is_closed_fits_and_is_never_worse_than_taking_drops_in_order(world: tuple[list[Option], Situation]) -> None:
    options, situation = world
    choice = choose(options, situation)
    found = [each for each in options if each.id in taken(choice)]
    assert is_closed(tuple(found))
    assert sum(each.space_bytes for each in found) == choice.new_bytes <= (situation.space_bytes or 0)
    assert set(choice.order) == taken(choice)
    for place, drop_id in enumerate(choice.order):
        assert set(next(each.needs for each in options if each.id == drop_id)) <= set(choice.order[:place])
    assert worth(found, situation) >= worth(in_order(options, situation.space_bytes or 0), situation) - 1e-12
    assert choose(options, situation) == choice
    best = exact(options, situation)
    assert worth(found, situation) >= best / 2 - 1e-12


def test_the_choice_comes_near_the_best_one() -> None:
    dice, ratios = random.Random(5), []
    for _ in range(150):
        options: list[Option] = []
        for number in range(dice.randint(3, 9)):
            needs = dice.sample(options, min(len(options), dice.choice((0, 0, 0, 1, 2))))
            share = dice.random() / (number + 1) / 10
            options.append(option(number, dice.randint(5, 40), share, needs=tuple(sorted(each.id for each in needs))))
        situation = Situation(dice.randint(20, 150), seeds={each.id: dice.randint(0, 5) for each in options if dice.random() < 0.7})
        best = exact(options, situation)
        found = worth([each for each in options if each.id in taken(choose(options, situation))], situation)
        ratios.append(found / best if best else 1.0)
    assert fsum(ratios) / len(ratios) >= 0.995
    assert min(ratios) >= 0.8
    assert sum(ratio >= 1 - 1e-9 for ratio in ratios) >= 0.9 * len(ratios)


def test_the_catalogue_and_the_search_index_come_first_and_old_ones_not_at_all() -> None:
    old = option(1, 4, kind="metadata", superseded=True)
    options = [old, option(2, 4, kind="metadata"), option(3, 4, kind="search"), option(4, 4, 0.5)]
    choice = choose(options, Situation(10))
    assert whys(choice) == [Why.SUPERSEDED, Why.FIRST, Why.FIRST, Why.SPACE]
    assert whys(choose(options, Situation(None))) == [Why.SUPERSEDED, Why.FIRST, Why.FIRST, Why.WORTH]


def test_a_search_index_is_not_taken_without_its_catalogue() -> None:
    options = [option(1, 10, kind="metadata"), option(2, 4, kind="search"), option(3, 4, 0.5)]
    assert whys(choose(options, Situation(9))) == [Why.SPACE, Why.SPACE, Why.WORTH]
    absent = choose(options, Situation(100, absent={options[0].id}))
    assert taken(absent) == {options[2].id}
    assert taken(choose(options, Situation(100, held={options[0].id}))) >= {options[1].id}


def test_what_is_held_stays_and_counts_against_the_space() -> None:
    held, better = option(1, 10, 0.001), option(2, 10, 0.9)
    choice = choose([held, better], Situation(15, held={held.id}))
    assert whys(choice) == [Why.HELD, Why.LESS if better.space_bytes <= 5 else Why.SPACE]
    assert (choice.held_bytes, choice.new_bytes, choice.coverage_share) == (10, 0, 0.001)
    smaller = choose([held, better], Situation(5, held={held.id}))
    assert whys(smaller) == [Why.HELD, Why.SPACE]
    assert smaller.order == ()


def test_of_drops_as_popular_the_scarcer_one_is_taken() -> None:
    many, few = option(1, 10, 0.1), option(2, 10, 0.1)
    choice = choose([many, few], Situation(10, seeds={many.id: 5, few.id: 1}))
    assert whys(choice) == [Why.LESS, Why.WORTH]
    assert [scarcity(n) for n in (0, 1, 2, SEEDS_COUNTED_MAX, 99, None)] == [1, 0.5, 0.25, 1 / 16, 1 / 16, 0.5]
    popular = replace(many, share=0.9)
    assert whys(choose([popular, few], Situation(10, seeds={many.id: 3, few.id: 1}))) == [Why.WORTH, Why.LESS]


def test_a_mirror_does_not_count_itself_as_another_seed() -> None:
    (held,) = choose([option(1, 1, 0.5)], Situation(9, held={option(1, 1).id}, seeds={option(1, 1).id: 1})).verdicts
    assert (held.seeds, held.worth) == (1, 0.5)


def test_what_a_killed_run_began_is_left_for_a_real_gain_only() -> None:
    begun, other = option(1, 10, 0.10), option(2, 10, 0.12)
    choice = choose([begun, other], Situation(10, begun={begun.id}))
    assert whys(choice) == [Why.WORTH, Why.LESS]
    better = replace(other, share=0.10 * BEGUN_FACTOR * 1.01)
    assert whys(choose([begun, better], Situation(10, begun={begun.id}))) == [Why.LESS, Why.WORTH]


def test_corrections_of_what_is_held_come_before_new_music() -> None:
    held, new = option(1, 10, 0.1), option(2, 10, 0.9)
    correction = option(3, 2, needs=(held.id,))
    successor = option(4, 3, 0.01, needs=(held.id,))
    later = option(5, 2, needs=(new.id,))
    choice = choose([held, new, correction, successor, later], Situation(24, held={held.id}))
    assert whys(choice) == [Why.HELD, Why.SPACE, Why.CORRECTION, Why.CORRECTION, Why.LESS]
    assert [verdict.by for verdict in choice.verdicts][2:4] == [held.id, held.id]
    assert whys(choose([held, new, correction, successor, later], Situation(27, held={held.id})))[4] is Why.CORRECTION


def test_a_drop_comes_with_all_that_it_needs() -> None:
    base = option(1, 10, 0.0001)
    needy = option(2, 10, 0.5, needs=(base.id,))
    choice = choose([base, needy, option(3, 10, 0.1)], Situation(20))
    assert whys(choice) == [Why.NEEDED, Why.WORTH, Why.LESS]
    assert choice.verdicts[0].by == needy.id
    assert whys(choose([base, needy, option(3, 10, 0.1)], Situation(20, absent={base.id}))) == [Why.ABSENT, Why.LESS, Why.WORTH]


def test_artwork_waits_for_all_audio() -> None:
    options = [option(1, 10, 0.5), option(2, 10, 0.4), option(3, 2, kind="artwork")]
    assert whys(choose(options, Situation(15))) == [Why.WORTH, Why.LESS, Why.LESS]
    assert whys(choose(options, Situation(22))) == [Why.WORTH, Why.WORTH, Why.ROOM]


def purged() -> list[Option]:
    """Return a drop, one that corrects it, and one with what is left of it after something was purged."""
    old = option(1, 100, 0.5, replaced_by=(option(3, 1).id,), listing_bytes=1)
    correction = option(2, 10, needs=(old.id,), listing_bytes=1)
    return [old, correction, option(3, 80, 0.4, replaces=(old.id,), listing_bytes=1)]


def test_what_is_left_of_a_purged_drop_is_taken_in_its_place_with_its_list_to_prove_it_by() -> None:
    old, correction, successor = purged()
    choice = choose([old, correction, successor], Situation(95))
    assert whys(choice) == [Why.REPLACED, Why.CORRECTION, Why.WORTH]
    assert choice.order == (old.id, successor.id, correction.id)
    assert (choice.new_bytes, choice.coverage_share) == (93, 0.4)  # the list is reckoned with each drop that it proves
    assert [verdict.taken for verdict in choose([old, correction, successor], Situation(50)).verdicts] == [False] * 3


def test_who_has_a_drop_of_which_something_was_purged_has_its_successor_nearly_for_nothing() -> None:
    old, correction, successor = purged()
    choice = choose([old, correction, successor], Situation(112, held={old.id}))
    assert whys(choice) == [Why.HELD, Why.CORRECTION, Why.CORRECTION]
    assert (choice.held_bytes, choice.new_bytes, choice.coverage_share) == (100, 11, 0.4)
    later = choose([old, correction, successor], Situation(112, held={old.id, correction.id, successor.id}))
    assert (later.held_bytes, later.order) == (91, ())


@pytest.mark.parametrize("known", [False, True])
def test_many_drops_are_chosen_in_moments(known: bool) -> None:
    dice = random.Random(7)
    options = [option(n, dice.randint(15 * GB, 22 * GB), 1 / (n + 10) / 8) for n in range(3000)]
    situation = Situation(4000 * GB, seeds={each.id: dice.randint(0, 9) for each in options} if known else {})
    choice = choose(options, situation)
    ordered = in_order(options, 4000 * GB)
    found = [each for each in options if each.id in taken(choice)]
    assert worth(found, situation) >= worth(ordered, situation)
    if not known:
        assert choice.coverage_share >= fsum(each.share for each in ordered)
