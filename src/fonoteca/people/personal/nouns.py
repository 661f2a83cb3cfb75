"""What is kept for an account, named by keys that follow from the store: a register made anew has the same."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a star or a rating is of."""

    ARTIST = "ar"
    ALBUM = "al"
    SONG = "tr"


@dataclass(frozen=True, slots=True, order=True)
class Song:
    """A song. album: key of its album. path: 12 hexadecimal digits, which tell it from the others there."""

    album: int
    path: str


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """What a star or a rating is of. key: of the artist, or of the album. path: of a song, "" for others."""

    kind: Kind
    key: int
    path: str = ""


Name = tuple[int, str]
"""A song by album and path; or an album or artist by its key, and ""."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list. hidden: keys that are left out of it, as far as HIDDEN_MOST goes."""

    limit: int
    offset: int = 0
    hidden: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What an account thinks of a thing. starred_s: when, in seconds since 1970, None for no star. rating: 1 to 5, 0 for none."""

    starred_s: int | None
    rating: int

    @property
    def starred(self) -> datetime | None:
        """When it was starred, None for no star."""
        return None if self.starred_s is None else datetime.fromtimestamp(self.starred_s, UTC)


@dataclass(frozen=True, slots=True)
class Plays:
    """How often an account heard something within the days that this is kept for, and when last, in seconds since 1970."""

    count: int
    last_s: int

    @property
    def last(self) -> datetime:
        """When it was heard last."""
        return datetime.fromtimestamp(self.last_s, UTC)


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist without its songs. first: the first of them. duration_ms: as it was when the list was last changed."""

    number: int
    account: int
    owner: str
    name: str
    comment: str
    public: bool
    song_count: int
    duration_ms: int
    first: Song | None
    created: datetime
    changed: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Revised:
    """What a playlist shall be. revision: of the one that this was made from."""

    revision: int
    name: str
    comment: str
    public: bool
    songs: tuple[Song, ...]
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What an account listens to. current: place of the song that plays, from 0. changed_by: the player that said so."""

    songs: tuple[Song, ...]
    current: int
    position_ms: int
    changed: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place in a song."""

    song: Song
    position_ms: int
    comment: str
    created: datetime
    changed: datetime


@dataclass(frozen=True, slots=True)
class Playing:
    """A song that one player of an account plays at this moment."""

    song: Song
    player: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Scrobble:
    """A song that was heard. recording: of which its file is. at: when."""

    song: Song
    recording: str
    at: datetime
