"""The solver against every possible selection, and the plan against plain popularity order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from catalogue_world import StillClock, held_track, listening_of, mapping_of, recordings_csv
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.knapsack import Option, Selection, select
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.errors import UsageError

options = st.builds(Option, st.integers(0, 30), st.integers(0, 50).map(float))
problems = st.lists(st.lists(options, max_size=4), max_size=6)


def _best(groups: list[list[Option]], budget: int) -> float:
    best = 0.0
    for choice in product(*[[None, *group] for group in groups]):
        taken = [option for option in choice if option]
        if sum(option.file_bytes for option in taken) <= budget:
            best = max(best, sum(option.value for option in taken))
    return best


def _check(groups: list[list[Option]], budget: int, selection: Selection) -> None:
    taken = [groups[group][option] for group, option in selection.chosen]
    assert len({group for group, _ in selection.chosen}) == len(taken)
    assert sum(option.file_bytes for option in taken) == selection.total_bytes <= budget
    assert sum(option.value for option in taken) == pytest.approx(selection.value)


@given(problems, st.integers(0, 80))
@settings(deadline=None)
def test_a_selection_fits_and_lies_between_half_the_optimum_and_the_bound(groups: list[list[Option]], budget: int) -> None:
    selection = select(groups, budget)
    _check(groups, budget, selection)
    best = _best(groups, budget)
    assert best / 2 - 1e-9 <= selection.value <= best + 1e-9 <= selection.bound + 2e-9


@given(problems)
@settings(deadline=None)
def test_with_room_for_everything_each_group_gives_its_best(groups: list[list[Option]]) -> None:
    selection = select(groups, 10**6)
    assert selection.value == pytest.approx(sum(max((o.value for o in group), default=0.0) for group in groups))
    assert selection.bound == pytest.approx(selection.value)


@given(problems, st.integers(0, 80))
@settings(deadline=None)
def test_the_same_problem_has_the_same_answer(groups: list[list[Option]], budget: int) -> None:
    assert select(groups, budget) == select([list(group) for group in groups], budget)


def test_a_smaller_encoding_of_more_things_beats_a_larger_one_of_fewer() -> None:
    groups = [[Option(10, 1.0), Option(4, 0.9)] for _ in range(5)]
    selection = select(groups, 20)
    assert selection.value == pytest.approx(4.5)
    assert {option for _, option in selection.chosen} == {1}


def test_a_large_treasure_is_not_lost_to_small_change() -> None:
    assert select([[Option(1, 2.0)], [Option(100, 100.0)]], 100).value == 100.0


def test_many_small_items_come_within_a_thousandth_of_the_bound() -> None:
    groups = [[Option(3_000_000 + 7919 * (i % 401), 1 / (i + 1))] for i in range(5000)]
    selection = select(groups, 10**9)
    assert selection.value >= 0.999 * selection.bound


@pytest.mark.parametrize(
    ("groups", "budget"),
    [([[Option(1, 1.0)]], -1), ([[Option(-1, 1.0)]], 1), ([[Option(1, -1.0)]], 1), ([[Option(1, float("nan"))]], 1)],
)
def test_a_problem_that_makes_no_sense_is_refused(groups: list[list[Option]], budget: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        select(groups, budget)


@pytest.fixture
def planned(catalogue: Catalogue, tmp_path: Path) -> Catalogue:
    """Six recordings: four wanted, of which one is under no licence, one of uneven size, and two held."""
    path = tmp_path / "a.csv"
    path.write_text("key,title,artist,size,licence\nbig,Big,A,1000,L\nmid,Mid,A,300,L\nlow,Low,A,300,L\nbare,Bare,A,1,\n")
    columns = {"key": "key", "title": "title", "artist": "artist", "file_bytes": "size", "licence": "licence"}
    catalogue.import_table(path, mapping_of("music", columns=columns))
    heard = {"big": (100, 100), "mid": (90, 90), "low": (80, 80), "bare": (500, 500)}
    catalogue.import_table(listening_of(tmp_path / "l.csv", heard), mapping_of("heard", "listening", key_source="music"))
    catalogue.import_store([held_track(1), held_track(2)])
    catalogue.build()
    return catalogue


def test_a_plan_keeps_more_listening_than_popularity_order_in_the_same_bytes(planned: Catalogue) -> None:
    plan = planned.plan(1000, lambda licence: licence == "L")
    assert [want.title for want in plan.wants] == ["Mid", "Low"]
    assert plan.plan_bytes == 600
    assert plan.held_share < plan.by_popularity_share < plan.kept_share <= plan.bound_share <= 1
    assert plan.left_out_count == 1


def test_rights_are_asked_once_a_licence_and_what_is_held_is_never_wanted(planned: Catalogue) -> None:
    asked: list[str] = []
    plan = planned.plan(10**9, lambda licence: not asked.append(licence))  # type: ignore[func-returns-value]
    assert sorted(asked) == ["", "L"]
    assert {want.title for want in plan.wants} == {"Big", "Mid", "Low", "Bare"}
    assert plan.kept_share == pytest.approx(1)
    assert plan.left_out_count == 0


def test_a_budget_of_nothing_keeps_what_is_held(planned: Catalogue) -> None:
    plan = planned.plan(0, lambda _: True)
    assert (plan.wants, plan.plan_bytes) == ((), 0)
    assert plan.kept_share == plan.held_share == planned.coverage().held_share
    with pytest.raises(UsageError):
        planned.plan(-1, lambda _: True)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """Sixty recordings under a synthetic history."""
    folder = tmp_path_factory.mktemp("plans")
    for name in ("catalogue", "staging"):
        (folder / name).mkdir()
    with Catalogue(DiskBlobs(folder / "catalogue"), DiskStaging(folder / "staging"), StillClock()) as catalogue:
        catalogue.import_table(recordings_csv(folder / "a.csv", 60), mapping_of())
        catalogue.import_synthetic_history(1, 50)
        catalogue.build()
        yield catalogue


@given(budget=st.integers(0, 10**8))
@settings(max_examples=30, deadline=None)
def test_a_plan_never_keeps_less_than_popularity_order(heard: Catalogue, budget: int) -> None:
    plan = heard.plan(budget, lambda _: True)
    assert plan.by_popularity_share <= plan.kept_share <= plan.bound_share
    assert plan.plan_bytes <= budget
    assert plan.synthetic
