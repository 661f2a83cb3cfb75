"""Recordings out of MusicBrainz' JSON: entities of the JSON dump and answers of the web service, which share one shape. Pure.

Source: musicbrainz-server, lib/MusicBrainz/Server/WebService/Serializer/JSON/2/ and the tests in t/lib/t/MusicBrainz/Server/
Controller/WS/2/JSON/; search answers differ in small things (`track` for `tracks`, ISRCs as objects), which are allowed for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fonoteca.catalogue.desk import Cell
from fonoteca.catalogue.musicbrainz.schema import RECORDING_LICENCE, RELEASE_LICENCE

Entity = Literal["recording", "release", ""]
Found = Mapping[str, Any]

FIELDS = (
    *("id", "title", "artist", "release", "release_id", "disc", "track", "year"),
    *("duration_ms", "isrc", "licence", "source_uri", "genre"),
)
ORDER = ("unofficial", "released")
"""What rows are put in order by: 0 for an official release, 1 for another, 2 for none; and its date, "9" when there is none."""

_RECORDING_KEYS = frozenset({"length", "video", "isrcs", "first-release-date"})
_RELEASE_KEYS = frozenset({"media", "text-representation", "barcode", "packaging", "label-info", "release-events", "track-count"})
_COUNTS_MAX = 10**6


class UnfitError(Exception):
    """Why a document is no recording or release."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recording is on a release. date: as far as it is known, "" for nothing."""

    release: Cell = None
    release_id: Cell = None
    licence: Cell = None
    disc: Cell = None
    track: Cell = None
    date: str = ""
    unofficial: int = 2


def entity_rows(document: object, entity: Entity) -> Iterator[tuple[Cell, ...]]:
    """Yield the document's recordings, in order of FIELDS and then ORDER: one for a recording, one a track for a release.

    entity: what the dump says the document is, "" where it must tell by itself; a list of entities is one too.
    Raises: UnfitError for what is neither, or has a field of another type.
    """
    if isinstance(document, list):
        for member in document:
            yield from entity_rows(member, entity)
        return
    found = _object(document, "the document")
    for name, kind in (("recordings", "recording"), ("releases", "release")):
        # A recording lists its releases too: what has a title is an entity itself.
        if not entity and name in found and "title" not in found:
            for member in _list(found, name):
                yield from entity_rows(member, kind)  # type: ignore[arg-type]
            return
    known = entity or _told(found)
    if known == "recording":
        yield _recording(found, {}, _earliest(found))
    else:
        yield from _of_release(found)


def _told(found: Found) -> Entity:
    if _RELEASE_KEYS & found.keys():
        return "release"
    if _RECORDING_KEYS & found.keys():
        return "recording"
    raise UnfitError("neither a recording nor a release, nor a list of them")


def _of_release(release: Found) -> Iterator[tuple[Cell, ...]]:
    place = _place_of(release)
    for disc, medium in enumerate(_objects(release, "media"), 1):
        for number, track in _tracks(medium):
            recording = _object(track.get("recording"), "recording")
            at = Place(
                place.release,
                place.release_id,
                place.licence,
                _cell(medium, "position") or disc,
                number,
                place.date,
                place.unofficial,
            )
            # A track has a credit and a title of its own; the recording's come first, for it is what is kept.
            yield _recording(recording, {"length": track.get("length"), "artist-credit": _credit(track) or _credit(release)}, at)


def _tracks(medium: Found) -> Iterator[tuple[Cell, Found]]:
    """Yield the tracks of a medium with their numbers: what is hidden before the first, the tracks, what is data."""
    if medium.get("pregap") is not None:
        yield 0, _object(medium["pregap"], "pregap")
    for name in ("tracks", "track", "data-tracks"):
        for index, track in enumerate(_objects(medium, name), 1):
            position, number = _cell(track, "position"), _cell(track, "number")
            # Of a search answer's medium only the tracks that were found are there, and they have a number alone ("A1" on vinyl).
            yield position or (number if isinstance(number, str) and number.isdigit() else index), track


def _place_of(release: Found) -> Place:
    dates = [_text(release, "date"), *(_text(event, "date") for event in _objects(release, "release-events"))]
    return Place(
        release=_cell(release, "title"),
        release_id=_cell(release, "id"),
        licence=_licence(release, RELEASE_LICENCE),
        date=min(filter(None, dates), key=_sortable, default=""),
        unofficial=0 if release.get("status") == "Official" else 1,
    )


def _earliest(recording: Found) -> Place:
    """Return the place on the earliest official release that a recording lists."""
    found = []
    for release in _objects(recording, "releases"):
        place, disc, track = _place_of(release), None, None
        if media := _objects(release, "media"):
            disc = _cell(media[0], "position")
            tracks = [number for number, _ in _tracks(media[0])]
            track = tracks[0] if tracks else None
        found.append(Place(place.release, place.release_id, place.licence, disc, track, place.date, place.unofficial))
    first = min(found, key=lambda place: (place.unofficial, _sortable(place.date), str(place.release_id)), default=Place())
    if first.date:
        return first
    date = _text(recording, "first-release-date")
    return Place(first.release, first.release_id, first.licence, first.disc, first.track, date, first.unofficial)


def _sortable(date: str) -> str:
    """Return a date that sorts: what is missing comes after all that is known, as in 1998-99-99."""
    return (date + "-99-99"[: 10 - len(date)] if len(date) in (4, 7) else date) if date[:4].strip("0") else "9"


def _recording(recording: Found, track: Found, place: Place) -> tuple[Cell, ...]:
    mbid = _cell(recording, "id")
    length = _cell(recording, "length")
    return (
        mbid,
        _cell(recording, "title"),
        _credit(recording) or track.get("artist-credit", ""),
        place.release,
        place.release_id,
        place.disc,
        place.track,
        place.date,
        _cell(track, "length") if length is None else length,
        " ".join(_isrcs(recording)),
        _licence(recording, RECORDING_LICENCE) or place.licence,
        f"https://musicbrainz.org/recording/{mbid}",
        _genre(recording),
        place.unofficial,
        _sortable(place.date),
    )


def _credit(found: Found) -> str:
    """Return the artist credit as written: names and what joins them."""
    return "".join(_text(name, "name") + _text(name, "joinphrase") for name in _objects(found, "artist-credit"))


def _isrcs(recording: Found) -> Iterator[str]:
    for isrc in _list(recording, "isrcs"):
        yield isrc if isinstance(isrc, str) else _text(_object(isrc, "isrcs"), "id")


def _licence(found: Found, link_type: str) -> Cell:
    """Return the licence of a relationship in force, else of an ended one, the first by its text; None when there is none."""
    licences = [
        (bool(relation.get("ended")), _text(_object(relation.get("url"), "url"), "resource"))
        for relation in _objects(found, "relations")
        if relation.get("type-id") == link_type or (relation.get("type") == "license" and "type-id" not in relation)
    ]
    return min(licences)[1] if licences else None


def _genre(recording: Found) -> Cell:
    """Return the genre with most votes, the first by name; where an answer has tags alone, the tag."""
    named = _objects(recording, "genres" if "genres" in recording else "tags")
    votes = [(-_votes(genre), name) for genre in named if (name := _text(genre, "name"))]
    return min(votes)[1] if votes and min(votes)[0] < 0 else None


def _votes(genre: Found) -> int:
    count = genre.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or abs(count) > _COUNTS_MAX:
        raise UnfitError(f"count: expected a whole number, found {str(count)[:40]!r}")
    return count


def _object(value: object, name: str) -> Found:
    if not isinstance(value, dict):
        raise UnfitError(f"{name}: expected an object, found {type(value).__name__}")
    return value


def _list(found: Found, name: str) -> list[Any]:
    value = found.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnfitError(f"{name}: expected a list, found {type(value).__name__}")
    return value


def _objects(found: Found, name: str) -> list[Found]:
    return [_object(value, name) for value in _list(found, name)]


def _text(found: Found, name: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnfitError(f"{name}: expected text, found {type(value).__name__}")
    return value


def _cell(found: Found, name: str) -> Cell:
    value = found.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise UnfitError(f"{name}: expected text or a number, found {type(value).__name__}")
    return value
