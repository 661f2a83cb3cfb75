"""Any id leads to the rank of its recording, and no other does."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.catalogue.lookup import IdsIndex, write_ids


def index_of(ids: np.ndarray, ranks: np.ndarray) -> IdsIndex:
    stream = io.BytesIO()
    write_ids(stream, ids, ranks)
    content = stream.getvalue()
    return IdsIndex(lambda start, length: content[start : start + length])


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_every_id_is_found_and_no_rank_of_another_is_missing(ids: list[int], other: int) -> None:
    ranks = np.arange(1, len(ids) + 1, dtype=np.uint32)
    index = index_of(np.array(ids, np.uint64), ranks)
    for rank, one in enumerate(ids, 1):
        assert rank in index.ranks(one)
    assert all(ids[rank - 1] >> 32 == other >> 32 for rank in index.ranks(other))


def test_many_ids_are_found_in_buckets() -> None:
    ids = np.random.default_rng(1).integers(0, 2**64, 100_000, dtype=np.uint64)
    index = index_of(ids, np.arange(100_000, dtype=np.uint32))
    assert all(index.ranks(int(ids[place])) == [place] for place in range(0, 100_000, 997))
    assert index.ranks(5) == []


@pytest.mark.parametrize("content", [b"", b"FONOIDS1", b"other things, and long enough to be a header", b"FONOIDS1" + b"\xff" * 40])
def test_what_is_no_index_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"begin|bucket"):
        IdsIndex(lambda start, length: content[start : start + length]).ranks(7)
