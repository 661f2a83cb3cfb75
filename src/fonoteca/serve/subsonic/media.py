"""Bytes: songs, covers, lyrics. Each way to a file asks rights, fixity and withdrawals again, as the site's own does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.responses import Response

from fonoteca.audio import ENCODERS, Format, Rendition
from fonoteca.register import SongRow, name_key
from fonoteca.serve.delivery import FILE_POLICY, Parcel, deliver, disposition, sent_type
from fonoteca.serve.held import HeldFile, held_file, proving
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.calls import Call, Handler, Transcoded
from fonoteca.serve.subsonic.nouns import suffix_of
from fonoteca.serve.watching.fetches import fetch_of, note_fetch

RAW = "raw"
"""The format that asks for the file as it is."""

KBPS_DEFAULT, KBPS_LEAST, KBPS_MOST = 128, 16, 320
OFFSET_S_MAX = 86_399
SONGS_LOOKED_AT = 500
"""Of an artist, for one by its title."""

_LYRICS = ("lyrics", "unsyncedlyrics", "uslt", "syncedlyrics", "©lyr")
_TIMED = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]")
_ABOUT = re.compile(r"\[[a-z]+:.*\]", re.IGNORECASE)


def stream(call: Call) -> Response | Transcoded:
    """Return a song, in another format where that is asked for and its admission lets it be made."""
    song = call.song()
    held = held_file(call.rooms, song.album.object_id, song.logical_path)
    rendition = _rendition(call, song) if held.passage.record.transcode else None
    return Transcoded(held, rendition) if rendition else sent(call, held, attached=False)


def _rendition(call: Call, song: SongRow) -> Rendition | None:
    """Return the format that a player asks for, None where the file as it is will do.

    A rate that the file does not exceed asks for nothing. A format that nobody here makes is given up, not the song.
    """
    wanted, kbps_most = call.given.text("format").lower(), call.given.number("maxBitRate", 0)
    kbps = round(song.probe.bitrate_bps / 1000) if song.probe else 0
    too_fast = 0 < kbps_most < kbps
    made = {encoder.ending: form for form, encoder in ENCODERS.items()} | {form.value: form for form in Format}
    form = made.get(wanted)
    if (
        wanted == RAW
        or (form is None and not too_fast)
        or (form is not None and suffix_of(song) == ENCODERS[form].ending and not too_fast)
    ):
        return None
    rate = min(max(kbps_most or KBPS_DEFAULT, KBPS_LEAST), KBPS_MOST)
    return Rendition(form or Format.MP3, rate * 1000, float(call.given.number("timeOffset", 0, 0, OFFSET_S_MAX)))


def download(call: Call) -> Response:
    """Return a song as it is kept, to be saved."""
    song = call.song()
    return sent(call, held_file(call.rooms, song.album.object_id, song.logical_path), attached=True)


def avatar(call: Call) -> Noun:
    """Return nothing: accounts have no pictures."""
    call.given.needed("username")
    raise CallError(Code.NOT_FOUND, "There is no picture of this account.", 404)


def lyrics(call: Call) -> Noun:
    """Return the words of a song that artist and title name, none where it is not here or has none."""
    artist, title = call.given.text("artist"), call.given.text("title")
    if not artist or not title:
        return {"lyrics": {"value": ""}}
    for song in call.library.songs_by(name_key(artist), SONGS_LOOKED_AT):
        if name_key(song.title) == name_key(title):
            return {"lyrics": {"artist": song.artist, "title": song.title, "value": _unsung(_words_of(song))}}
    return {"lyrics": {"value": ""}}


def lyrics_by_id(call: Call) -> Noun:
    """Return the words of a song, with times where its tags have them."""
    song = call.song()
    text = _words_of(song)
    return {
        "lyricsList": {"structuredLyrics": [structured(song.artist or song.album.artist, song.title, text)]} if text.strip() else {}
    }


def structured(artist: str, title: str, text: str) -> Noun:
    """Return the words of a song line by line; those of a line with several times once for each, in order of time."""
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if _TIMED.match(line) or not _ABOUT.fullmatch(line)]
    timed = sorted((_milliseconds(match), _TIMED.sub("", line).strip()) for line in said for match in _TIMED.finditer(line))
    named = {"displayArtist": artist, "displayTitle": title, "lang": "xxx"}
    if timed:
        return {**named, "synced": True, "line": [{"start": start, "value": value} for start, value in timed]}
    return {**named, "synced": False, "line": [{"value": line} for line in said]}


def _milliseconds(match: re.Match[str]) -> int:
    fraction = (match[3] or "0").ljust(3, "0")[:3]
    return (int(match[1]) * 60 + int(match[2])) * 1000 + int(fraction)


def _unsung(text: str) -> str:
    """Return words without their times."""
    lines = (line.strip() for line in text.splitlines() if not _ABOUT.fullmatch(line.strip()) or _TIMED.match(line.strip()))
    return "\n".join(_TIMED.sub("", line).strip() for line in lines)


def _words_of(song: SongRow) -> str:
    """Return the words that a song's tags hold, "" for none."""
    other = {name.lower().split(":")[0]: values for name, values in song.tags.other.items()} if song.tags else {}
    return next(("\n".join(other[name]) for name in _LYRICS if name in other), "")


def sent(call: Call, held: HeldFile, *, attached: bool) -> Response:
    """Return a file as it is kept: whole or in part, and under conditions."""
    row = held.row
    name = row.logical_path.rsplit("/", 1)[-1]
    media_type = sent_type(row.media_type)
    parcel = Parcel(row.path, row.stored.hashes.sha256, row.file_bytes, held.owner.head_at, media_type, name)
    note_fetch(call.request, fetch_of(row))
    response = deliver(call.request, proving(call.rooms, row), parcel)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Content-Security-Policy"] = FILE_POLICY
    if attached:
        response.headers["Content-Disposition"] = disposition(name, attached=True)
    return response


HANDLERS: Mapping[str, Handler] = {
    "download": download,
    "getAvatar": avatar,
    "getLyrics": lyrics,
    "getLyricsBySongId": lyrics_by_id,
    "stream": stream,
}
