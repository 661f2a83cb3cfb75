"""The build: rows of all imports to one snapshot folder, in DuckDB.

`recordings.parquet`, one row a recording, key `rank` and `id`, in ascending order of rank:
    rank, id (UUID), title, artist, release, release_id, disc, track, year, duration_ms, licence_uri, source_uri, genre, source,
    file_bytes, file_bytes_estimated, held, listens, listeners, share, share_low, share_high, synthetic
`releases.parquet`, one row a release_id, and `artists.parquet`, one row an artist's name, both in ascending order of best_rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from fonoteca.catalogue.duck import PARQUET, quoted
from fonoteca.catalogue.popularity import ListeningTotals, shares_sql

RECORDINGS_FILE = "recordings.parquet"
RELEASES_FILE = "releases.parquet"
ARTISTS_FILE = "artists.parquet"

ESTIMATED_BITRATE_BPS = 192_000
"""What a file that is not held is taken to weigh a second. The starter's files that name a constant bit rate say 192 kbit/s
in 344 of 350 cases; Ogg Vorbis at its usual quality 6 is the same."""
UNKNOWN_DURATION_MS = 240_000
"""Stands for a duration that no source gives: the starter's median is 249 s, and durations peak at whole minutes."""


def estimated_bytes(duration_ms: int) -> int:
    """Return what a file of this duration is taken to weigh, whole bytes rounded down. duration_ms: 0 when unknown."""
    return (duration_ms or UNKNOWN_DURATION_MS) * ESTIMATED_BITRATE_BPS // 8000


def gather(duck: duckdb.DuckDBPyConnection, tables: Sequence[tuple[str, str, Path]], synthetic: bool) -> ListeningTotals:
    """Make the tables `merged` and `listening` of all imports. tables: (source, kind of rows, rows.parquet).

    merged: one row a recording id. Names come from the catalogue's source that is first in the alphabet, and from the store where
    no other has the recording; licence and bytes of what is held from the store, which knows them.
    listening: one row a recording id, listens and listeners added over sources.
    """
    _gather_recordings(duck, tables)
    _gather_listening(duck, [path for _, rows, path in tables if rows == "listening"])
    found = duck.execute(
        """
        SELECT (SELECT count(*) FROM merged),
            coalesce(sum(listens) FILTER (WHERE catalogued), 0),
            coalesce(sum(listens) FILTER (WHERE catalogued AND listeners > 0), 0),
            coalesce(sum(listeners) FILTER (WHERE catalogued AND listeners > 0), 0),
            coalesce(sum(listens) FILTER (WHERE NOT catalogued), 0)
        FROM (SELECT l.*, EXISTS (FROM merged m WHERE m.id = l.id) AS catalogued FROM listening l)
        """
    ).fetchone()
    assert found is not None
    recording_count, listens, paired_listens, pairs, unmatched = map(int, found)
    plays = max(1.0, paired_listens / pairs) if pairs else 1.0
    return ListeningTotals(recording_count, listens, plays, unmatched, synthetic)


_MERGED_TEXTS = "title, artist, release, release_id, disc, track, year, source_uri, genre"


def _gather_recordings(duck: duckdb.DuckDBPyConnection, tables: Sequence[tuple[str, str, Path]]) -> None:
    duck.execute(
        """
        CREATE TABLE catalogued (source VARCHAR, precedence INTEGER, id UUID, title VARCHAR, artist VARCHAR, release VARCHAR,
            release_id VARCHAR, disc SMALLINT, track SMALLINT, year SMALLINT, source_uri VARCHAR, genre VARCHAR,
            duration_ms BIGINT, licence_uri VARCHAR, file_bytes BIGINT);
        CREATE TABLE held (id UUID, object_id VARCHAR, logical_path VARCHAR, licence_uri VARCHAR, duration_ms BIGINT,
            file_bytes BIGINT);
        """
    )
    columns = f"id, {_MERGED_TEXTS}, duration_ms, licence_uri, file_bytes"
    for precedence, (source, rows, path) in enumerate(sorted(tables, key=lambda t: (t[1] == "held", t[0]))):
        if rows == "listening":
            continue
        duck.execute(
            f"INSERT INTO catalogued SELECT $source, $precedence, {columns} FROM read_parquet($path)",
            {"source": source, "precedence": precedence, "path": str(path)},
        )
        if rows == "held":
            duck.execute(
                "INSERT INTO held SELECT id, object_id, logical_path, licence_uri, duration_ms, file_bytes "
                "FROM read_parquet($path)",
                {"path": str(path)},
            )
    # Of several files of one recording the first by object and path speaks for it: one file is what a listener gets.
    duck.execute(
        """
        CREATE TABLE merged AS
        WITH named AS (
            SELECT * FROM catalogued QUALIFY row_number() OVER (PARTITION BY id ORDER BY precedence, release_id, title) = 1
        ), kept AS (
            SELECT * FROM held QUALIFY row_number() OVER (PARTITION BY id ORDER BY object_id, logical_path) = 1
        )
        SELECT n.* EXCLUDE (precedence, duration_ms, licence_uri, file_bytes),
            coalesce(nullif(k.duration_ms, 0), n.duration_ms) AS duration_ms,
            coalesce(nullif(k.licence_uri, ''), n.licence_uri) AS licence_uri,
            coalesce(k.file_bytes, nullif(n.file_bytes, 0)) AS known_bytes,
            k.id IS NOT NULL AS held
        FROM named n LEFT JOIN kept k ON k.id = n.id;
        DROP TABLE catalogued;
        DROP TABLE held;
        """
    )


def _gather_listening(duck: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    duck.execute("CREATE TABLE counted (id UUID, listens HUGEINT, listeners HUGEINT)")
    for path in paths:
        duck.execute("INSERT INTO counted SELECT id, listens, listeners FROM read_parquet($path)", {"path": str(path)})
    duck.execute(
        """
        CREATE TABLE listening AS SELECT id, sum(listens)::HUGEINT AS listens, sum(listeners)::HUGEINT AS listeners
        FROM counted GROUP BY id;
        DROP TABLE counted;
        """
    )


def write_files(duck: duckdb.DuckDBPyConnection, totals: ListeningTotals, folder: Path) -> None:
    """Write the snapshot's Parquet files into the folder. Ties in listening are ordered by id, so ranks are the same each time."""
    duck.execute(
        f"""
        CREATE TABLE ranked AS
        SELECT row_number() OVER (ORDER BY listens DESC, id) AS rank, *
        FROM (
            SELECT m.*, coalesce(l.listens, 0) AS listens, coalesce(l.listeners, 0) AS listeners
            FROM merged m LEFT JOIN listening l ON l.id = m.id
        );
        COPY (
            SELECT rank, id, {_MERGED_TEXTS.replace("source_uri, genre", "duration_ms, licence_uri, source_uri, genre")}, source,
                coalesce(known_bytes,
                    (CASE duration_ms WHEN 0 THEN {UNKNOWN_DURATION_MS} ELSE duration_ms END) * {ESTIMATED_BITRATE_BPS} // 8000
                ) AS file_bytes,
                known_bytes IS NULL AS file_bytes_estimated, held,
                listens::BIGINT AS listens, listeners::BIGINT AS listeners,
                {shares_sql(totals)},
                {str(totals.synthetic).lower()} AS synthetic
            FROM ranked ORDER BY rank
        ) TO {quoted(folder / RECORDINGS_FILE)} ({PARQUET});
        """
    )
    total = f"{2 * totals.listens + totals.recording_count}::DOUBLE"
    shared = f"""count(*) AS track_count, count(*) FILTER (WHERE held) AS held_count, min(rank) AS best_rank,
        sum(2 * listens + 1)::DOUBLE / {total} AS share, {str(totals.synthetic).lower()} AS synthetic"""
    duck.execute(
        f"""
        COPY (
            SELECT release_id, arg_min(release, rank) AS title, arg_min(artist, rank) AS artist,
                count(DISTINCT artist) AS artist_count, max(year) AS year, {shared}
            FROM ranked WHERE release_id <> '' GROUP BY release_id ORDER BY best_rank
        ) TO {quoted(folder / RELEASES_FILE)} ({PARQUET});
        COPY (
            SELECT artist AS name, {shared} FROM ranked WHERE artist <> '' GROUP BY artist ORDER BY best_rank
        ) TO {quoted(folder / ARTISTS_FILE)} ({PARQUET});
        """
    )
