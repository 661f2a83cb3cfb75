"""What a row of the catalogue says of its recording beside its words: ids, ISRC, length, year, genre, licence; and its dress."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fonoteca.catalogue.synth.chance import U64, Bool, deck, draw, key, normal_deck, odds, quantile_deck, slot, undraw
from fonoteca.catalogue.synth.settings import (
    COPY_NO_ISRC,
    COPY_OTHER_ISRC,
    EDITION,
    EDITION_OTHER_ISRC,
    GUESTS,
    LIVE,
    LIVE_TAKES_ISRC,
    LOVED_MBIDS,
    MBID_ROWS,
    NO_ISRC,
    SINGLE,
    WRONG_ISRC,
)
from fonoteca.catalogue.synth.vocabulary import LOWER, PLAIN, TITLE, UPPER
from fonoteca.catalogue.synth.wording import NONE, SENTENCE, Dress
from fonoteca.catalogue.synth.world import Appearances, World

DURATION_KNOTS_S = [
    (0.0, 25), (0.015, 60), (0.06, 105), (0.1, 116), (0.15, 123), (0.23, 150), (0.33, 175), (0.42, 184), (0.55, 205), (0.67, 234),
    (0.74, 244), (0.86, 290), (0.95, 380), (0.99, 600), (0.998, 1200), (1.0, 3600),
]  # fmt: skip
"""Lengths: peaks at 2, 3 and 4 minutes, as the peer's plot has; between them made up."""
YEAR_KNOTS = [(0.0, 1950), (0.03, 1970), (0.1, 1990), (0.22, 2000), (0.4, 2010), (0.6, 2016), (0.85, 2021), (1.0, 2025)]
"""Years of release: most are recent, as the peer's timeline has; made up."""
YEAR_MAX = 2025
GENRES = (
    "", "pop", "rock", "electronic", "hip hop", "classical", "jazz", "folk", "metal", "ambient", "techno", "house", "punk",
    "country", "blues", "reggae", "soul", "latin", "soundtrack", "spoken word", "world", "gospel", "indie", "r&b",
    "children's music",
)  # fmt: skip
_CC = "https://creativecommons.org"
LICENCES = (
    "", f"{_CC}/licenses/by/4.0/", f"{_CC}/licenses/by-sa/4.0/", f"{_CC}/licenses/by-nc-sa/3.0/", f"{_CC}/licenses/by-nc-nd/3.0/",
    f"{_CC}/publicdomain/zero/1.0/", f"{_CC}/publicdomain/mark/1.0/",
)  # fmt: skip
COUNTRIES = [
    "US",
    "GB",
    "DE",
    "FR",
    "QZ",
    "SE",
    "NL",
    "IT",
    "ES",
    "JP",
    "KR",
    "BR",
    "AU",
    "CA",
    "RU",
    "PL",
    "SE",
    "FI",
    "NO",
    "DK",
    "GR",
    "TR",
    "IL",
    "EG",
    "MX",
    "AR",
]
SERIALS = 100_000
"""Designations of five digits in an ISRC, for each registrant and year (ISO 3901)."""
_UUID_BITS = np.uint64(0xF0 << 48), np.uint64(0x40 << 48), np.uint64(0xC0), np.uint64(0x80)


class Facts:
    """Says what rows of a world say. Draws only; 0.5 MB of tables."""

    def __init__(self, world: World) -> None:
        self._world = world
        names = (
            "uuid",
            "mbid",
            "release-id",
            "low",
            "isrc",
            "copy",
            "length",
            "jitter",
            "year",
            "genre",
            "licence",
            "dress",
            "home-dress",
            "guest",
        )
        self._key = {name: key(world.settings.seed, name) for name in names}
        self._lengths_ms = quantile_deck([(share, 1000.0 * seconds) for share, seconds in DURATION_KNOTS_S])
        self._years = quantile_deck([(share, float(year)) for share, year in YEAR_KNOTS])
        self._genres = deck({number: 1 / (number + 1.5) for number in range(len(GENRES))})
        self._licences = deck({number: 0.94 if number == 0 else 0.01 for number in range(len(LICENCES))})
        self._decks = {
            "home": deck({TITLE: 75, SENTENCE: 13, LOWER: 4, UPPER: 5, PLAIN: 3}),
            "copy": deck({TITLE: 45, SENTENCE: 20, LOWER: 11, UPPER: 12, PLAIN: 12}),
            "guest": deck({0: 40, 1: 14, 2: 8, 4: 8, 3 + 8: 22, 5 + 8: 8}),
        }
        self._registrants = _registrants(world.settings.seed)
        digits = np.arange(SERIALS)[:, None] // 10 ** np.arange(4, -1, -1) % 10
        self._digits = (digits + ord("0")).astype(np.uint8)

    def _uuids(self, name: str, numbers: U64) -> NDArray[np.uint64]:
        """Return random UUIDs of version 4 (RFC 9562), shape (n, 2), in the byte order of a little-endian machine."""
        pair = np.empty((len(numbers), 2), np.uint64)
        high = draw(self._key[name], numbers)
        low = draw(self._key["low"], high)
        pair[:, 0] = (high & ~_UUID_BITS[0]) | _UUID_BITS[1]
        pair[:, 1] = (low & ~_UUID_BITS[2]) | _UUID_BITS[3]
        return pair

    def uuids(self, row: U64, given: Bool | None = None) -> pa.Array:
        """Return each row's own id. given: which are not null, all by default."""
        return _uuid_array(self._uuids("uuid", row), given)

    def guest_styles(self, slots: U64) -> NDArray[np.int64]:
        """Return ways to name a guest: an index into GUEST_OPEN, and 8 more when it goes with the artist."""
        return self._decks["guest"][slots]

    def recordings_of_ids(self, pairs: NDArray[np.uint64]) -> U64:
        """Return the true recording of ids, the catalogue's uuids or MBIDs; `tracks` for others. pairs: their bytes, shape (n, 2).

        So an answer can be judged without a join with 256 million rows. Cost: about 1 us an id.
        """
        row, recording = self._numbers_of("uuid", pairs), self._numbers_of("mbid", pairs)
        known = row < np.uint64(self._world.settings.tracks)
        recording[known] = self._world.appearances(row[known]).home
        return recording

    def _numbers_of(self, name: str, pairs: NDArray[np.uint64]) -> U64:
        """Return the numbers that ids were drawn for. The four bits that the version takes are tried: a draw is a bijection."""
        count = np.uint64(self._world.settings.tracks)
        found = np.full(len(pairs), count)
        for bits in range(16):
            numbers = undraw(self._key[name], (pairs[:, 0] & ~_UUID_BITS[0]) | np.uint64(bits << 52))
            low = draw(self._key["low"], draw(self._key[name], numbers))
            right = (numbers < count) & (((low ^ pairs[:, 1]) & ~_UUID_BITS[2]) == 0)
            found[right] = numbers[right]
        return found

    def mbids(self, of: Appearances) -> pa.Array:
        """Return MBIDs, null for most: a recording's home row has it, if it has one."""
        pairs, given = self._mbids(of)
        return _uuid_array(pairs, given)

    def ids(self, of: Appearances) -> pa.Array:
        """Return the ids that an import gives rows: the MBID, or else the row's own."""
        pairs, given = self._mbids(of)
        return _uuid_array(np.where(given[:, None], pairs, self._uuids("uuid", of.row)), None)

    def _mbids(self, of: Appearances) -> tuple[NDArray[np.uint64], Bool]:
        home_odds = MBID_ROWS / self._world.settings.home_share
        draws = draw(self._key["mbid"], of.home)
        loved = normal_deck()[slot(draws, 1)] + normal_deck()[slot(self._world.draw("artist-taste", of.artist), 0)] > 0
        given = slot(draws, 0) < np.where(loved, odds(LOVED_MBIDS * home_odds), odds((2 - LOVED_MBIDS) * home_odds))
        return self._uuids("mbid", of.home), given & ~of.copied

    def release_ids(self, releases: U64, which: NDArray[np.int64]) -> pa.Array:
        """Return the ids of the releases of rows."""
        return _uuid_array(self._uuids("release-id", releases)[which], None)

    def lengths(self, of: Appearances) -> NDArray[np.int32]:
        """Return what each row says its recording's length is, in ms."""
        recording = self.true_lengths(of)
        draws = draw(self._key["jitter"], of.row)
        chance, size = slot(draws, 0), slot(draws, 1).astype(np.int64)
        near = (size - 32768) * 1000 // 32768
        wide = np.where(size & 1, 1, -1) * (1000 + (size >> 1) * 1000 // 32768)
        far = np.where(size & 1, 1, -1) * (2100 + (size >> 1) * 4000 // 32768)
        shift = np.select([chance < odds(0.45), chance < odds(0.91), chance < odds(0.965)], [0 * near, near, wide], far)
        return np.maximum(1000, recording + np.where(of.copied, shift, 0)).astype(np.int32)

    def true_lengths(self, of: Appearances) -> NDArray[np.int64]:
        """Return the lengths of recordings, in ms. Another take of a recording differs by 5 s or more."""
        draws = draw(self._key["length"], of.titled)
        length = self._lengths_ms[slot(draws, 0)] + slot(draws, 1).astype(np.int64) % 1000 - 500
        other = draw(
            self._key["length"], np.where(of.version == LIVE, of.release + np.uint64(1 << 40), of.row + np.uint64(1 << 41))
        )
        change = 5500 + slot(other, 0).astype(np.int64) % 60_000
        change = np.where((slot(other, 1) & np.uint64(1) == 0) & (length > 90_000), -change, change)
        true: NDArray[np.int64] = np.maximum(1000, length + np.where(of.version > 0, change, 0))
        return true

    def years(self, of: Appearances) -> NDArray[np.int16]:
        """Return the year of the release of each row."""
        year = self._years[slot(draw(self._key["year"], of.releases.model), 0)]
        later = slot(draw(self._key["year"], of.releases.number), 1).astype(np.int64) % 12
        follows = (of.releases.kind == EDITION) | (of.releases.kind == LIVE) | (of.releases.kind == SINGLE)
        late = np.where(of.releases.kind == SINGLE, later // 11, later)
        return np.minimum(YEAR_MAX, year + np.where(follows, late, 0)).astype(np.int16)[of.which]

    def isrcs(self, of: Appearances) -> pa.StringArray:
        """Return ISRCs, "" where a row has none."""
        draws, copy = draw(self._key["isrc"], of.home), draw(self._key["copy"], of.row)
        number = of.home.copy()
        wrong = (slot(draws, 1) < odds(WRONG_ISRC)) & (of.home == of.row) & (of.place > 0)
        number[wrong] -= np.uint64(1)
        taken = (of.version == LIVE) & (slot(draws, 1) < odds(LIVE_TAKES_ISRC))
        number[taken] = of.titled[taken]
        anew = (of.kind == EDITION) & (slot(draw(self._key["isrc"], of.release + np.uint64(1 << 40)), 2) < odds(EDITION_OTHER_ISRC))
        anew |= slot(copy, 0) < odds(COPY_OTHER_ISRC)
        anew &= of.copied
        number[anew] = of.row[anew]
        none = (slot(draws, 0) < odds(NO_ISRC)) | (of.copied & (slot(copy, 1) < odds(COPY_NO_ISRC)))
        return self._isrc_texts(number[~none], ~none)

    def _isrc_texts(self, number: U64, given: Bool) -> pa.StringArray:
        letters = np.empty((len(number), 12), np.uint8)
        registrant, serial = number // np.uint64(SERIALS), number % np.uint64(SERIALS)
        letters[:, :5] = self._registrants[registrant]
        year = self._years[slot(draw(self._key["year"], number >> np.uint64(10)), 3)] % 100
        letters[:, 5], letters[:, 6] = ord("0") + year // 10, ord("0") + year % 10
        letters[:, 7:] = self._digits[serial]
        ends = np.zeros(len(given) + 1, np.int32)
        np.cumsum(given * 12, out=ends[1:])
        return pa.StringArray.from_buffers(len(given), pa.py_buffer(ends), pa.py_buffer(letters))

    def genres(self, of: Appearances) -> pa.DictionaryArray:
        """Return an artist's genre, "" for some."""
        chosen = self._genres[slot(draw(self._key["genre"], of.artist), 0)]
        return pa.DictionaryArray.from_arrays(pa.array(chosen.astype(np.int8)), pa.array(GENRES))

    def licences(self, of: Appearances) -> pa.DictionaryArray:
        """Return the licence of a recording's home release, "" for most."""
        chosen = self._licences[slot(draw(self._key["licence"], of.home_release), 0)]
        return pa.DictionaryArray.from_arrays(pa.array(chosen.astype(np.int8)), pa.array(LICENCES))

    def dress(self, of: Appearances) -> Dress:
        """Return how catalogue rows spell: a recording's home has its own way, a copy the same or, one time in four, another."""
        home, row = draw(self._key["home-dress"], of.home), draw(self._key["dress"], of.row)
        house = draw(self._key["home-dress"], of.home_release + np.uint64(1 << 40))
        other = draw(self._key["dress"], of.row + np.uint64(1 << 40))
        changed = of.copied & (slot(row, 0) < odds(0.25))
        spelling = np.where(changed, self._decks["copy"][slot(row, 1)], self._decks["home"][slot(house, 0)])
        mark = np.where(slot(home, 0) < odds(0.05), slot(home, 1).astype(np.int64) % 4, NONE)
        mark = np.where(
            of.copied & (slot(row, 2) < odds(0.04)), np.where(mark == NONE, slot(row, 3).astype(np.int64) % 4, NONE), mark
        )
        slip = np.where(of.copied & (slot(other, 0) < odds(0.005)), 0, NONE)
        remaster = np.where(
            (of.kind == EDITION) & of.copied & (slot(house, 2) < odds(0.06)), slot(house, 3).astype(np.int64) % 4, NONE
        )
        has_guest = self._has_guest(of)
        style = np.where(of.copied & (slot(other, 1) < odds(0.4)), slot(other, 2), slot(home, 2))
        style = self.guest_styles(style)
        omitted = of.copied & (slot(other, 3) < odds(0.05))
        return Dress(
            spelling=spelling,
            artist_spelling=np.where(changed & ((spelling == UPPER) | (spelling == PLAIN)), spelling, TITLE),
            hyphen=of.copied & (slot(row, 3) < odds(0.01)),
            slip=slip,
            mark=mark,
            version=slot(house, 1) < odds(0.75),
            remaster=remaster,
            guest=np.where(has_guest & ~omitted, style & 7, NONE),
            guest_by_artist=style >= 8,
            version_style=np.zeros(len(of.row), np.int64),
            artist_slip=np.full(len(of.row), NONE),
            guest_first=np.zeros(len(of.row), bool),
            article=~(of.copied & (slot(row, 0) > odds(0.97))),
        )

    def _has_guest(self, of: Appearances) -> Bool:
        return slot(draw(self._key["guest"], of.home), 0) < odds(GUESTS)


def _uuid_array(pairs: NDArray[np.uint64], given: Bool | None) -> pa.Array:
    """Return UUIDs as Arrow's own type, which Parquet keeps as UUID. given: which are not null."""
    nulls = None if given is None else pa.py_buffer(np.packbits(given, bitorder="little"))
    storage = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(pairs), [nulls, pa.py_buffer(np.ascontiguousarray(pairs))])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def _registrants(seed: int) -> NDArray[np.uint8]:
    """Return country and registrant code of each hundred thousand numbers, five letters, no two alike."""
    number = np.arange(36**3, dtype=np.int64)
    letters = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", np.uint8)
    countries = np.frombuffer("".join(COUNTRIES).encode(), np.uint8).reshape(-1, 2)
    code = (number * 17_389 + seed % 46_656) % 36**3
    chosen = slot(draw(key(seed, "country"), number.astype(np.uint64)), 0) % np.uint64(len(countries))
    return np.concatenate((countries[chosen], *(letters[code // 36**place % 36][:, None] for place in (2, 1, 0))), axis=1)
