"""Shares of listening from counts: they add up, order by what is heard, contain what is true, and beat smoothed counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from popularity_world import World, make_world, read_hetrec

from fonoteca.catalogue import popularity_pools
from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.catalogue.popularity_pools import Groups
from fonoteca.catalogue.popularity_shares import Estimate, SourceCounts, estimate
from fonoteca.catalogue.popularity_trial import Counts, hold_trial, log_loss


def _counts(pairs: list[tuple[int, int]], name: str = "heard", listeners: bool = True, synthetic: bool = False) -> SourceCounts:
    """Return a source that counted (listens, listeners) of each recording, (0, 0) for those it never heard."""
    heard = np.array([place for place, (listens, _) in enumerate(pairs) if listens], np.uint32)
    listens = np.array([pairs[place][0] for place in heard], np.int64)
    people = np.array([pairs[place][1] for place in heard], np.int64) if listeners else None
    return SourceCounts(name, heard, listens, people, synthetic, "2026-01-31")


def _alone(count: int) -> Groups:
    none = np.full(count, -1, np.int32)
    return Groups(none, none)


def _estimate(*sources: SourceCounts, count: int) -> Estimate:
    return estimate(sources, _alone(count), count)


_PAIRS = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)).map(lambda p: (p[0], min(p[1], p[0]))), min_size=1, max_size=60
)


@given(_PAIRS, st.booleans())
def test_shares_add_up_and_lie_in_their_intervals(pairs: list[tuple[int, int]], listeners: bool) -> None:
    found = _estimate(_counts(pairs, listeners=listeners), count=len(pairs))
    assert found.share.sum() == pytest.approx(1)
    assert (found.share > 0).all()
    assert (found.low <= found.share * (1 + 1e-6)).all()
    assert (found.share <= found.high * (1 + 1e-6)).all()
    assert ((found.low >= 0) & (found.high <= 1)).all()


def test_where_nothing_is_heard_all_shares_are_equal_and_anything_may_be_true() -> None:
    found = _estimate(_counts([(0, 0)] * 4), count=4)
    assert found.share.tolist() == [0.25] * 4
    assert (found.low.tolist(), found.high.tolist()) == ([0.0] * 4, [1.0] * 4)
    assert not found.parameters.heard
    assert found.parameters.interval_of_sum(0.25) == (0.0, 1.0)
    assert found.parameters.interval_of_sum(0.0) == (0.0, 0.0)


def test_the_same_counts_give_the_same_bits() -> None:
    pairs = [(n * 7 % 90, max(1, n * 7 % 90 // 3)) for n in range(500)]
    once, again = (_estimate(_counts(pairs), count=500) for _ in range(2))
    assert once.share.tobytes() == again.share.tobytes()
    assert once.low.tobytes() == again.low.tobytes()
    assert once.parameters == again.parameters


def test_what_shares_rest_on_survives_json() -> None:
    pairs = [(n * 7 % 90, max(1, n * 7 % 90 // 3)) for n in range(500)]
    found = _estimate(_counts(pairs), _counts(pairs[::-1], "other", synthetic=True), count=500).parameters
    assert ListeningBasis.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.synthetic
    assert sum(found.weights) == pytest.approx(1)


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_an_interval_of_a_sum_holds_its_share_within_zero_and_one(share: float, scale: int) -> None:
    basis = _estimate(_counts([(3 * scale, scale), (5 * scale, 2 * scale)]), count=2).parameters
    low, high = basis.interval_of_sum(share)
    assert 0 <= low <= share <= high <= 1


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(np.random.default_rng(1), 60_000)


@pytest.mark.parametrize("seed", [1, 2])
def test_on_simulated_tracks_shares_beat_smoothed_counts_and_intervals_hold_what_is_true(world: World, seed: int) -> None:
    chance = np.random.default_rng(seed)
    train, held_out = (world.counts(chance, 90_000) for _ in range(2))
    trial = hold_trial(train, held_out, world.groups, chance, world.share)
    assert trial.log_loss < trial.smoothed_log_loss <= trial.jeffreys_log_loss
    assert trial.unheard_share == pytest.approx(trial.unheard_truth, rel=0.2)
    assert trial.credible is not None
    assert 0.85 <= trial.credible.share <= 0.95
    assert 0.85 <= trial.predicted.share <= 0.95
    assert all(0.8 <= held <= 0.97 for _, count, held in trial.credible.by_band if count >= 500)
    for covered in trial.coverage:
        assert covered.by_share >= covered.by_listens
        # One interval in ten is missed by right, none by its own width.
        assert abs(covered.by_share - covered.promised) < covered.high - covered.low


def test_release_and_artist_say_something_of_their_tracks(world: World) -> None:
    chance = np.random.default_rng(3)
    train, held_out = (world.counts(chance, 90_000) for _ in range(2))
    source = [train.source("train")]
    with_groups, without = (
        log_loss(estimate(source, groups, len(world.share)).share, held_out.listens) for groups in (world.groups, _alone(60_000))
    )
    assert with_groups < without


def test_on_real_artists_shares_beat_smoothed_counts(fixtures: Path) -> None:
    histories = read_hetrec((fixtures / "listens/hetrec/user_artists.dat").read_text().splitlines())
    trials = []
    for seed in range(3):
        chance = np.random.default_rng(seed)
        trials.append(hold_trial(*histories.halves(chance), _alone(histories.item_count), chance))
    for trial in trials:
        assert trial.log_loss < trial.smoothed_log_loss <= trial.jeffreys_log_loss
        assert 0.85 <= trial.predicted.share <= 0.95
        assert all(covered.by_share > covered.by_listens for covered in trial.coverage)
    # One split's truth hangs on a listener or two with hundreds of thousands of plays of one artist.
    unheard = [trial.unheard_share / trial.unheard_truth for trial in trials]
    assert np.mean(unheard) == pytest.approx(1, abs=0.2)


def test_a_track_never_heard_has_more_by_a_loved_artist_than_by_an_unknown_one(world: World) -> None:
    train = world.counts(np.random.default_rng(4), 90_000)
    found = estimate([train.source("train")], world.groups, len(world.share))
    heard_of_artist = np.bincount(world.groups.artist, weights=train.listeners)[world.groups.artist]
    unheard = train.listeners == 0
    loved, unknown = (found.share[unheard & chosen].mean() for chosen in (heard_of_artist > 100, heard_of_artist == 0))
    assert loved > 3 * unknown > 0


def test_a_source_read_twice_is_no_proof_that_less_is_unheard(world: World) -> None:
    train = world.counts(np.random.default_rng(5), 30_000)
    once, twice = (
        estimate([train.source(name) for name in names], world.groups, len(world.share)) for names in (("a",), ("a", "again"))
    )
    unheard = train.listeners == 0
    assert twice.share[unheard].sum() == pytest.approx(once.share[unheard].sum(), rel=1e-6)
    # Pooled, every recording would have two listeners at the least, and nothing would be left to hear.
    assert once.share[unheard].sum() > 0.1


def test_sources_count_by_their_listeners_not_by_their_listens(world: World) -> None:
    chance = np.random.default_rng(6)
    many, few = world.counts(chance, 80_000), world.counts(chance, 8_000)
    loud = Counts(few.listens * 1000, few.listeners, few.people)
    found = estimate([many.source("many"), loud.source("loud")], world.groups, len(world.share))
    assert found.parameters.weights[0] > 0.85
    alone = estimate([many.source("many")], world.groups, len(world.share))
    kl = [float((world.share * np.log(world.share / each.share)).sum()) for each in (found, alone)]
    assert kl[0] < kl[1]


def test_without_listener_counts_less_is_sure_and_more_is_unheard(world: World) -> None:
    train = world.counts(np.random.default_rng(7), 60_000)
    known = train.source("known")
    blind = SourceCounts("blind", known.recordings, known.listens, None, False, "")
    counted, uncounted = (estimate([source], world.groups, len(world.share)) for source in (known, blind))
    assert not uncounted.parameters.sources[0].listeners_counted
    assert uncounted.parameters.effective_listeners < counted.parameters.effective_listeners
    assert uncounted.parameters.unheard_share > counted.parameters.unheard_share
    both = [np.median(each.high[known.recordings] / each.low[known.recordings]) for each in (counted, uncounted)]
    assert both[0] < both[1]


@given(st.integers(1, 400), st.integers(1, 30))
def test_a_listener_more_never_means_less(listeners: int, plays: int) -> None:
    pairs = [(plays * count, count) for count in (listeners, listeners + 1)] + [(n % 50 * 3, n % 50) for n in range(300)]
    found = _estimate(_counts(pairs), count=len(pairs))
    assert found.share[0] <= found.share[1]


def test_one_listeners_thousand_plays_are_worth_less_than_a_thousand_listeners_plays() -> None:
    pairs = [(1000, 1), (1000, 1000), *((n % 9 * 2, n % 9) for n in range(3000))]
    found = _estimate(_counts(pairs), count=len(pairs))
    assert found.share[0] < found.share[1] / 2
    assert found.high[0] / found.low[0] > 5 * found.high[1] / found.low[1]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    train = [world.counts(np.random.default_rng(seed), 20_000).source(f"source {seed}") for seed in (8, 9)]
    whole = estimate(train, world.groups, len(world.share))
    monkeypatch.setattr(popularity_pools, "CHUNK", 7_001)
    parts = estimate(train, world.groups, len(world.share))
    assert parts.share == pytest.approx(whole.share, rel=1e-9)
    assert parts.low == pytest.approx(whole.low, rel=1e-5)
    assert parts.parameters.sources[0].pool_count == whole.parameters.sources[0].pool_count > 5
