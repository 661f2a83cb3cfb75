"""A small world with known truth: artists, their releases, tracks that are loved unequally, and people who come by release."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.popularity_pools import Groups
from fonoteca.catalogue.popularity_trial import Counts, Histories


@dataclass(frozen=True, slots=True)
class World:
    """groups and true share of each track."""

    groups: Groups
    share: NDArray[np.float64]

    def counts(self, chance: np.random.Generator, pairs: float) -> Counts:
        """Return what some people play: so many pairs on average, each with a heavy tail of plays."""
        share = self.share
        listeners = chance.poisson(share * pairs)
        plays = np.zeros(len(share), np.int64)
        heard = np.flatnonzero(listeners)
        many = np.repeat(heard, listeners[heard])
        np.add.at(plays, many, 1 + chance.poisson(chance.gamma(0.4, 5.0, len(many))))
        return Counts(plays, listeners, max(1, round(pairs / 1000)))


def make_world(chance: np.random.Generator, tracks: int) -> World:
    """Return a world whose ln(share) is normal by artist, release and track."""
    release = np.sort(chance.integers(0, tracks // 5, tracks)).astype(np.int32)
    artist = (chance.random(tracks // 5) ** 2 * (tracks // 18)).astype(np.int32)[release]
    loved = chance.normal(0, 1.6, tracks // 18 + 1)[artist] + chance.normal(0, 1.0, tracks // 5)[release]
    share = np.exp(loved + chance.normal(0, 1.3, tracks))
    return World(Groups(release, artist), share / share.sum())


def read_hetrec(lines: list[str]) -> Histories:
    """Return the histories of user_artists.dat's lines, heading included."""
    user, item, listens = np.array([line.split() for line in lines[1:]], np.int64).T
    _, item = np.unique(item, return_inverse=True)
    _, user = np.unique(user, return_inverse=True)
    return Histories(user, item, listens, int(item.max()) + 1)
