"""Recordings and redirects out of the dump's tables, in DuckDB.

Nothing goes through Python row by row but what is set aside. Recordings come release by release, official ones first, by date, disc
and track, so that the same dump gives the same bytes, and what shares a title or release is close together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from fonoteca.catalogue.checks import YEAR_MAX, YEAR_MIN
from fonoteca.catalogue.duck import PARQUET, quoted
from fonoteca.catalogue.musicbrainz.schema import OFFICIAL, RECORDING_LICENCE, RELEASE_LICENCE, Table

Reject = Callable[[str, int, str, str], None]
"""Takes the file, the line, the reason and the row of what is set aside."""

RECORDING_FIELDS = (
    *("id", "title", "artist", "release", "release_id", "disc", "track", "year"),
    *("duration_ms", "isrc", "licence", "source_uri", "genre"),
)

_TYPES = {"int": "INTEGER", "text": "VARCHAR", "uuid": "UUID"}
_FETCH_ROWS = 10_000
_PLACE_BITS = 15
_PLACE_MAX = (1 << _PLACE_BITS) - 1
"""A disc and a track number take 15 bits each of the 64 of a key that sorts tracks; the catalogue keeps 16-bit numbers."""

_REFERENCES = (
    ("recording", "artist_credit", "artist_credit"),
    ("medium", "release", "release"),
    ("track", "medium", "medium"),
    ("track", "recording", "recording"),
    ("isrc", "recording", "recording"),
)
"""Table, column, and the table whose `id` it names; what names nothing is set aside, and then what names that."""

_CREDITS = """
CREATE TABLE joined_name AS
    SELECT artist_credit AS id, count(*) AS parts, string_agg(name || join_phrase, '' ORDER BY position) AS name
    FROM artist_credit_name GROUP BY artist_credit;
CREATE TABLE credit AS SELECT c.id, CASE WHEN j.parts = c.artist_count THEN j.name ELSE c.name END AS name
    FROM artist_credit c LEFT JOIN joined_name j USING (id);
DROP TABLE joined_name;
"""
# Several licences: one still in force before an ended one, then the first by its text, so that it is always the same one.
_LICENCES = f"""
CREATE TABLE licence_link AS SELECT l.id, t.gid, CASE l.ended WHEN 't' THEN '1' ELSE '0' END AS ended
    FROM link l JOIN link_type t ON t.id = l.link_type WHERE t.gid IN ('{RECORDING_LICENCE}', '{RELEASE_LICENCE}');
CREATE TABLE recording_licence AS SELECT r.entity0 AS id, substr(min(k.ended || u.url), 2) AS url
    FROM l_recording_url r JOIN licence_link k ON k.id = r.link AND k.gid = '{RECORDING_LICENCE}' JOIN url u ON u.id = r.entity1
    GROUP BY r.entity0;
CREATE TABLE release_licence AS SELECT r.entity0 AS id, substr(min(k.ended || u.url), 2) AS url
    FROM l_release_url r JOIN licence_link k ON k.id = r.link AND k.gid = '{RELEASE_LICENCE}' JOIN url u ON u.id = r.entity1
    GROUP BY r.entity0;
"""
# A genre is a tag that has the name of one (musicbrainz.org/doc/Genre); the most voted for, then the first by name.
_GENRES = """
CREATE TABLE genre_tag AS SELECT t.id, t.name FROM tag t SEMI JOIN genre g ON g.name = t.name;
CREATE TABLE recording_genre AS SELECT r.recording AS id, t.name FROM recording_tag r JOIN genre_tag t ON t.id = r.tag
    WHERE r.count > 0 QUALIFY row_number() OVER (PARTITION BY r.recording ORDER BY r.count DESC, t.name) = 1;
CREATE TABLE group_genre AS SELECT r.release_group AS id, t.name FROM release_group_tag r JOIN genre_tag t ON t.id = r.tag
    WHERE r.count > 0 QUALIFY row_number() OVER (PARTITION BY r.release_group ORDER BY r.count DESC, t.name) = 1;
"""
# Months and days that are missing or none count as after all others, as MusicBrainz sorts them (NULLS LAST).
_RELEASES = f"""
CREATE TABLE release_date AS SELECT release AS id, min(CASE WHEN date_year <> 0 THEN date_year * 10000
        + CASE WHEN date_month BETWEEN 1 AND 12 THEN date_month ELSE 13 END * 100
        + CASE WHEN date_day BETWEEN 1 AND 31 THEN date_day ELSE 32 END END) AS date
    FROM (FROM (SELECT release, date_year, date_month, date_day FROM release_country) UNION ALL
          FROM (SELECT release, date_year, date_month, date_day FROM release_unknown_country)) GROUP BY release;
CREATE TABLE ranked AS SELECT r.id, r.gid, r.name, r.release_group, l.url AS licence, CAST(d.date // 10000 AS SMALLINT) AS year,
        row_number() OVER (ORDER BY r.status IS DISTINCT FROM coalesce(
            (SELECT min(id) FROM release_status WHERE gid = '{OFFICIAL}'), 1), d.date NULLS LAST, r.gid) AS place
    FROM release r LEFT JOIN release_date d USING (id) LEFT JOIN release_licence l USING (id);
"""
_PLACES = f"""
CREATE TABLE medium_place AS SELECT m.id,
        (r.place << {2 * _PLACE_BITS}) + (least(greatest(m.position, 0), {_PLACE_MAX})::BIGINT << {_PLACE_BITS}) AS place
    FROM medium m JOIN ranked r ON r.id = m.release;
CREATE TABLE best AS SELECT t.recording AS id, min(m.place + least(greatest(t.position, 0), {_PLACE_MAX})) AS place
    FROM track t JOIN medium_place m ON m.id = t.medium GROUP BY t.recording;
DROP TABLE medium_place;
CREATE TABLE isrcs AS SELECT recording AS id, string_agg(DISTINCT isrc, ' ' ORDER BY isrc) AS isrc FROM isrc GROUP BY recording;
"""
_RECORDINGS = f"""
SELECT r.line, r.gid AS id, r.name AS title, c.name AS artist, e.name AS release, e.gid AS release_id,
    CAST(nullif((b.place >> {_PLACE_BITS}) & {_PLACE_MAX}, 0) AS SMALLINT) AS disc,
    CAST(nullif(b.place & {_PLACE_MAX}, 0) AS SMALLINT) AS track, e.year, r.length AS duration_ms, i.isrc,
    coalesce(l.url, e.licence) AS licence, 'https://musicbrainz.org/recording/' || CAST(r.gid AS VARCHAR) AS source_uri,
    coalesce(g.name, h.name) AS genre
FROM recording r JOIN credit c ON c.id = r.artist_credit
LEFT JOIN best b ON b.id = r.id
LEFT JOIN ranked e ON e.place = b.place >> {2 * _PLACE_BITS}
LEFT JOIN isrcs i ON i.id = r.id
LEFT JOIN recording_licence l ON l.id = r.id
LEFT JOIN recording_genre g ON g.id = r.id
LEFT JOIN group_genre h ON h.id = e.release_group
ORDER BY b.place NULLS LAST, r.line
"""
_REDIRECTS = """
CREATE TABLE live AS SELECT gid FROM recording SEMI JOIN recording_gid_redirect USING (gid);
CREATE TABLE redirect AS SELECT d.line, d.gid, d.new_id, r.gid AS target, CASE
        WHEN r.gid IS NULL THEN 'redirects to nothing: no recording ' || d.new_id
        WHEN r.gid = d.gid THEN 'redirects to itself'
        WHEN d.gid IN (FROM live) THEN 'redirects a recording that is still there' ELSE '' END AS why
    FROM recording_gid_redirect d LEFT JOIN recording r ON r.id = d.new_id;
"""


class Joins:
    """The dump's tables in a database. shelf: where each table that was read lies; the others are empty."""

    def __init__(
        self, duck: duckdb.DuckDBPyConnection, tables: Mapping[str, Table], shelf: Mapping[str, Path], reject: Reject
    ) -> None:
        self._duck = duck
        self._tables = tables
        self._shelf = shelf
        self._reject = reject
        for table in tables.values():
            names = ", ".join(["line", *(column.name for column in table.kept)])
            rows = f"SELECT {names} FROM read_parquet({quoted(shelf[table.name])})" if table.name in shelf else _none(table)
            duck.execute(f"CREATE VIEW raw_{table.name} AS {rows}")
            duck.execute(f"CREATE TABLE aside_{table.name} (line BIGINT)")
            duck.execute(f"CREATE VIEW {table.name} AS FROM raw_{table.name}")

    def prepare(self) -> None:
        """Set aside what repeats a key or names what is not there, and find each recording's release and place on it."""
        for table in self._tables.values():
            self._drop_repeats(table)
        for name, column, other in _REFERENCES:
            if other in self._shelf:
                why = f"'{column}: no {other} ' || t.{column}"
                self._drop(name, f"SELECT t.line, {why} FROM {name} t ANTI JOIN {other} o ON o.id = t.{column}")
        for name in ("release_country", "release_unknown_country"):
            # Set aside here, lest one event make all the release's recordings bad rows.
            why = f"'date_year: expected {YEAR_MIN} to {YEAR_MAX}, found ' || date_year"
            odd = f"date_year <> 0 AND date_year NOT BETWEEN {YEAR_MIN} AND {YEAR_MAX}"
            self._drop(name, f"SELECT line, {why} FROM {name} WHERE {odd}")
        for step in (_CREDITS, _LICENCES, _GENRES, _RELEASES, _PLACES):
            self._duck.execute(step)

    def write_recordings(self, path: Path) -> None:
        """Write one row a recording: `line` in mbdump/recording, then RECORDING_FIELDS."""
        self._duck.execute(f"COPY ({_RECORDINGS}) TO {quoted(path)} ({PARQUET})")

    def write_redirects(self, path: Path) -> None:
        """Write one row a redirect: `line` in mbdump/recording_gid_redirect, `id`, `into`; set aside those that lead nowhere."""
        self._duck.execute(_REDIRECTS)
        still_there = self._duck.execute("SELECT gid::VARCHAR, target::VARCHAR FROM redirect WHERE gid IN (FROM live)").fetchall()
        self._duck.execute(
            "UPDATE redirect SET why = 'cyclic redirect' WHERE gid <> target AND gid IN (SELECT unnest($ids)::UUID)",
            {"ids": sorted(cyclic(dict(still_there)))},
        )
        self._drop("recording_gid_redirect", "SELECT line, why FROM redirect WHERE why <> ''")
        kept = "SELECT line, gid AS id, target AS \"into\" FROM redirect WHERE why = '' ORDER BY line"
        self._duck.execute(f"COPY ({kept}) TO {quoted(path)} ({PARQUET})")

    def _drop_repeats(self, table: Table) -> None:
        """Set aside rows whose key an earlier line has. Counting first is much cheaper than sorting, and real dumps repeat none."""
        if not table.key or table.name not in self._shelf:
            return
        counted = self._duck.execute(f"SELECT count(*) - count(DISTINCT {table.key}) FROM {table.name}").fetchone()
        if counted and counted[0]:
            first = f"min(line) OVER (PARTITION BY {table.key})"
            why = f"'{table.key}: ' || {table.key} || ' was in line ' || {first}"
            self._drop(table.name, f"SELECT line, {why} FROM {table.name} QUALIFY line > {first}")

    def _drop(self, name: str, found: str) -> None:
        """Set rows of a table aside. found: a query for their lines and why."""
        self._duck.execute(f"CREATE OR REPLACE TEMP TABLE found AS SELECT #1 AS line, #2 AS why FROM ({found})")
        counted = self._duck.execute("SELECT count(*) FROM found").fetchone()
        if not counted or not counted[0]:
            return
        columns = [column.name for column in self._tables[name].kept]
        rows = self._duck.execute(f"SELECT f.why, r.* FROM raw_{name} r JOIN found f USING (line) ORDER BY r.line")
        while batch := rows.fetchmany(_FETCH_ROWS):
            for why, line, *cells in batch:
                self._reject(self._tables[name].file, line, why, repr({c: str(v) for c, v in zip(columns, cells, strict=True)}))
        self._duck.execute(f"INSERT INTO aside_{name} SELECT line FROM found")
        self._duck.execute(f"CREATE OR REPLACE VIEW {name} AS FROM raw_{name} ANTI JOIN aside_{name} USING (line)")


def _none(table: Table) -> str:
    """Return SQL for no rows of a table that the dump left out, as it does with empty ones."""
    return f"SELECT 0::BIGINT AS line, {', '.join(f'NULL::{_TYPES[c.kind]} AS {c.name}' for c in table.kept)} WHERE false"


def cyclic(redirects: Mapping[str, str]) -> set[str]:
    """Return the ids that, followed from one redirect to the next, come back to themselves. Cost: O(n)."""
    found: set[str] = set()
    settled: set[str] = set()
    for start in redirects:
        path: dict[str, None] = {}
        at = start
        while at in redirects and at not in settled and at not in path:
            path[at] = None
            at = redirects[at]
        if at in path:
            ids = list(path)
            found.update(ids[ids.index(at) :])
        settled.update(path)
    return found
