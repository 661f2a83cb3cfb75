"""The tables of what is kept for accounts, of version 2. Each row of an account goes when the account goes.

Grain and keys:
    people_mark      one row a thing that an account starred or rated    account, kind, key, path
    people_playlist  one row a playlist, its songs in order in one value   number
    people_queue     one row an account                                  account
    people_bookmark  one row a song of an account                        account, key, path
    people_playing   one row a player of an account                      account, player
    people_scrobble  one row a song heard, for a number of days          account, key, path, at
    people_pace      one row an account: how many it sent on its last day   account
    people_known     one row: since when no listen was forgotten
    people_listen    one row a recording, day and source, of nobody      recording, day, source
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from fonoteca.people.schema import metadata

_Name = String().with_variant(String(collation="C"), "postgresql")
"""Ordered by code point everywhere."""


def _owner(*, key: bool = True) -> Column[Any]:
    return Column(
        "account",
        Integer,
        ForeignKey("people_account.number", ondelete="CASCADE"),
        primary_key=key,
        nullable=False,
        autoincrement=False,
    )


def _song() -> tuple[Column[Any], Column[Any]]:
    return (
        Column("key", BigInteger, primary_key=True, autoincrement=False),
        Column("path", _Name, primary_key=True),
    )


marks = Table(
    "people_mark",
    metadata,
    _owner(),
    Column("kind", _Name, primary_key=True),
    *_song(),
    Column("starred", BigInteger),
    Column("rating", Integer),
)
Index(
    "ix_people_mark_starred",
    marks.c.account,
    marks.c.kind,
    marks.c.starred,
    marks.c.key,
    marks.c.path,
    sqlite_where=marks.c.starred.is_not(None),
    postgresql_where=marks.c.starred.is_not(None),
)
Index(
    "ix_people_mark_rating",
    marks.c.account,
    marks.c.kind,
    marks.c.rating,
    marks.c.key,
    marks.c.path,
    sqlite_where=marks.c.rating.is_not(None),
    postgresql_where=marks.c.rating.is_not(None),
)

playlists = Table(
    "people_playlist",
    metadata,
    Column("number", Integer, primary_key=True),
    _owner(key=False),
    Column("name", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("songs", LargeBinary, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("ix_people_playlist_account", "account", "number"),
    sqlite_autoincrement=True,
)
Index(
    "ix_people_playlist_public",
    playlists.c.number,
    sqlite_where=playlists.c.public,
    postgresql_where=playlists.c.public,
)

queues = Table(
    "people_queue",
    metadata,
    _owner(),
    Column("songs", LargeBinary, nullable=False),
    Column("current", Integer, nullable=False),
    Column("position_ms", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("changed_by", Text, nullable=False),
)

bookmarks = Table(
    "people_bookmark",
    metadata,
    _owner(),
    *_song(),
    Column("position_ms", BigInteger, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

playing = Table(
    "people_playing",
    metadata,
    _owner(),
    Column("player", _Name, primary_key=True),
    Column("key", BigInteger, nullable=False),
    Column("path", _Name, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False, index=True),
)

scrobbles = Table(
    "people_scrobble",
    metadata,
    _owner(),
    *_song(),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("recording", _Name, nullable=False),
    Index("ix_people_scrobble_at", "at"),
    Index("ix_people_scrobble_recording", "account", "recording"),
    Index("ix_people_scrobble_account_at", "account", "at", "key"),
)

paces = Table(
    "people_pace",
    metadata,
    _owner(),
    Column("day", Integer, nullable=False),
    Column("count", Integer, nullable=False),
)

listens = Table(
    "people_listen",
    metadata,
    Column("recording", _Name, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("source", _Name, primary_key=True),
    Column("listens", BigInteger, nullable=False),
    Column("listeners", BigInteger, nullable=False),
    Column("span", Integer, nullable=False),
)
"""Of nobody. day: since 1970, UTC. source: through what it was heard. listeners, span: see `listening`."""

known = Table(
    "people_known",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
)
"""One row: since when no listen was forgotten."""
