"""What who asks hears: scrobbles, which become counts of nobody, and what their players play now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from fonoteca.people.personal import Scrobble, Song
from fonoteca.register import SongRow
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.calls import Call, Handler, found
from fonoteca.serve.subsonic.ids import ref_of, song_named
from fonoteca.serve.subsonic.library import song_key

SOURCE = "opensubsonic"
"""Through what it was heard, as counts say."""

SCROBBLES_AT_ONCE = 1_000
PLAYING_PAUSE_S, PLAYING_UNKNOWN_S, PLAYING_MOST_S = 120, 1_800, 86_400
"""A song counts as played now for its duration and a pause, or for half an hour where its duration is not known."""

_LATEST_S = 4_102_444_800
"""2100-01-01: a later time is no time."""


def scrobble(call: Call) -> Noun:
    """Count songs as heard, or say which one is played now. Returns: nothing."""
    number = call.owner()
    call.given.needed("id")
    named = [song_named(ref_of(text)) for text in call.given.all("id")]
    if len(named) > SCROBBLES_AT_ONCE:
        raise CallError(Code.GENERIC, f"More than {SCROBBLES_AT_ONCE:,} songs at once.")
    rows = call.library.songs_at(song for song in named if song is not None)
    found(rows or None, "song")
    listening = call.rooms.people.personal.listening
    if not call.given.flag("submission", default=True):
        playing = next(rows[song] for song in reversed(named) if song in rows)
        lasts_s = min(playing.duration_ms // 1000 + PLAYING_PAUSE_S if playing.duration_ms else PLAYING_UNKNOWN_S, PLAYING_MOST_S)
        call.rooms.people.personal.places.set_playing(number, song_key(playing), call.given.text("c"), lasts_s)
        return {}
    account = call.own.account
    assert account is not None, "who owns something has an account"
    listening.add(account, _heard(call, named, rows), SOURCE)
    return {}


def _heard(call: Call, named: list[Song | None], rows: Mapping[Song, SongRow]) -> list[Scrobble]:
    """Return what was heard and is here, each at its time: now where none is said."""
    recordings = dict(zip(rows, call.library.shelf.recordings_of(list(rows.values())), strict=True))
    times = call.given.numbers("time")
    heard = []
    for place, song in enumerate(named):
        if song is not None and recordings.get(song):
            at = _instant(times[place]) if place < len(times) else call.now
            heard.append(Scrobble(song, recordings[song], at))
    return heard


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(min(max(milliseconds // 1000, 0), _LATEST_S), UTC)


def now_playing(call: Call) -> Noun:
    """Return what the players of who asks play now. What others hear is told to nobody."""
    number = call.listener.number
    kept = call.rooms.people.personal.places.playing(number) if number is not None else []
    rows = call.library.songs_at(each.song for each in kept)
    shown = [each for each in kept if each.song in rows]
    nouns = []
    for place, (each, noun) in enumerate(zip(shown, call.own.songs([rows[each.song] for each in shown]), strict=True), 1):
        minutes = int((call.now - each.since).total_seconds()) // 60
        about: Noun = {"username": call.listener.name, "minutesAgo": max(0, minutes), "playerId": place}
        nouns.append({**noun, **about, **({"playerName": each.player} if each.player else {})})
    return {"nowPlaying": {"entry": nouns}}


HANDLERS: Mapping[str, Handler] = {"scrobble": scrobble, "getNowPlaying": now_playing}
