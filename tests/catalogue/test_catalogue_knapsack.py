"""The solver against every possible selection, against exact dynamic programmes, and against what is hard for knapsacks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.catalogue import core, knapsack
from fonoteca.catalogue.knapsack import NONE, Selection, Table, select, value_of

Option = tuple[int, float]
options = st.tuples(st.integers(0, 30), st.integers(0, 50).map(float))
problems = st.lists(st.lists(options, max_size=4), max_size=6)


def table_of(groups: list[list[Option]]) -> Table:
    """Return the groups as columns; what a shorter group lacks is worth nothing."""
    width = max([1, *(len(group) for group in groups)])
    padded = [[*group, *[(0, 0.0)] * (width - len(group))] for group in groups]
    sizes = np.array([[size for size, _ in group] for group in padded], np.int64).reshape(len(groups), width)
    values = np.array([[value for _, value in group] for group in padded], float).reshape(len(groups), width)
    return Table(np.ascontiguousarray(sizes.T), np.ascontiguousarray(values.T))


def best_of_all(groups: list[list[Option]], budget: int) -> float:
    best = 0.0
    for choice in product(*[[None, *group] for group in groups]):
        taken = [option for option in choice if option]
        if sum(size for size, _ in taken) <= budget:
            best = max(best, sum(value for _, value in taken))
    return best


def best_by_programme(table: Table, budget: int) -> float:
    """Return the optimum by dynamic programming over every whole number of bytes."""
    best = np.zeros(budget + 1)
    for sizes, values in zip(table.sizes.T, table.values.T, strict=True):
        after = best.copy()
        for size, value in zip(sizes.tolist(), values.tolist(), strict=True):
            if size <= budget:
                np.maximum(after[size:], best[: budget + 1 - size] + value, out=after[size:])
        best = after
    return float(best[budget])


def check(table: Table, budget: int, selection: Selection) -> None:
    total_bytes, value = value_of(table, selection.options)
    assert len(selection.options) == table.group_count
    assert total_bytes == selection.total_bytes
    assert value == pytest.approx(selection.value)
    assert total_bytes <= budget
    assert selection.value <= selection.bound


@given(problems, st.integers(0, 80))
@settings(deadline=None)
def test_a_selection_fits_and_is_the_optimum_and_below_the_bound(groups: list[list[Option]], budget: int) -> None:
    table = table_of(groups)
    selection = select(table, budget)
    check(table, budget, selection)
    best = best_of_all(groups, budget)
    assert selection.exact
    assert selection.value == pytest.approx(best)
    assert best <= selection.bound + 1e-9


@given(problems)
@settings(deadline=None)
def test_with_room_for_everything_each_group_gives_its_best(groups: list[list[Option]]) -> None:
    selection = select(table_of(groups), 10**6)
    assert selection.value == pytest.approx(sum(max((value for _, value in group), default=0.0) for group in groups))
    assert selection.bound == pytest.approx(selection.value)
    assert selection.exact


@given(problems, st.integers(0, 80))
@settings(deadline=None)
def test_the_same_problem_has_the_same_answer(groups: list[list[Option]], budget: int) -> None:
    one, two = (select(table_of(groups), budget) for _ in range(2))
    assert (one.total_bytes, one.value, one.bound, one.exact) == (two.total_bytes, two.value, two.bound, two.exact)
    assert one.options.tolist() == two.options.tolist()


def weights(kind: str, rng: np.random.Generator, sizes: np.ndarray) -> np.ndarray:
    """Return values that make knapsacks hard (Pisinger, "Where are the hard knapsack problems?", 2005), or are like listening."""
    count = len(sizes)
    return {
        "listening": 1 / (1.0 + rng.permutation(count)) ** 1.1,
        "uncorrelated": rng.random(count),
        "weakly correlated": sizes + rng.integers(-100, 101, count) + 101.0,
        "strongly correlated": sizes + 100.0,
        "inversely correlated": np.maximum(1.0, sizes - 100.0),
        "subset sum": sizes.astype(float),
        "all alike": np.ones(count),
        "few of each": rng.integers(1, 4, count).astype(float),
    }[kind]


KINDS = (
    "listening",
    "uncorrelated",
    "weakly correlated",
    "strongly correlated",
    "inversely correlated",
    "subset sum",
    "all alike",
    "few of each",
)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1), tightness=st.floats(0.002, 0.998), encodings=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_of_200_groups_the_answer_is_within_1_percent_of_the_exact_optimum(
    kind: str, seed: int, tightness: float, encodings: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(50, 1000, 200)
    values = weights(kind, rng, sizes)
    keeps = np.array([1.0, 0.9, 0.7])[:encodings, None]
    table = Table(np.stack([sizes, sizes * 75 // 192, sizes * 32 // 192])[:encodings], values * keeps)
    budget = int(sizes.sum() * tightness)
    selection = select(table, budget)
    check(table, budget, selection)
    best = best_by_programme(table, budget)
    assert best * 0.99 <= selection.value <= best * (1 + 1e-9)
    assert best <= selection.bound * (1 + 1e-9)
    if selection.exact:
        assert selection.value == pytest.approx(best)


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_that_holds_some_200_of_many_comes_within_1_percent_too(kind: str) -> None:
    rng = np.random.default_rng(7)
    sizes = rng.integers(50, 1000, 4000)
    table = Table(np.stack([sizes, sizes * 75 // 192]), weights(kind, rng, sizes) * np.array([[1.0], [0.9]]))
    budget = 60_000
    selection = select(table, budget)
    check(table, budget, selection)
    assert best_by_programme(table, budget) * 0.99 <= selection.value


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_large_numbers_without_structure_end_in_bounded_work_and_near_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2**39, 2**40, (1, 200))
    table = Table(sizes, sizes.astype(np.float64) + 2.0**36)
    budget = int(sizes.sum()) // 3
    selection = select(table, budget)
    check(table, budget, selection)
    assert selection.value >= 0.995 * selection.bound  # a bound that counts a part of the 67th or so


def test_a_smaller_encoding_of_more_things_beats_a_larger_one_of_fewer() -> None:
    selection = select(table_of([[(10, 1.0), (4, 0.9)] for _ in range(5)]), 20)
    assert selection.value == pytest.approx(4.5)
    assert set(selection.options.tolist()) == {1}


def test_a_large_treasure_is_not_lost_to_small_change() -> None:
    assert select(table_of([[(1, 2.0)], [(100, 100.0)]]), 100).value == 100.0


def test_a_treasure_is_found_though_more_small_things_than_are_searched_stand_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knapsack, "CORE_STEPS", 4)
    small = [[(1, 2.0)] for _ in range(100)]
    selection = select(table_of([*small, [(1000, 1500.0)]]), 1000)
    assert selection.value == 1500.0
    assert not selection.exact


@given(problems, st.integers(0, 80))
@settings(deadline=None)
def test_a_search_that_is_cut_short_keeps_half_the_optimum_and_claims_no_proof_it_has_not(
    groups: list[list[Option]], budget: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knapsack, "CORE_STEPS", 1)
        patch.setattr(core, "STATES_MAX", 1)
        patch.setattr(core, "WORK_STATES_MAX", 1)
        table = table_of(groups)
        selection = select(table, budget)
    check(table, budget, selection)
    best = best_of_all(groups, budget)
    assert best / 2 - 1e-9 <= selection.value <= best + 1e-9 <= selection.bound + 2e-9
    if selection.exact:
        assert selection.value == pytest.approx(best)


@given(seed=st.integers(0, 2**32 - 1), tightness=st.floats(0, 1.1))
@settings(max_examples=25, deadline=None)
def test_where_the_budget_ends_is_found_from_a_sample_as_it_is_from_all(seed: int, tightness: float) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 3000))
    sizes = rng.integers(1, 1000, (2, count))
    values = np.stack([rng.integers(1, 4, count).astype(float), rng.random(count)])
    table = Table(sizes, values)
    budget = int(sizes.max(axis=0).sum() * tightness)
    whole = select(table, budget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knapsack, "SAMPLE_ROWS", 50)
        patch.setattr(knapsack, "BLOCK_ROWS", 128)
        patch.setattr(knapsack, "CORE_STEPS", 64)
        sampled = select(table, budget)
    check(table, budget, sampled)
    assert sampled.bound == pytest.approx(whole.bound)
    assert sampled.value >= 0.99 * whole.value


def test_many_small_items_come_within_a_thousandth_of_the_bound() -> None:
    index = np.arange(5000)
    selection = select(Table((3_000_000 + 7919 * (index % 401))[None, :], (1 / (index + 1.0))[None, :]), 10**9)
    assert selection.value >= 0.999 * selection.bound


def test_nothing_to_choose_from_is_chosen() -> None:
    selection = select(Table(np.zeros((2, 0), np.int64), np.zeros((2, 0))), 10)
    assert (selection.total_bytes, selection.value, selection.bound, selection.exact) == (0, 0.0, 0.0, True)
    alone = select(table_of([[(5, 1.0)]]), 4)
    assert alone.options.tolist() == [NONE]
    assert (alone.value, alone.bound) == (0.0, 0.0)


@pytest.mark.parametrize(("size", "value"), [(-1, 1.0), (1, -1.0), (1, float("nan"))])
def test_a_problem_that_makes_no_sense_is_refused(size: int, value: float) -> None:
    with pytest.raises(ValueError, match="negative"):
        table_of([[(size, value)]])
    with pytest.raises(ValueError, match="negative"):
        select(table_of([[(1, 1.0)]]), -1)
