"""`ids.index`: any id to the rank of its recording, in one read of some kilobytes.

    "FONOIDS1", count, bits (8 bytes each, little-endian, as all that follows)
    2 ** bits + 1 offsets of 8 bytes: where ids start that begin with each number of so many bits; the last is count
    count middles of 4 bytes: the 32 bits that follow in each id, ascending among those that begin alike
    count ranks of 4 bytes

Eight bytes an id. 48 bits are not the whole id: who asks compares the recording that it finds, or the row merged into it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

MAGIC = b"FONOIDS1"
BITS_MAX = 16
_BUCKET_IDS = 4096
"""About so many ids begin alike: 16 kB to read for one answer."""
_HEADER_BYTES = len(MAGIC) + 16
_WRITE_ITEMS = 1 << 22
U64, U32 = np.uint64, np.uint32


def write_ids(stream: BinaryIO, id_high: npt.NDArray[np.uint64], ranks: npt.NDArray[np.uint32]) -> None:
    """Write the index of ids with these upper halves. Cost: a sort; 20 B an id of memory."""
    order = np.argsort(id_high, kind="stable").astype(U32)
    ordered = id_high[order]
    bits = min(BITS_MAX, (len(ordered) // _BUCKET_IDS).bit_length())
    shift = U64(32 - bits)
    firsts = np.arange(1 << bits, dtype=U64) << U64(64 - bits) if bits else np.zeros(1, U64)
    offsets = np.searchsorted(ordered, firsts)
    stream.write(MAGIC)
    stream.write(np.array([len(ordered), bits], "<u8").tobytes())
    stream.write(np.append(offsets, len(ordered)).astype("<u8").tobytes())
    for start in range(0, len(ordered), _WRITE_ITEMS):
        stream.write((ordered[start : start + _WRITE_ITEMS] >> shift).astype("<u4").tobytes())
    del ordered
    for start in range(0, len(order), _WRITE_ITEMS):
        stream.write(ranks[order[start : start + _WRITE_ITEMS]].astype("<u4").tobytes())


@dataclass(frozen=True, slots=True)
class IdsIndex:
    """The index in a blob. read: its bytes from a place, so many; each answer costs three small reads."""

    read: Callable[[int, int], bytes]

    def ranks(self, id_high: int) -> list[int]:
        """Return the ranks of the recordings that may have an id with this upper half, usually one or none.

        Raises: ValueError when the blob is no index.
        """
        head = self.read(0, _HEADER_BYTES)
        if head[: len(MAGIC)] != MAGIC or len(head) != _HEADER_BYTES:
            raise ValueError("does not begin as an index of ids does")
        count, bits = np.frombuffer(head[len(MAGIC) :], "<u8").tolist()
        if bits > BITS_MAX:
            raise ValueError(f"begins with {bits} bits")
        bucket, middle = id_high >> (64 - bits), (id_high >> (32 - bits)) & 0xFFFFFFFF
        start, stop = np.frombuffer(self.read(_HEADER_BYTES + 8 * bucket, 16), "<u8").tolist()
        if not start <= stop <= count:
            raise ValueError(f"bucket {bucket} runs from {start} to {stop} of {count}")
        first = _HEADER_BYTES + 8 * ((1 << bits) + 1)
        middles = np.frombuffer(self.read(first + 4 * start, 4 * (stop - start)), "<u4")
        a, b = (int(n) for n in np.searchsorted(middles, (middle, middle + 1)))
        if a == b:
            return []
        ranks = np.frombuffer(self.read(first + 4 * count + 4 * (start + a), 4 * (b - a)), "<u4")
        return sorted(set(ranks.tolist()))
