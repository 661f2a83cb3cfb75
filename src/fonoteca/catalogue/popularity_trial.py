"""Popularity on trial: estimate from some listeners, measure on others. Figures only; nothing of a snapshot depends on this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.popularity_mixture import F64, I64, TAIL
from fonoteca.catalogue.popularity_pools import Groups
from fonoteca.catalogue.popularity_shares import Estimate, SourceCounts, SourceFit, estimate, fit_sources

MARKS = (0.05, 0.10, 0.336)
"""Shares of recordings at which coverage is told; the last is what the best-known archive of this shape holds."""
SMOOTHINGS = tuple(2.0**power for power in range(-6, 15))
"""Constants that raw counts may be smoothed by; the best is chosen on the held-out listeners themselves, in its favour."""
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Histories:
    """Who listened to what how often, a row a (listener, item) pair. Numbers are dense, from 0."""

    listener: NDArray[np.integer]
    item: NDArray[np.integer]
    listens: I64
    item_count: int

    @property
    def listener_count(self) -> int:
        """How many listeners there are."""
        return int(self.listener.max()) + 1

    def of(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return the counts of some listeners. chosen: by listener."""
        rows = chosen[self.listener]
        listens = np.bincount(self.item[rows], weights=self.listens[rows], minlength=self.item_count)
        listeners = np.bincount(self.item[rows], minlength=self.item_count)
        return Counts(listens.astype(np.int64), listeners, int(chosen.sum()))

    def halves(self, chance: np.random.Generator) -> tuple[Counts, Counts]:
        """Return the counts of a random half of the listeners, and of the rest."""
        chosen = np.zeros(self.listener_count, np.bool_)
        chosen[chance.permutation(self.listener_count)[: self.listener_count // 2]] = True
        return self.of(chosen), self.of(~chosen)


@dataclass(frozen=True, slots=True)
class Counts:
    """Listens and listeners of every recording, zeros included. people: who listened."""

    listens: I64
    listeners: I64
    people: int | None = None

    def source(self, name: str, synthetic: bool = False) -> SourceCounts:
        """Return them as what a source counted."""
        heard = np.flatnonzero(self.listens).astype(np.uint32)
        return SourceCounts(name, heard, self.listens[heard], self.listeners[heard], synthetic, "", self.people)


@dataclass(frozen=True, slots=True)
class Held:
    """How intervals held. share: of recordings whose figure lay inside; by_band: (fewest train listeners, recordings, share)."""

    share: float
    by_band: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True)
class Covered:
    """Held-out listening that the first share_of_recordings carry, ranked by shares and by raw listens of train.

    promised: by the shares themselves; low, high: 90 % interval of what a history like the held-out one shows.
    """

    share_of_recordings: float
    by_share: float
    by_listens: float
    promised: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What one split showed. Log-losses in nats a held-out listen.

    smoothed_log_loss: of raw listens with the constant that is best on the held-out listeners; jeffreys_log_loss: with 1/2.
    unheard_share: what train's listeners promise of what they never heard; unheard_truth: what it turned out to be.
    predicted: of held-out shares, in the interval for a sample of the held-out set's size, over recordings in doubt.
    credible: of true shares, where the truth is known. coverage: at MARKS.
    """

    log_loss: float
    smoothed_log_loss: float
    smoothing: float
    jeffreys_log_loss: float
    unheard_share: float
    unheard_truth: float
    predicted: Held
    credible: Held | None
    coverage: tuple[Covered, ...]


def log_loss(share: F64, held_out: I64) -> float:
    """Return the mean of -ln(share) over held-out listens. share: above 0 where there are any."""
    heard = np.flatnonzero(held_out)
    return float(-(held_out[heard] * np.log(share[heard])).sum() / held_out.sum())


def smoothed(listens: I64, constant: float) -> F64:
    """Return raw shares with so many listens added to each recording."""
    return np.asarray((listens + constant) / (listens.sum() + constant * len(listens)))


def hold_trial(train: Counts, held_out: Counts, groups: Groups, chance: np.random.Generator, truth: F64 | None = None) -> Trial:
    """Return what comes of estimating from train. truth: the true shares, where they are known.

    Cost: that of an estimate, and DRAWS draws for each of 20,000 recordings at most.
    """
    source = train.source("train")
    found = estimate([source], groups, len(train.listens))
    losses = {constant: log_loss(smoothed(train.listens, constant), held_out.listens) for constant in SMOOTHINGS}
    best = min(losses, key=lambda constant: losses[constant])
    unheard = train.listens == 0
    # The truth where it is known: held-out listeners are but a sample of it.
    lost = float(truth[unheard].sum()) if truth is not None else float(held_out.listens[unheard].sum() / held_out.listens.sum())
    return Trial(
        log_loss(found.share, held_out.listens),
        losses[best],
        best,
        losses[0.5],
        found.parameters.unheard_share,
        lost,
        _predicted(fit_sources([source], groups)[0], train, held_out, chance),
        None if truth is None else _bands((truth >= found.low) & (truth <= found.high), train.listeners),
        tuple(_covered(found, train, held_out)),
    )


def _covered(found: Estimate, train: Counts, held_out: Counts) -> Iterator[Covered]:
    ours, raw = (np.argsort(-each, kind="stable") for each in (found.share, train.listens))
    total, basis = held_out.listens.sum(), found.parameters
    assert train.people
    assert held_out.people
    effective = basis.effective_listeners * held_out.people / train.people
    for mark in MARKS:
        first = ours[: round(mark * len(ours))]
        promised = float(found.share[first].sum())
        by_share, by_listens = (float(held_out.listens[order[: len(first)]].sum() / total) for order in (ours, raw))
        yield Covered(mark, by_share, by_listens, promised, *basis.predicted_sum(promised, effective))


_BANDS = (0, 1, 2, 4, 16, 64, 256)


def _bands(inside: NDArray[np.floating] | NDArray[np.bool_], listeners: I64) -> Held:
    """Return how many were inside, of all and by how many listeners there were in train."""
    band = np.searchsorted(_BANDS, listeners, side="right") - 1
    counts, held = np.bincount(band, minlength=len(_BANDS)), np.bincount(band, weights=inside, minlength=len(_BANDS))
    rows = [(low, int(n), float(h / n)) for low, n, h in zip(_BANDS, counts, held, strict=True) if n]
    return Held(float(inside.mean()), tuple(rows))


PREDICTED_MAX = 20_000


def predicted(fit: SourceFit, items: I64, ratio: float, chance: np.random.Generator) -> tuple[F64, F64, F64]:
    """Return the 90 % interval of listens that other listeners will give items, and the chance that they give none.

    Other than the credible interval, this one has the chances of the sample in it: who of them comes, and how often he plays.
    items: at most a few ten thousand indexes of recordings. ratio: listeners to come for each of the source's.
    """
    # How a listener's plays differ from the average is seen where there is only one.
    single = fit.heard.listeners == 1
    plays = fit.listens[single] / fit.plays.expected(fit.heard.listeners[single]) if single.any() else np.ones(1)
    plays = plays / plays.mean()
    pools = fit.pool_of[fit.codes[items]].astype(np.int64)
    where = np.searchsorted(fit.heard.recordings, items)
    where = np.minimum(where, len(fit.heard.recordings) - 1)
    heard = fit.heard.recordings[where] == items
    listeners = np.where(heard, fit.heard.listeners[where], 0).astype(np.int64)
    some = np.flatnonzero(heard)
    average = np.full(len(items), float(fit.plays.expected(np.ones(1))[0]))
    average[some] = fit.plays.of_recordings(listeners[some], fit.listens[where[some]])
    variance = fit.plays.variance(listeners)
    # What scales unheard rates to the source's unheard share scales who comes.
    scale = np.where(heard, 1.0, fit.unheard_scale / (fit.heard_scale * average))
    drawn = np.empty((DRAWS, len(items)))
    for draw in range(DRAWS):
        rate = fit.rates.draw(pools, listeners, chance.random(len(items))) * scale
        swayed = chance.gamma(1 / variance, variance) * average
        come = chance.poisson(rate * ratio)
        drawn[draw] = swayed * _sums(plays, come, chance)
    low, high = np.quantile(drawn, (TAIL, 1 - TAIL), axis=0)
    return low, high, (drawn == 0).mean(axis=0)


def _sums(plays: F64, come: I64, chance: np.random.Generator) -> F64:
    """Return for each item the plays of as many listeners as come."""
    each = chance.choice(plays, int(come.sum()))
    return np.bincount(np.repeat(np.arange(len(come)), come), weights=each, minlength=len(come)).astype(np.float64)


def _predicted(fit: SourceFit, train: Counts, held_out: Counts, chance: np.random.Generator) -> Held:
    """Return how the held-out set's listens lay in their intervals.

    A recording that nobody plays in 5 draws of 100 or more has 0 for a lower end, and no interval of whole listeners holds
    just 90 %: then a 0 counts as inside for the part that makes it so (as randomised intervals do on average).
    """
    count = len(train.listens)
    items = np.sort(chance.permutation(count)[: min(count, PREDICTED_MAX)])
    assert train.people
    assert held_out.people
    ratio = held_out.people / train.people
    low, high, never = predicted(fit, items, ratio, chance)
    # Shares are on trial: that these people listen more or less in all is no fault of theirs.
    found = held_out.listens[items] * (train.listens.sum() * ratio / held_out.listens.sum())
    inside = ((found >= low) & (found <= high)).astype(np.float64)
    silent = (found == 0) & (never >= TAIL)
    inside[silent] = 1 - TAIL / never[silent]
    # And where even the upper end is 0, all of the tail is in that 0, and it is certain.
    certain = silent & (never >= 1 - TAIL)
    inside[certain] = 1 - TAIL / never[certain]
    return _bands(inside, train.listeners[items])


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of splits' figures and their standard deviation."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
