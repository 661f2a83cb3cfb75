"""`ids.index`: any id to the rank of its recording, in one read of some kilobytes.

    "FONOIDS2", count, bits (8 bytes each, little-endian, as all that follows)
    2 ** bits + 1 offsets of 8 bytes: where keys start that begin with each number of so many bits; the last is count
    count middles of 4 bytes: the 32 bits that follow in each key, ascending among those that begin alike
    count ranks of 4 bytes

Eight bytes an id. A key is made of the whole id (`id_keys`), since a source's own ids may be numbered or begin with the time.
48 bits of it are not the id: who asks compares the recording that it finds, or the row merged into it.
"FONOIDS1" is the same with the upper half of the id for a key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

import numpy as np
import numpy.typing as npt

MAGIC, MAGIC_BEFORE = b"FONOIDS2", b"FONOIDS1"
BITS_MAX = 16
_BUCKET_IDS = 4096
BUCKET_IDS_MAX = 1 << 20
"""About so many ids begin alike: 16 kB to read for one answer. No index has buckets of more than BUCKET_IDS_MAX."""
_HEADER_BYTES = len(MAGIC) + 16
_WRITE_ITEMS = 1 << 22
_PART_BITS = 4
_MIX_ITEMS = 1 << 15
"""So many ids at a time stay in a core's cache, which makes mixing them twice as fast."""
U64, U32 = np.uint64, np.uint32


def id_keys(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return a key for each id, by its halves, that every bit of it has a part in: ids that are alike have keys that are not.

    Cost: 4 ns an id. Source: the finaliser of SplitMix64, as in Steele, Lea and Flood 2014, once for each half.
    """
    keys = np.empty(len(high), U64)
    for first in range(0, len(high), _MIX_ITEMS):
        here = slice(first, first + _MIX_ITEMS)
        keys[here] = _mixed(_mixed(low[here]) ^ high[here])
    return keys


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = (x ^ (x >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    x ^= x >> U64(27)
    x *= U64(0x94D049BB133111EB)
    x ^= x >> U64(31)
    return x


def write_ids(stream: BinaryIO, keys: npt.NDArray[np.uint64], ranks: npt.NDArray[np.uint32]) -> None:
    """Write the index of ids with these keys. Cost: a sort; 4 B an id of memory, and 20 B for a sixteenth of them."""
    count = len(keys)
    bits = min(BITS_MAX, (count // _BUCKET_IDS).bit_length())
    begins = np.zeros(1 << bits, np.int64)
    for first in range(0, count, _WRITE_ITEMS):
        begins += np.bincount(_top(keys[first : first + _WRITE_ITEMS], bits).astype(np.int64), minlength=1 << bits)
    stream.write(MAGIC)
    stream.write(np.array([count, bits], "<u8").tobytes())
    stream.write(np.append(0, np.cumsum(begins)).astype("<u8").tobytes())
    ordered = np.empty(count, U32)
    done = 0
    # By the first bits, one part after another: a sort of all at once would need three times the keys' own memory.
    part_bits = min(bits, _PART_BITS)
    for part in range(1 << part_bits):
        mine = np.flatnonzero(_top(keys, part_bits) == part) if part_bits else np.arange(count)
        found = keys[mine]
        order = np.argsort(found)
        ordered[done : done + len(mine)] = ranks[mine[order]]
        done += len(mine)
        stream.write((found[order] >> U64(32 - bits)).astype("<u4").tobytes())
    for first in range(0, count, _WRITE_ITEMS):
        stream.write(ordered[first : first + _WRITE_ITEMS].astype("<u4").tobytes())


def _top(keys: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.uint16]:
    """Return the first bits of each key, at most 16."""
    if not bits:
        return np.zeros(len(keys), np.uint16)
    found = np.empty(len(keys), np.uint16)
    np.right_shift(keys, U64(64 - bits), out=found, casting="unsafe")
    return found


@dataclass(frozen=True, slots=True)
class IdsIndex:
    """The index in a blob. read: its bytes from a place, so many; each answer costs three small reads."""

    read: Callable[[int, int], bytes]

    def ranks(self, row_id: UUID) -> list[int]:
        """Return the ranks of the recordings that may have this id, usually one or none.

        Raises: ValueError when the blob is no index.
        """
        head = self.read(0, _HEADER_BYTES)
        if head[: len(MAGIC)] not in (MAGIC, MAGIC_BEFORE) or len(head) != _HEADER_BYTES:
            raise ValueError("does not begin as an index of ids does")
        count, bits = np.frombuffer(head[len(MAGIC) :], "<u8").tolist()
        if bits > BITS_MAX:
            raise ValueError(f"begins with {bits} bits")
        high, low = row_id.int >> 64, row_id.int & 0xFFFFFFFFFFFFFFFF
        key = int(id_keys(np.array([high], U64), np.array([low], U64))[0]) if head[: len(MAGIC)] == MAGIC else high
        bucket, middle = key >> (64 - bits), (key >> (32 - bits)) & 0xFFFFFFFF
        start, stop = np.frombuffer(self.read(_HEADER_BYTES + 8 * bucket, 16), "<u8").tolist()
        if not start <= stop <= count or stop - start > BUCKET_IDS_MAX:
            raise ValueError(f"bucket {bucket} runs from {start} to {stop} of {count}")
        first = _HEADER_BYTES + 8 * ((1 << bits) + 1)
        middles = np.frombuffer(self.read(first + 4 * start, 4 * (stop - start)), "<u4")
        a, b = (int(n) for n in np.searchsorted(middles, (middle, middle + 1)))
        if a == b:
            return []
        ranks = np.frombuffer(self.read(first + 4 * count + 4 * (start + a), 4 * (b - a)), "<u4")
        return sorted(set(ranks.tolist()))
