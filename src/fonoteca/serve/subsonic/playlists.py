"""Playlists of who asks, and those of others that are open to all.

Songs that are not here, or not any more, are in no answer and stay in the list: they come back with their album. So places are
those of the songs that are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fonoteca.people.personal import Playlist, Revised, Song
from fonoteca.register import SongRow
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.calls import Call, Handler
from fonoteca.serve.subsonic.ids import album_id, needed_ref
from fonoteca.serve.subsonic.nouns import instant, seconds

TRIES = 5
"""To change a playlist that others, who signed in to the same account, change at the same time."""

_ID = re.compile(r"pl([0-9]{1,9})")
"""Letters and digits alone: players tell other programs of playlists by D-Bus paths, which take nothing else."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A playlist as it is kept. rows: of its songs that are here."""

    about: Playlist
    songs: tuple[Song, ...]
    rows: Mapping[Song, SongRow]


def playlists(call: Call) -> Noun:
    """Return all playlists that who asks may see. username: those of one owner, which only an operator asks of others."""
    account, owner = call.listener.number, call.given.text("username")
    if owner and owner.casefold() != call.listener.name.casefold() and not call.listener.operator:
        raise CallError(Code.FORBIDDEN, "Only an operator may ask for another's playlists.")
    shown = call.rooms.people.personal.playlists.shown_to(account) if account is not None else []
    listed = [each for each in shown if not owner or each.owner.casefold() == owner.casefold()]
    return {"playlists": {"playlist": [_noun(call, each) for each in listed]}}


def playlist(call: Call) -> Noun:
    """Return a playlist with its songs."""
    return _told(call, _number(call, "id"))


def create(call: Call) -> Noun:
    """Return a new playlist, or one whose songs are now those that are given."""
    account, songs = call.owner(), _songs(call, "songId")
    if call.given.text("playlistId"):
        number = _number(call, "playlistId")
        for _ in range(TRIES):
            if _put(call, number, _replaced(call, number, songs)):
                return _told(call, number)
        raise _busy()
    rows = _all_here(call, songs, ())
    made = Revised(0, call.given.needed("name"), "", False, tuple(songs), _duration(rows, songs))
    return _told(call, call.rooms.people.personal.playlists.create(account, made))


def update(call: Call) -> Noun:
    """Change a playlist: its name, its comment, who sees it, more songs at its end, fewer by their places. Returns: nothing."""
    call.owner()
    number = _number(call, "playlistId")
    for _ in range(TRIES):
        if _put(call, number, _changed(call, number)):
            return {}
    raise _busy()


def delete(call: Call) -> Noun:
    """Remove a playlist. Returns: nothing."""
    account, number = call.owner(), _number(call, "id")
    if not call.rooms.people.personal.playlists.remove(account, number):
        _own(call, number)
    return {}


def _replaced(call: Call, number: int, songs: Sequence[Song]) -> Revised:
    """Return a playlist with other songs. Those of before that are not shown stay, as near to their places as may be."""
    before = _opened(call, number)
    rows = _all_here(call, songs, before.songs)
    given, kept = set(songs), list(songs)
    for place, song in enumerate(before.songs):
        if song not in before.rows and song not in given:
            kept.insert(min(place, len(kept)), song)
    about = before.about
    name = call.given.text("name") or about.name
    return Revised(about.revision, name, about.comment, about.public, tuple(kept), _duration(rows, songs))


def _changed(call: Call, number: int) -> Revised:
    """Return a playlist as a call wants it. Only what is taken away by its place needs a look at all songs."""
    added, places = _songs(call, "songIdToAdd"), set(call.given.numbers("songIndexToRemove"))
    about, songs = _own(call, number)
    duration_ms = about.duration_ms
    if places:
        rows = call.library.songs_at(songs)
        shown = [place for place, song in enumerate(songs) if song in rows]
        if max(places) >= len(shown) or min(places) < 0:
            raise CallError(Code.NOT_FOUND, f"There are {len(shown)} songs in this playlist: no place {max(places)}.")
        gone = {shown[place] for place in places}
        songs = tuple(song for place, song in enumerate(songs) if place not in gone)
        duration_ms = _duration(rows, songs)
    if added:
        duration_ms += _duration(_all_here(call, added, ()), added)
    given = call.given
    return Revised(
        about.revision,
        given.text("name") or about.name,
        given.text("comment") if given.has("comment") else about.comment,
        given.flag("public", default=about.public),
        (*songs, *added),
        duration_ms,
    )


def _own(call: Call, number: int) -> tuple[Playlist, tuple[Song, ...]]:
    """Return a playlist of who asks. Raises: CallError."""
    found = call.rooms.people.personal.playlists.one(call.owner(), number)
    if found is None:
        raise _missing()
    if found[0].account != call.listener.number:
        raise CallError(Code.FORBIDDEN, "This playlist is another listener's.")
    return found


def _opened(call: Call, number: int) -> _Opened:
    about, songs = _own(call, number)
    return _Opened(about, songs, call.library.songs_at(songs))


def _put(call: Call, number: int, revised: Revised) -> bool:
    return call.rooms.people.personal.playlists.revise(call.owner(), number, revised)


def _told(call: Call, number: int) -> Noun:
    account = call.listener.number
    found = call.rooms.people.personal.playlists.one(account, number) if account is not None else None
    if found is None:
        raise _missing()
    about, songs = found
    rows = call.library.songs_at(songs)
    shown = [rows[song] for song in songs if song in rows]
    counted = {"songCount": len(shown), "duration": seconds(sum(row.duration_ms for row in shown))}
    return {"playlist": {**_noun(call, about), **counted, "entry": call.own.songs(shown)}}


def _noun(call: Call, about: Playlist) -> Noun:
    noun: Noun = {
        "id": f"pl{about.number}",
        "name": about.name,
        "owner": about.owner,
        "public": about.public,
        "songCount": about.song_count,
        "duration": seconds(about.duration_ms),
        "created": instant(about.created),
        "changed": instant(about.changed),
        "readonly": about.account != call.listener.number,
    }
    if about.comment:
        noun["comment"] = about.comment
    if about.first is not None and about.first.album not in call.library.hidden_albums:
        noun["coverArt"] = album_id(about.first.album)
    return noun


def _all_here(call: Call, songs: Sequence[Song], known: Sequence[Song]) -> Mapping[Song, SongRow]:
    """Return songs with their rows. Raises: CallError for one that is not here, and not among those that are known."""
    rows = call.library.songs_at(songs)
    if any(song not in rows for song in set(songs) - set(known)):
        raise CallError(Code.NOT_FOUND, "There is no such song in this archive.")
    return rows


def _songs(call: Call, name: str) -> list[Song]:
    refs = [needed_ref(text, "tr") for text in call.given.all(name)]
    return [Song(ref.key, ref.path) for ref in refs]


def _duration(rows: Mapping[Song, SongRow], songs: Sequence[Song]) -> int:
    return sum(rows[song].duration_ms for song in songs if song in rows)


def _number(call: Call, name: str) -> int:
    match = _ID.fullmatch(call.given.needed(name))
    if match is None:
        raise _missing()
    return int(match[1])


def _missing() -> CallError:
    return CallError(Code.NOT_FOUND, "There is no such playlist.")


def _busy() -> CallError:
    return CallError(Code.GENERIC, "Others change this playlist at the same time. Try again.")


HANDLERS: Mapping[str, Handler] = {
    "getPlaylists": playlists,
    "getPlaylist": playlist,
    "createPlaylist": create,
    "updatePlaylist": update,
    "deletePlaylist": delete,
}
