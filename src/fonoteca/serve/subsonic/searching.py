"""Search: what the index finds of what is held, or names that begin so where there is none yet. Empty words mean everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fonoteca.register import AlbumRow, ArtistRow, Order, SongRow, name_key, sort_name
from fonoteca.search import Hit, HitKind
from fonoteca.serve.finding import WORDS_CHARACTERS_MAX
from fonoteca.serve.subsonic.answers import Noun
from fonoteca.serve.subsonic.calls import Call, Handler, song_nouns
from fonoteca.serve.subsonic.nouns import album_noun, artist_entry, artist_noun, folder_noun

FOUND_MAX = 1_000
"""Hits that are looked at: whoever has not found it among so many types another word."""

COUNT_DEFAULT = 20
RELEASES_MAX = 50
"""Hits of releases that are looked for on the shelf, each by a question of its own."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many of one kind are asked for, and from where."""

    count: int
    offset: int

    def of(self, things: Sequence[_T]) -> list[_T]:
        """Return the part of a list that is asked for."""
        return list(things[self.offset : self.offset + self.count])

    @property
    def reach(self) -> int:
        """How much of a list is looked at."""
        return self.offset + self.count if self.count else 0


@dataclass(frozen=True, slots=True)
class FoundAll:
    """What was found."""

    artists: list[ArtistRow]
    albums: list[AlbumRow]
    songs: list[SongRow]


def search(call: Call) -> FoundAll:
    """Return what the words find. Raises: CallError where there is no parameter for them."""
    words = _words(call)
    artists, albums, songs = (
        Wanted(call.count(f"{kind}Count", COUNT_DEFAULT), call.given.number(f"{kind}Offset", 0))
        for kind in ("artist", "album", "song")
    )
    library = call.library
    if not words:
        return FoundAll(
            library.shelf.artists(library.page(artists.count, artists.offset)) if artists.count else [],
            library.albums(Order.RECORDED, albums.count, albums.offset) if albums.count else [],
            library.songs(songs.count, songs.offset),
        )
    hits = _hits(call, words)
    return FoundAll(
        artists.of(_artists(call, words, hits, artists.reach)),
        albums.of(_albums(call, words, hits, albums.reach)),
        songs.of(_songs(call, words, hits, songs.reach)),
    )


def _words(call: Call) -> str:
    """Return what to look for. Players that keep a copy of everything ask for `""`, quotes and all."""
    if not call.given.has("query"):
        call.given.needed("query")
    return call.given.text("query").strip().strip('"').strip()[:WORDS_CHARACTERS_MAX]


def _hits(call: Call, words: str) -> tuple[Hit, ...]:
    """Return the hits of what is held, none before there is an index."""
    if call.rooms.finder.current() is None:
        return ()
    return tuple(hit for hit in call.rooms.finder.search(words, FOUND_MAX) if hit.held)


def _artists(call: Call, words: str, hits: Iterable[Hit], reach: int) -> list[ArtistRow]:
    """Return artists: those whose names begin so, then those that the index finds."""
    if not reach:
        return []
    library = call.library
    begun = library.shelf.artists(library.page(reach), sort_name(words))
    keys = list(dict.fromkeys(name_key(hit.title) for hit in hits if hit.kind is HitKind.ARTIST))
    found = library.shelf.artists_at(keys[:FOUND_MAX])
    return _united([*begun, *(found[key] for key in keys if key in found)], lambda artist: artist.artist_key)


def _albums(call: Call, words: str, hits: Iterable[Hit], reach: int) -> list[AlbumRow]:
    """Return albums: those whose titles begin so, then those of releases and artists that the index finds."""
    if not reach:
        return []
    library = call.library
    found = library.shelf.albums_by_title(sort_name(words), library.page(reach))
    for hit in [hit for hit in hits if hit.kind is HitKind.RELEASE][:RELEASES_MAX]:
        title = sort_name(hit.title)
        found += [album for album in library.shelf.albums_by_title(title, library.page(4)) if album.sort_title == title]
    for artist in _artists(call, words, hits, 1)[:1]:
        found += library.albums_of(artist.artist_key)
    return library.shown(_united(found, lambda album: album.object_key))


def _songs(call: Call, words: str, hits: Iterable[Hit], reach: int) -> list[SongRow]:
    """Return songs that the index finds; where there is none, those of albums that are found."""
    if not reach:
        return []
    library = call.library
    if call.rooms.finder.current() is None:
        return library.songs_of(_albums(call, words, hits, reach))[:reach]
    recordings = [hit.id for hit in hits if hit.kind is HitKind.TRACK][:reach]
    return library.heard(library.shelf.songs_of_recordings(recordings))


def _united(things: Iterable[_T], key: Callable[[_T], int]) -> list[_T]:
    """Return things in order, none twice."""
    found: dict[int, _T] = {}
    for thing in things:
        found.setdefault(key(thing), thing)
    return list(found.values())


def search2(call: Call) -> Noun:
    """Return what was found, told as folders."""
    found = search(call)
    artists, albums = [artist_entry(each) for each in found.artists], [folder_noun(each) for each in found.albums]
    return {"searchResult2": {"artist": artists, "album": albums, "song": song_nouns(found.songs)}}


def search3(call: Call) -> Noun:
    """Return what was found."""
    found = search(call)
    artists, albums = [artist_noun(each) for each in found.artists], [album_noun(each) for each in found.albums]
    return {"searchResult3": {"artist": artists, "album": albums, "song": song_nouns(found.songs)}}


HANDLERS: Mapping[str, Handler] = {"search2": search2, "search3": search3}
