"""Who heard what: counts of a set of people for each row, in closed form, so that 256 million rows need no person by person.

A person visits artists, on them releases, on these hears tracks, and plays what is heard several times. With x the plays of a row
that one person is expected to make, its share of all listening times plays a person:

- the chance that a person hears the row at all is h(x) = 1 - (1 + x / (k m))^-k, so that plays a hearer, x / h(x), rise from m;
- visitors of an artist are Poisson; visitors of a release Poisson around its share of them; of those, some hear the track
  (binomial); the rest of its hearers come to it directly (Poisson). Expected hearers are h(x) for each person, exactly;
- plays beyond the first of each hearer are Poisson with a gamma mean: a few play it over and over.

So counts of tracks of one release, and of one artist, go up and down together, as they do between two halves of any real history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.synth.chance import F64, I64, U64, draw, key, normal_deck, slot
from fonoteca.catalogue.synth.settings import COMPILATION
from fonoteca.catalogue.synth.world import Appearances, World

PLAYS_MIN = 3.0
"""m: plays of a track by one who hears it, when few do. Made up; Celma's Last.fm 1K has about 4 on the whole."""
REACH = 0.5
"""k: how people differ in taste for a track; small is very much. Made up."""
BY_RELEASE = 0.6
"""Of a track's hearers, how many come by way of its release. Made up."""
REPEAT_SHAPE = 0.3
"""Shape of the gamma of plays beyond the first: small is heavy-tailed. Made up."""
VISIT_TRACKS = 3.0
"""A visit to a release is as likely as hearing a track of so many times its usual plays. Made up."""


@dataclass(frozen=True, slots=True)
class People:
    """A set of listeners, disjoint from any of another name. count: of them. plays: of each, expected."""

    name: str
    count: int
    plays: float


def heard_share(plays: F64) -> F64:
    """Return the chance that a person hears what one is expected to play so often."""
    heard: F64 = 1 - np.power(1 + plays / (REACH * PLAYS_MIN), -REACH)
    return heard


def _visits(expected: F64, draws: U64) -> F64:
    """Return Poisson counts by inversion, approximate (normal, cube root) where many are expected."""
    many = np.maximum(
        0, expected * np.power(1 - 1 / (9 * expected + 9) + normal_deck()[slot(draws, 0)] / (3 * np.sqrt(expected + 1)), 3)
    )
    few = np.flatnonzero(expected < 12)
    chance = (draws[few] >> np.uint64(11)).astype(np.float64) / 2.0**53
    mean = expected[few]
    term = np.exp(-mean)
    total, count = term.copy(), np.zeros(len(few))
    for step in range(1, 40):
        over = chance > total
        if not over.any():
            break
        count += over
        term = term * mean / step
        total += term
    counts: F64 = np.rint(many)
    counts[few] = count
    return counts


class Listening:
    """Counts of one set of people. scale: plays of a person, over the weight of all rows together."""

    def __init__(self, world: World, people: People, weight: float) -> None:
        self._world = world
        self._people = people
        self._scale = people.plays / weight
        self._artist_key = key(world.settings.seed, f"visitors {people.name}")
        self._seed = key(world.settings.seed, f"counts {people.name}")

    def counts(self, of: Appearances, weight: F64, block: int) -> tuple[I64, I64]:
        """Return listens and listeners of the rows of a block. weight: of each row's listening, as `World.love` times its split."""
        chance = np.random.Generator(np.random.SFC64([self._seed, block]))
        people = self._people.count
        visit, visitors = self._visitors(of, chance)
        heard = heard_share(weight * self._scale)
        by_release = np.minimum(0.9, BY_RELEASE * heard / visit[of.which])
        direct = np.maximum(0.0, heard - visit[of.which] * by_release)
        listeners = chance.poisson(people * direct)
        some = np.flatnonzero(visitors[of.which])
        listeners[some] += chance.binomial(visitors[of.which[some]], by_release[some])
        np.minimum(listeners, people, out=listeners)
        heard_rows = np.flatnonzero(listeners)
        hearers = listeners[heard_rows]
        more = weight[heard_rows] * self._scale / heard[heard_rows] - 1
        again = chance.poisson(chance.standard_gamma(hearers * REPEAT_SHAPE) * (more / REPEAT_SHAPE))
        listens = listeners.copy()
        listens[heard_rows] += again
        return listens, listeners

    def _visitors(self, of: Appearances, chance: np.random.Generator) -> tuple[F64, NDArray[np.int64]]:
        """Return the chance that a person visits each release, and how many did."""
        releases, world, people = of.releases, self._world, self._people.count
        taste, artist_taste = world.tastes(releases)
        visit = heard_share(VISIT_TRACKS * self._scale * taste)
        expected = people * heard_share(2 * VISIT_TRACKS * self._scale * artist_taste)
        artist = world.artist(releases.model)
        came = _visits(expected, draw(self._artist_key, artist)) / expected
        came = np.where(releases.kind == COMPILATION, 1.0, came)
        return visit, np.minimum(people, chance.poisson(people * visit * came))
