"""How many listeners a recording can expect, given how many it had: a mixture of Poissons, fitted to counts of counts.

A pool is a set of recordings whose surroundings (release, artist, other sources) promise about the same. Within a pool the
rate of listeners has a density that is constant in steps on a log scale; expectation maximisation fits the steps to how many
recordings have 0, 1, 2, ... listeners. No family of curves is assumed, and a table by pool and count holds every answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import lgamma
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

COUNTS = 256
"""Counts with a row of their own in the table. Beyond, a prior moves a mean by less than 1 in 500."""
_OCTAVE_LOW, _OCTAVE_HIGH = -20, 10
"""Rates from 1e-6 to 1,024 listeners: below, all that can be seen is that nobody came; above COUNTS no table is needed."""
_POINTS_A_STEP, _STEPS_AN_OCTAVE = 8, 2
"""Points 4.4 % apart: the narrowest posterior in the table, of 255 listeners, is 6 % wide either way."""
_ROUNDS = 400
"""Of expectation maximisation. The log-loss of HetRec and of the simulated tracks moves by less than 1e-4 after 200."""
_START_WORTH = 1.0
"""A pool's density begins as a log-normal, which stays worth so many recordings."""
_SIGMAS, _HALVINGS = (0.3, 6.0), 30
"""Widths of ln(rate) to choose from; the largest catalogue known has 3.1 over all its tracks."""
TAIL = 0.05
"""Each side of a 90 % interval."""
Z_90 = 1.6448536269514722
"""The normal deviate that leaves TAIL on each side."""


@dataclass(frozen=True, slots=True)
class RateTable:
    """Expected listeners in a history as large as the one fitted. Shapes (pools, COUNTS): row pool, column listeners seen.

    mean: of the rate; low, high: its 5 % and 95 % quantiles. densities: (pools, points), the fitted density over `points()`.
    """

    mean: F64
    low: F64
    high: F64
    densities: F64

    def rates(self, pools: NDArray[np.integer], counts: NDArray[np.integer]) -> tuple[F64, F64, F64]:
        """Return mean, low and high for recordings with these pools and listener counts, one array each."""
        column = np.minimum(counts, COUNTS - 1)
        found = tuple(table[pools, column] for table in (self.mean, self.low, self.high))
        beyond = np.flatnonzero(counts >= COUNTS)
        if len(beyond):
            # One discount for all that is beyond the table, its last, keeps a count more from ever meaning less.
            discount = COUNTS - 1 - self.mean[pools[beyond], -1]
            many = counts[beyond].astype(np.float64)
            for rates, deviate in zip(found, (0.0, -Z_90, Z_90), strict=True):
                rates[beyond] = (gamma_quantile(many, deviate) if deviate else many) - discount
        return found

    def draw(self, pools: I64, counts: I64, uniform: F64) -> F64:
        """Return one rate for each recording from its posterior. uniform: numbers from 0 to 1, one a recording."""
        drawn = np.empty(len(pools))
        keys, which = np.unique(pools * COUNTS + np.minimum(counts, COUNTS - 1), return_inverse=True)
        order = np.argsort(which, kind="stable")
        ends = np.cumsum(np.bincount(which, minlength=len(keys)))
        for key, start, end in zip(keys, [0, *ends[:-1]], ends, strict=True):
            own = order[start:end]
            below = np.cumsum(self.densities[key // COUNTS] * _likelihood()[key % COUNTS])
            drawn[own] = np.interp(uniform[own] * below[-1], below, points())
        beyond = np.flatnonzero(counts >= COUNTS)
        deviates = np.interp(uniform[beyond], _normal_cdf(), np.linspace(-4, 4, 801))
        drawn[beyond] = gamma_quantile(counts[beyond].astype(np.float64), deviates)
        return drawn


def gamma_quantile(shape: F64, deviate: float | F64) -> F64:
    """Return quantiles of gamma distributions with these shapes and scale 1, to 1 % for shapes above 3.

    Source: Wilson and Hilferty 1931: the cube root of a gamma variable is nearly normal.
    """
    ninth = 1 / (9 * shape)
    return np.asarray(shape * np.maximum(0.0, 1 - ninth + deviate * np.sqrt(ninth)) ** 3)


@cache
def points() -> F64:
    """Return the rates at which densities are held, ascending, evenly apart on a log scale."""
    a_octave = _POINTS_A_STEP * _STEPS_AN_OCTAVE
    place = np.arange((_OCTAVE_HIGH - _OCTAVE_LOW) * a_octave) + 0.5
    return np.asarray(2.0 ** (_OCTAVE_LOW + place / a_octave))


@cache
def _likelihood() -> F64:
    """Return the chance of each count at each point, shape (COUNTS + 1, points); the last row is of COUNTS or more."""
    rates, counts = points(), np.arange(COUNTS)
    factorials = np.array([lgamma(count + 1) for count in range(COUNTS)])
    chances = np.exp(counts[:, None] * np.log(rates) - rates - factorials[:, None])
    more = np.maximum(1 - chances.sum(axis=0), 0.0)
    return np.asarray(np.vstack((chances, more)))


@cache
def _normal_cdf() -> F64:
    normal = NormalDist()
    return np.array([normal.cdf(place) for place in np.linspace(-4, 4, 801)])


def fit_rates(histogram: I64) -> RateTable:
    """Return the table of pools. histogram: recordings by pool and listener count, shape (pools, COUNTS + 1), the last column
    for COUNTS or more; at least one recording has been heard.

    Cost: 0.1 s a pool, however many recordings there are.
    """
    filled = _with_unlisted(histogram)
    steps = _maximise(filled, _START_WORTH * np.stack([_log_normal_steps(counts) for counts in filled]))
    densities = np.repeat(steps, _POINTS_A_STEP, axis=1)
    shape = (len(histogram), COUNTS)
    mean, low, high = np.empty(shape), np.empty(shape), np.empty(shape)
    chances, rates = _likelihood()[:COUNTS], points()
    half = 2.0 ** (0.5 / (_POINTS_A_STEP * _STEPS_AN_OCTAVE))
    for pool, density in enumerate(densities):
        posterior = chances * density
        posterior /= posterior.sum(axis=1, keepdims=True)
        mean[pool] = posterior @ rates
        below = np.cumsum(posterior, axis=1)
        low[pool] = rates[np.minimum((below < TAIL).sum(axis=1), len(rates) - 1)] / half
        high[pool] = rates[np.minimum((below < 1 - TAIL).sum(axis=1), len(rates) - 1)] * half
    return RateTable(mean, np.minimum(low, mean), np.maximum(high, mean), densities)


def _with_unlisted(histogram: I64) -> F64:
    """Return the histogram with at least as many recordings never heard as its heard ones imply.

    A list that was made from what somebody heard lacks most of what nobody did, and no mixture of Poissons fits it.
    Source of the bound: Chao 1984, in the form that needs no recording with two listeners.
    """
    filled = histogram.astype(np.float64)
    once, twice = filled[:, 1], filled[:, 2]
    filled[:, 0] = np.maximum(filled[:, 0], once * np.maximum(once - 1, 0) / (2 * (twice + 1)))
    return filled


def _log_normal_steps(counts: F64) -> F64:
    """Return weights of the steps, adding up to 1: the log-normal with the counts' mean and share of recordings heard.

    Where data say nothing (a thousandth of a listener or a millionth?) the fit stays in the shape that it began with, and
    popularity falls off about like this wherever it can be measured. What is heard pins its width; the counts' variance
    would not: it hangs on the few largest.
    """
    recordings = counts.sum()
    mean = float((counts * np.arange(len(counts))).sum() / recordings)
    heard = float(counts[1:].sum() / recordings)
    narrow, wide = _SIGMAS
    for _ in range(_HALVINGS):
        sigma = (narrow + wide) / 2
        found = float(_log_normal(mean, sigma) @ -np.expm1(-points()))
        narrow, wide = (sigma, wide) if found > heard else (narrow, sigma)
    steps = _log_normal(mean, narrow).reshape(-1, _POINTS_A_STEP).sum(axis=1) + 1e-9
    return np.asarray(steps / steps.sum())


def _log_normal(mean: float, sigma: float) -> F64:
    """Return weights of the points, adding up to 1."""
    place = (np.log(points() / mean) + sigma * sigma / 2) / sigma
    weights = np.exp(-0.5 * place * place)
    return np.asarray(weights / weights.sum())


def _maximise(histogram: F64, worth: F64) -> F64:
    """Return the weights of steps of each pool, rows adding up to 1. worth: recordings that the weights at the start stand for."""
    chances = _likelihood().reshape(COUNTS + 1, -1, _POINTS_A_STEP).mean(axis=2)
    weights: F64 = worth / worth.sum(axis=1, keepdims=True)
    for pool, counts in enumerate(histogram):
        rows = np.flatnonzero(counts)
        likely, seen, own = chances[rows], counts[rows], weights[pool]
        for _ in range(_ROUNDS):
            own = own * ((seen / (likely @ own)) @ likely) + worth[pool]
            own /= own.sum()
        weights[pool] = own
    return weights
