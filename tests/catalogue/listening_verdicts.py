"""What the import of listens makes of every file of listenbrainz-server's test data: read, with its counts, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fonoteca.model.errors import FonotecaError, SourceError, UsageError

_OWN = "my-listens-listenbrainz"


@dataclass(frozen=True)
class Read:
    """A file that is read. listens: each once. rows: recordings. aside: line and reason of each bad row. left: no listens."""

    listens: int
    rows: int
    name: str = _OWN
    aside: tuple[tuple[int, str], ...] = ()
    left: int = 0
    repeated: int = 0
    unfit_mbids: int = 0


@dataclass(frozen=True)
class Refused:
    """A file that is not read, and a part of the reason. error: UsageError for no history, SourceError for a broken one."""

    error: type[FonotecaError]
    reason: str


def _refused(error: type[FonotecaError], reason: str, *names: str) -> dict[str, Read | Refused]:
    return dict.fromkeys(names, Refused(error, reason))


def _ranges(stem: str, *ranges: str) -> tuple[str, ...]:
    return tuple(f"{stem}_db_data_for_api_test{end}.json" for end in ranges)


_ALL = ("", "_month", "_week", "_year")
_NO_SOUND = "no sound listen: 1 set aside; the first: "
_ARTISTS = "counts listens of artists"
_ACTIVITY = "counts listens by time or genre"
_TOP = "holds the top of somebody's list"
_DESCRIBES = "says nothing of listening"
_PLAYING = "says what was playing at that moment"

VERDICTS: Mapping[str, Read | Refused] = {
    # Submissions and answers of ListenBrainz
    "additional_info.json": Read(1, 1),
    "valid_single.json": Read(1, 1),
    "valid_import.json": Read(2, 2),
    "valid_duration.json": Read(1, 1),
    "multi_duration.json": Read(1, 1),
    "invalid_duration.json": Read(1, 1),
    "too_large_listen.json": Read(1, 1),
    "user_export_test.json": Read(3, 2),
    "same_batch_duplicates.json": Read(1, 1, repeated=2),
    "same_timestamp_diff_track_valid_single.json": Read(1, 1),
    "same_timestamp_diff_track_valid_single_2.json": Read(1, 1),
    "same_timestamp_diff_track_valid_single_3.json": Read(1, 1),
    "timescale_listenstore_test_listens.json": Read(5, 5),
    "timescale_listenstore_test_listens_2.json": Read(1, 1),
    "spotify_recently_played_expected.json": Read(1, 1),
    "invalid_artist_mbid.json": Read(1, 1),
    "invalid_release_mbid.json": Read(1, 1),
    "invalid_mbid_listens.json": Read(2, 2),
    "invalid_recording_mbid.json": Read(1, 1, unfit_mbids=1),
    **_refused(SourceError, "listen_type single stands for one listen, found 2", "single_more_than_one_listen.json"),
    **_refused(SourceError, "found 4", "timescale_listenstore_test_listens_over_greater_time_range.json"),
    **_refused(SourceError, _NO_SOUND + "artist: expected text, found a list", "artist_name_list.json"),
    **_refused(SourceError, _NO_SOUND + "artist: empty", "empty_artist_name.json"),
    **_refused(SourceError, _NO_SOUND + "title: empty", "empty_track_name.json"),
    **_refused(SourceError, _NO_SOUND + "title: a NUL character", "listen_having_unicode_null.json"),
    **_refused(SourceError, _NO_SOUND + "release: expected text, found a number", "invalid_release_name.json"),
    **_refused(SourceError, _NO_SOUND + "time: expected a finite number", "invalid_listen_nan_in_json.json"),
    **_refused(SourceError, _NO_SOUND + "time: empty", "invalid_listen_null_listened_at.json"),
    **_refused(SourceError, _NO_SOUND + "time: before 2002-10-01", "timestamp_before_lfm_founding.json"),
    **_refused(SourceError, _NO_SOUND + "time: in milliseconds or smaller units", "timestamp_in_ns.json"),
    **_refused(
        SourceError,
        _NO_SOUND + "track_metadata: missing",
        "invalid_listen_missing_track_metadata.json",
        "invalid_listen_null_track_metadata.json",
    ),
    **_refused(
        UsageError,
        _PLAYING,
        "playing_now_more_than_one_listen.json",
        "playing_now_ts.json",
        "playing_now_with_duration.json",
        "playing_now_with_duration_ms.json",
        "playing_now_with_ts.json",
        "too_long_tag.json",
        "too_many_tags.json",
        "valid_playing_now.json",
    ),
    # A person's own history
    "listenbrainz_listens.jsonl": Read(2, 2),
    "listenbrainz_mixed_validity.jsonl": Read(3, 3, aside=((2, "artist: empty"), (4, "title: empty"))),
    **_refused(SourceError, "no sound listen: 3 set aside; the first: artist: empty", "listenbrainz_all_invalid.jsonl"),
    "panoscrobbler.jsonl": Read(2, 2, "my-listens-panoscrobbler"),
    "maloja.json": Read(2, 2, "my-listens-maloja"),
    **_refused(SourceError, "no sound listen: 3 set aside; the first: artist: empty", "maloja_malformed.json"),
    "librefm.csv": Read(3, 3, "my-listens-librefm"),
    "librefm_no_album_column.csv": Read(2, 2, "my-listens-librefm"),
    "librefm_via_maloja.csv": Read(3, 3, "my-listens-librefm"),
    "librefm_with_comments.csv": Read(3, 3, "my-listens-librefm"),
    **_refused(UsageError, "no line names columns that are known", "librefm_no_header.csv", "LICENSE"),
    ".scrobbler.log": Read(2, 2, "my-listens-scrobbler-log", ((7, "artist: untagged"),), left=1, unfit_mbids=1),
    "spotify_streaming_2023.json": Read(4, 4, "my-listens-spotify", left=1),
    "spotify_streaming_endsong_0.json": Read(4, 4, "my-listens-spotify", left=1),
    # ListenBrainz keeps entry 14 too, which does not say how long it played; 12 skipped and 1 private it leaves out as well.
    "spotify_skipped_tracks.json": Read(
        1, 1, "my-listens-spotify", ((14, "ms_played: missing, so nothing says that this was heard"),), 13
    ),
    **_refused(UsageError, "holds loved tracks", "lastfm_loved_tracks_1.json", "lastfm_loved_tracks_2.json"),
    **_refused(UsageError, "holds loved tracks", "librefm_loved_tracks_1.json", "librefm_loved_tracks_2.json"),
    **_refused(UsageError, "only a person's own export is read", "spotify_recently_played_submitted.json"),
    **_refused(UsageError, "says what a radio station played", "spinitron_sample.csv"),
    # Statistics: the top of lists, and counts of other things
    **_refused(UsageError, _TOP, "user_top_recordings_db.json", *_ranges("user_top_recordings", *_ALL, "_too_many")),
    **_refused(UsageError, _ARTISTS, "sitewide_top_artists_db.json", *_ranges("sitewide_top_artists", *_ALL, "_too_many")),
    **_refused(UsageError, _ARTISTS, "user_top_artists_db.json", *_ranges("user_top_artists", *_ALL, "_too_many")),
    **_refused(UsageError, _ARTISTS, "user_artist_map_db.json", *_ranges("user_artist_map", *_ALL)),
    **_refused(UsageError, _ARTISTS, *_ranges("user_artist_evolution_activity", *_ALL), *_ranges("artists_listeners", "")),
    **_refused(UsageError, "counts listens of releases", *_ranges("user_top_releases", *_ALL, "_too_many")),
    **_refused(SourceError, ":11: column 9: not JSON", "user_top_releases_db.json"),
    **_refused(
        UsageError, "release groups", "user_top_release_groups_db.json", *_ranges("user_top_release_groups", *_ALL, "_too_many")
    ),
    **_refused(UsageError, "release groups", *_ranges("release_groups_listeners", "")),
    **_refused(UsageError, _ACTIVITY, "user_daily_activity_db.json", *_ranges("user_daily_activity", *_ALL)),
    **_refused(UsageError, _ACTIVITY, *(f"user_daily_activity_api_output{end}.json" for end in _ALL)),
    **_refused(UsageError, _ACTIVITY, "user_listening_activity_db.json", *_ranges("user_listening_activity", *_ALL)),
    **_refused(UsageError, _ACTIVITY, *_ranges("user_era_activity", *_ALL), *_ranges("user_genre_activity", *_ALL)),
    # Descriptions of music
    **_refused(UsageError, "holds tracks that MusicBrainz lacks", "missing_musicbrainz_data.json"),
    **_refused(
        UsageError,
        _DESCRIBES,
        "mb_artist_metadata_example.json",
        "mb_lookup_metadata_example.json",
        "mb_metadata_cache_example.json",
        "mb_release_group_metadata_cache_example.json",
        "mbid_country_mapping_result.json",
        "mv_artist_metadata_example.json",
        "spotify_cache_album.json",
        "user_fresh_releases.json",
    ),
    **_refused(
        UsageError,
        "holds no listens of a format that is known",
        "mb_artist_metadata_cache.json",
        "similar_artist_db_data_for_api_test.json",
        "top_recording_db_data_for_api_test.json",
    ),
}
"""File of `fixtures/listenbrainz` to what becomes of it."""
