"""Stars and ratings of who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from fonoteca.people.personal import Kind, Part, Song, Thing
from fonoteca.register import AlbumRow, ArtistRow
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.calls import Call, Handler
from fonoteca.serve.subsonic.ids import Ref, needed_ref
from fonoteca.serve.subsonic.nouns import album_noun, artist_entry, artist_noun, folder_noun

STARRED_SHOWN_MOST = 5_000
"""Of each kind, newest star first: the protocol has no pages for them. All are kept, and albums are paged by `getAlbumList`."""

STARRED_AT_ONCE = 5_000
"""Ids of one call."""

_NAMED = {"id": "ar al tr", "albumId": "al", "artistId": "ar"}


def star(call: Call) -> Noun:
    """Star songs, albums and artists. Returns: nothing."""
    number, refs = call.owner(), _refs(call)
    _check_here(call, refs)
    call.rooms.people.personal.marks.star(number, map(thing_of, refs))
    return {}


def unstar(call: Call) -> Noun:
    """Take stars away, be the things still here or not. Returns: nothing."""
    call.rooms.people.personal.marks.unstar(call.owner(), map(thing_of, _refs(call)))
    return {}


def set_rating(call: Call) -> Noun:
    """Rate a song, album or artist. Returns: nothing."""
    number, ref, rating = call.owner(), call.ref("ar al tr"), call.given.needed_number("rating")
    if rating:
        _check_here(call, [ref])
    call.rooms.people.personal.marks.rate(number, thing_of(ref), rating)
    return {}


def thing_of(ref: Ref) -> Thing:
    """Return what an id names, as it is kept."""
    return Thing(Kind(ref.kind), ref.key, ref.path)


def _refs(call: Call) -> list[Ref]:
    refs = [needed_ref(text, kinds) for name, kinds in _NAMED.items() for text in call.given.all(name)]
    if not refs:
        raise CallError(Code.MISSING, "Required parameter 'id', 'albumId' or 'artistId' is missing.")
    if len(refs) > STARRED_AT_ONCE:
        raise CallError(Code.GENERIC, f"More than {STARRED_AT_ONCE:,} ids at once.")
    return refs


def _check_here(call: Call, refs: Iterable[Ref]) -> None:
    """Raise CallError unless all that is named is here."""
    library, wanted = call.library, set(refs)
    albums = {ref.key for ref in wanted if ref.kind == "al"}
    artists = {ref.key for ref in wanted if ref.kind == "ar"}
    songs = {Song(ref.key, ref.path) for ref in wanted if ref.kind == "tr"}
    here = (
        len(library.albums_at(sorted(albums))) == len(albums)
        and len(library.artists_at(sorted(artists))) == len(artists)
        and len(library.songs_at(songs)) == len(songs)
    )
    if not here:
        raise CallError(Code.NOT_FOUND, "There is no such song, album or artist in this archive.")


def starred(name: str, artist: Callable[[ArtistRow], Noun], album: Callable[[AlbumRow], Noun]) -> Handler:
    """Return the handler that lists what is starred, newest star first."""

    def handler(call: Call) -> Noun:
        account = call.listener.number
        if account is None:
            return {name: {}}
        kept, library, part = call.rooms.people.personal.marks, call.library, Part(STARRED_SHOWN_MOST)
        artists = library.artists_at(kept.starred(account, Kind.ARTIST, part))
        albums = library.albums_at(kept.starred(account, Kind.ALBUM, part))
        named = kept.starred_songs(account, STARRED_SHOWN_MOST)
        rows = library.songs_at(named)
        listed = {
            "artist": call.own.artists(artists, artist),
            "album": call.own.albums(albums, album),
            "song": call.own.songs([rows[song] for song in named if song in rows]),
        }
        return {name: {kind: nouns for kind, nouns in listed.items() if nouns}}

    return handler


HANDLERS: Mapping[str, Handler] = {
    "star": star,
    "unstar": unstar,
    "setRating": set_rating,
    "getStarred": starred("starred", artist_entry, folder_noun),
    "getStarred2": starred("starred2", artist_noun, album_noun),
}
