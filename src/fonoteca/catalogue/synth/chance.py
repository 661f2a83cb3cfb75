"""Chance by counter: a draw is a pure function of a key and a number, so that any row can be made again on its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

SLOTS = 1 << 16
"""Cells of a look-up table of chances: a 16-bit slot of a draw picks one. Odds are true to 1 in 65,536."""
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def key(seed: int, name: str) -> int:
    """Return the 64-bit key of a named stream of draws."""
    return int.from_bytes(hashlib.sha256(f"fonoteca-synth/1 {seed} {name}".encode()).digest()[:8], "little")


def draw(stream: int, numbers: U64) -> U64:
    """Return 64 random bits for each number. Different numbers have different draws: it is a bijection.

    Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
    """
    x = numbers * np.uint64(_GOLDEN)
    x += np.uint64(stream)
    x ^= x >> np.uint64(30)
    x *= np.uint64(_FIRST)
    x ^= x >> np.uint64(27)
    x *= np.uint64(_SECOND)
    x ^= x >> np.uint64(31)
    return x


def undraw(stream: int, draws: U64) -> U64:
    """Return the numbers that these draws are of."""
    x = draws ^ (draws >> np.uint64(31)) ^ (draws >> np.uint64(62))
    x = x * np.uint64(pow(_SECOND, -1, 1 << 64))
    x = x ^ (x >> np.uint64(27)) ^ (x >> np.uint64(54))
    x = x * np.uint64(pow(_FIRST, -1, 1 << 64))
    x = x ^ (x >> np.uint64(30)) ^ (x >> np.uint64(60))
    numbers: U64 = (x - np.uint64(stream)) * np.uint64(pow(_GOLDEN, -1, 1 << 64))
    return numbers


def slot(draws: U64, place: int) -> U64:
    """Return 16 of a draw's bits. place: 0 to 3."""
    return (draws >> np.uint64(16 * place)) & np.uint64(SLOTS - 1)


def below(draws: U64, count: U64 | int) -> U64:
    """Return a whole number from 0 up to a count (exclusive, below 2^32) for each draw, from its low 32 bits."""
    scaled: U64 = (draws & np.uint64(0xFFFFFFFF)) * np.asarray(count, np.uint64)
    scaled >>= np.uint64(32)
    return scaled


def odds(share: float) -> int:
    """Return the bound under which a 16-bit slot falls with this chance."""
    return round(share * SLOTS)


def deck(weights: Mapping[int, float]) -> NDArray[np.int64]:
    """Return a look-up table of 65,536 cells that holds each value as often as its weight says."""
    values, shares = np.array(list(weights), np.int64), np.array(list(weights.values()), float)
    ends = np.rint(np.cumsum(shares) / shares.sum() * SLOTS).astype(np.int64)
    return np.repeat(values, np.diff(ends, prepend=0))


def deck_mean(weights: Mapping[int, float]) -> float:
    """Return the mean of what a deck of these weights deals."""
    return sum(value * weight for value, weight in weights.items()) / sum(weights.values())


@cache
def normal_deck() -> F64:
    """Return the standard normal distribution as a look-up table: the middle of each of its 65,536 slots."""
    normal = NormalDist()
    upper = np.array([normal.inv_cdf((place + 0.5) / SLOTS) for place in range(SLOTS // 2, SLOTS)])
    return np.concatenate((-upper[::-1], upper))


def quantile_deck(quantiles: list[tuple[float, float]]) -> I64:
    """Return whole values by slot from (share below, value) knots, straight between them. The first share is 0, the last 1."""
    shares, values = zip(*quantiles, strict=True)
    made: I64 = np.rint(np.interp((np.arange(SLOTS) + 0.5) / SLOTS, shares, values)).astype(np.int64)
    return made
