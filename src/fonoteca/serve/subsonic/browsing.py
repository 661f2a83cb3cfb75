"""Browsing: by artists and albums, and the same told as folders for players that know nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache

from fonoteca.register import IGNORED_ARTICLES, ArtistRow, name_key
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.calls import Call, Handler, found
from fonoteca.serve.subsonic.nouns import album_noun, artist_entry, artist_noun, folder_noun, instant

FOLDER_ID, FOLDER_NAME = 1, "Music"
"""The one folder of an archive. Players send its id with every list, and those that remember another server's mean all."""

OTHERS = "#"
_OF_FOLDER = ("id", "parent", "starred", "userRating", "playCount", "played")
ARTISTS_MAX = 1_000_000
"""Of one answer, which the protocol has no pages for."""


def music_folders(call: Call) -> Noun:
    """Return the one folder."""
    return {"musicFolders": {"musicFolder": [{"id": FOLDER_ID, "name": FOLDER_NAME}]}}


def artists(call: Call) -> Noun:
    """Return all who have albums, by letter."""
    return {"artists": {"ignoredArticles": " ".join(IGNORED_ARTICLES), "index": _index(call, artist_noun)}}


def indexes(call: Call) -> Noun:
    """Return all who have albums as folders, by letter; none where nothing is newer than what the player has."""
    newest = call.library.shelf.changed_at()
    modified_ms = int(newest.timestamp() * 1000) if newest else 0
    since = call.given.number("ifModifiedSince", -1, -1)
    head: Noun = {"lastModified": modified_ms, "ignoredArticles": " ".join(IGNORED_ARTICLES)}
    return {"indexes": head if modified_ms <= since else {**head, "index": _index(call, artist_entry)}}


def _index(call: Call, noun: Callable[[ArtistRow], Noun]) -> list[Noun]:
    """Return the artists by the first letter of their place in order, each script's own letters included."""
    letters: dict[str, list[Noun]] = {}
    rows = call.library.shelf.artists(call.library.page(ARTISTS_MAX))
    for artist, told in zip(rows, call.own.artists(rows, noun), strict=True):
        letters.setdefault(letter_of(artist.sort_name[:1]), []).append(told)
    ordered = sorted(letters, key=lambda letter: (letter == OTHERS, letter))
    return [{"name": letter, "artist": letters[letter]} for letter in ordered]


@lru_cache(4096)
def letter_of(first: str) -> str:
    """Return the letter that names with a first character are listed under, of any script, or `#` for what is no letter."""
    first = unicodedata.normalize("NFC", first).upper()[:1]
    return first if first.isalpha() else OTHERS


def artist(call: Call) -> Noun:
    """Return an artist with the albums that are theirs, and those that have a song by them."""
    ref = call.ref("ar")
    row = found(call.library.artist(ref), "artist")
    albums = call.own.albums(call.library.albums_of(ref.key), album_noun)
    if not albums:
        raise CallError(Code.NOT_FOUND, "There is no such artist in this archive.")
    return {"artist": {**call.own.artists([row], artist_noun)[0], "albumCount": len(albums), "album": albums}}


def album(call: Call) -> Noun:
    """Return an album with its songs."""
    row = call.album()
    songs = call.own.songs(call.library.songs_of([row]))
    return {"album": {**call.own.albums([row], album_noun)[0], "song": songs}}


def song(call: Call) -> Noun:
    """Return a song."""
    return {"song": call.own.songs([call.song()])[0]}


def directory(call: Call) -> Noun:
    """Return what is in a folder: an artist's albums, or an album's songs."""
    ref = call.ref("ar al")
    if ref.kind == "al":
        row = call.album()
        folder = call.own.albums([row], folder_noun)[0]
        kept = {name: folder[name] for name in _OF_FOLDER if name in folder}
        return {"directory": {**kept, "name": row.title, "child": call.own.songs(call.library.songs_of([row]))}}
    owner = found(call.library.artist(ref), "artist")
    children = call.own.albums(call.library.albums_of(ref.key), folder_noun)
    return {"directory": {**call.own.artists([owner], artist_entry)[0], "parent": str(FOLDER_ID), "child": children}}


def genres(call: Call) -> Noun:
    """Return all genres."""
    rows = call.library.genres()
    return {"genres": {"genre": [{"value": row.name, "songCount": row.song_count, "albumCount": row.album_count} for row in rows]}}


def artist_info(name: str) -> Handler:
    """Return the handler that tells of an artist: nothing more than is on their albums, which this archive does not make up."""

    def handler(call: Call) -> Noun:
        ref = call.ref("ar al tr")
        if ref.kind == "ar":
            found(call.library.artist(ref), "artist")
        elif ref.kind == "al":
            call.album()
        else:
            call.song()
        return {name: {}}

    return handler


def album_info(call: Call) -> Noun:
    """Return what is known of an album: whose credit goes with it, and under which licence it is here."""
    row = call.album() if call.ref("al tr").kind == "al" else call.song().album
    owner = found(call.library.owner(row), "album")
    lines = [
        owner.attribution,
        f"Licence: {owner.licence_uri}" if owner.licence_uri else "",
        f"Kept since {instant(row.created_at)}.",
    ]
    return {"albumInfo": {"notes": "\n".join(line for line in lines if line)}}


def similar(name: str) -> Handler:
    """Return the handler for songs like those of an artist, album or song: by the same artist, then of the same genre."""

    def handler(call: Call) -> Noun:
        ref, count = call.ref("ar al tr"), call.count("count", 50)
        if ref.kind == "ar":
            key, genre = found(call.library.artist(ref), "artist").artist_key, ""
        elif ref.kind == "al":
            row = call.album()
            key, genre = row.artist_key, row.genre
        else:
            one = call.song()
            key, genre = name_key(one.artist or one.album.artist), one.album.genre
        songs = call.library.songs_by(key, count)
        if genre and len(songs) < count:
            known = {(each.album.object_key, each.position) for each in songs}
            others = call.library.random_songs(count, genre, None)
            songs += [each for each in others if (each.album.object_key, each.position) not in known]
        return {name: {"song": call.own.songs(songs[:count])}}

    return handler


def top_songs(call: Call) -> Noun:
    """Return songs of an artist, who is named or given by id."""
    count = call.count("count", 50)
    key = call.ref("ar").key if call.given.text("id") else name_key(call.given.needed("artist"))
    return {"topSongs": {"song": call.own.songs(call.library.songs_by(key, count))}}


def videos(call: Call) -> Noun:
    """Return no videos: this archive keeps music."""
    return {"videos": {}}


HANDLERS: Mapping[str, Handler] = {
    "getMusicFolders": music_folders,
    "getArtists": artists,
    "getIndexes": indexes,
    "getArtist": artist,
    "getAlbum": album,
    "getSong": song,
    "getMusicDirectory": directory,
    "getGenres": genres,
    "getArtistInfo": artist_info("artistInfo"),
    "getArtistInfo2": artist_info("artistInfo2"),
    "getAlbumInfo": album_info,
    "getAlbumInfo2": album_info,
    "getSimilarSongs": similar("similarSongs"),
    "getSimilarSongs2": similar("similarSongs2"),
    "getTopSongs": top_songs,
    "getVideos": videos,
}
