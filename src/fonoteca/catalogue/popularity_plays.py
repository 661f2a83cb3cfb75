"""How often a listener plays a recording that he plays at all, and how much of listening falls to what a source never heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.popularity_mixture import F64
from fonoteca.catalogue.popularity_pools import chunks

PLAYS_ASSUMED = 10.0
"""Plays a listener where no source counts listeners. More plays a listener are fewer listeners: wider intervals, more unheard."""
COMPANY = 0.5
"""Variance of a listener count beyond Poisson's, over the count. Simulated visits to releases make 0.5 to 1.5; HetRec none."""
_SLOPE_MAX = 0.5
_OFF_LINE = 0.1
"""Variance of octaves' ln(plays) around a line: simulated heads of few people double theirs within two octaves."""
_WITHIN_ASSUMED, _BETWEEN_ASSUMED = 5.0, 0.2
"""About HetRec's, for sources that are too small to tell."""
_BETWEEN_MIN = 0.01
_OCTAVE_MIN = 20
"""Recordings that an octave of listener counts must have to be told apart."""
_RECORDINGS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class PlaysModel:
    """Plays a listener, by how many listeners a recording has.

    listeners, plays: knots, ascending in listeners; between them the average runs straight on logarithmic scales.
    within: variance of one listener's plays over the squared average of the recording; between: of recordings' averages over
    the squared average of all with as many listeners.
    """

    listeners: tuple[float, ...]
    plays: tuple[float, ...]
    within: float
    between: float

    @property
    def credibility(self) -> float:
        """How many listeners' plays the average of all counts for beside a recording's own."""
        return self.within / self.between

    def expected(self, listeners: NDArray[np.number]) -> F64:
        """Return the average plays a listener of recordings with so many listeners, at least 1."""
        if len(self.plays) == 1:
            return np.full(listeners.shape, self.plays[0])
        return np.asarray(np.exp(np.interp(np.log(listeners), np.log(self.listeners), np.log(self.plays))))

    def of_recordings(self, listeners: NDArray[np.integer], listens: NDArray[np.number]) -> F64:
        """Return the plays that the next listener can be expected to give heard recordings.

        Own average, pulled towards that of recordings with a listener more: seen from the next listener, a recording with n is
        like one with n + 1 seen from one of them. Source of the pull: Buehlmann 1967, "Experience rating and credibility".
        """
        count = listeners.astype(np.float64)
        own = listens / count * self.expected(count + 1) / self.expected(count)
        return np.asarray((count * own + self.credibility * self.expected(count + 1)) / (count + self.credibility))

    def variance(self, listeners: NDArray[np.integer]) -> F64:
        """Return the relative variance of a recording's listening, once so many listeners are known, beyond what chance makes of
        listeners who come one by one.

        Of the average plays, and of listeners who come together: by an album, or counted for a copy of the recording too.
        """
        return np.asarray(self.between * self.credibility / (listeners + self.credibility) + COMPANY / (listeners + 1))


def fit_plays(listeners: NDArray[np.integer], listens: NDArray[np.number]) -> PlaysModel:
    """Return the model. Arrays: one entry a heard recording, of which every n-th is read, a million at most."""
    average = float(listens.sum(dtype=np.float64) / listeners.sum(dtype=np.float64))
    step = -(-len(listeners) // _RECORDINGS_MAX)
    count, plays = listeners[::step].astype(np.float64), listens[::step].astype(np.float64)
    octave = np.frexp(count)[1] - 1
    items = np.bincount(octave).astype(np.float64)
    pairs = np.bincount(octave, weights=count).astype(np.float64)
    some = np.flatnonzero(items >= _OCTAVE_MIN)
    if len(some) < 2:
        return PlaysModel((1.0,), (average,), _WITHIN_ASSUMED, _BETWEEN_ASSUMED)
    items, pairs = items[some], pairs[some]
    knots = _knots(items, pairs, np.bincount(octave, weights=plays)[some].astype(np.float64))
    model = PlaysModel(*knots, _WITHIN_ASSUMED, _BETWEEN_ASSUMED)
    off = plays / (count * model.expected(count))
    single = off[count == 1]
    total = float(((single - 1) ** 2).mean()) if len(single) >= _OCTAVE_MIN else _WITHIN_ASSUMED
    # One listener's hundred thousand plays would make recordings look different that are not: medians, not squares.
    spread = np.array([_robust_variance(np.log(off[octave == each])) for each in some])
    inverse = np.bincount(octave, weights=1 / count)[some] / items
    between = max(_line(inverse, spread, items / inverse**2)[1], _BETWEEN_MIN)
    return PlaysModel(*knots, max(total - between, _BETWEEN_MIN), between)


def assume_plays(listeners: NDArray[np.integer], listens: NDArray[np.number]) -> PlaysModel:
    """Return the model where listeners are only assumed: a recording's own plays are nearly all that is known of it, and unsure."""
    average = float(listens.sum(dtype=np.float64) / listeners.sum(dtype=np.float64))
    return PlaysModel((1.0,), (average,), _WITHIN_ASSUMED, _WITHIN_ASSUMED)


def _knots(items: F64, pairs: F64, plays: F64) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return listeners and plays of a knot for each octave, from its recordings, pairs and listens."""
    # An octave's average is as sure as its recordings and its pairs are many; what is unsure moves to the line through all.
    unsure = _BETWEEN_ASSUMED / items + _WITHIN_ASSUMED / pairs
    place: F64 = np.log(pairs / items)
    height: F64 = np.log(plays / pairs)
    slope, start = _line(place, height, 1 / unsure)
    line = start + min(max(slope, -_SLOPE_MAX), _SLOPE_MAX) * place
    height = line + (height - line) * _OFF_LINE / (_OFF_LINE + unsure)
    return tuple(np.exp(place).tolist()), tuple(np.exp(height).tolist())


def _robust_variance(values: F64) -> float:
    """Return the variance that a normal distribution with the same median deviation would have."""
    return float((1.4826 * np.median(np.abs(values - np.median(values)))) ** 2)


def _line(x: F64, y: F64, weight: F64) -> tuple[float, float]:
    """Return slope and height at 0 of the weighted least-squares line."""
    total = weight.sum()
    middle, level = (weight * x).sum() / total, (weight * y).sum() / total
    spread = (weight * (x - middle) ** 2).sum()
    slope = float((weight * (x - middle) * (y - level)).sum() / spread) if spread > 0 else 0.0
    return slope, float(level - slope * middle)


def unheard_share(listeners: NDArray[np.integer], listens: NDArray[np.number], people: int, unheard_part: float) -> float:
    """Return what share of a new listener's plays fall to recordings that nobody in the source has heard.

    Each listener is left out in turn: what he alone heard is what nobody else had. So the plays of recordings with exactly
    one listener, over all plays (Good 1953, with listeners for observations). Plays would not do: one person's hundred plays
    of a track make it look well known. people: listeners of the source, or as many as are sure. Half an average listener
    more is held to have heard something new, so that never heard is not never.
    unheard_part: of recordings; unheard ones together cannot be loved more than as many of all.
    The factor for few people: Chao, Ma, Chiu 2014 (sample coverage of incidence counts).
    """
    once, twice = np.count_nonzero(listeners == 1), np.count_nonzero(listeners == 2)
    single = float(listens[listeners == 1].sum(dtype=np.float64))
    total, pairs = float(listens.sum(dtype=np.float64)), float(listeners.sum(dtype=np.float64))
    few = (people - 1) * once / ((people - 1) * once + 2 * twice) if people > 1 and once else 0.0
    new = total / pairs / 2
    return min((single * few + new) / (total + 2 * new), unheard_part)


def effective_listeners(listeners: NDArray[np.integer], listens: NDArray[np.number], model: PlaysModel) -> float:
    """Return how many independent observations of equal weight say as much about shares as the source does.

    All listens squared over the variance of their sum: of who listens (each pair counts for its expected plays squared)
    and of how often (what recordings' listens are off from what as many listeners play, squared, so that one listener's
    hundred thousand plays count for what they are: one).
    """
    total = float(listens.sum(dtype=np.float64))
    variance = 0.0
    for start, stop in chunks(len(listens)):
        count = listeners[start:stop].astype(np.float64)
        expected = model.expected(count)
        off = listens[start:stop] - count * expected
        variance += float((off * off + count * expected * expected).sum())
    return total * total / variance


def assumed_listeners(listens: NDArray[np.integer], plays_known: Sequence[float]) -> NDArray[np.uint32]:
    """Return listener counts to reckon with where a source has none: few, so that its word counts for little.

    plays_known: plays a listener of the sources that count listeners.
    """
    plays = max([PLAYS_ASSUMED, *plays_known])
    return np.asarray(np.maximum(1, listens // plays), np.uint32)
