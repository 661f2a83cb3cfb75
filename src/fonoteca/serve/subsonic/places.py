"""Where who asks is in their music: the play queue, which goes from player to player, and bookmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fonoteca.people.personal import Queue, Song
from fonoteca.register import SongRow
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.calls import Call, Handler
from fonoteca.serve.subsonic.ids import ref_of, song_id, song_named
from fonoteca.serve.subsonic.library import song_key
from fonoteca.serve.subsonic.nouns import instant

POSITION_MS_MOST = 10**9
"""Eleven days into a song."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A queue without what is not here. current: place of the song that plays, None where nothing is left from it on."""

    songs: list[SongRow]
    current: int | None
    position_ms: int


def save_queue(call: Call) -> Noun:
    """Keep the queue that a player sends, its current song named by id. Returns: nothing."""
    songs, current = _songs(call), song_named(ref_of(call.given.text("current")))
    if current is not None and current not in songs:
        raise CallError(Code.MISSING, "Parameter 'current' is none of the songs.")
    return _save(call, songs, songs.index(current) if current is not None else 0)


def save_queue_by_index(call: Call) -> Noun:
    """Keep the queue that a player sends, its current song given by its place. Returns: nothing."""
    songs = _songs(call)
    current = call.given.needed_number("currentIndex") if songs else 0
    if songs and not 0 <= current < len(songs):
        raise CallError(Code.MISSING, f"Parameter 'currentIndex': expected 0 to {len(songs) - 1}.")
    return _save(call, songs, current)


def _save(call: Call, songs: list[Song], current: int) -> Noun:
    position_ms = call.given.number("position", 0, 0, POSITION_MS_MOST)
    call.rooms.people.personal.places.save_queue(call.owner(), songs, (current, position_ms), call.given.text("c"))
    return {}


def _songs(call: Call) -> list[Song]:
    """Return the songs of a queue. What is no id of ours is a radio or another server's song: it is left out."""
    call.owner()
    named = [song_named(ref_of(text)) for text in call.given.all("id")]
    return [song for song in named if song is not None]


def queue(call: Call) -> Noun:
    """Return the queue, its current song named by id."""
    kept = _kept(call)
    shown = _shown(call, kept) if kept else None
    told = _told(call, kept, shown)
    if shown is not None and shown.current is not None:
        row = shown.songs[shown.current]
        told["current"] = song_id(row.album.album_key, row.logical_path)
    return {"playQueue": told}


def queue_by_index(call: Call) -> Noun:
    """Return the queue, its current song given by its place."""
    kept = _kept(call)
    shown = _shown(call, kept) if kept else None
    told = _told(call, kept, shown)
    if shown is not None and shown.current is not None:
        told["currentIndex"] = shown.current
    return {"playQueueByIndex": told}


def _kept(call: Call) -> Queue | None:
    number = call.listener.number
    return call.rooms.people.personal.places.queue(number) if number is not None else None


def _shown(call: Call, kept: Queue) -> _Shown:
    """Return a queue as it can be played. Where the current song is gone, the next begins."""
    rows = call.library.songs_at(kept.songs)
    songs = [rows[song] for song in kept.songs if song in rows]
    before = sum(song in rows for song in kept.songs[: kept.current])
    position_ms = kept.position_ms if kept.songs[kept.current] in rows else 0
    return _Shown(songs, before if before < len(songs) else None, position_ms)


def _told(call: Call, kept: Queue | None, shown: _Shown | None) -> Noun:
    noun: Noun = {"username": call.listener.name}
    if kept is None or shown is None:
        return {**noun, "changed": instant(call.now), "changedBy": ""}
    noun |= {"changed": instant(kept.changed), "changedBy": kept.changed_by, "entry": call.own.songs(shown.songs)}
    return noun | ({"position": shown.position_ms} if shown.current is not None else {})


def create_bookmark(call: Call) -> Noun:
    """Mark a place in a song. Returns: nothing."""
    number, row = call.owner(), call.song()
    call.given.needed("position")
    position_ms = call.given.number("position", 0, 0, POSITION_MS_MOST)
    call.rooms.people.personal.places.set_bookmark(number, song_key(row), position_ms, call.given.text("comment"))
    return {}


def delete_bookmark(call: Call) -> Noun:
    """Forget the place in a song, be it still here or not. Returns: nothing."""
    ref = call.ref("tr")
    call.rooms.people.personal.places.remove_bookmark(call.owner(), Song(ref.key, ref.path))
    return {}


def bookmarks(call: Call) -> Noun:
    """Return all bookmarks, last changed first."""
    number = call.listener.number
    kept = call.rooms.people.personal.places.bookmarks(number) if number is not None else []
    rows = call.library.songs_at(each.song for each in kept)
    shown = [each for each in kept if each.song in rows]
    nouns = []
    for each, entry in zip(shown, call.own.songs([rows[each.song] for each in shown]), strict=True):
        noun: Noun = {"position": each.position_ms, "username": call.listener.name}
        if each.comment:
            noun["comment"] = each.comment
        nouns.append({**noun, "created": instant(each.created), "changed": instant(each.changed), "entry": entry})
    return {"bookmarks": {"bookmark": nouns} if nouns else {}}


HANDLERS: Mapping[str, Handler] = {
    "savePlayQueue": save_queue,
    "savePlayQueueByIndex": save_queue_by_index,
    "getPlayQueue": queue,
    "getPlayQueueByIndex": queue_by_index,
    "createBookmark": create_bookmark,
    "deleteBookmark": delete_bookmark,
    "getBookmarks": bookmarks,
}
