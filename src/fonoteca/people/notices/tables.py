"""The tables of notices. Times are seconds since 1970; what tells senders apart are digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from ipaddress import ip_network
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    case,
    column,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)

from fonoteca.people.accesses import IPV4_PREFIX, IPV6_PREFIX
from fonoteca.people.notices.nouns import WAITING, Act, NoticeState
from fonoteca.people.schema import metadata

notices = Table(
    "people_notice",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("token", String, nullable=False, unique=True),
    Column("sender", String, nullable=False, index=True),
    Column("reached", String, nullable=False, index=True),
    Column("received", BigInteger, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("place", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("answer", Text, nullable=False),
    Column("decided", BigInteger),
    Column("subject", String, nullable=False, server_default=""),
    Column("gist", String, nullable=False, server_default="", index=True),
    Column("network", String, nullable=False, server_default="", index=True),
    Column("since", BigInteger, nullable=False, server_default="0"),
    Column("verdict", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
"""One row a notice. token, sender, reached, network, gist: digests of the secret link, of where it came from, of the contact, of
that network, of the text. verdict: what is being carried out in `deciding` and `answering`, "" else."""

steps = Table(
    "people_notice_step",
    metadata,
    Column("number", Integer().with_variant(BigInteger, "postgresql"), primary_key=True),
    Column("notice", ForeignKey("people_notice.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("what", String, nullable=False),
    Column("words", Text, nullable=False),
    Column("act", String, nullable=False),
    Column("objects", Text, nullable=False),
    Column("account", Integer),
    sqlite_autoincrement=True,
)
"""What happened to notices, one row a step, only ever added to. objects: ids, one a line. account: the number of whoever decided,
None for a sender, or for who did it at the machine itself."""


def upgrade_from_5(connection: Connection) -> None:
    """Give notices of version 5 what later ones have: their text's digest, when their state began, and their steps."""
    known = {each["name"] for each in inspect(connection).get_columns(notices.name)}
    if "verdict" in known:
        return  # tables of before there were notices: they were made as they are now
    for name in ("subject", "gist", "network", "since", "verdict"):
        own = notices.c[name]
        kind = own.type.compile(dialect=connection.dialect)
        default = "0" if isinstance(own.type, BigInteger) else "''"
        connection.execute(text(f"ALTER TABLE people_notice ADD COLUMN {name} {kind} NOT NULL DEFAULT {default}"))
    for index in notices.indexes:
        index.create(connection, checkfirst=True)
    for row in connection.execute(select(notices).order_by(notices.c.number)).mappings().all():
        number, decided = row["number"], row["decided"]
        since = row["received"] if decided is None else decided
        changed = {"gist": gist_of(row["reasons"]), "since": since}
        connection.execute(update(notices).where(notices.c.number == number).values(**changed))
        add_steps(connection, [number], row["received"], {"what": NoticeState.RECEIVED})
        if decided is not None:
            add_steps(connection, [number], decided, {"what": NoticeState(row["state"]), "words": row["answer"]})


def veils_of_notices() -> Mapping[str, ColumnElement[Any]]:
    """Return what a backup has instead of who sent a notice: nothing, once it is settled; and never from where it came."""
    waits = column("state").in_([str(state) for state in WAITING])
    named = {name: case((waits, column(name)), else_="") for name in ("name", "contact")}
    return {**named, **dict.fromkeys(("sender", "reached", "network"), literal(""))}


def add_steps(connection: Connection, numbers: Sequence[int], at: int, facts: Mapping[str, Any]) -> None:
    """Add a step to each of some notices. facts: what, and of words, act, objects and account those that there are."""
    row = {"words": "", "act": Act.NONE, "objects": "", "account": None, **facts}
    row = {**row, "what": str(row["what"]), "act": str(row["act"])}
    connection.execute(insert(steps), [{"notice": number, "at": at, **row} for number in numbers])


def digest(words: str) -> str:
    """Return the digest of a text, BLAKE2b-256 in hexadecimal digits."""
    return blake2b(words.encode("utf-8", "replace"), digest_size=32).hexdigest()


def gist_of(reasons: str) -> str:
    """Return the digest of a text without its spaces and case: what a program varies first."""
    return digest(f"text {''.join(reasons.casefold().split())}")


def network_of(sender: str) -> str:
    """Return the digest of the network that an address is in, /24 or /48; of what is no address, of itself."""
    try:
        network = ip_network(sender, strict=False)
    except ValueError:
        return digest(f"network {sender}")
    prefix = IPV4_PREFIX if network.version == 4 else IPV6_PREFIX
    return digest(f"network {network if network.prefixlen <= prefix else network.supernet(new_prefix=prefix)}")
