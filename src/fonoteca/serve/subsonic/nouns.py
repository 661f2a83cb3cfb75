"""Songs, albums and artists as the protocol tells of them. What is not known is left out."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fonoteca.model.audio import Loudness
from fonoteca.register import AlbumRow, ArtistRow, SongRow, genres_of, name_key, sort_name
from fonoteca.serve.subsonic.answers import Noun
from fonoteca.serve.subsonic.ids import album_id, artist_id, song_id

REPLAY_GAIN_LUFS = -18.0
"""The loudness that ReplayGain 2.0 brings music to."""

_SUFFIX = re.compile(r"[a-z0-9]{1,8}")


def instant(at: datetime) -> str:
    """Return a time as the protocol writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(duration_ms: int) -> int:
    """Return whole seconds, as players show them."""
    return (duration_ms + 500) // 1000


def song_noun(song: SongRow) -> Noun:
    """Return a song as a `Child`."""
    album, tags, probe = song.album, song.tags, song.probe
    folder, owner, artist = album_id(album.album_key), artist_id(album.artist_key), song.artist or album.artist
    artist_noun = {"id": artist_id(name_key(artist)), "name": artist}
    suffix = suffix_of(song)
    genres = genres_of(tags)
    noun: Noun = {
        "id": song_id(album.album_key, song.logical_path),
        "parent": folder,
        "isDir": False,
        "title": song.title,
        "album": album.title,
        "artist": artist,
        "track": tags.track_number if tags and tags.track_number and tags.track_number > 0 else song.position + 1,
        "year": song.year or album.year,
        "genre": genres[0] if genres else None,
        "coverArt": folder,
        "size": song.file_bytes,
        "contentType": song.media_type,
        "suffix": suffix,
        "duration": seconds(song.duration_ms),
        "bitRate": round(probe.bitrate_bps / 1000) if probe else None,
        "samplingRate": probe.sample_rate_hz if probe else None,
        "channelCount": probe.channels if probe else None,
        "path": "/".join([_path_part(album.artist), _path_part(album.title), song.logical_path]),
        "isVideo": False,
        "discNumber": tags.disc_number if tags and tags.disc_number and tags.disc_number > 0 else 1,
        "created": instant(album.created_at),
        "albumId": folder,
        "artistId": artist_noun["id"],
        "type": "music",
        "mediaType": "song",
        "sortName": sort_name(song.title),
        "musicBrainzId": tags.recording_mbid if tags and tags.recording_mbid else None,
        "isrc": list(tags.isrcs) if tags and tags.isrcs else None,
        "genres": [{"name": genre} for genre in genres] or None,
        "artists": [artist_noun],
        "displayArtist": artist,
        "albumArtists": [{"id": owner, "name": album.artist}],
        "displayAlbumArtist": album.artist,
        "replayGain": _gain(probe.loudness) if probe else None,
    }
    return _said(noun)


def album_noun(album: AlbumRow) -> Noun:
    """Return an album as an `AlbumID3`."""
    owner = artist_id(album.artist_key)
    return _said(
        {
            "id": album_id(album.album_key),
            "name": album.title,
            "artist": album.artist,
            "artistId": owner,
            "coverArt": album_id(album.album_key),
            "songCount": album.song_count,
            "duration": seconds(album.duration_ms),
            "created": instant(album.created_at),
            "year": album.year,
            "genre": album.genre or None,
            "genres": [{"name": album.genre}] if album.genre else None,
            "artists": [{"id": owner, "name": album.artist}],
            "displayArtist": album.artist,
            "sortName": album.sort_title,
        }
    )


def folder_noun(album: AlbumRow) -> Noun:
    """Return an album as a `Child` that is a folder, for players that browse by folders."""
    return _said(
        {
            "id": album_id(album.album_key),
            "parent": artist_id(album.artist_key),
            "isDir": True,
            "title": album.title,
            "name": album.title,
            "album": album.title,
            "artist": album.artist,
            "year": album.year,
            "genre": album.genre or None,
            "coverArt": album_id(album.album_key),
            "duration": seconds(album.duration_ms),
            "created": instant(album.created_at),
            "albumId": album_id(album.album_key),
            "artistId": artist_id(album.artist_key),
            "isVideo": False,
            "songCount": album.song_count,
            "mediaType": "album",
        }
    )


def artist_noun(artist: ArtistRow) -> Noun:
    """Return an artist as an `ArtistID3`."""
    return {"id": artist_id(artist.artist_key), "name": artist.name, "albumCount": artist.album_count, "sortName": artist.sort_name}


def artist_entry(artist: ArtistRow) -> Noun:
    """Return an artist as an `Artist`, for players that browse by folders."""
    return {"id": artist_id(artist.artist_key), "name": artist.name}


def suffix_of(song: SongRow) -> str:
    """Return the ending of a song's file name, its codec's name where it has none."""
    ending = song.logical_path.rsplit("/", 1)[-1].rpartition(".")[2].lower()
    return ending if _SUFFIX.fullmatch(ending) else song.codec or "bin"


def _path_part(name: str) -> str:
    return name.replace("/", "_") or "_"


def _gain(loudness: Loudness) -> Noun | None:
    found: Noun = {}
    if loudness.integrated_lufs is not None:
        found["trackGain"] = round(REPLAY_GAIN_LUFS - loudness.integrated_lufs, 2)
    if loudness.sample_peak_dbfs is not None:
        found["trackPeak"] = round(10 ** (loudness.sample_peak_dbfs / 20), 6)
    return found or None


def _said(noun: Noun) -> Noun:
    """Return a noun without what is not known."""
    return {name: value for name, value in noun.items() if value is not None}
