"""Releases, the artists they are by, and which recording each row is an appearance of."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.synth.chance import F64, U64, Bool, below, deck, draw, key, normal_deck, odds, slot
from fonoteca.catalogue.synth.settings import (
    ARTIST_WEIGHT,
    BONUS_SIZES,
    COMMON_TITLES,
    COMPILATION,
    COMPILATION_SIZES,
    COVERS,
    EDITION,
    KIND_SHARES,
    LIVE,
    ORIGINAL,
    RELEASE_WEIGHT,
    SHARE_SIGMA,
    SINGLE,
    SINGLE_SIZES,
    TRACK_WEIGHT,
    SynthSettings,
)

STREAMS = (
    "kind", "size", "pick", "debut", "artist", "single", "slot", "place", "hit", "cover", "cover-pick", "take",
    "artist-taste", "release-taste", "track-taste", "split",
)  # fmt: skip
RELEASES_A_STEP = 1 << 20
HITS_SHARE = 1 / 2000
HIT_SLOTS = 0.05
"""Compilations have 1 track in 20 from the best loved of 2,000 originals, so that a few recordings are copied often. Made up."""
REMIXES = 0.6
"""Further tracks of a single that are remixes of the first. Made up."""
NO_COMMON = -1
_SCALE = SHARE_SIGMA / (ARTIST_WEIGHT**2 + RELEASE_WEIGHT**2 + TRACK_WEIGHT**2) ** 0.5


@dataclass(frozen=True, slots=True)
class Releases:
    """Facts of some releases, an array each.

    model: the original release that an edition, single or live album takes after; the release itself otherwise.
    model_size: tracks that the model began with, all of them recordings of its own.
    """

    number: U64
    kind: NDArray[np.int64]
    model: U64
    model_size: U64


@dataclass(frozen=True, slots=True)
class Appearances:
    """Facts of some rows, an array each.

    place: of the row on its release, from 0. releases, which: facts of the releases that occur, and the index of each row's.
    home: the number of its recording, which is the number of the row where it first is; home_release: the release of that row.
    artist: of the recording. titled: the recording that it shares words with (itself, or the studio take).
    words: number that the words are drawn from; words_artist: in whose tongue they are. common: a title like Intro, or -1.
    version: LIVE, SINGLE (a remix) or 0.
    """

    row: U64
    place: U64
    releases: Releases
    which: NDArray[np.int64]
    home: U64
    home_release: U64
    artist: U64
    titled: U64
    words: U64
    words_artist: U64
    common: NDArray[np.int64]
    version: NDArray[np.int64]

    @property
    def release(self) -> U64:
        """Number of the release of each row."""
        return self.releases.number[self.which]

    @property
    def kind(self) -> NDArray[np.int64]:
        """Kind of the release of each row."""
        return self.releases.kind[self.which]

    @property
    def copied(self) -> Bool:
        """Whether the row repeats a recording whose home is elsewhere."""
        copied: Bool = self.home != self.row
        return copied


class World:
    """All releases of a synthetic catalogue. Memory: 4 B a release. Cost: three draws a release."""

    def __init__(self, settings: SynthSettings) -> None:
        self.settings = settings
        self._keys = {name: key(settings.seed, name) for name in STREAMS}
        self._release_count, self._artist_count = settings.releases, settings.artists
        self._scatter = _coprime(self._release_count)
        self._gather = pow(self._scatter, -1, self._release_count) if self._release_count > 1 else 0
        others = 1 - self._artist_count / self._release_count
        shares = {kind: share / others for kind, share in KIND_SHARES.items()}
        self._kinds = deck({ORIGINAL: 1 - sum(shares.values()), **shares})
        self._sizes = deck(settings.original_sizes())
        self._bonus, self._singles, self._compilations = deck(BONUS_SIZES), deck(SINGLE_SIZES), deck(COMPILATION_SIZES)
        self._hits = np.zeros(0, np.uint64)
        self._hits = self._best_loved()
        self.starts = self._lay_out()

    def draw(self, name: str, numbers: U64) -> U64:
        """Return the draws of one of this world's streams."""
        return draw(self._keys[name], numbers)

    def _kind(self, release: U64) -> NDArray[np.int64]:
        kinds = self._kinds[slot(self.draw("kind", release), 0)]
        kinds[self._debut_of(release) < np.uint64(self._artist_count)] = ORIGINAL
        return kinds

    def _debut_of(self, release: U64) -> U64:
        """Return the artist whose debut it is, or a number that is no artist's."""
        return release * np.uint64(self._scatter) % np.uint64(self._release_count)

    def artist(self, release: U64) -> U64:
        """Return the artist of original releases. Every artist has a debut; the rest fall to artist A u^2, a heavy tail."""
        debut = self._debut_of(release)
        drawn = self.draw("artist", release) >> np.uint64(32)
        other = below((drawn * drawn) >> np.uint64(32), self._artist_count)
        return np.where(debut < np.uint64(self._artist_count), debut, other)

    def _taste(self, release: U64) -> F64:
        """Return how much original releases are loved: artist and release part of ln(share), before scaling."""
        normal = normal_deck()
        artist = normal[slot(self.draw("artist-taste", self.artist(release)), 0)]
        return ARTIST_WEIGHT * artist + RELEASE_WEIGHT * normal[slot(self.draw("release-taste", release), 0)]

    def _as_original(self, release: U64) -> U64:
        """Return the release if it is an original, else some artist's debut, which always is one."""
        debut = below(self.draw("debut", release), self._artist_count)
        debut = debut * np.uint64(self._gather) % np.uint64(self._release_count)
        return np.where(self._kind(release) == ORIGINAL, release, debut)

    def pick(self, draws: U64) -> U64:
        """Return an original release for each draw: the better loved of two."""
        one = self._as_original(below(draws, self._release_count))
        other = self._as_original(below(draws >> np.uint64(32), self._release_count))
        return np.where(self._taste(one) >= self._taste(other), one, other)

    def _best_loved(self) -> U64:
        """Return the best loved originals, best first."""
        count = max(1, int(self._release_count * HITS_SHARE))
        best, tastes = np.zeros(0, np.uint64), np.zeros(0)
        for start in range(0, self._release_count, RELEASES_A_STEP):
            release = np.arange(start, min(start + RELEASES_A_STEP, self._release_count), dtype=np.uint64)
            release = release[self._kind(release) == ORIGINAL]
            taste = self._taste(release)
            if len(best) >= count:
                release, taste = release[taste > tastes[-1]], taste[taste > tastes[-1]]
            best, tastes = np.concatenate((best, release)), np.concatenate((tastes, taste))
            order = np.argsort(-tastes, kind="stable")[:count]
            best, tastes = best[order], tastes[order]
        return best

    def _lay_out(self) -> NDArray[np.uint32]:
        """Return the row at which each release begins, and the end. What is short of the row count goes to the first releases."""
        sizes = np.empty(self._release_count, np.uint16)
        for start in range(0, self._release_count, RELEASES_A_STEP):
            release = np.arange(start, min(start + RELEASES_A_STEP, self._release_count), dtype=np.uint64)
            sizes[start : start + len(release)] = self._size(release)
        short, rest = divmod(self.settings.tracks - int(sizes.sum(dtype=np.int64)), self._release_count)
        if short < 0:
            raise AssertionError(f"releases have more tracks than {self.settings.tracks}: the spare in original_sizes is too small")
        sizes += np.uint16(short)
        sizes[:rest] += np.uint16(1)
        starts = np.zeros(self._release_count + 1, np.uint32)
        np.cumsum(sizes, out=starts[1:])
        return starts

    def _size(self, release: U64) -> NDArray[np.int64]:
        facts = self.releases(release)
        draws = self.draw("place", release)
        sizes = facts.model_size.astype(np.int64)
        sizes += np.where(facts.kind == EDITION, self._bonus[slot(draws, 0)], 0)
        sizes = np.where(facts.kind == SINGLE, self._singles[slot(draws, 1)], sizes)
        return np.where(facts.kind == COMPILATION, self._compilations[slot(draws, 2)], sizes)

    def own_size(self, original: U64) -> U64:
        """Return how many tracks original releases began with."""
        return self._sizes[slot(self.draw("size", original), 0)].astype(np.uint64)

    def releases(self, number: U64) -> Releases:
        """Return the facts of releases."""
        kind = self._kind(number)
        model = number.copy()
        follows = np.flatnonzero((kind == EDITION) | (kind == SINGLE) | (kind == LIVE))
        model[follows] = self.pick(self.draw("pick", number[follows]))
        return Releases(number, kind, model, self.own_size(model))

    def appearances(self, row: U64) -> Appearances:
        """Return the facts of rows, cheapest when rows of a release stand together."""
        release = np.searchsorted(self.starts, row.astype(np.uint32), side="right") - 1
        first = np.ones(len(row), bool)
        np.not_equal(release[1:], release[:-1], out=first[1:])
        which = np.cumsum(first) - 1
        releases = self.releases(release[first].astype(np.uint64))
        return self._appear(row, releases, which)

    def _appear(self, row: U64, releases: Releases, which: NDArray[np.int64]) -> Appearances:
        kind, model, size = releases.kind[which], releases.model[which], releases.model_size[which]
        place = row - self.starts[releases.number][which]
        home, home_release = row.copy(), releases.number[which]
        begins = self.starts[model].astype(np.uint64)
        again = (kind == EDITION) & (place < size)
        home[again], home_release[again] = (begins + place)[again], model[again]
        taken = begins + below(self.draw("single", home_release), size)
        again = (kind == SINGLE) & (place == 0)
        home[again], home_release[again] = taken[again], model[again]
        slots = np.flatnonzero(kind == COMPILATION)
        home[slots], home_release[slots] = self._compiled(row[slots])
        artist = self.artist(np.where(home == row, model, home_release))
        version = np.where((kind == LIVE) & (place < size), LIVE, 0)
        remix = (kind == SINGLE) & (place > 0) & (slot(self.draw("take", row), 0) < odds(REMIXES))
        version[remix] = SINGLE
        titled = np.where(version == LIVE, begins + place, np.where(remix, taken, home))
        words, words_artist, common = self._worded(titled, artist)
        return Appearances(
            row, place, releases, which, home, home_release, artist, titled, words, words_artist, common, version
        )  # fmt: skip

    def _compiled(self, row: U64) -> tuple[U64, U64]:
        """Return recording and home release of the tracks of compilations."""
        draws = self.draw("slot", row)
        release = self.pick(draws)
        chosen = self.draw("hit", row)
        depth = chosen >> np.uint64(32)
        hit = self._hits[below((depth * depth) >> np.uint64(32), len(self._hits))]
        release = np.where(slot(chosen, 0) < odds(HIT_SLOTS), hit, release)
        return self.starts[release] + below(self.draw("place", draws), self.own_size(release)), release

    def _worded(self, titled: U64, artist: U64) -> tuple[U64, U64, NDArray[np.int64]]:
        """Return what the words of a title are drawn from: number, artist in whose tongue they are, index of a common title."""
        draws = self.draw("cover", titled)
        words, words_artist = titled.copy(), artist.copy()
        covers = np.flatnonzero(slot(draws, 0) < odds(COVERS))
        picked = self.draw("cover-pick", titled[covers])
        release = self.pick(picked)
        words_artist[covers] = self.artist(release)
        words[covers] = self.starts[release] + below(self.draw("place", picked), self.own_size(release))
        common = np.where(slot(draws, 1) < odds(COMMON_TITLES), slot(draws, 2).astype(np.int64), NO_COMMON)
        common[covers] = NO_COMMON
        return words, words_artist, common

    def love(self, of: Appearances) -> F64:
        """Return the weight of listening of each row's recording, not yet a share of the whole."""
        normal = normal_deck()
        artist = normal[slot(self.draw("artist-taste", of.artist), 0)]
        release = normal[slot(self.draw("release-taste", of.home_release), 0)]
        track = normal[slot(self.draw("track-taste", of.home), 0)]
        love: F64 = np.exp((ARTIST_WEIGHT * artist + RELEASE_WEIGHT * release + TRACK_WEIGHT * track) * _SCALE)
        return love

    def tastes(self, releases: Releases) -> tuple[F64, F64]:
        """Return the weight of listening that a track of each release has on average, and one of its artist."""
        normal = normal_deck()
        artist = normal[slot(self.draw("artist-taste", self.artist(releases.model)), 0)] * ARTIST_WEIGHT
        artist[releases.kind == COMPILATION] = 0.0
        release = normal[slot(self.draw("release-taste", releases.number), 0)] * RELEASE_WEIGHT
        by_track, by_release = (0.5 * (weight * _SCALE) ** 2 for weight in (TRACK_WEIGHT, RELEASE_WEIGHT))
        return np.exp((artist + release) * _SCALE + by_track), np.exp(artist * _SCALE + by_track + by_release)

    def split(self, of: Appearances) -> NDArray[np.uint16]:
        """Return how much of its recording's listening a row draws, against 64 for the row at home."""
        drawn = slot(self.draw("split", of.row), 0)
        return np.where(of.copied, 4 + ((drawn * drawn >> np.uint64(16)) * np.uint64(60) >> np.uint64(16)), 64).astype(np.uint16)


def _coprime(count: int) -> int:
    """Return a multiplier near the golden section of count that shares no factor with it."""
    multiplier = max(1, int(count * 0.6180339887))
    while gcd(multiplier, count) != 1:
        multiplier += 1
    return multiplier
