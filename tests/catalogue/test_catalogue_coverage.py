"""The curve from (0, 0) to (1, 1), what is held, the made-up history under it, and its picture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from catalogue_world import held_track, listening_of, mapping_of, recordings_csv
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.catalogue import Catalogue, listening_csv, synthetic_history
from fonoteca.catalogue.charts import coverage_png, coverage_spec, coverage_svg
from fonoteca.catalogue.coverage import curve_ranks
from fonoteca.model.catalogue import Coverage, CoveragePoint
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import RecordingId


@pytest.mark.parametrize("count", [1, 2, 3, 60])
@pytest.mark.parametrize("points", [2, 3, 200])
def test_the_curve_rises_from_nothing_to_everything(count: int, points: int, catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", count)], mapping_of())
    catalogue.import_synthetic_history(5, 20)
    catalogue.build()
    curve = catalogue.coverage(points).points
    assert (curve[0].share_of_recordings, curve[0].share_of_listening, curve[0].curve_bytes) == (0.0, 0.0, 0)
    assert (curve[-1].share_of_recordings, curve[-1].share_of_listening) == (1.0, 1.0)
    assert curve[-1].curve_bytes == sum(row.file_bytes for row in catalogue.rows())
    assert 2 <= len(curve) <= points
    for before, after in pairwise(curve):
        assert before.share_of_recordings < after.share_of_recordings
        assert before.share_of_listening <= after.share_of_listening
        assert before.curve_bytes <= after.curve_bytes
        # Most heard first: never below the diagonal.
        assert after.share_of_listening >= after.share_of_recordings - 1e-9


@given(st.integers(1, 300_000_000), st.integers(2, 400))
def test_curve_ranks_begin_with_the_most_heard_and_end_with_all(count: int, points: int) -> None:
    ranks = curve_ranks(count, points)
    assert ranks == sorted(set(ranks))
    assert ranks[-1] == count
    assert len(ranks) <= max(1, points - 1)
    assert points == 2 or ranks[0] == 1


def test_the_points_of_the_curve_are_sums_of_shares(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 40)], mapping_of())
    catalogue.import_synthetic_history(5, 20)
    catalogue.build()
    shares = [row.popularity.share for row in catalogue.rows()]
    for point in catalogue.coverage().points:
        assert point.share_of_listening == pytest.approx(sum(shares[: round(point.share_of_recordings * 40)]))


def test_too_few_points_are_wrong_use(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 2)], mapping_of())
    catalogue.build()
    with pytest.raises(UsageError):
        catalogue.coverage(1)


def test_what_is_held_has_a_share_with_an_interval(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 3)], mapping_of("music"))
    catalogue.import_store([held_track(1, recording=RecordingId.of("music", "k1"))])
    heard = listening_of(tmp_path / "l.csv", {"k0": (30, 30), "k1": (60, 60)})
    catalogue.import_table([heard], mapping_of("heard", "listening", key_source="music"))
    catalogue.build()
    coverage = catalogue.coverage()
    assert (coverage.held_count, coverage.recording_count, coverage.synthetic) == (1, 3, False)
    assert coverage.held_share == pytest.approx(60 / 90, abs=0.02)
    assert 0.4 < coverage.held_share_low < coverage.held_share < coverage.held_share_high < 0.9


def test_a_synthetic_history_depends_on_seed_and_recordings_alone(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 300)], mapping_of())
    catalogue.build()
    recordings = list(catalogue.rows())
    history = list(synthetic_history(recordings, 1, 100))
    assert history == list(synthetic_history(reversed(recordings), 1, 100))
    assert history != list(synthetic_history(recordings, 2, 100))
    assert {row.recording for row in history} == {row.id for row in recordings}
    assert all(0 <= row.listeners <= min(row.listens, 100) for row in history)
    assert sum(row.listens for row in history) == pytest.approx(25_000, rel=0.02)
    assert list(synthetic_history([], 1, 100)) == []
    assert listening_csv(history[:1]).decode().splitlines()[0] == "recording,listens,listeners"


def test_a_synthetic_history_has_the_shape_of_the_largest_catalogue_known(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 5000)], mapping_of())
    catalogue.build()
    listens = [row.listens for row in synthetic_history(catalogue.rows(), 1, 100_000)]
    head = sorted(listens, reverse=True)[: round(0.336 * 5000)]
    assert sum(head) / sum(listens) == pytest.approx(0.996, abs=0.001)


def _coverage(held_count: int, synthetic: bool, count: int = 1000) -> Coverage:
    points = tuple(CoveragePoint(i / 50, (i / 50) ** 0.25, i * 10**9) for i in range(51))
    held = (held_count, 0.3, 0.25, 0.35) if held_count else (0, 0.0, 0.0, 0.0)
    return Coverage(points, count, *held, synthetic)


def test_where_no_listening_is_known_the_coverage_and_its_picture_say_so(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "r.csv", 20)], mapping_of())
    catalogue.build()
    assert not catalogue.coverage().heard
    assert "No listening is known" in coverage_svg(catalogue.coverage())
    catalogue.import_table([listening_of(tmp_path / "l.csv", {"k1": (5, 1)})], mapping_of("heard", "listening", key_source="table"))
    catalogue.build()
    assert catalogue.coverage().heard


@pytest.mark.parametrize("log_scale", [False, True])
def test_a_picture_of_made_up_listening_says_so(log_scale: bool) -> None:
    drawn = coverage_svg(_coverage(20, True), log_scale)
    assert "Synthetic listening: made up, not measured" in drawn
    assert "held: 20 recordings" in drawn
    assert "Synthetic" not in coverage_svg(_coverage(20, False), log_scale)
    assert "held" not in coverage_svg(_coverage(0, False), log_scale)


def test_one_definition_serves_picture_and_page() -> None:
    coverage = _coverage(20, True)
    assert coverage_png(coverage).startswith(b"\x89PNG\r\n\x1a\n")
    spec = coverage_spec(coverage)
    assert "vega-lite" in spec["$schema"]
    assert coverage_spec(coverage) == spec


def test_even_listening_and_a_single_recording_can_be_drawn() -> None:
    even = Coverage((CoveragePoint(0, 0, 0), CoveragePoint(1, 1, 10)), 1, 1, 1.0, 1.0, 1.0, False)
    for log_scale in (False, True):
        assert coverage_svg(even, log_scale).startswith("<svg")
    with pytest.raises(UsageError):
        coverage_spec(Coverage((CoveragePoint(0, 0, 0),), 0, 0, 0.0, 0.0, 0.0, False))
