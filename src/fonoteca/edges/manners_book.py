"""What is known of hosts between two requests, and between two runs: `sources.sqlite` in the archive's folder.

Every request is written down before it is sent: a run that is killed has not asked more than the next one knows of, since a killed
process loses nothing of it; a power cut may lose the last seconds. It may be deleted: then hosts are met as for the first time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteca.model.errors import StoreError
from fonoteca.model.manners import Asked

PAGE_BYTES_MAX = 32 << 20
"""Larger documents are not kept, and so are fetched anew."""
PAGES_MAX = 20_000
PAGES_BYTES_MAX = 512 << 20
PARTS_MAX = 200_000
_BUSY_S = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS host (host TEXT PRIMARY KEY, next_at REAL NOT NULL DEFAULT 0, free_at REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS day (host TEXT, day INTEGER, requests INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (host, day));
CREATE TABLE IF NOT EXISTS page (url TEXT PRIMARY KEY, etag TEXT, modified TEXT, target TEXT, media_type TEXT, usage TEXT,
    content BLOB, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS robots (origin TEXT PRIMARY KEY, content BLOB, state TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS part (url TEXT PRIMARY KEY, validator TEXT NOT NULL, file_bytes INTEGER, usage TEXT NOT NULL,
    at REAL NOT NULL);
"""


_FORGET = f"""
DELETE FROM page WHERE url NOT IN (SELECT url FROM (
    SELECT url, row_number() OVER newest AS place, sum(length(content)) OVER newest AS bytes FROM page
    WINDOW newest AS (ORDER BY at DESC, url)) WHERE place <= {PAGES_MAX} AND bytes <= {PAGES_BYTES_MAX});
DELETE FROM part WHERE url NOT IN (SELECT url FROM part ORDER BY at DESC LIMIT {PARTS_MAX});
"""
"""What is older than what is kept is forgotten when the notes are opened."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a host is not asked beyond. gap_s: between two requests. requests and came_bytes: a day."""

    gap_s: float
    requests: int
    came_bytes: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a request may be sent now, which is noted then. wait_s: until one may be, where it is the pace that does not let it.
    left_s: how long the host wants to be left alone. requests and came_bytes: of today.
    """

    taken: bool
    wait_s: float
    left_s: float
    requests: int
    came_bytes: int


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A document as it was given last, with what tells whether it has changed since."""

    etag: str
    modified: str
    target: str
    media_type: str
    usage: str
    content: bytes


@dataclass(frozen=True, slots=True)
class KeptRobots:
    """A robots.txt as it was found. state: `given`, `none` or `unreachable`."""

    content: bytes
    state: str
    at: float


@dataclass(frozen=True, slots=True)
class Part:
    """A file that is fetched in part. validator: a strong ETag or a date of change, "" where the host gave none."""

    validator: str
    file_bytes: int | None
    usage: str


class MannersBook:
    """The notes. All methods may be called from any thread. Raises: StoreError when the disk fails."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self.path = path
        self._opened: sqlite3.Connection | None = None

    @property
    def _notes(self) -> sqlite3.Connection:
        """The notes, opened when they are first needed: most runs ask no host."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        with _in_words():
            notes = sqlite3.connect(self.path or ":memory:", timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            # A killed process keeps what it wrote without waiting for the disk; see the module's docstring.
            notes.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; {_TABLES}")
            notes.executescript(_FORGET)
        return notes

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()

    def _run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, _in_words():
            return self._notes.execute(statement, values).fetchall()

    # Hosts ----------------------------------------------------------------------------------------------------------

    def take_turn(self, host: str, day: int, now: Callable[[], float], limits: Limits) -> Turn:
        """Return whether a request may be sent now: asked and noted in one step, whoever else asks at the same moment."""
        with self._lock, _in_words():
            self._notes.execute("BEGIN IMMEDIATE")  # may wait for another process, and so the time is asked after it
            try:
                turn = self._turn(host, day, now(), limits)
            finally:
                self._notes.execute("COMMIT")
        return turn

    def _turn(self, host: str, day: int, at: float, limits: Limits) -> Turn:
        known = self._notes.execute("SELECT next_at, free_at FROM host WHERE host = ?", (host,)).fetchone() or (0.0, 0.0)
        spent = self._notes.execute("SELECT requests, bytes FROM day WHERE host = ? AND day = ?", (host, day)).fetchone() or (0, 0)
        # Never longer than a gap, whatever a clock that was set back or other settings have left there.
        wait_s, left_s = min(max(0.0, known[0] - at), limits.gap_s), max(0.0, known[1] - at)
        taken = wait_s == 0 and left_s == 0 and spent[0] < limits.requests and spent[1] < limits.came_bytes
        if taken:
            self._notes.execute(
                "INSERT INTO host (host, next_at) VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET next_at = excluded.next_at",
                (host, at + limits.gap_s),
            )
            self._notes.execute(
                "INSERT INTO day VALUES (?, ?, 1, 0) ON CONFLICT (host, day) DO UPDATE SET requests = requests + 1", (host, day)
            )
        return Turn(taken, wait_s, left_s, int(spent[0]), int(spent[1]))

    def note_bytes(self, host: str, day: int, count: int) -> None:
        """Note that bytes came."""
        self._run(
            "INSERT INTO day VALUES (?, ?, 0, ?) ON CONFLICT (host, day) DO UPDATE SET bytes = bytes + excluded.bytes",
            host,
            day,
            count,
        )

    def today(self, host: str, day: int) -> tuple[int, int]:
        """Return how many requests were sent to a host on a day, and how many bytes came."""
        found = self._run("SELECT requests, bytes FROM day WHERE host = ? AND day = ?", host, day)
        return (int(found[0][0]), int(found[0][1])) if found else (0, 0)

    def leave_until(self, host: str, at: float) -> None:
        """Note that a host is not to be asked before a time."""
        self._run(
            "INSERT INTO host (host, free_at) VALUES (?, ?)"
            " ON CONFLICT (host) DO UPDATE SET free_at = max(free_at, excluded.free_at)",
            host,
            at,
        )

    def free_at(self, host: str) -> float:
        """Return when a host may be asked again, 0 for now."""
        found = self._run("SELECT free_at FROM host WHERE host = ?", host)
        return float(found[0][0]) if found else 0.0

    def all(self, day: int) -> list[Asked]:
        """Return what was asked of each host on a day, in order of name."""
        rows = self._run(
            "SELECT h.host, coalesce(d.requests, 0), coalesce(d.bytes, 0), h.free_at FROM host h"
            " LEFT JOIN day d ON d.host = h.host AND d.day = ? ORDER BY h.host",
            day,
        )
        return [Asked(*row) for row in rows]

    # Documents ------------------------------------------------------------------------------------------------------

    def page(self, url: str) -> KeptPage | None:
        """Return a document as it was given last, None where none is kept."""
        found = self._run("SELECT etag, modified, target, media_type, usage, content FROM page WHERE url = ?", url)
        return KeptPage(*found[0]) if found else None

    def keep_page(self, url: str, page: KeptPage, at: float) -> None:
        """Keep a document that can be asked for again by its validator, in place of an older one."""
        values = (page.etag, page.modified, page.target, page.media_type, page.usage, page.content)
        self._run("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?, ?)", url, *values, at)

    def robots(self, origin: str) -> KeptRobots | None:
        """Return the robots.txt of an origin as it was found last."""
        found = self._run("SELECT content, state, at FROM robots WHERE origin = ?", origin)
        return KeptRobots(*found[0]) if found else None

    def keep_robots(self, origin: str, robots: KeptRobots) -> None:
        """Keep a robots.txt."""
        self._run("INSERT OR REPLACE INTO robots VALUES (?, ?, ?, ?)", origin, robots.content, robots.state, robots.at)

    # Files in part --------------------------------------------------------------------------------------------------

    def part(self, url: str) -> Part | None:
        """Return what is known of a file that was begun, or of one that is here whole."""
        found = self._run("SELECT validator, file_bytes, usage FROM part WHERE url = ?", url)
        return Part(*found[0]) if found else None

    def keep_part(self, url: str, part: Part, at: float) -> None:
        """Note how a file that is begun can be gone on with."""
        self._run("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?)", url, part.validator, part.file_bytes, part.usage, at)

    def forget_part(self, url: str) -> None:
        """Forget a file that was begun."""
        self._run("DELETE FROM part WHERE url = ?", url)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        problem = f"the notes about hosts cannot be kept: {error}"
        raise StoreError("sources.sqlite", problem, "Check the disk; the file may be deleted, and is then begun anew.") from error
