"""The accounts and what is kept for them as lines of text, for a backup: on SQLite or PostgreSQL, and from one to the other.

Left out is what ends by itself: sessions, tries, tokens of set-up, what plays now; and who listened to what, since a backup would
keep it longer than it is kept here; for the same reason, who sent a notice that is settled. Who sent one that waits is in it: the
queue must not be lost, and they must be answered. Passwords, keys and secrets are in it as they are kept: hashed, or closed
by a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sqlalchemy import Connection

from fonoteca.people.accesses import accesses, days
from fonoteca.people.docket import docket, docket_subjects
from fonoteca.people.notices.tables import notices, steps, veils_of_notices
from fonoteca.people.personal.tables import bookmarks, known, listens, marks, paces, playing, playlists, queues, scrobbles
from fonoteca.people.schema import VERSION, accounts, keys, secrets, sessions, setups, tries
from fonoteca.sql.engine import insert_or
from fonoteca.sql.portable import Portable

FORMAT = "fonoteca-people/1"
KEPT = (accounts, keys, secrets, marks, playlists, queues, bookmarks, listens, docket, docket_subjects, notices, steps)
PASSING = (sessions, tries, setups, playing, paces, scrobbles, known, accesses, days)
"""What a backup leaves out. A test holds that every table is in one of the two."""

_WHOLE = Portable(FORMAT, f"{VERSION:04}", KEPT, "people.jsonl", "Use another backup, or add the accounts again.")
_SHAPE = replace(_WHOLE, veils={notices.name: veils_of_notices()})


def dump(connection: Connection, *, whole: bool = False) -> Iterator[bytes]:
    """Yield all that is kept as lines, from one state. whole: with who sent notices that are settled."""
    return (_WHOLE if whole else _SHAPE).dump(connection)


def load(connection: Connection, lines: Iterable[bytes], now: int) -> int:
    """Fill the tables from lines that `dump` gave. Returns: how many rows. Raises: FormatError."""
    row_count = _SHAPE.load(connection, lines, PASSING)
    # Nothing is known of who listened before: counts of listeners must not take their silence for their absence.
    connection.execute(insert_or(connection, known).values(place=1, since=now))
    return row_count
