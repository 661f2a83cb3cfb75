"""Histories that are one JSON document, told apart by what is in them, and documents that look alike and are none.

Sources: listenbrainz-server `docs/users/json.rst` and `background/listens_importer/*`; Last.fm's user.getRecentTracks, in pages
as lastfm.ghan.nl and Libre.fm write them; Maloja's export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fonoteca.catalogue.listening_files import spotify
from fonoteca.catalogue.listening_files.plays import Play, Plays, fitting, object_of, text_of, time_of
from fonoteca.model.errors import SourceError, UsageError

_FOUR_MINUTES_S = 240
_YEAR_3000_S = 32_503_680_000
_LOOK_ENTRIES, _LOOK_DEPTH = 20, 6
"""How far into a document its keys tell what it is."""


@dataclass(frozen=True, slots=True)
class History:
    """What a document was told to be. name: of the source. date: of the export, "" when it does not say."""

    name: str
    plays: Plays
    date: str = ""


def history_of(document: Any, subject: str) -> History:
    """Return the history in a document. Raises: UsageError when it is none, SourceError when it contradicts itself."""
    for form in (_submission, _answer, _listens, _lastfm, _maloja, _spotify):
        if history := form(document, subject):
            return history
    raise no_history(document, subject)


def _numbered(make: Callable[[dict[str, Any]], Play], entries: Iterable[Any]) -> Plays:
    return ((number, fitting(make, entry)) for number, entry in enumerate(entries, 1))


def listen_play(listen: dict[str, Any]) -> Play:
    """Return the play of a listen of ListenBrainz's. MBIDs: the submitted one before the mapping's, as its own export has it."""
    about = listen.get("track_metadata")
    if not isinstance(about, dict):
        return Play(wrong="track_metadata: missing")
    text_of(about.get("release_name"), "release")
    own, mapped = object_of(about.get("additional_info")), object_of(about.get("mbid_mapping"))
    return Play(
        at=time_of(listen.get("listened_at", listen.get("timestamp"))),
        artist=text_of(about.get("artist_name"), "artist"),
        title=text_of(about.get("track_name"), "title"),
        mbid=text_of(own.get("recording_mbid"), "mbid"),
        mapped=text_of(mapped.get("recording_mbid"), "mbid"),
    )


_LISTENBRAINZ = "my-listens-listenbrainz"
_PLAYING_NOW = "says what was playing at that moment, which is no listen (docs/users/json.rst of ListenBrainz: playing_now)"


def _submission(document: Any, subject: str) -> History | None:
    found = object_of(document)
    kind, listens = found.get("listen_type"), found.get("payload")
    if not isinstance(listens, list) or not isinstance(kind, str):
        return None
    if kind == "playing_now":
        raise UsageError(subject, _PLAYING_NOW, "Give it a history of listens.")
    if kind == "single" and len(listens) != 1:
        raise SourceError(subject, f"listen_type single stands for one listen, found {len(listens)}", "Nothing was imported.")
    return History(_LISTENBRAINZ, _numbered(listen_play, listens))


def _answer(document: Any, subject: str) -> History | None:
    payload = object_of(object_of(document).get("payload"))
    listens = payload.get("listens")
    if not isinstance(listens, list):
        return None
    if payload.get("playing_now"):
        raise UsageError(subject, _PLAYING_NOW, "Give it a history of listens.")
    return History(_LISTENBRAINZ, _numbered(listen_play, listens))


def _listens(document: Any, subject: str) -> History | None:
    if not isinstance(document, list) or "track_metadata" not in object_of(_first(document)):
        return None
    return History(_LISTENBRAINZ, _numbered(listen_play, document))


def _first(entries: Any) -> Any:
    return entries[0] if isinstance(entries, list) and entries else None


def _lastfm_play(track: dict[str, Any]) -> Play:
    """Return the play of a track of Last.fm's.

    Its MBIDs are left: ListenBrainz's importer found them to be of recordings or of tracks (domain/lastfm.py looks for both).
    """
    if object_of(track.get("@attr")).get("nowplaying") == "true":
        return Play(left_out="playing now")
    artist = track.get("artist")
    if isinstance(artist, dict):
        artist = artist.get("#text") or artist.get("name")
    date = object_of(track.get("date"))
    return Play(at=time_of(date.get("uts")), artist=text_of(artist, "artist"), title=text_of(track.get("name"), "title"))


def _lastfm(document: Any, subject: str) -> History | None:
    pages = document if isinstance(document, list) else [document]
    tracks = [track for page in pages for track in _tracks_of(page)]
    first = object_of(_first(tracks))
    if "artist" not in first or "name" not in first:
        return None
    libre = "libre.fm" in str(first.get("url"))
    return History("my-listens-librefm" if libre else "my-listens-lastfm", _numbered(_lastfm_play, tracks))


def _tracks_of(page: Any) -> list[Any]:
    found = page
    if isinstance(page, dict):
        found = object_of(page.get("recenttracks", page)).get("track", page if "artist" in page and "date" in page else [])
    if isinstance(found, dict):
        return [found]
    return found if isinstance(found, list) else []


def _maloja_play(scrobble: dict[str, Any]) -> Play:
    track = object_of(scrobble.get("track"))
    artists = track.get("artists")
    artist = ", ".join(text_of(a, "artist") or "" for a in artists) if isinstance(artists, list) else text_of(artists, "artist")
    played, length = scrobble.get("duration"), track.get("length")
    if isinstance(played, int | float) and isinstance(length, int | float) and played < min(_FOUR_MINUTES_S, length / 2):
        return Play(left_out="played for less than half and four minutes")  # last.fm/api/scrobbling, "when is a scrobble"
    return Play(at=time_of(scrobble.get("time")), artist=artist, title=text_of(track.get("title"), "title"))


def _maloja(document: Any, subject: str) -> History | None:
    found = object_of(document)
    scrobbles = found.get("scrobbles")
    if "maloja" not in found or not isinstance(scrobbles, list):
        return None
    exported_s = object_of(found["maloja"]).get("export_time")
    date = ""
    if isinstance(exported_s, int) and 0 < exported_s < _YEAR_3000_S:
        date = datetime.fromtimestamp(exported_s, UTC).date().isoformat()
    return History("my-listens-maloja", _numbered(_maloja_play, scrobbles), date)


def _spotify(document: Any, subject: str) -> History | None:
    first = object_of(_first(document))
    if {"ts", "ms_played"} <= set(first):
        return History("my-listens-spotify", _numbered(spotify.extended_play, document))
    if {"endTime", "msPlayed"} <= set(first):
        return History("my-listens-spotify", _numbered(spotify.account_play, document))
    return None


_NOT_HISTORIES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"lovedtracks"}), "holds loved tracks, which are no listens"),
    (frozenset({"played_at"}), "is an answer of Spotify's web interface; only a person's own export is read"),
    (frozenset({"album_type"}), "describes music of Spotify's, and says nothing of listening"),
    (frozenset({"total_listen_count", "release_group_mbid"}), "counts listens of release groups, not of recordings"),
    (frozenset({"total_listen_count", "artist_mbid"}), "counts listens of artists, not of recordings"),
    (frozenset({"listen_count", "recording_mbid"}), "holds the top of somebody's list, without the rest of what they heard"),
    (frozenset({"listen_count", "release_group_name"}), "counts listens of release groups, not of recordings"),
    (frozenset({"listen_count", "release_name"}), "counts listens of releases, not of recordings"),
    (frozenset({"listen_count", "artist_name"}), "counts listens of artists, not of recordings"),
    (frozenset({"listen_count"}), "counts listens by time or genre, not by recording"),
    (frozenset({"recording_name", "listened_at"}), "holds tracks that MusicBrainz lacks, which are no whole history"),
    (frozenset({"artist_mbid"}), "describes artists, and says nothing of listening"),
    (frozenset({"recording_mbid"}), "describes recordings, and says nothing of listening"),
    (frozenset({"release_mbid"}), "describes releases, and says nothing of listening"),
)
"""Keys that all are somewhere in a document, and what it is then; the first that fits."""
KNOWN = (
    "Known are ListenBrainz's dumps, and exports of ListenBrainz, Last.fm, Libre.fm, Maloja, PanoScrobbler, Spotify and Rockbox."
)


def no_history(document: Any, subject: str) -> UsageError:
    """Return why a document is not read."""
    keys = _keys(document, _LOOK_DEPTH)
    why = next((reason for needed, reason in _NOT_HISTORIES if needed <= keys), "holds no listens of a format that is known")
    return UsageError(subject, why, KNOWN)


def _keys(value: Any, depth: int) -> frozenset[str]:
    if depth == 0:
        return frozenset()
    entries: Iterable[Any] = ()
    own: frozenset[str] = frozenset()
    if isinstance(value, Mapping):
        own, entries = frozenset(value), list(value.values())
    elif isinstance(value, list):
        entries = value[:_LOOK_ENTRIES]
    return own.union(*(_keys(entry, depth - 1) for entry in entries))
