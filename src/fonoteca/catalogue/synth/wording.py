"""Titles, artists and release names: which words, in which spelling, with what after them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fonoteca.catalogue.synth.chance import U64, Bool, deck, draw, key, odds, slot
from fonoteca.catalogue.synth.settings import COMPILATION, EDITION, LIVE, ORIGINAL, SINGLE
from fonoteca.catalogue.synth.vocabulary import (
    EVEN,
    LONG,
    LOWER,
    NAME,
    PLAIN,
    SCRIPTS,
    SHORT,
    SHORT_SHARES,
    SPELLINGS,
    TITLE,
    TYPO,
    UPPER,
    VARIANTS,
    build_vocabulary,
)
from fonoteca.catalogue.synth.world import NO_COMMON, Appearances, Releases, World

Ints = NDArray[np.int64]

WORDS_A_TITLE = {
    1: 3025, 2: 3020, 3: 1965, 4: 1191, 5: 725, 6: 423, 7: 240, 8: 160, 9: 72, 10: 41, 11: 37, 12: 17, 13: 20, 14: 13, 15: 4,
    16: 2, 17: 1, 18: 1, 19: 1,
}  # fmt: skip
"""Words a title in ccmusic's tracks.csv (10,958 titles)."""
WORDS_A_RELEASE = {1: 230, 2: 328, 3: 221, 4: 166, 5: 105, 6: 47, 7: 26, 8: 18, 9: 9, 10: 4, 11: 4, 12: 2, 13: 4}
"""Words a release title in ccmusic's releases.csv (1,164 releases)."""
WORDS_AN_ARTIST = {1: 0.1, 2: 0.62, 3: 0.21, 4: 0.07}
"""Words an artist's name. Real names are of one word more often (45 % in ccmusic), but made-up single words would make namesakes of
more artists than there are."""
THE_ODDS = odds(0.06)
"""Artists in plain Latin whose name begins with The. Made up; 3 % in ccmusic."""
COMMON = (
    "Intro",
    "Outro",
    "Interlude",
    "Untitled",
    "Track 1",
    "Track 2",
    "Prelude",
    "Skit",
    "Bonus Track",
    "Love",
    "Home",
    "Hallelujah",
)
THE = "The "
LIVES = (" (Live)", " - Live", " (Live Version)", " [Live]")
REMIXES = (" (Remix)", " (Extended Mix)", " (Instrumental)", " (Acoustic Version)")
REMASTERS = (" (Remastered 2011)", " - Remastered", " (Remaster)", " - 2009 Remaster")
MARKS = ("!", "?", "...", ".")
NAMED = (" (Deluxe Edition)", " (Remastered)", " (Expanded Edition)", " (Live)")
GUEST_OPEN, GUEST_CLOSE = (" (feat. ", " (ft. ", " [feat. ", " feat. ", " (featuring ", " & "), (")", ")", "]", "", ")", "")
FIXED = [*COMMON, *(c.lower() for c in COMMON), *(c.upper() for c in COMMON), *COMMON, *COMMON]
FIXED += [THE, *LIVES, *REMIXES, *REMASTERS, *MARKS, *NAMED, *GUEST_OPEN, ")", "]"]

SENTENCE = SPELLINGS
"""A spelling of titles, not of words: the first word capitalised, the others in lower case."""
_SPELLING = np.array(
    [[TITLE, TITLE], [LOWER, LOWER], [UPPER, UPPER], [PLAIN, PLAIN], [TITLE, TITLE], [TITLE, LOWER]], np.int64
)  # fmt: skip
NONE = -1
_SHORT_ODDS = np.array([odds(share) for share in SHORT_SHARES], np.uint64)


@dataclass(frozen=True, slots=True)
class Dress:
    """How a row spells what it names, an array each; the words themselves are the recording's.

    spelling: of the title, TITLE to SENTENCE; artist_spelling: likewise. hyphen: whether the first two words are joined so.
    slip: which word of the title has a slip of the finger, counted round, or -1; artist_slip: likewise. mark: of MARKS, or -1.
    version: whether a live take is called so; version_style: how, against the recording's own way. remaster: of REMASTERS, or -1.
    guest: index into GUEST_OPEN of how a guest is named, or -1. guest_by_artist: with the artist rather than the title;
    guest_first: before the artist, if there. article: whether a name's The is said.
    """

    spelling: Ints
    artist_spelling: Ints
    hyphen: Bool
    slip: Ints
    artist_slip: Ints
    mark: Ints
    version: Bool
    version_style: Ints
    remaster: Ints
    guest: Ints
    guest_by_artist: Bool
    guest_first: Bool
    article: Bool


def _texts(vocabulary: pa.StringArray, tokens: Ints, counts: Ints) -> pa.StringArray:
    """Return one text for each count of tokens in a row, without a join: taken tokens lie end to end already."""
    taken = vocabulary.take(pa.array(tokens.astype(np.uint32)))
    starts = np.frombuffer(taken.buffers()[1], np.int32, len(tokens) + 1)
    ends = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=ends[1:])
    return pa.StringArray.from_buffers(len(counts), pa.py_buffer(starts[ends]), taken.buffers()[2])


def _slipped(spelling: Ints, place: Ints, counts: Ints, slip: Ints) -> Ints:
    """Return the spelling of words, wrong for the one in which the finger slipped."""
    return np.where((slip != NONE) & (place == slip % np.maximum(counts, 1)), TYPO, spelling)


class _Line:
    """Tokens of many texts, put down part by part: each part gives each text none, one or more tokens."""

    def __init__(self, row_count: int) -> None:
        self._parts: list[tuple[Ints, Ints]] = []
        self._row_count = row_count

    def put(self, counts: Ints, tokens: Ints) -> None:
        self._parts.append((counts, tokens))

    def put_one(self, given: Bool, tokens: Ints) -> None:
        """Give a token to those texts that have one. tokens: for each text."""
        if given.any():
            self._parts.append((given.astype(np.int64), tokens[given]))

    def texts(self, vocabulary: pa.StringArray) -> pa.StringArray:
        counts = np.zeros(self._row_count, np.int64)
        for part, _ in self._parts:
            counts += part
        begins = np.cumsum(counts) - counts
        tokens = np.empty(int(counts.sum()), np.int64)
        for part, made in self._parts:
            if len(made) == self._row_count and part.max(initial=0) <= 1:
                tokens[begins] = made
            else:
                shift = begins - (np.cumsum(part) - part)
                tokens[np.repeat(shift, part) + np.arange(len(made))] = made
            begins = begins + part
        return _texts(vocabulary, tokens, counts)


class Wording:
    """Says what rows of a world are called. Memory: the vocabulary, 0.4 GB at full size."""

    def __init__(self, world: World) -> None:
        self._world = world
        seed = world.settings.seed
        self._vocabulary = build_vocabulary(seed, world.settings.tracks, FIXED)
        self._title_words, self._artist_words = deck(WORDS_A_TITLE), deck(WORDS_AN_ARTIST)
        self._release_words = deck(WORDS_A_RELEASE)
        self._scripts = deck({number: script.share for number, script in enumerate(SCRIPTS)})
        self._key = {
            name: key(seed, name) for name in ("word", "title", "name", "script", "release-title", "guest", "dress", "edition")
        }
        fixed = self._vocabulary.fixed
        self._commons = np.array([fixed[FIXED[place]] for place in range(5 * len(COMMON))], np.int64)
        self._lists = {
            name: np.array([fixed[text] for text in texts], np.int64)
            for name, texts in (
                ("live", LIVES), ("remix", REMIXES), ("remaster", REMASTERS), ("mark", MARKS), ("named", NAMED),
                ("open", GUEST_OPEN),
            )
        }  # fmt: skip
        self._closes = np.array([fixed.get(text, NONE) for text in GUEST_CLOSE], np.int64)
        self._the = fixed[THE]

    def script(self, artist: U64) -> Ints:
        """Return the script of artists."""
        return self._scripts[slot(draw(self._key["script"], artist), 0)]

    def _words(self, seeds: U64, counts: Ints, scripts: Ints) -> tuple[Ints, Ints, Ints]:
        """Return word, text and place of each word of phrases. seeds: what a phrase's words are drawn from."""
        text = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts, counts)
        draws = draw(self._key["word"], seeds[text] * np.uint64(64) + place.astype(np.uint64))
        few = counts[text] <= 2
        short = slot(draws, 0) < _SHORT_ODDS[np.minimum(counts[text], len(SHORT_SHARES) - 1)]
        way = np.where(short, SHORT, np.where(few & (place == 0), EVEN, LONG))
        return self._vocabulary.words(scripts[text], way, draws), text, place

    def titles(self, of: Appearances, dress: Dress) -> pa.StringArray:
        """Return the titles of rows."""
        draws = draw(self._key["title"], of.words)
        counts = np.where(of.common == NO_COMMON, self._title_words[slot(draws, 0)], 0)
        scripts = self.script(of.words_artist)
        line = _Line(len(counts))
        common = self._commons[np.minimum(dress.spelling, 4) * len(COMMON) + np.maximum(of.common, 0) % len(COMMON)]
        common = np.where(dress.spelling == SENTENCE, self._commons[np.maximum(of.common, 0) % len(COMMON)], common)
        line.put_one(of.common != NO_COMMON, common)
        line.put(counts, self._spelt(of.words, counts, scripts, dress))
        line.put_one(dress.mark != NONE, self._lists["mark"][dress.mark])
        said = dress.version & (of.version == LIVE)
        chosen = slot(draw(self._key["title"], of.home), 1).astype(np.int64)
        style = np.where(chosen < odds(0.7), 0, chosen) + dress.version_style
        line.put_one(said, self._lists["live"][style % len(LIVES)])
        line.put_one(of.version == SINGLE, self._lists["remix"][chosen % len(REMIXES)])
        self._guest(line, of, dress, ~dress.guest_by_artist)
        line.put_one(dress.remaster != NONE, self._lists["remaster"][dress.remaster])
        return line.texts(self._vocabulary.tokens)

    def _spelt(self, seeds: U64, counts: Ints, scripts: Ints, dress: Dress) -> Ints:
        words, text, place = self._words(seeds, counts, scripts)
        spelling = _SPELLING[dress.spelling[text], np.minimum(place, 1)]
        spelling = _slipped(spelling, place, counts[text], dress.slip[text])
        variant = spelling + np.where(place > 0, SPELLINGS, 0)
        variant = np.where(dress.hyphen[text] & (place == 1), VARIANTS - 1, variant)
        return variant * self._vocabulary.count + words

    def _guest(self, line: _Line, of: Appearances, dress: Dress, here: Bool) -> None:
        given = np.flatnonzero(here & (dress.guest != NONE))
        if not len(given):
            return
        guest = self._world.artist(self._world.pick(draw(self._key["guest"], of.home[given])))
        some = np.zeros(len(of.row), bool)
        some[given] = True
        line.put_one(some, self._lists["open"][dress.guest])
        counts = np.zeros(len(of.row), np.int64)
        counts[given] = self._name_counts(guest)
        tokens = self._name(guest, counts[given], np.full(len(given), TITLE), np.full(len(given), NONE))
        line.put(counts, tokens)
        close = self._closes[dress.guest]
        line.put_one(some & (close != NONE), close)

    def _name_counts(self, artist: U64) -> Ints:
        return self._artist_words[slot(draw(self._key["name"], artist), 0)]

    def _guest_before(self, line: _Line, of: Appearances, dress: Dress) -> None:
        first = dress.guest_first & dress.guest_by_artist & (dress.guest != NONE)
        if first.any():
            guest = self._world.artist(self._world.pick(draw(self._key["guest"], of.home[first])))
            counts = np.zeros(len(first), np.int64)
            counts[first] = self._name_counts(guest)
            line.put(counts, self._name(guest, counts[first], np.full(len(guest), TITLE), np.full(len(guest), NONE)))
            line.put_one(first, np.full(len(first), self._lists["open"][-1]))

    def _name(self, artist: U64, counts: Ints, spelling: Ints, slip: Ints) -> Ints:
        text = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts, counts)
        draws = draw(self._key["name"], (artist[text] + np.uint64(1)) * np.uint64(64) + place.astype(np.uint64))
        words = self._vocabulary.words(self.script(artist)[text], np.full(len(text), NAME), draws)
        spelt = _slipped(_SPELLING[spelling[text], np.minimum(place, 1)], place, counts[text], slip[text])
        return (spelt + np.where(place > 0, SPELLINGS, 0)) * self._vocabulary.count + words

    def artists(self, of: Appearances, dress: Dress) -> pa.StringArray:
        """Return the artist credits of rows."""
        artist = of.artist
        line = _Line(len(artist))
        self._guest_before(line, of, dress)
        the = (slot(draw(self._key["name"], artist), 1) < THE_ODDS) & (self.script(artist) == 0)
        line.put_one(the & dress.article, np.full(len(artist), self._the))
        counts = self._name_counts(artist)
        line.put(counts, self._name(artist, counts, dress.artist_spelling, dress.artist_slip))
        self._guest(line, of, dress, dress.guest_by_artist & ~dress.guest_first)
        return line.texts(self._vocabulary.tokens)

    def release_titles(self, releases: Releases) -> pa.StringArray:
        """Return the names of releases: an edition's is its model's, a release of one track has its title."""
        world = self._world
        count = len(releases.number)
        named = np.where(releases.kind == COMPILATION, releases.number, releases.model)
        lone = ((releases.kind == ORIGINAL) & (releases.model_size == 1)) | (releases.kind == SINGLE)
        seeds = np.where(lone, world.starts[releases.model].astype(np.uint64), named + np.uint64(1 << 40))
        words = self._release_words[slot(draw(self._key["release-title"], named), 0)]
        titled = self._title_words[slot(draw(self._key["title"], seeds), 0)]
        counts = np.where(lone, titled, words)
        scripts = np.where(releases.kind == COMPILATION, 0, self.script(world.artist(releases.model)))
        line = _Line(count)
        made, _, place = self._words(seeds, counts, scripts)
        line.put(counts, np.where(place > 0, SPELLINGS, 0) * self._vocabulary.count + made)
        chosen = slot(draw(self._key["edition"], releases.number), 0).astype(np.int64) % 4
        edition = (releases.kind == EDITION) & (chosen != 3)
        line.put_one(edition | (releases.kind == LIVE), self._lists["named"][np.where(releases.kind == LIVE, 3, chosen)])
        return line.texts(self._vocabulary.tokens)
