"""What search found, with the pages that it leads to."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.serve.rooms import ServeRooms

WORDS_CHARACTERS_MAX = 200
"""Longer than any title and artist together that people type."""


@dataclass(frozen=True, slots=True)
class FoundTrack:
    """A recording. page: of the release that holds it, "" when it is not held. source: where it may lawfully be had."""

    id: str
    title: str
    artist: str
    release: str
    year: int | None
    duration_ms: int
    licence: str
    source: str
    held: bool
    page: str


@dataclass(frozen=True, slots=True)
class FoundArtist:
    """An artist. page: of what is held of them, "" when nothing is."""

    name: str
    track_count: int
    held_count: int
    page: str


@dataclass(frozen=True, slots=True)
class FoundRelease:
    """A release. page: its own, "" when nothing of it is held."""

    id: str
    title: str
    artist: str
    year: int | None
    track_count: int
    held_count: int
    page: str


@dataclass(frozen=True, slots=True)
class Found:
    """Three lists, the best first in each."""

    tracks: list[FoundTrack]
    artists: list[FoundArtist]
    releases: list[FoundRelease]


NOTHING_ASKED = Found([], [], [])
"""What there is to find before the first index is built."""


def find(rooms: ServeRooms, words: str, limit: int) -> Found:
    """Return what search finds, each hit with its page where it is held."""
    return NOTHING_ASKED
