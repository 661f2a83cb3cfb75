"""Who fetched what: one row a fetch, `fonoteca-access/1`, in one place for all processes and machines, for a number of days.

An account is told by its number. Whoever has none is told by a digest of the network he asks from, under a key of the day that is
thrown away when the day is over: within a day two fetches from one network can be told to be that, and later nobody can find out
from where they came, with all of this archive's keys in hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    delete,
    func,
    insert,
    select,
)

from fonoteca.people.passwords import Chance
from fonoteca.people.schema import CONTENT_LOCK, accounts, metadata
from fonoteca.ports import Clock
from fonoteca.sql.engine import insert_or, reading, write

FORMAT = "fonoteca-access/1"

IPV4_PREFIX, IPV6_PREFIX = 24, 48
"""What one network is: as operators hand it out to a customer or a street."""

KEY_BYTES = 32
DAY_S = 86_400
ROWS_AT_ONCE = 10_000

accesses = Table(
    "people_access",
    metadata,
    Column("number", Integer().with_variant(BigInteger, "postgresql"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("took_ms", Integer, nullable=False),
    Column("account", Integer),
    Column("visitor", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("object", String, nullable=False),
    Column("path", String, nullable=False),
    Column("recording", String, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    Column("first_byte", BigInteger, nullable=False),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("client", String, nullable=False),
    sqlite_autoincrement=True,
)

days = Table(
    "people_access_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
)
"""The key of today, and of yesterday for answers that took past midnight."""


@dataclass(frozen=True, slots=True)
class Access:
    """One fetch, told once its answer has ended. at_ms: then, since 1970. took_ms: from the request on.

    account: its number, None for who has none. visitor: a digest of his network, "" for an account. endpoint: one of `files`,
    `listen`, `stream`, `download`, `cover`, `webseed`. path: in the object; at a web seed, below the storage root. recording: a
    MusicBrainz id, "" where none is known. first_byte: of the file, where the answer began. sent_bytes: handed to the network.
    whole: all that was asked for was sent; else the client left, or the answer was ended. client: a program's name.
    """

    at_ms: int
    took_ms: int
    account: int | None
    visitor: str
    endpoint: str
    object: str
    path: str
    recording: str
    file_bytes: int
    first_byte: int
    sent_bytes: int
    status: int
    whole: bool
    client: str


class Accesses:
    """The table of fetches. Several processes and machines write to it at once."""

    def __init__(self, engine: Engine, clock: Clock, chance: Chance) -> None:
        self._engine, self._clock, self._chance = engine, clock, chance
        self._key: tuple[int, bytes] = (-1, b"")

    def visitor(self, host: str) -> str:
        """Return what tells one network from another today, "" for what is no address. Raises: StoreError."""
        try:
            address = ip_address(host)
        except ValueError:
            return ""
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        prefix = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
        network = ip_network((address, prefix), strict=False)
        return blake2b(network.network_address.packed, key=self._key_of_today(), digest_size=8).hexdigest()

    def append(self, rows: Sequence[Access]) -> None:
        """Record fetches, durable together. Raises: StoreError."""
        values = [asdict(row) for row in rows]
        if values:
            write(self._engine, lambda connection: connection.execute(insert(accesses), values), content_lock=CONTENT_LOCK)

    def since(self, number: int = 0, limit: int = ROWS_AT_ONCE) -> list[tuple[int, Access]]:
        """Return fetches with their numbers, those after a number, in the order in which they were recorded."""
        query = select(accesses).where(accesses.c.number > number).order_by(accesses.c.number).limit(limit)
        with reading(self._engine) as connection:
            return [(row.number, Access(**{name: row._mapping[name] for name in _NAMES})) for row in connection.execute(query)]

    def each(self, number: int = 0) -> Iterator[tuple[int, Access]]:
        """Yield all fetches after a number, in that order."""
        while page := self.since(number):
            yield from page
            number = page[-1][0]

    def expire(self, kept_days: int) -> int:
        """Forget fetches older than so many days, those of accounts that are gone, and keys of days that are over.

        Returns: how many fetches.
        """
        now = int(self._clock.now().timestamp())

        def work(connection: Connection) -> int:
            connection.execute(delete(days).where(days.c.day < now // DAY_S - 1))
            old = connection.execute(delete(accesses).where(accesses.c.at_ms < (now - kept_days * DAY_S) * 1000))
            orphans = accesses.c.account.is_not(None) & accesses.c.account.not_in(select(accounts.c.number))
            return int(old.rowcount) + int(connection.execute(delete(accesses).where(orphans)).rowcount)

        return write(self._engine, work, content_lock=CONTENT_LOCK)

    def count(self) -> int:
        """Return how many fetches are recorded."""
        with reading(self._engine) as connection:
            return int(connection.execute(select(func.count()).select_from(accesses)).scalar_one())

    def _key_of_today(self) -> bytes:
        """Return the key of the day, whichever process made it."""
        today = int(self._clock.now().timestamp()) // DAY_S
        if self._key[0] != today:
            made = self._chance(KEY_BYTES)

            def work(connection: Connection) -> bytes:
                connection.execute(insert_or(connection, days).values(day=today, key=made).on_conflict_do_nothing())
                return bytes(connection.execute(select(days.c.key).where(days.c.day == today)).scalar_one())

            self._key = (today, write(self._engine, work, content_lock=CONTENT_LOCK))
        return self._key[1]


_NAMES = tuple(Access.__dataclass_fields__)


def instant(at_ms: int) -> datetime:
    """Return a time of the table."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
