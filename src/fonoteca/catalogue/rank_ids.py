"""The ids of recordings by their ranks, read from a snapshot's files, which hold ranks 1, 2, 3, ... in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

OCTETS = np.dtype("V16")
"""A UUID's bytes as one value of a column."""


def uuid_octets(ids: pa.Array) -> npt.NDArray[np.void]:
    """Return an array of UUIDs as OCTETS; null gives zeros."""
    storage = ids.storage if isinstance(ids, pa.ExtensionArray) else ids
    if storage.null_count:
        storage = pc.coalesce(storage, pa.scalar(bytes(16), pa.binary(16)))
    return np.frombuffer(storage.buffers()[1], OCTETS, len(storage), 16 * storage.offset) if len(storage) else np.empty(0, OCTETS)


def uuid_halves(ids: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the upper and lower 64 bits of an array of UUIDs; null gives 0 and 0."""
    halves = uuid_octets(ids).view(">u8").reshape(-1, 2)
    return halves[:, 0].astype(np.uint64), halves[:, 1].astype(np.uint64)


def ids_of_ranks(recordings: Sequence[Path], ranks: npt.NDArray[Any]) -> npt.NDArray[np.void]:
    """Return the id of each rank as OCTETS. recordings: the snapshot's files in order. ranks: ascending, each in the snapshot.

    Cost: one column's read of the files that have one of the ranks.
    """
    ids = np.empty(len(ranks), OCTETS)
    first = 1
    for file in recordings:
        with pq.ParquetFile(file) as parquet:
            last = first + parquet.metadata.num_rows
            here = slice(*np.searchsorted(ranks, [first, last]))
            if here.start < here.stop:
                found = uuid_octets(parquet.read(["id"], use_threads=False).column("id").combine_chunks())
                ids[here] = found[ranks[here].astype(np.intp) - first]
        first = last
        if first > (ranks[-1] if len(ranks) else 0):
            break
    return ids
