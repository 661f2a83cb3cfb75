"""Any id leads to the rank of its recording, and no other does."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from catalogue_world import mapping_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.lookup import IdsIndex, id_keys, write_ids

START = UUID("018f3c2a-1111-7abc-8def-000000000000")
OF_A_KIND = {
    "numbered": [UUID(int=START.int + n) for n in range(20_000)],
    "numbered in their upper half": [UUID(int=START.int + (n << 64)) for n in range(20_000)],
    "by the time (version 7)": [
        UUID(int=START.int + (n << 80) + low) for n, low in enumerate(np.random.default_rng(2).integers(0, 2**62, 20_000).tolist())
    ],
}


def index_of(ids: Sequence[UUID]) -> IdsIndex:
    """Return the index of ids whose ranks are 1, 2, ..."""
    halves = np.frombuffer(b"".join(i.bytes for i in ids), ">u8").reshape(-1, 2).astype(np.uint64)
    stream = io.BytesIO()
    write_ids(stream, id_keys(halves[:, 0], halves[:, 1]), np.arange(1, len(ids) + 1, dtype=np.uint32))
    content = stream.getvalue()
    return IdsIndex(lambda start, length: content[start : start + length])


@given(st.lists(st.uuids(), max_size=60), st.uuids())
@settings(deadline=None)
def test_every_id_is_found_and_no_rank_of_another_is_missing(ids: list[UUID], other: UUID) -> None:
    index = index_of(ids)
    for rank, one in enumerate(ids, 1):
        assert rank in index.ranks(one)
    assert other in ids or index.ranks(other) == []


def test_many_ids_are_found_in_buckets() -> None:
    octets = np.random.default_rng(1).bytes(16 * 100_000)
    ids = [UUID(bytes=octets[start : start + 16]) for start in range(0, len(octets), 16)]
    index = index_of(ids)
    assert all(index.ranks(ids[place]) == [place + 1] for place in range(0, 100_000, 997))
    assert index.ranks(UUID(int=5)) == []


@pytest.mark.parametrize("kind", OF_A_KIND)
def test_ids_that_are_alike_are_told_apart_in_buckets_of_one_size(kind: str) -> None:
    ids = OF_A_KIND[kind]
    index = index_of(ids)
    longest = 0

    def read(start: int, length: int) -> bytes:
        nonlocal longest
        longest = max(longest, length)
        return index.read(start, length)

    assert all(IdsIndex(read).ranks(ids[place]) == [place + 1] for place in range(0, len(ids), 97))
    # Eight buckets of some 2,500 ids, 4 bytes each.
    assert longest < 4 * 3000


def test_an_index_of_upper_halves_is_read_still() -> None:
    one, other = UUID(int=START.int + (1 << 64)), UUID(int=START.int + (3 << 64))
    middles = np.array([(i.int >> 96) & 0xFFFFFFFF for i in (one, other)], "<u4")
    header = b"FONOIDS1" + np.array([2, 0, 0, 2], "<u8").tobytes()
    content = header + middles.tobytes() + np.array([7, 9], "<u4").tobytes()
    index = IdsIndex(lambda start, length: content[start : start + length])
    assert index.ranks(one) == [7, 9]
    assert index.ranks(UUID(int=5)) == []


def test_listening_finds_a_sources_own_numbered_ids(catalogue: Catalogue, tmp_path: Path) -> None:
    ids = OF_A_KIND["numbered"][:200]
    rows = [f"{one},Title {n},Artist {n},{60 + n}" for n, one in enumerate(ids)]
    (tmp_path / "a.csv").write_text("\n".join(["uuid,title,artist,duration", *rows, ""]))
    columns = {"uuid": "uuid", "title": "title", "artist": "artist", "duration_s": "duration"}
    catalogue.import_table([tmp_path / "a.csv"], mapping_of("music", columns=columns))
    (tmp_path / "l.csv").write_text("\n".join(["uuid,listens", *(f"{one},{1000 - n}" for n, one in enumerate(ids)), ""]))
    catalogue.import_table([tmp_path / "l.csv"], mapping_of("heard", "listening", columns={"uuid": "uuid", "listens": "listens"}))
    catalogue.build()
    stored = catalogue.stored_snapshot()
    assert stored
    assert stored.basis.unmatched_listens == 0
    found = catalogue.recording(str(ids[150]))
    assert found
    assert (found.id, found.title) == (str(ids[150]), "Title 150")


@pytest.mark.parametrize("content", [b"", b"FONOIDS2", b"other things, and long enough to be a header", b"FONOIDS2" + b"\xff" * 40])
def test_what_is_no_index_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"begin|bucket"):
        IdsIndex(lambda start, length: content[start : start + length]).ranks(UUID(int=7))
