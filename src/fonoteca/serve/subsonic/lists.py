"""Lists of albums and songs, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fonoteca.people.personal import Hearer, Kind, Part, Personal
from fonoteca.register import AlbumRow, Order
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.calls import Call, Handler
from fonoteca.serve.subsonic.nouns import album_noun, folder_noun

ALBUMS_DEFAULT, SONGS_DEFAULT = 10, 10

_YEARS = (0, 9999)

Lister = Callable[[Call, int, int], list[AlbumRow]]
"""What lists albums: so many, from an offset."""


def _ordered(order: Order) -> Lister:
    return lambda call, limit, offset: call.library.albums(order, limit, offset)


def _by_year(call: Call, limit: int, offset: int) -> list[AlbumRow]:
    first, last = call.given.needed_number("fromYear"), call.given.needed_number("toYear")
    library = call.library
    return library.shown(library.shelf.albums_of_years(_year(first), _year(last), library.page(limit, offset)))


def _by_genre(call: Call, limit: int, offset: int) -> list[AlbumRow]:
    library = call.library
    return library.shown(library.shelf.albums_of_genre(call.given.needed("genre"), library.page(limit, offset)))


def _kept(keys: Callable[[Personal, Hearer, Part], list[int]]) -> Lister:
    """Return what lists albums by what is kept for who asks: nothing for who has no account."""

    def lister(call: Call, limit: int, offset: int) -> list[AlbumRow]:
        who = call.own.account
        if who is None:
            return []
        return call.library.albums_at(keys(call.own.personal, who, Part(limit, offset, call.library.hidden_albums)))

    return lister


def _random(call: Call, limit: int, offset: int) -> list[AlbumRow]:
    return call.library.random_albums(limit)


LISTERS: dict[str, Lister] = {
    "random": _random,
    "newest": _ordered(Order.NEWEST),
    "alphabeticalByName": _ordered(Order.NAME),
    "alphabeticalByArtist": _ordered(Order.ARTIST),
    "byYear": _by_year,
    "byGenre": _by_genre,
    "frequent": _kept(lambda personal, who, part: personal.listening.frequent(who, part)),
    "recent": _kept(lambda personal, who, part: personal.listening.recent(who, part)),
    "starred": _kept(lambda personal, who, part: personal.marks.starred(who.number, Kind.ALBUM, part)),
    "highest": _kept(lambda personal, who, part: personal.marks.highest(who.number, Kind.ALBUM, part)),
}
"""By the protocol's name."""


def albums(name: str, noun: Callable[[AlbumRow], Noun]) -> Handler:
    """Return the handler that lists albums."""

    def handler(call: Call) -> Noun:
        kind = call.given.needed("type")
        lister = LISTERS.get(kind)
        if lister is None:
            raise CallError(Code.GENERIC, f"Parameter 'type': there is no such list as {kind!r:.60}.")
        size, offset = call.count("size", ALBUMS_DEFAULT), call.given.number("offset", 0)
        rows = lister(call, size, offset) if size else []
        return {name: {"album": call.own.albums(rows, noun)}}

    return handler


def random_songs(call: Call) -> Noun:
    """Return songs by chance."""
    given = call.given
    years = None
    if given.text("fromYear") or given.text("toYear"):
        years = (_year(given.number("fromYear", _YEARS[0])), _year(given.number("toYear", _YEARS[1])))
    size = call.count("size", SONGS_DEFAULT)
    rows = call.library.random_songs(size, given.text("genre"), years) if size else []
    return {"randomSongs": {"song": call.own.songs(rows)}}


def songs_by_genre(call: Call) -> Noun:
    """Return a page of a genre's songs."""
    genre = call.given.needed("genre")
    rows = call.library.songs_of_genre(genre, call.count("count", SONGS_DEFAULT), call.given.number("offset", 0))
    return {"songsByGenre": {"song": call.own.songs(rows)}}


def _year(number: int) -> int:
    return min(max(number, _YEARS[0]), _YEARS[1])


HANDLERS: Mapping[str, Handler] = {
    "getAlbumList": albums("albumList", folder_noun),
    "getAlbumList2": albums("albumList2", album_noun),
    "getRandomSongs": random_songs,
    "getSongsByGenre": songs_by_genre,
}
