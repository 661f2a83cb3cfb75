"""Which pool a recording belongs to in a source: what artist, release and other sources promise of it, its own count left out.

The promise is a rate of listeners, made from the whole inwards: the whole's mean, moved towards the mean of the artist's other
recordings, that towards the mean of the release's other recordings, that by what other sources counted. Its place on a log
scale is the pool. Constants of the way there cost sharpness when wrong, not truth: what a pool's recordings can
expect is then fitted to the pool's own counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.popularity_mixture import COUNTS, I64

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

CHUNK = 1 << 22
"""Recordings at a time: temporary arrays of 16 MB stay near the processor."""
_GROUPED = 1 << 25
"""Recordings at a time where each time costs a pass over all groups as well."""
CODES = 64
"""Pools before merging: half octaves from 2^-14 to 2^18 times the mean of all recordings."""
_CODE_BITS, _CODE_FIRST = 22, (127 - 14) << 1
"""A float32 shifted right by 22 bits is its exponent and the first bit behind: its place in half octaves."""
KINSHIP = 1.0
"""How many recordings the wider group's mean counts for beside those of the narrower."""
POOL_HEARD_MIN, POOL_SIZE_MIN = 300, 1000
"""A pool smaller than this joins the next: its fit would be mostly noise. HetRec's half, a pool of 5,000 heard, is fitted well."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Release and artist of each recording: a dense number from 0, or -1 for none. Shape (recordings,) each."""

    release: I32
    artist: I32

    def __post_init__(self) -> None:
        """Check the shapes."""
        assert self.release.shape == self.artist.shape, (self.release.shape, self.artist.shape)


@dataclass(frozen=True, slots=True)
class Audience:
    """Recordings with listeners in a source. recordings: ascending indexes; listeners: at least 1."""

    recordings: NDArray[np.integer]
    listeners: NDArray[np.integer]

    @property
    def pairs(self) -> int:
        """(listener, recording) pairs."""
        return int(self.listeners.sum(dtype=np.int64))

    def within(self, start: int, stop: int) -> tuple[I64, slice]:
        """Return the places from `start` of heard recordings from start (inclusive) to stop (exclusive), and their slice here."""
        first, last = np.searchsorted(self.recordings, np.array([start, stop], self.recordings.dtype))
        return self.recordings[first:last].astype(np.int64) - start, slice(int(first), int(last))


def chunks(count: int) -> Iterator[tuple[int, int]]:
    """Yield start (inclusive) and stop (exclusive) of consecutive ranges of at most CHUNK."""
    for start in range(0, count, CHUNK):
        yield start, min(start + CHUNK, count)


@dataclass(frozen=True, slots=True)
class _Kin:
    """Sums over the groups of one kind, the group -1 last: recordings, and listeners in a source."""

    sizes: F32
    listeners: NDArray[np.float64]


def _group_count(groups: I32) -> int:
    return 1 + max((int(groups[start:stop].max()) for start, stop in chunks(len(groups))), default=-1)


def group_sizes(groups: I32) -> F32:
    """Return how many recordings each group has, with one place more for those of no group."""
    count = _group_count(groups)
    sizes = np.zeros(count + 1, np.float32)
    # Whole numbers up to 2^24 are exact in 32 bits, and no release or artist comes near that many recordings.
    for start in range(0, len(groups), _GROUPED):
        found = np.bincount(groups[start : start + _GROUPED] + 1, minlength=count + 1)
        sizes[:-1] += found[1:]
    return sizes


def _kin(groups: I32, sizes: F32, heard: Audience) -> _Kin:
    listeners = np.zeros(len(sizes))
    for start in range(0, len(heard.recordings), _GROUPED):
        own = groups[heard.recordings[start : start + _GROUPED]]
        found = np.bincount(own + 1, weights=heard.listeners[start : start + _GROUPED], minlength=len(sizes))
        listeners[:-1] += found[1:]
    return _Kin(sizes, listeners)


def pool_codes(source: int, heard: Sequence[Audience], groups: Groups, sizes: tuple[F32, F32]) -> tuple[U8, I64]:
    """Return each recording's code, 0 to CODES - 1, in one of the sources, and its histogram by code and listener count.

    source: index into heard. sizes: of releases and of artists. histogram: shape (CODES, COUNTS + 1).
    Cost: 1 B a recording and 8 B a group; 0.2 s a million recordings.
    """
    own = heard[source]
    count = len(groups.release)
    mean = own.pairs / count
    kin = (_kin(groups.artist, sizes[1], own), _kin(groups.release, sizes[0], own))
    others = [each for place, each in enumerate(heard) if place != source]
    worth = sum(each.pairs for each in others) / own.pairs
    codes, histogram = np.empty(count, np.uint8), np.zeros((CODES, COUNTS + 1), np.int64)
    for start, stop in chunks(count):
        listeners = np.zeros(stop - start, np.float32)
        where, which = own.within(start, stop)
        listeners[where] = own.listeners[which]
        promise = np.full(stop - start, mean, np.float32)
        for each, group in zip(kin, (groups.artist[start:stop], groups.release[start:stop]), strict=True):
            _move(promise, each, group, listeners)
        if others:
            _correct(promise, others, worth, (start, stop))
        code = _code(promise / np.float32(mean))
        codes[start:stop] = code
        counts = np.minimum(listeners, COUNTS).astype(np.int64)
        histogram += np.bincount(code * np.int64(COUNTS + 1) + counts, minlength=histogram.size).reshape(histogram.shape)
    return codes, histogram


def _move(promise: F32, kin: _Kin, group: I32, listeners: F32) -> None:
    """Move promises towards the mean of the group's other recordings, in place."""
    # The sum is exact in 64 bits; in 32, what is left after taking a recording's own listeners out could be below zero.
    rest = kin.listeners[group]
    rest -= listeners
    siblings = kin.sizes[group]
    siblings -= 1
    alone = (group < 0) | (siblings <= 0)
    np.maximum(siblings, 0, out=siblings)
    moved = (KINSHIP * promise + rest.astype(np.float32)) / (KINSHIP + siblings)
    np.copyto(promise, moved, where=~alone)


def _correct(promise: F32, others: Sequence[Audience], worth: float, span: tuple[int, int]) -> None:
    """Correct promises by what other sources counted, in place: the mean of a gamma posterior with shape 1.

    worth: pairs of all others for each pair of this source.
    """
    counted = np.zeros(len(promise), np.float32)
    for each in others:
        where, which = each.within(*span)
        counted[where] += each.listeners[which]
    promise *= (1 + counted) / (1 + promise * np.float32(worth))


def _code(relative: F32) -> U8:
    bits = relative.view(np.int32) >> _CODE_BITS
    bits -= _CODE_FIRST
    return np.clip(bits, 0, CODES - 1, out=bits).astype(np.uint8)


def merged_pools(histogram: I64) -> tuple[U8, I64]:
    """Return the pool of each code and the histogram by pool: neighbours joined until each pool says enough."""
    pool_of = np.zeros(CODES, np.uint8)
    pools: list[I64] = []
    gathered = np.zeros(COUNTS + 1, np.int64)
    for code, counts in enumerate(histogram):
        pool_of[code] = len(pools)
        gathered = gathered + counts
        if gathered[1:].sum() >= POOL_HEARD_MIN and gathered.sum() >= POOL_SIZE_MIN:
            pools.append(gathered)
            gathered = np.zeros(COUNTS + 1, np.int64)
    if not pools:
        return np.zeros(CODES, np.uint8), gathered[None]
    # What is left over at the top is too little to stand alone.
    pools[-1] = pools[-1] + gathered
    return np.minimum(pool_of, len(pools) - 1).astype(np.uint8), np.stack(pools)
