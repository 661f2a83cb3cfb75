"""One Discogs release to raw rows, one a track. Pure: an element in, rows out.

What a tracklist is: Discogs' Database Guidelines 12 (positions, index tracks, headings); names and joins: 2 and 12.3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from xml.etree.ElementTree import Element

from fonoteca.catalogue.desk import Cell

FIELDS = (
    "key",
    "title",
    "artist",
    "release",
    "release_id",
    "disc",
    "track",
    "year",
    "duration_s",
    "isrc",
    "genre",
    "source_uri",
)
UNWANTED = frozenset(
    {
        "images",
        "labels",
        "formats",
        "companies",
        "videos",
        "notes",
        "extraartists",
        "styles",
        "country",
        "data_quality",
        "role",
        "tracks",
    }
)
"""What of a release no row has. Left out as it is read, for it is most of the bytes."""

_NUMBER_MAX = 32767
_SUFFIX = re.compile(r" \([0-9]+\)$")
_YEAR = re.compile(r"([0-9]{4})(?:$|[^0-9])")
_DURATION = re.compile(r"(-?)(?:([0-9]{1,4}):)?([0-9]{1,5}):([0-9]{2}(?:\.[0-9]{1,3})?)")
_PART = re.compile(r"(?<=[0-9])\s*\(?[A-Z]\)?$")
_SUBPART = re.compile(r"(?<=[0-9])\.[0-9]+$")
_DISC_AND_TRACK = re.compile(r"(?:[A-Z]+[ .-]*)?([0-9]{1,3})\s*[-./]\s*([0-9]{1,5})")
_CARRIER_AND_TRACK = re.compile(r"(?:[A-Z]{3,}|CD|LP|BD|EP|MC|MP)[ .-]*([0-9]{1,5})")
_SIDE = re.compile(r"(?:(?:[A-Z]{3,}|LP|EP|MC|MD)[0-9]*[ .-]+)?([A-Z]{1,2})[ .-]*([0-9]{0,5})")
_TRACK = re.compile(r"[0-9]{1,5}")
_ISRC_OF = re.compile(r"(?:TRACK|TRK|TR|SIDE|NO|POSITION|POS)?[ .:#]*")


@dataclass(frozen=True, slots=True)
class Place:
    """What a position says. side: of a record or cassette, "" for other carriers. track: on the side, disc or release."""

    disc: int | None
    side: str
    track: int | None


class UnfitReleaseError(Exception):
    """A release's reason to be set aside."""


@lru_cache(maxsize=1 << 16)
def place_of(position: str, is_part: bool = False) -> Place:
    """Return what a position such as A1, 1-2, CD1-3, 2.05, LP-B4 or 7a says.

    is_part: of an index track, where 7.2 is in track 7.
    """
    text = position.strip().upper()
    if text.startswith(("MP3", "MP4")):
        text = "MP" + text[3:]  # the number is the coding's, not a disc's
    text = _PART.sub("", text)
    if is_part:
        text = _SUBPART.sub("", text)
    if found := _TRACK.fullmatch(text):
        return Place(None, "", _number(text))
    if found := _CARRIER_AND_TRACK.fullmatch(text):
        return Place(None, "", _number(found[1]))
    if found := _SIDE.fullmatch(text):
        return Place(None, found[1], _number(found[2]))
    if found := _DISC_AND_TRACK.fullmatch(text):
        return Place(_number(found[1]), "", _number(found[2]))
    return Place(None, "", None)


def _number(digits: str) -> int | None:
    number = int(digits or 0)
    return number if 0 < number <= _NUMBER_MAX else None


@lru_cache(maxsize=1 << 16)
def seconds_of(duration: str) -> float | None:
    """Return what 3:45, 1:02:03 or 3:45.5 stands for, None for what does not say."""
    found = _DURATION.fullmatch(duration.strip().strip("()"))
    if not found:
        return None
    total = int(found[2] or 0) * 3600 + int(found[3]) * 60 + float(found[4])
    return -total if found[1] else total


@lru_cache(maxsize=1 << 16)
def year_of(date: str) -> str:
    """Return the year of 1999-03-00, 1989 and the like, "" for 0000, 19?? and what has none."""
    found = _YEAR.match(date.strip())
    return "" if not found or found[1] == "0000" else found[1]


def credit_of(artists: Iterable[Element]) -> str:
    """Return a credit as written: names as on the release, or Discogs' own without the number that tells namesakes apart."""
    credit = joint = ""
    for artist in artists:
        name = variation = join = ""
        for part in artist:
            if part.tag == "name":
                name = part.text or ""
            elif part.tag == "anv":
                variation = part.text or ""
            elif part.tag == "join":
                join = part.text or ""
        name = variation.strip() or name.strip()
        if name.endswith(")") and not variation:
            name = _SUFFIX.sub("", name)
        credit += joint + name
        join = join.strip()
        joint = f"{'' if join[:1] in ',;:.、' else ' '}{join} " if join else ", "
    return credit


@dataclass(slots=True)
class _Track:
    """An entry of a tracklist that is a recording. entry: where in the list, 3 or, in an index track, 3.1."""

    entry: str
    position: str
    title: str
    duration: str
    artists: Element | None
    is_part: bool


class _Sides:
    """Which disc a side belongs to, and how many tracks went before on that disc.

    Sides go on from disc to disc (A, B, C, D are two records: guideline 12.2); those that begin elsewhere (X and Y, A and AA)
    are counted as they come.
    """

    def __init__(self) -> None:
        self._sides: dict[str, int] = {}
        self._from_a = False
        self._tracks: dict[int, dict[tuple[str, int | None, str], int]] = {}

    def place(self, place: Place, entry: str) -> tuple[int, int]:
        """Return disc and track of a position with a side. entry: tells positions apart that have no number."""
        side = place.side
        if side not in self._sides:
            self._from_a = self._from_a or (side == "A" and not self._sides)
            self._sides[side] = ord(side) - ord("A") if self._from_a and len(side) == 1 else len(self._sides)
        disc = self._sides[side] // 2 + 1
        before = self._tracks.setdefault(disc, {})
        return disc, before.setdefault((side, place.track, "" if place.track else entry), len(before) + 1)


@dataclass(slots=True)
class TrackReader:
    """Reads releases. years: of masters by id. counts: what was seen so far, for the facts of the source."""

    years: Sequence[int]
    counts: Counter[str] = field(default_factory=Counter)

    def rows(self, release: Element) -> list[tuple[Cell, ...]]:
        """Return the release's rows in order of FIELDS. Raises: UnfitReleaseError when it has no id or no tracks."""
        parts = {part.tag: part for part in release}
        number = (release.get("id") or "").strip()
        if not number.isdecimal() or not number.isascii():
            raise UnfitReleaseError(f"expected a number as id, found {number[:40]!r}")
        tracks = list(self._tracks(parts.get("tracklist", ())))
        if not tracks:
            raise UnfitReleaseError("no tracks")
        artist = credit_of(parts.get("artists", ()))
        title, genre = _text(parts, "title"), next((g.text or "" for g in parts.get("genres", ())), "")
        year, uri = self._year(parts), f"https://www.discogs.com/release/{number}"
        isrcs = self._isrcs(parts.get("identifiers", ()), tracks)
        sides, seen, rows = _Sides(), set[str](), list[tuple[Cell, ...]]()
        for track in tracks:
            place = place_of(track.position, track.is_part)
            disc, on_disc = sides.place(place, track.entry) if place.side else (place.disc, place.track)
            seconds = seconds_of(track.duration) if track.duration else None
            if seconds is None and track.duration:
                self.counts["durations_unreadable"] += 1
            key = track.position if track.position and track.position not in seen else f"#{track.entry}"
            seen.add(track.position)
            credit = (credit_of(track.artists) if track.artists is not None else "") or artist
            isrc = isrcs.get(track.entry, "")
            row = (f"{number}-{key}", track.title, credit, title, number, disc, on_disc, year, seconds, isrc, genre, uri)
            rows.append(row)
        self.counts["releases"] += 1
        self.counts["tracks"] += len(rows)
        return rows

    def _year(self, parts: Mapping[str, Element]) -> str:
        if year := year_of(_text(parts, "released")):
            return year
        master = _text(parts, "master_id")
        if master.isdecimal() and len(master) < 10 and int(master) < len(self.years) and self.years[int(master)]:
            self.counts["years_from_masters"] += 1
            return str(self.years[int(master)])
        return ""

    def _tracks(self, tracklist: Iterable[Element]) -> Iterator[_Track]:
        """Yield the entries that are recordings.

        An entry without position and duration, among others with positions, is a heading. An index track that neither has a
        position nor is the only one to say a duration stands for its parts, which bear its title before theirs.
        """
        entries = list(tracklist)
        numbered = any(position.text for entry in entries for position in entry.iter("position"))
        for index, entry in enumerate(entries, 1):
            track, parts = _entry(entry, str(index))
            if parts is None:
                if numbered and not track.position and not track.duration:
                    self.counts["headings"] += 1
                else:
                    yield track
                continue
            self.counts["index_tracks"] += 1
            subtracks = [_entry(part, f"{index}.{n}")[0] for n, part in enumerate(parts.iter("track"), 1)]
            if track.position or not subtracks or (track.duration and not any(part.duration for part in subtracks)):
                if not track.position and subtracks:
                    track.position, track.is_part = subtracks[0].position, True
                yield track
                continue
            for part in subtracks:
                part.is_part = True
                part.title = f"{track.title}: {part.title}" if track.title and part.title else part.title or track.title
                part.artists = part.artists if part.artists is not None else track.artists
                yield part

    def _isrcs(self, identifiers: Iterable[Element], tracks: Sequence[_Track]) -> dict[str, str]:
        """Return the ISRCs by entry: the one whose position or title the description names, or the only one of the release."""
        given = [i for i in identifiers if i.get("type") == "ISRC"]
        if not given:
            return {}
        named = Counter(_bare(track.title) for track in tracks)
        entries = {_bare(track.title): track.entry for track in tracks if named[_bare(track.title)] == 1}
        entries |= {_bare(track.position): track.entry for track in reversed(tracks)}
        entries[""] = tracks[0].entry if len(tracks) == 1 else ""
        placed: dict[str, list[str]] = {}
        for identifier in given:
            code = re.sub(r"[^A-Z0-9]", "", (identifier.get("value") or "").upper())
            description = (identifier.get("description") or "").upper()
            entry = entries.get(_bare(_ISRC_OF.sub("", description, count=1))) or entries.get(_bare(description))
            if entry:
                placed.setdefault(entry, []).append(code)
            self.counts["isrcs" if entry else "isrcs_of_no_track"] += 1
        return {entry: " ".join(codes) for entry, codes in placed.items()}


def _text(parts: Mapping[str, Element], tag: str) -> str:
    part = parts.get(tag)
    return "" if part is None or not part.text else part.text.strip()


def _bare(position: str) -> str:
    """Return a position without what people write in more than one way: case, blanks, leading zeros, last dots."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", re.sub(r"\s+", "", position.upper()).rstrip(".:"))


def _entry(element: Element, entry: str) -> tuple[_Track, Element | None]:
    """Return an entry of a tracklist and the parts of an index track."""
    position = title = duration = ""
    artists = parts = None
    for part in element:
        tag = part.tag
        if tag == "title":
            title = (part.text or "").strip()
        elif tag == "position":
            position = (part.text or "").strip()
        elif tag == "duration":
            duration = (part.text or "").strip()
        elif tag == "artists":
            artists = part
        elif tag == "sub_tracks":
            parts = part
    return _Track(entry, position, title, duration, artists, False), parts
