"""Search: what the index finds of what is held, or names that begin so where there is none yet. Empty words mean everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fonoteca.register import AlbumRow, ArtistRow, Order, SongRow, name_key, sort_name
from fonoteca.search import HitKind
from fonoteca.serve.narrowing import WORDS_CHARACTERS_MAX
from fonoteca.serve.subsonic.answers import Noun
from fonoteca.serve.subsonic.calls import Call, Handler
from fonoteca.serve.subsonic.nouns import album_noun, artist_entry, artist_noun, folder_noun

FOUND_MAX = 1_000
"""Of a kind that are looked up: whoever has not found it among so many types another word."""

COUNT_DEFAULT = 20
RELEASES_MAX, ALIKE_MAX = 50, 4
"""Titles of releases that are looked for on the shelf, and albums that may have one."""

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
    players = _artists(call, words, max(artists.reach, min(1, albums.reach)))
    releases = _albums(call, words, players, albums.reach)
    return FoundAll(artists.of(players), albums.of(releases), songs.of(_songs(call, words, releases, songs.reach)))


def _words(call: Call) -> str:
    """Return what to look for. Players that keep a copy of everything ask for `""`, quotes and all."""
    if not call.given.has("query"):
        call.given.needed("query")
    return call.given.text("query").strip().strip('"').strip()[:WORDS_CHARACTERS_MAX]


def _artists(call: Call, words: str, reach: int) -> list[ArtistRow]:
    """Return artists: those whose names begin so, then those that the index finds."""
    if not reach:
        return []
    library = call.library
    begun = library.shelf.artists(library.page(reach), sort_name(words))
    if len(begun) >= reach:
        return begun
    keys = [name_key(name) for _, name in call.lookups.find(words, HitKind.ARTIST, min(reach, FOUND_MAX))]
    found = library.shelf.artists_at(keys)
    return _united([*begun, *(found[key] for key in keys if key in found)], lambda artist: artist.artist_key)


def _albums(call: Call, words: str, players: Sequence[ArtistRow], reach: int) -> list[AlbumRow]:
    """Return albums: those whose titles begin so, then those of releases and of the first artist that are found."""
    if not reach:
        return []
    library = call.library
    found = library.shown(library.shelf.albums_by_title(sort_name(words), library.page(reach)))
    if len(found) >= reach:
        return found
    releases = call.lookups.find(words, HitKind.RELEASE, min(reach, RELEASES_MAX))
    places: dict[str, int] = {}
    for place, (_, title) in enumerate(releases):
        places.setdefault(sort_name(title), place)
    titled = library.shelf.albums_titled(places, library.page(RELEASES_MAX * ALIKE_MAX)) if places else []
    found += library.shown(sorted(titled, key=lambda album: places[album.sort_title]))
    united: list[AlbumRow] = _united(found, lambda album: album.object_key)
    for artist in players[:1] if len(united) < reach else ():
        united = _united([*united, *library.albums_of(artist.artist_key)], lambda album: album.object_key)
    return united


def _songs(call: Call, words: str, albums: Sequence[AlbumRow], reach: int) -> list[SongRow]:
    """Return songs that the index finds; where there is none, those of albums that are found."""
    if not reach:
        return []
    library = call.library
    if not call.lookups.open:
        return library.songs_of(albums)[:reach]
    found = call.lookups.find(words, HitKind.TRACK, min(reach, FOUND_MAX))
    return library.heard(library.shelf.songs_of_recordings([recording for recording, _ in found]))


def _united(things: Iterable[_T], key: Callable[[_T], int]) -> list[_T]:
    """Return things in order, none twice."""
    found: dict[int, _T] = {}
    for thing in things:
        found.setdefault(key(thing), thing)
    return list(found.values())


def search2(call: Call) -> Noun:
    """Return what was found, told as folders."""
    found = search(call)
    with call.own.at_once() as own:
        artists, albums = own.artists(found.artists, artist_entry), own.albums(found.albums, folder_noun)
        return {"searchResult2": {"artist": artists, "album": albums, "song": own.songs(found.songs)}}


def search3(call: Call) -> Noun:
    """Return what was found."""
    found = search(call)
    with call.own.at_once() as own:
        artists, albums = own.artists(found.artists, artist_noun), own.albums(found.albums, album_noun)
        return {"searchResult3": {"artist": artists, "album": albums, "song": own.songs(found.songs)}}


def search1(call: Call) -> Noun:
    """Return songs that the words find, as the protocol's first version asks: by all names, or by artist, album and title."""
    given = call.given
    words = " ".join(filter(None, (given.text(name).strip() for name in ("any", "artist", "album", "title"))))[
        :WORDS_CHARACTERS_MAX
    ]
    wanted = Wanted(call.count("count", COUNT_DEFAULT), given.number("offset", 0))
    newer_ms = given.number("newerThan", 0)
    reach = max(wanted.reach, COUNT_DEFAULT)
    rows = _songs(call, words, _albums(call, words, (), reach), reach) if words else call.library.songs(reach, 0)
    found = [song for song in rows if song.album.created_at.timestamp() * 1000 > newer_ms]
    return {"searchResult": {"offset": wanted.offset, "totalHits": len(found), "match": call.own.songs(wanted.of(found))}}


HANDLERS: Mapping[str, Handler] = {"search": search1, "search2": search2, "search3": search3}
