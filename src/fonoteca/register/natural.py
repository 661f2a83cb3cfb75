"""The register's content by natural key, so that two registers of one store can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from fonoteca.register.schema import (
    album,
    album_credit,
    album_genre,
    change,
    drop,
    drop_member,
    file,
    holding,
    member_file,
    object_,
    piece_hashes,
    version,
    withdrawal,
)

_ROWS_AT_ONCE = 1000
"""Rows fetched at a time: a pass over everything in little memory."""

_SURROGATE = frozenset({"id", "object_key", "version_key", "member_key", "file_key"})
"""Keys that differ from one making of the register to the next."""

_VOLATILE = frozenset({"checked_at", "damage", "digest_key", "seen_bytes", "seen_mtime_ns"})
"""What is known of the bytes today, and what follows from another column."""


def _columns(*tables: Any) -> list[Any]:
    """Return the columns of tables that are neither surrogate nor volatile."""
    names = _SURROGATE | _VOLATILE
    return [column for table in tables for column in table.c if column.name not in names]


def _questions() -> list[tuple[str, Select[Any]]]:
    """Return, by table, the statement that selects its rows in order of natural key."""
    of_version = (version.c.object_key == object_.c.id, version.c.id == member_file.c.version_key)
    return [
        ("object", select(*_columns(object_)).order_by(object_.c.object_id)),
        (
            "version",
            select(object_.c.object_id, *_columns(version))
            .join(version, version.c.object_key == object_.c.id)
            .order_by(object_.c.object_id, version.c.version),
        ),
        (
            "member_file",
            select(object_.c.object_id, version.c.version, *_columns(member_file, piece_hashes))
            .select_from(object_)
            .join(version, of_version[0])
            .join(member_file, of_version[1])
            .join(piece_hashes, piece_hashes.c.member_key == member_file.c.id)
            .order_by(object_.c.object_id, version.c.version, member_file.c.tail),
        ),
        (
            "file",
            select(object_.c.object_id, version.c.version, member_file.c.sha256, *_columns(file))
            .select_from(object_)
            .join(version, of_version[0])
            .join(file, file.c.version_key == version.c.id)
            .join(member_file, member_file.c.id == file.c.member_key)
            .order_by(object_.c.object_id, version.c.version, file.c.logical_path),
        ),
        (
            "holding",
            select(object_.c.object_id, file.c.logical_path, holding.c.recording_id)
            .select_from(object_)
            .join(version, and_(of_version[0], version.c.version == object_.c.head_version))
            .join(file, file.c.version_key == version.c.id)
            .join(holding, holding.c.file_key == file.c.id)
            .order_by(object_.c.object_id, file.c.logical_path),
        ),
        ("drop", select(*drop.c).order_by(drop.c.id)),
        (
            "drop_member",
            select(*drop_member.c).order_by(drop_member.c.object_id, drop_member.c.version, drop_member.c.drop_id),
        ),
        *_shelf_questions(),
        ("change", select(*change.c).order_by(change.c.object_id)),
        ("withdrawal", select(*withdrawal.c).order_by(withdrawal.c.object_id, withdrawal.c.authority)),
    ]


def _shelf_questions() -> list[tuple[str, Select[Any]]]:
    """Return the statements of what players browse."""
    keys = {"album": album.c.album_key, "album_credit": album_credit.c.artist_key, "album_genre": album_genre.c.genre}
    return [
        (
            table.name,
            select(object_.c.object_id, *_columns(table))
            .join(table, table.c.object_key == object_.c.id)
            .order_by(object_.c.object_id, keys[table.name]),
        )
        for table in (album, album_credit, album_genre)
    ]


def natural_rows(connection: Connection) -> Iterator[tuple[Any, ...]]:
    """Yield (table, column, ...) for every row of what is held and published, in order of table and natural key.

    Without past events and decisions, which are replayed and not made anew. Cost: a pass over everything.
    """
    for name, question in _questions():
        for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(question):
            yield (name, *row)
