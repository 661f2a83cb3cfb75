"""When a play of Spotify's streaming history is a listen.

The history has everything that began to play, and how long each track is it does not say. So:

- played for 4 minutes or more: a listen (Last.fm's rule: half of the track, or 4 minutes; last.fm/api/scrobbling);
- skipped (`skipped`, or ended by the forward or back button): none, as half of the track cannot be shown;
- played for 30 seconds or more: a listen (what Spotify itself counts as a stream);
- shorter: only when the track was heard to its end (`reason_end` trackdone), as listenbrainz-server's importer has it;
- in a private session (`incognito_mode`): none, as in that importer: the listener asked not to be counted.

Podcasts and audiobooks are no music.
"""

from __future__ import annotations

from typing import Any

from fonoteca.catalogue.listening_files.plays import Play, text_of, time_of

_LONG_MS = 240_000
_STREAM_MS = 30_000
_SKIPS = frozenset({"fwdbtn", "backbtn"})


def extended_play(entry: dict[str, Any]) -> Play:
    """Return the play of an entry of the extended history (`Streaming_History_Audio_*.json`, `endsong_*.json`)."""
    title = text_of(entry.get("master_metadata_track_name"), "title")
    if not title and (entry.get("episode_name") or entry.get("audiobook_title")):
        return Play(left_out="no music")
    left_out = "in a private session" if entry.get("incognito_mode") else ""
    skipped = entry.get("skipped") is True or entry.get("reason_end") in _SKIPS
    ended = entry.get("reason_end") == "trackdone"
    return Play(
        at=time_of(entry.get("ts")),
        artist=text_of(entry.get("master_metadata_album_artist_name"), "artist"),
        title=title,
        wrong="" if left_out else _unplayed(entry.get("ms_played")),
        left_out=left_out or _short(entry.get("ms_played"), skipped, ended),
    )


def account_play(entry: dict[str, Any]) -> Play:
    """Return the play of an entry of the account's history of a year (`StreamingHistory*.json`)."""
    if "episodeName" in entry or "podcastName" in entry:
        return Play(left_out="no music")
    return Play(
        at=time_of(entry.get("endTime")),
        artist=text_of(entry.get("artistName"), "artist"),
        title=text_of(entry.get("trackName"), "title"),
        wrong=_unplayed(entry.get("msPlayed")),
        left_out=_short(entry.get("msPlayed"), False, False),
    )


def _unplayed(played_ms: Any) -> str:
    """Return what is wrong with a time of playing, "" for nothing."""
    if isinstance(played_ms, bool) or not isinstance(played_ms, int | float):
        return "ms_played: missing, so nothing says that this was heard"
    return "" if 0 <= played_ms < float("inf") else "ms_played: expected a number of milliseconds"


def _short(played_ms: Any, skipped: bool, ended: bool) -> str:
    """Return why this is no listen, "" when it is one."""
    if _unplayed(played_ms) or played_ms >= _LONG_MS:
        return ""
    if skipped:
        return "skipped"
    return "" if ended or played_ms >= _STREAM_MS else "played for less than 30 seconds"
