"""What search found, with the pages that it leads to."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.search import Hit, HitKind
from fonoteca.serve.paths import artist_url, track_url
from fonoteca.serve.paths import object_url as page_of_object
from fonoteca.serve.rooms import ServeRooms

WORDS_CHARACTERS_MAX = 200
"""Longer than any title and artist together that people type."""

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

    def of(kind: HitKind) -> list[Hit]:
        return [hit for hit in hits if hit.kind is kind][:limit]

    return Found(
        tracks=[_track(rooms, hit) for hit in of(HitKind.TRACK)],
        artists=[_artist(rooms, hit) for hit in of(HitKind.ARTIST)],
        releases=[_release(rooms, hit) for hit in of(HitKind.RELEASE)],
    )


def _track(rooms: ServeRooms, hit: Hit) -> FoundTrack:
    """Return a track; it is held if the register has it now, whatever the index said when it was built."""
    files = rooms.register.files_of_recording(hit.id) if hit.held else []
    page = track_url(files[0].object_id, files[0].logical_path) if files else ""
    return FoundTrack(hit.id, hit.title, hit.artist, hit.release, bool(files), page)


def _artist(rooms: ServeRooms, hit: Hit) -> FoundArtist:
    """Return an artist."""
    register = rooms.register
    held = hit.held and bool(register.objects_by_artist(hit.id, 1) or register.files_by_artist(hit.id, 1))
    return FoundArtist(hit.title, held, artist_url(hit.id) if held else "")


def _release(rooms: ServeRooms, hit: Hit) -> FoundRelease:
    """Return a release; its page is that of the object that holds the first of its recordings that are held."""
    tracks = rooms.catalogue.release_recordings(hit.id) if hit.held else []
    files = next((found for track in tracks if track.held and (found := rooms.register.files_of_recording(track.id))), [])
    return FoundRelease(hit.id, hit.title, hit.artist, hit.held, page_of_object(files[0].object_id) if files else "")
