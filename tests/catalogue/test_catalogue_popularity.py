"""Shares of listening from counts: they add up, order by what is heard, contain what is true, and beat smoothed counts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.catalogue.popularity_shares import Estimate, Groups, SourceCounts, estimate


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
