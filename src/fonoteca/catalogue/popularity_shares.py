"""Each recording's share of all listening with its interval, from counts of several sources. See docs/decisions/popularity.md.

    share of a recording in a source  =  listeners it can expect  x  plays the next one gives, scaled so that
                                         recordings unheard in the source carry together the source's unheard share
    share of all listening            =  sources' shares, weighted by how many independent listeners each is worth

No source's counts are added to another's: sources share listeners, and who counts twice would seem two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.popularity_basis import ListeningBasis, SourceBasis
from fonoteca.catalogue.popularity_mixture import F64, Z_90, RateTable, fit_rates
from fonoteca.catalogue.popularity_plays import (
    PlaysModel,
    assume_plays,
    assumed_listeners,
    effective_listeners,
    fit_plays,
    unheard_share,
)
from fonoteca.catalogue.popularity_pools import (
    F32,
    U8,
    Audience,
    Groups,
    chunks,
    group_sizes,
    merged_pools,
    pool_codes,
)


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """What one source counted. recordings: ascending indexes of those with listens; listens, listeners: at least 1, one each.

    listeners: None where the source does not count them. people: who listen in the source, None when it does not say.
    date: of the data, "" when unknown.
    """

    name: str
    recordings: NDArray[np.uint32]
    listens: NDArray[np.integer]
    listeners: NDArray[np.integer] | None
    synthetic: bool
    date: str
    people: int | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        assert self.recordings.shape == self.listens.shape, self.name
        assert self.listeners is None or self.listeners.shape == self.listens.shape, self.name


@dataclass(frozen=True, slots=True)
class Estimate:
    """Shares of all listening, index = recording. share adds up to 1; low and high: of the 90 % credible interval.

    The interval is of what is true of all listeners. What some other listeners' history will show is a sample of that, and
    strays further: `popularity_trial.predicted`.
    """

    share: F64
    low: F32
    high: F32
    parameters: ListeningBasis


@dataclass(frozen=True, slots=True)
class SourceFit:
    """A source, read. codes: pool code of every recording, pool_of: code to row of rates. unheard_scale: what turns an unheard
    recording's rate into its share of the source, heard_scale: a heard recording's rate times plays.
    """

    heard: Audience
    listens: NDArray[np.integer]
    codes: U8
    pool_of: U8
    rates: RateTable
    plays: PlaysModel
    unheard_scale: float
    heard_scale: float
    basis: SourceBasis

    def shares(self, start: int, stop: int) -> tuple[F64, F32, F32]:
        """Return the shares in the source of recordings from start to stop, and ln(share / low), ln(high / share)."""
        pools = self.pool_of[self.codes[start:stop]]
        share = (self.rates.mean[:, 0] * self.unheard_scale)[pools]
        below, above = (each[pools] for each in self._unheard_reach())
        where, which = self.heard.within(start, stop)
        if len(where):
            listeners = self.heard.listeners[which].astype(np.int64)
            mean, low, high = self.rates.rates(pools[where], listeners)
            share[where] = mean * self.plays.of_recordings(listeners, self.listens[which]) * self.heard_scale
            sway = Z_90**2 * np.log1p(self.plays.variance(listeners))
            below[where] = np.sqrt(np.log(mean / low) ** 2 + sway)
            above[where] = np.sqrt(np.log(high / mean) ** 2 + sway)
        return share, below, above

    def _unheard_reach(self) -> tuple[F32, F32]:
        mean, low, high = (table[:, 0] for table in (self.rates.mean, self.rates.low, self.rates.high))
        sway = Z_90**2 * np.log1p(self.plays.variance(np.zeros(1, np.int64)))
        reach = (np.sqrt(np.log(mean / low) ** 2 + sway), np.sqrt(np.log(high / mean) ** 2 + sway))
        return reach[0].astype(np.float32), reach[1].astype(np.float32)


def estimate(sources: Sequence[SourceCounts], groups: Groups, recording_count: int) -> Estimate:
    """Return the shares of all recordings. Where nothing is heard, all are the same and anything may be true of them.

    Cost: 17 B a recording for the answer and 1 B a source beside its counts, 12 B a release and an artist;
    0.5 s a million recordings and source on one core.
    """
    assert len(groups.release) == recording_count, (len(groups.release), recording_count)
    fits = fit_sources([each for each in sources if len(each.recordings)], groups)
    basis = ListeningBasis(recording_count, tuple(fit.basis for fit in fits))
    if not fits:
        even = 1 / max(1, recording_count)
        return Estimate(
            np.full(recording_count, even), np.zeros(recording_count, np.float32), np.ones(recording_count, np.float32), basis
        )
    share = np.empty(recording_count)
    low, high = np.empty(recording_count, np.float32), np.empty(recording_count, np.float32)
    for start, stop in chunks(recording_count):
        share[start:stop], low[start:stop], high[start:stop] = _combined(fits, basis, start, stop)
    total = sum(float(share[start:stop].sum()) for start, stop in chunks(recording_count))
    # 1 but for the last bits: each source's shares add up to 1, and so do the weights.
    for start, stop in chunks(recording_count):
        share[start:stop] /= total
    return Estimate(share, low, high, basis)


def _combined(fits: Sequence[SourceFit], basis: ListeningBasis, start: int, stop: int) -> tuple[F64, F64, F64]:
    weights = basis.weights
    if len(fits) == 1:
        share, below, above = fits[0].shares(start, stop)
        return share, share * np.exp(-below), np.minimum(1.0, share * np.exp(above))
    share, downs, ups = (np.zeros(stop - start) for _ in range(3))
    for fit, weight in zip(fits, weights, strict=True):
        own, below, above = fit.shares(start, stop)
        own *= weight
        share += own
        downs += (own * below) ** 2
        ups += (own * above) ** 2
    # Relative errors of the parts, each as large as its part of the share: sources err apart from one another.
    return share, share * np.exp(-np.sqrt(downs) / share), np.minimum(1.0, share * np.exp(np.sqrt(ups) / share))


def fit_sources(sources: Sequence[SourceCounts], groups: Groups) -> list[SourceFit]:
    """Return what each source says, in their order. Each has listens of at least one recording."""
    known = [float(each.listens.sum()) / float(each.listeners.sum()) for each in sources if each.listeners is not None]
    heard = [
        Audience(each.recordings, assumed_listeners(each.listens, known) if each.listeners is None else each.listeners)
        for each in sources
    ]
    if not sources:
        return []
    sizes = group_sizes(groups.release), group_sizes(groups.artist)
    return [_fit(place, sources, heard, groups, sizes) for place in range(len(sources))]


def _fit(
    place: int, sources: Sequence[SourceCounts], heard: Sequence[Audience], groups: Groups, sizes: tuple[F32, F32]
) -> SourceFit:
    source, own = sources[place], heard[place]
    count = len(groups.release)
    codes, by_code = pool_codes(place, heard, groups, sizes)
    pool_of, histogram = merged_pools(by_code)
    rates = fit_rates(histogram)
    plays = (assume_plays if source.listeners is None else fit_plays)(own.listeners, source.listens)
    # Nobody listens twice to one recording as two people: the most heard has no more listeners than the source has people.
    people = source.people or int(own.listeners.max())
    unheard = unheard_share(own.listeners, source.listens, people, 1 - len(own.recordings) / count)
    unheard_rate = float((histogram[:, 0] * rates.mean[:, 0]).sum())
    heard_plays = 0.0
    for start, stop in chunks(count):
        where, which = own.within(start, stop)
        listeners = own.listeners[which].astype(np.int64)
        mean = rates.rates(pool_of[codes[start:stop][where]], listeners)[0]
        heard_plays += float((mean * plays.of_recordings(listeners, source.listens[which])).sum())
    basis = SourceBasis(
        name=source.name,
        date=source.date,
        synthetic=source.synthetic,
        heard_count=len(own.recordings),
        listens=int(source.listens.sum()),
        listeners_counted=source.listeners is not None,
        pairs=own.pairs,
        unheard_share=unheard,
        effective_listeners=effective_listeners(own.listeners, source.listens, plays),
        pool_count=len(histogram),
        plays_knots=tuple(zip(plays.listeners, plays.plays, strict=True)),
        plays_within=plays.within,
        plays_between=plays.between,
    )
    unheard_scale = unheard / unheard_rate if unheard else 0.0
    return SourceFit(own, source.listens, codes, pool_of, rates, plays, unheard_scale, (1 - unheard) / heard_plays, basis)
