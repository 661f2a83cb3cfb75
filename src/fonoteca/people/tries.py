"""How often one may try to sign in. Counted in the database, so that several processes agree."""

from __future__ import annotations

from hashlib import blake2b

from sqlalchemy import Connection, case, delete, select

from fonoteca.people.schema import tries
from fonoteca.sql.engine import insert_or

WINDOW_S = 900
PAIR_MOST, ORIGIN_MOST, NAME_MOST = 10, 100, 200
"""Tries in a window: of a name from one place, of one place, of a name from everywhere. The last is high, since whoever
reaches it keeps the owner out too."""


def waits(connection: Connection, name: str, origin: str, now: int) -> int:
    """Return how many seconds no try is looked at, 0 where one may be. Cost: a read.

    What is not looked at is not counted: whoever goes on from one place would write without end, and keep the owner of the name
    out of all others.
    """
    most = _counted(name, origin)
    wanted = tries.c.who.in_(most), tries.c.since > now - WINDOW_S
    rows = connection.execute(select(tries.c.who, tries.c.count, tries.c.since).where(*wanted))
    return max((int(since) + WINDOW_S - now for who, count, since in rows if count >= most[who]), default=0)


def charge(connection: Connection, name: str, origin: str, now: int) -> int:
    """Count a try. Returns: 0 when it may be looked at, else how many seconds to wait. Old counts are removed.

    Rows are locked in one order, so that two processes cannot wait for each other.
    """
    connection.execute(delete(tries).where(tries.c.since <= now - 2 * WINDOW_S))
    wait_s = 0
    for who, most in sorted(_counted(name, origin).items()):
        fresh = tries.c.since > now - WINDOW_S
        row = insert_or(connection, tries).values(who=who, since=now, count=1)
        again = {"count": case((fresh, tries.c.count + 1), else_=1), "since": case((fresh, tries.c.since), else_=now)}
        counted = row.on_conflict_do_update(index_elements=[tries.c.who], set_=again).returning(tries.c.count, tries.c.since)
        count, since = connection.execute(counted).one()
        if count > most:
            wait_s = max(wait_s, since + WINDOW_S - now)
    return wait_s


def forgive(connection: Connection, name: str, origin: str) -> None:
    """Forget the tries of a name from one place, after one that fitted. What a place tried with other names stays counted."""
    connection.execute(delete(tries).where(tries.c.who == _who("pair", name, origin)))


def _counted(name: str, origin: str) -> dict[str, int]:
    pair, place, everywhere = _who("pair", name, origin), _who("origin", origin), _who("name", name)
    return {pair: PAIR_MOST, place: ORIGIN_MOST, everywhere: NAME_MOST}


def _who(*parts: str) -> str:
    return blake2b("\x00".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
