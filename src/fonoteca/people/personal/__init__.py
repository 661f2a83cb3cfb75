"""What is kept for an account: stars, ratings, playlists, the play queue, bookmarks, and for a while what it heard."""

from fonoteca.people.personal.listening import Hearer
from fonoteca.people.personal.nouns import (
    Bookmark,
    Kind,
    Mark,
    Name,
    Part,
    Playing,
    Playlist,
    Plays,
    Queue,
    Revised,
    Scrobble,
    Song,
    Thing,
)
from fonoteca.people.personal.personal import Personal

__all__ = [
    "Bookmark",
    "Hearer",
    "Kind",
    "Mark",
    "Name",
    "Part",
    "Personal",
    "Playing",
    "Playlist",
    "Plays",
    "Queue",
    "Revised",
    "Scrobble",
    "Song",
    "Thing",
]
