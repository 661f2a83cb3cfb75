"""What search found, with the pages that it leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from fonoteca.model.withdrawal import Purpose
from fonoteca.register import Sieve
from fonoteca.search import Hit, HitKind
from fonoteca.serve.paths import artist_url, track_url
from fonoteca.serve.paths import object_url as page_of_object
from fonoteca.serve.rooms import ServeRooms

WORDS_CHARACTERS_MAX = 200
"""Longer than any title and artist together that people type."""

_T = TypeVar("_T")

_FILES_A_RELEASE = 100
"""More than nearly every release has: so many rows are looked at for each that was withdrawn."""

_HITS_A_KIND = 5
"""Search gives all kinds in one list, tracks by far the most: this many times the hits are asked for that one kind may show."""


@dataclass(frozen=True, slots=True)
class FoundTrack:
    """A recording. page: its place on the release that holds it, "" when it is not held."""

    id: str
    title: str
    artist: str
    release: str
    held: bool
    page: str


@dataclass(frozen=True, slots=True)
class FoundArtist:
    """An artist. page: of what is held of them, "" when nothing is."""

    name: str
    held: bool
    page: str


@dataclass(frozen=True, slots=True)
class FoundRelease:
    """A release. artist: of its most heard track. held: whether any track of it is. page: its own, "" when it has none here."""

    id: str
    title: str
    artist: str
    held: bool
    page: str


@dataclass(frozen=True, slots=True)
class Found:
    """Three lists, the best first in each."""

    tracks: list[FoundTrack]
    artists: list[FoundArtist]
    releases: list[FoundRelease]


def find(rooms: ServeRooms, words: str, limit: int) -> Found:
    """Return what search finds, at most `limit` of each kind; nothing before the first index is built.

    Cost: one search, and a look-up in the register for each hit that is held.
    """
    if rooms.finder.current() is None:
        return Found([], [], [])
    hits = rooms.finder.search(words, limit * _HITS_A_KIND)

    sieve = rooms.register.withdrawals.sieve(Purpose.FINDING)

    def of(kind: HitKind, noun: Callable[[ServeRooms, Sieve, Hit], _T | None]) -> list[_T]:
        found = (noun(rooms, sieve, hit) for hit in hits if hit.kind is kind)
        return list(islice((each for each in found if each is not None), limit))

    return Found(of(HitKind.TRACK, _track), of(HitKind.ARTIST, _artist), of(HitKind.RELEASE, _release))


def _track(rooms: ServeRooms, sieve: Sieve, hit: Hit) -> FoundTrack | None:
    """Return a track; it is held if the register has it now, whatever the index said when it was built. None: it was withdrawn."""
    rows = rooms.register.files_of_recording(hit.id) if hit.held else []
    if sieve.hides(hit.held, rows):
        return None
    files = sieve.files(rows)
    page = track_url(files[0].object_id, files[0].logical_path) if files else ""
    return FoundTrack(hit.id, hit.title, hit.artist, hit.release, bool(files), page)


def _artist(rooms: ServeRooms, sieve: Sieve, hit: Hit) -> FoundArtist | None:
    """Return an artist; None when all that is held of them was withdrawn."""
    if not hit.held:
        return FoundArtist(hit.title, False, "")
    limit = 1 if not sieve.withdrawn else len(sieve.withdrawn) * _FILES_A_RELEASE
    objects, files = rooms.register.objects_by_artist(hit.title, limit), rooms.register.files_by_artist(hit.title, limit)
    held = bool(sieve.objects(objects) or sieve.files(files))
    if not held and (objects or files or sieve.purged):
        return None
    return FoundArtist(hit.title, held, artist_url(hit.title) if held else "")


def _release(rooms: ServeRooms, sieve: Sieve, hit: Hit) -> FoundRelease | None:
    """Return a release; its page is that of the object that holds the first of its recordings that are held."""
    tracks = rooms.catalogue.release_recordings(hit.id) if hit.held else []
    rows = [row for track in tracks if track.held for row in rooms.register.files_of_recording(track.id)]
    if sieve.hides(hit.held, rows):
        return None
    files = sieve.files(rows)
    return FoundRelease(hit.id, hit.title, hit.artist, hit.held, page_of_object(files[0].object_id) if files else "")
