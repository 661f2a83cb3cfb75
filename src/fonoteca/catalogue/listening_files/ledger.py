"""The ledger that plays are entered in: judged by one table of rules, counted once, added up by recording.

A play is kept in scratch as a hash of its listener, its second, a hash of its names, and its MBID or else its names. Nothing
else of a listener is ever written, and that is gone as soon as the counts are made. Plays spill into buckets by listener: no
listener is in two of them, so that both the plays of a bucket and its listeners can be counted alone and summed.
Cost: some 30 B of disk a play beyond SPILL_PLAYS; memory bounded by DuckDB's.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from fonoteca.catalogue.desk import LISTENING, Desk, RawTable
from fonoteca.catalogue.duck import PARQUET, DuckSettings, duck_errors, open_duck, quoted
from fonoteca.catalogue.listening_files.plays import Play
from fonoteca.catalogue.rows import BadRow, shown
from fonoteca.model.errors import SourceError
from fonoteca.model.ids import UUID_PATTERN

SPILL_PLAYS = 4_000_000
"""Plays in memory before they go to disk: some 300 MB."""
BUCKETS = 32
"""200 million plays in buckets of 6 million: each is counted within DuckDB's memory."""
PAGE_PLAYS = 65_536

HEARD_SINCE = datetime(2002, 10, 1, tzinfo=UTC)
"""ListenBrainz takes nothing older (LISTEN_MINIMUM_TS): scrobbling began then, and earlier times are clocks that were wrong."""
_SECONDS_MAX = 10**11
"""Year 5138 in seconds, 1973 in milliseconds: what is larger is in the wrong unit."""
_FOREVER_S = 2**32
_DAY_AND_GRACE = timedelta(days=2)
"""Clocks of players are off, and some logs are in local time: a day after the day itself is allowed."""
_TEXT_CHARS_MAX = 4096
_HIDDEN = "(not shown: it may name a listener)"

_NIL = "00000000-0000-0000-0000-000000000000"
_BLANKS = "' ' || chr(9) || chr(10) || chr(13)"

PAGE = pa.schema(
    [("line", pa.int64()), *((name, pa.string()) for name in ("listener", "moment", "artist", "title", "mbid", "mapped", "wrong"))]
)
"""What is judged: line, listener (NULL: the one person whose export it is), moment (Unix seconds or ISO time as text), names as
written, mbid as submitted, mapped (what the source itself made of the names, taken where mbid is none), wrong (NULL or why)."""

SECONDS = "coalesce(TRY_CAST(moment AS DOUBLE), epoch(TRY_CAST(moment AS TIMESTAMP)))"

_JUDGED = f"""
CREATE OR REPLACE TEMP TABLE judged AS
WITH found AS (
    SELECT line, listener, moment, wrong, seconds, mbid, trim(artist, {_BLANKS}) AS artist, trim(title, {_BLANKS}) AS title,
        lower(trim(mbid)) AS own, lower(trim(mapped)) AS other
    FROM (%s)
), told AS (
    SELECT *, coalesce(own, '') <> '' AND (NOT regexp_full_match(own, '{UUID_PATTERN}') OR own = '{_NIL}') AS unfit
    FROM found
)
SELECT line, listener, moment, seconds, artist, title, mbid, unfit,
    CASE WHEN own <> '' AND NOT unfit THEN CAST(own AS UUID)
         WHEN regexp_full_match(other, '{UUID_PATTERN}') AND other <> '{_NIL}' THEN CAST(other AS UUID) END AS id,
    CASE WHEN wrong IS NOT NULL THEN wrong
         WHEN coalesce(artist, '') = '' THEN 'artist: empty'
         WHEN coalesce(title, '') = '' THEN 'title: empty'
         WHEN contains(artist, chr(0)) THEN 'artist: a NUL character'
         WHEN contains(title, chr(0)) THEN 'title: a NUL character'
         WHEN length(artist) > {_TEXT_CHARS_MAX} THEN 'artist: more than {_TEXT_CHARS_MAX} characters'
         WHEN length(title) > {_TEXT_CHARS_MAX} THEN 'title: more than {_TEXT_CHARS_MAX} characters'
         WHEN seconds IS NULL AND coalesce(moment, '') = '' THEN 'time: empty'
         WHEN seconds IS NULL THEN 'time: expected seconds since 1970 or an ISO time'
         WHEN NOT isfinite(seconds) THEN 'time: expected a finite number'
         WHEN abs(seconds) >= {_SECONDS_MAX} THEN 'time: in milliseconds or smaller units, expected seconds'
         WHEN seconds < {HEARD_SINCE.timestamp():.0f} THEN 'time: before {HEARD_SINCE:%Y-%m-%d}, when scrobbling began'
         WHEN seconds > $until THEN 'time: in the future'
    END AS reason
FROM told"""

_PLAYS = "listener UBIGINT, second BIGINT, named UBIGINT, id UUID, artist VARCHAR, title VARCHAR"

_ENTER = """
INSERT INTO plays
SELECT hash(listener), CAST(floor(seconds) AS BIGINT), hash(artist, title), id,
    CASE WHEN id IS NULL THEN artist END, CASE WHEN id IS NULL THEN title END
FROM judged WHERE reason IS NULL"""

_HEARD = """
WITH once AS (
    SELECT listener, max(id) AS id, max(artist) AS artist, max(title) AS title
    FROM %s GROUP BY listener, second, named
), told AS (
    SELECT id, CASE WHEN id IS NULL THEN artist END AS artist, CASE WHEN id IS NULL THEN title END AS title, listener
    FROM once
), each AS (
    SELECT id, artist, title, listener, count(*) AS listens FROM told GROUP BY ALL
)
SELECT id, artist, title, sum(listens)::BIGINT AS listens, count(*) AS listeners
FROM each GROUP BY id, artist, title"""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the ledger came to. plays: sound ones, copies included. listens: each once. listeners: different ones, at least one."""

    plays: int
    listens: int
    listeners: int
    unfit_mbids: int
    newest: str


class Ledger:
    """Plays on their way to listens and listeners of each recording. To be closed."""

    def __init__(self, desk: Desk, settings: DuckSettings) -> None:
        self._desk = desk
        self._settings = settings
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._spilled = 0
        self._held = 0
        self._page: list[tuple[int, Play]] = []
        self._until_s = _FOREVER_S
        self._newest_s = 0.0
        self.until("")
        self.plays = 0
        self.set_aside = 0
        self.unfit_mbids = 0
        self.left_out: Counter[str] = Counter()
        self.first_reason = ""

    def close(self) -> None:
        """Let go of DuckDB and of every file that says anything of a listener."""
        if self._opened:
            self._opened.close()
        for path in (*self._desk.scratch.glob("plays-*/*/*.parquet"), *self._desk.scratch.glob("bucket-*.parquet")):
            path.unlink()

    @property
    def _duck(self) -> duckdb.DuckDBPyConnection:
        """DuckDB, opened at the first play: a file that is refused costs nothing."""
        if self._opened is None:
            self._opened = open_duck(self._settings, self._desk.scratch / "spill")
            self._opened.execute(f"CREATE TABLE plays({_PLAYS})")
        return self._opened

    def until(self, day: str) -> None:
        """Take nothing that was heard later than the day after this one, or after the import's. day: "" for the import's."""
        days = [date.fromisoformat(text) for text in (day[:10], self._desk.today) if text]
        ends = [datetime(d.year, d.month, d.day, tzinfo=UTC) + _DAY_AND_GRACE for d in days]
        self._until_s = min((int(end.timestamp()) for end in ends), default=_FOREVER_S)

    def put(self, line: int, play: Play, label: str) -> None:
        """Enter a play of the one person whose export this is. label: the file, told without naming anyone."""
        if play.left_out:
            self.left_out[play.left_out] += 1
            return
        self._page.append((line, play))
        if len(self._page) >= PAGE_PLAYS:
            self.flush(label)

    def flush(self, label: str) -> None:
        """Judge what was put down so far; to be called at the end of each file."""
        if not self._page:
            return
        rows = [(line, *_sound_texts(play)) for line, play in self._page]
        columns = list(zip(*rows, strict=True))
        arrays = [pa.array(column, field.type) for column, field in zip(columns, PAGE, strict=True)]
        self._page = []
        self.take(pa.Table.from_arrays(arrays, schema=PAGE), f"SELECT *, {SECONDS} AS seconds FROM page", label)

    def take(self, page: pa.Table, relation: str, label: str) -> None:
        """Judge and enter a page of plays.

        relation: SQL over the table `page` that gives the columns of PAGE and `seconds`.
        """
        with duck_errors(label):
            self._duck.register("page", page)
            self._duck.execute(_JUDGED % relation, {"until": self._until_s})
            self._duck.unregister("page")
            self._reject("reason IS NOT NULL", label)
            self._reject("reason IS NULL AND unfit", label)
            entered, newest = self._row("SELECT count(*), max(seconds) FROM judged WHERE reason IS NULL")
            if not entered:
                return
            self._duck.execute(_ENTER)
            self.plays += entered
            self._held += entered
            self._newest_s = max(self._newest_s, newest)
            if self._held >= SPILL_PLAYS:
                self._spill()

    def lay_down(self) -> Totals:
        """Lay listens and listeners by MBID, and by names where there is none, on the desk."""
        with duck_errors("listens"):
            heard = [f"({_HEARD % 'plays'})"]
            if self._spilled:
                self._spill()
                heard = [f"read_parquet({quoted(path)})" for path in map(self._bucket, range(BUCKETS))]
            union = " UNION ALL ".join(f"SELECT * FROM {relation}" for relation in heard)
            if not self._spilled:
                self._duck.execute(f"CREATE TEMP TABLE heard AS {union}")
                union = "SELECT * FROM heard"
            self._lay(union, ("id",), "id IS NOT NULL")
            self._lay(union, ("title", "artist"), "id IS NULL")
            [listens] = self._row(f"SELECT coalesce(sum(listens), 0)::BIGINT FROM ({union})")
            listeners = self._listeners()
        newest = datetime.fromtimestamp(self._newest_s, UTC).date().isoformat() if self._newest_s else ""
        return Totals(self.plays, listens, listeners, self.unfit_mbids, newest)

    def _row(self, query: str) -> tuple[Any, ...]:
        [row] = self._duck.execute(query).fetchall()
        return tuple(row)

    def _reject(self, condition: str, label: str) -> None:
        fields = "line, reason, coalesce(moment, seconds::VARCHAR), artist, title, mbid"
        found = self._duck.execute(f"SELECT {fields} FROM judged WHERE {condition} ORDER BY line").fetchall()
        for line, reason, *values in found:
            cells = {name: value for name, value in zip(("time", "artist", "title", "mbid"), values, strict=True) if value}
            row = json.dumps(cells, ensure_ascii=False) if cells else _HIDDEN
            if reason:
                self.reject(line, reason, row, label)
            else:
                self.unfit_mbids += 1
                why = "mbid: no UUID, the listen is kept by its names"
                self._desk.on_reject(BadRow(line, why, shown(row), label, kept=True))

    def reject(self, line: int, reason: str, row: str, label: str) -> None:
        """Set a row aside. row: shown to people, so it must name no listener; "" to show nothing of it."""
        self.set_aside += 1
        self.first_reason = self.first_reason or reason
        self._desk.reject(label, line, reason, row or _HIDDEN)

    def _spill(self) -> None:
        folder = self._desk.scratch / f"plays-{self._spilled:05}"
        columns = f"*, listener % {BUCKETS} AS bucket"
        self._duck.execute(f"COPY (SELECT {columns} FROM plays) TO {quoted(folder)} ({PARQUET}, PARTITION_BY (bucket))")
        self._duck.execute("TRUNCATE plays")
        self._spilled += 1
        self._held = 0

    def _plays_of(self, bucket: int) -> str:
        found = sorted(self._desk.scratch.glob(f"plays-*/bucket={bucket}/*.parquet"))
        if not found:
            return "(FROM plays LIMIT 0)"
        return f"read_parquet([{', '.join(map(quoted, found))}], hive_partitioning = false)"

    def _bucket(self, bucket: int) -> Path:
        """Return the counts of one bucket of listeners, made here."""
        target = self._desk.scratch / f"bucket-{bucket:02}.parquet"
        self._duck.execute(f"COPY ({_HEARD % self._plays_of(bucket)}) TO {quoted(target)} ({PARQUET})")
        return target

    def _listeners(self) -> int:
        relations = [self._plays_of(bucket) for bucket in range(BUCKETS)] if self._spilled else ["plays"]
        return sum(self._row(f"SELECT count(DISTINCT listener) FROM {relation}")[0] for relation in relations)

    def _lay(self, heard: str, key: tuple[str, ...], condition: str) -> None:
        names = ", ".join(key)
        counts = "sum(listens)::BIGINT AS listens, sum(listeners)::BIGINT AS listeners"
        target = self._desk.scratch / f"heard-by-{key[0]}.parquet"
        query = f"SELECT {names}, {counts} FROM ({heard}) WHERE {condition} GROUP BY {names} ORDER BY {names}"
        [rows] = self._row(f"COPY ({query}) TO {quoted(target)} ({PARQUET})")
        if rows:
            fields = (*key, "listens", "listeners")
            self._desk.parquet(RawTable(LISTENING, target, {name: name for name in fields}, "listens, added up"))


def _sound_texts(play: Play) -> tuple[str | None, ...]:
    """Return a play's cells in the order of PAGE without its line, with text that is no Unicode set aside."""
    texts = [None, play.at, play.artist, play.title, play.mbid, play.mapped]
    wrong = play.wrong
    for index, text in enumerate(texts):
        if text and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                texts[index], wrong = None, wrong or "not UTF-8"
    return (*texts, wrong or None)


def nothing_sound(subject: str, ledger: Ledger) -> SourceError:
    """Return the error for files without one sound listen."""
    left = "".join(f", {count} {why}" for why, count in sorted(ledger.left_out.items()))
    first = f"; the first: {ledger.first_reason}" if ledger.first_reason else ""
    return SourceError(subject, f"no sound listen: {ledger.set_aside} set aside{left}{first}", "Nothing was imported.")
