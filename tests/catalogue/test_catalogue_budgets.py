"""What a budget keeps: the most heard recordings that fit, exactly, and in the same figures as the curve and the plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_world import StillClock, held_track, listening_of, mapping_of, recordings_csv
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.ladder import STEP_ROWS, Ladder, LadderMaking, read_rows
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.catalogue import Permit, PlanQuestion
from fonoteca.model.errors import StoreError, UsageError

COUNT = 2 * STEP_ROWS + 100


def _table() -> pa.Table:
    chance = np.random.default_rng(4)
    share = np.sort(chance.random(COUNT))[::-1]
    return pa.table(
        {"share": share / share.sum(), "file_bytes": chance.integers(0, 10**6, COUNT), "held": chance.random(COUNT) < 0.1}
    )


@pytest.fixture(scope="module", params=[(COUNT, 7000), (20_000, STEP_ROWS), (1, 5000)], ids=str)
def cut(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Ladder]:
    """The same rows in files and row groups of several lengths."""
    rows, group = request.param
    folder, table, making = tmp_path_factory.mktemp("ladder"), _table(), LadderMaking()
    starts = [0, rows] if rows == 1 else range(0, COUNT, rows)
    files = []
    for number, start in enumerate(starts):
        files.append(folder / f"{number}.parquet")
        pq.write_table(table.slice(start, rows if rows > 1 or not start else COUNT), files[-1], row_group_size=group)
        making.add(read_rows(files[-1]))
    return files, making.made()


@given(st.floats(0, 1.1))
def test_a_budget_reaches_to_the_first_recording_that_does_not_fit(cut: tuple[list[Path], Ladder], part: float) -> None:
    files, ladder = cut
    share, file_bytes, held = (_table()[name].to_numpy() for name in ("share", "file_bytes", "held"))
    budget = int(part * file_bytes.sum())
    found, spent = ladder.within(files, budget), np.cumsum(file_bytes)
    count = found.count
    assert found.file_bytes == int(file_bytes[:count].sum()) <= budget
    assert count == COUNT or spent[count] > budget
    assert found.share == pytest.approx(share[:count].sum(), abs=1e-12)
    assert (found.held_count, found.held_bytes) == (int(held[:count].sum()), int(file_bytes[:count][held[:count]].sum()))
    assert found.held_share == pytest.approx(share[:count][held[:count]].sum(), abs=1e-12)
    assert (found.missing_count, found.missing_bytes) == (count - found.held_count, found.file_bytes - found.held_bytes)


def test_a_file_that_is_cut_off_is_an_error(cut: tuple[list[Path], Ladder], tmp_path: Path) -> None:
    files, ladder = cut
    spoilt = tmp_path / "0.parquet"
    spoilt.write_bytes(files[0].read_bytes()[:-50])
    with pytest.raises(StoreError, match="cannot be read"):
        ladder.within([spoilt, *files[1:]], 1)


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """Forty recordings of one size each, the first the most heard."""
    folder = tmp_path_factory.mktemp("budgets")
    for name in ("catalogue", "staging"):
        (folder / name).mkdir()
    table = folder / "a.csv"
    table.write_text("key,title,artist,size,licence\n" + "".join(f"k{n},Song {n},A{n},1000000,L\n" for n in range(40)))
    columns = {"key": "key", "title": "title", "artist": "artist", "file_bytes": "size", "licence": "licence"}
    with Catalogue(DiskBlobs(folder / "catalogue"), DiskStaging(folder / "staging"), StillClock()) as catalogue:
        catalogue.import_table([table], mapping_of("music", columns=columns))
        heard = {f"k{n}": (500 - 10 * n, 500 - 10 * n) for n in range(40)}
        catalogue.import_table([listening_of(folder / "l.csv", heard)], mapping_of("heard", "listening", key_source="music"))
        catalogue.build()
        yield catalogue


@pytest.mark.parametrize("budget", [1_000_000, 7_500_000, 39_999_999, 40_000_000, 10**12])
def test_explorer_and_plan_give_the_same_figures(equal: Catalogue, budget: int) -> None:
    """Nothing is held and nothing refused here, so popularity order and the curve ask the same question."""
    plan = equal.plan(PlanQuestion(budget, 10**12, ()), lambda _: Permit.AS_OFFERED)
    found = equal.kept_within(budget)
    assert found.kept.share == pytest.approx(plan.by_popularity.share, abs=1e-12)
    assert (found.kept.count, found.kept.file_bytes) == (plan.want_count, plan.plan_bytes)
    assert found.planned is not None
    assert (found.planned.want_count, found.planned.want_bytes, found.planned.share) == (
        plan.want_count,
        plan.plan_bytes,
        plan.kept.share,
    )
    assert found.planned.whole


def test_a_larger_plan_answers_for_smaller_budgets(equal: Catalogue) -> None:
    equal.plan(PlanQuestion(30_000_000, 10**12, ()), lambda _: Permit.AS_OFFERED)
    for budget in (0, 999_999, 1_000_000, 12_345_678, 29_999_999):
        found = equal.kept_within(budget)
        assert found.planned is not None
        assert (found.planned.want_count, found.planned.want_bytes) == (found.kept.count, found.kept.file_bytes)
        assert found.planned.share == pytest.approx(found.kept.share, abs=1e-6)
        assert not found.planned.whole


def test_the_points_of_the_curve_are_what_their_bytes_keep(equal: Catalogue) -> None:
    for point in equal.coverage().points:
        found = equal.kept_within(point.curve_bytes)
        assert found.kept.share == pytest.approx(point.share_of_listening, abs=1e-12)
        assert found.kept.count == round(40 * point.share_of_recordings)
        assert (found.low, found.high) == pytest.approx((point.listening_low, point.listening_high))


def test_the_last_kept_and_the_first_left_are_named(equal: Catalogue) -> None:
    found = equal.kept_within(7_500_000)
    assert [each.title for each in found.last] == [f"Song {n}" for n in range(2, 7)]
    assert [each.popularity.rank for each in found.last] == [3, 4, 5, 6, 7]
    assert found.left is not None
    assert found.left.title == "Song 7"
    assert (found.more_bytes, found.more.count) == (10**6, 1)
    assert found.more.share == pytest.approx(found.left.popularity.share)
    assert (found.whole.count, found.whole.file_bytes) == (40, 40_000_000)
    nothing, everything = equal.kept_within(0), equal.kept_within(10**9)
    assert (nothing.kept.count, nothing.last, nothing.low, nothing.left and nothing.left.title) == (0, (), 0.0, "Song 0")
    assert (everything.kept.share, everything.low, everything.left, everything.more.count) == (1.0, 1.0, None, 0)


def test_what_is_held_counts_only_where_the_budget_reaches_it(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 3)], mapping_of())
    catalogue.import_store([held_track(1), held_track(2)])
    catalogue.import_synthetic_history(5, 20)
    catalogue.build()
    coverage, whole = catalogue.coverage(), catalogue.kept_within(2**53).kept
    assert (whole.held_count, whole.held_bytes) == (coverage.held_count, coverage.held_bytes)
    assert whole.held_share == pytest.approx(coverage.held_share)
    ranks = [row.held for row in catalogue.rows()]
    for count in range(len(ranks) + 1):
        budget = sum(row.file_bytes for row in list(catalogue.rows())[:count])
        assert catalogue.kept_within(budget).kept.held_count == sum(ranks[:count])
    assert catalogue.kept_within(1).planned is None


@pytest.mark.parametrize("budget", [-1, 2**53 + 1])
def test_a_budget_that_is_no_amount_is_wrong_use(equal: Catalogue, budget: int) -> None:
    with pytest.raises(UsageError):
        equal.kept_within(budget)


def test_without_a_snapshot_nothing_is_kept(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="there is no snapshot yet"):
        catalogue.kept_within(1)


@pytest.mark.parametrize(
    ("budget", "step"), [(0, 10**6), (10**6, 10**6), (999_999_999, 10**6), (10**9, 10**9), (5 * 10**14, 10**12)]
)
def test_more_is_asked_in_steps_that_go_with_the_budget(equal: Catalogue, budget: int, step: int) -> None:
    assert equal.kept_within(budget).more_bytes == step
