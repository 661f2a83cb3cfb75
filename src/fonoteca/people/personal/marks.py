"""Stars and ratings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, delete, func, not_, select, update

from fonoteca.model.errors import UsageError
from fonoteca.people.personal.desk import Desk, too_many
from fonoteca.people.personal.nouns import Kind, Mark, Name, Part, Song, Thing
from fonoteca.people.personal.tables import marks
from fonoteca.sql.engine import insert_or

MARKS_MOST = 100_000
"""Things that an account may have starred or rated."""

RATING_MOST = 5
KEYS_AT_ONCE = 2_000
"""Looked for by name. For more, all of an account's are read."""

HIDDEN_MOST = 20_000
"""Keys left out by the question itself, of the 32,766 parameters that SQLite takes."""


class Marks:
    """Stars and ratings of accounts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def star(self, account: int, things: Iterable[Thing]) -> None:
        """Star things. One that has a star keeps it as old as it is. Raises: UsageError for more than MARKS_MOST."""
        wanted, now = sorted(set(things)), self._desk.now()

        def work(connection: Connection) -> None:
            for thing in wanted:
                row = insert_or(connection, marks).values(**_row(account, thing), starred=now)
                kept = {"starred": func.coalesce(marks.c.starred, now)}
                connection.execute(row.on_conflict_do_update(index_elements=list(marks.primary_key), set_=kept))
            _check_count(connection, account)

        if wanted:
            self._desk.write(account, work)

    def unstar(self, account: int, things: Iterable[Thing]) -> None:
        """Take stars away, where there are any."""
        wanted = sorted(set(things))

        def work(connection: Connection) -> None:
            for thing in wanted:
                connection.execute(update(marks).where(_is(account, thing)).values(starred=None))
            _drop_empty(connection, account)

        if wanted:
            self._desk.write(account, work)

    def rate(self, account: int, thing: Thing, rating: int) -> None:
        """Rate a thing from 1 to RATING_MOST, or 0 for no rating. Raises: UsageError for another number, or for too many marks."""
        if not 0 <= rating <= RATING_MOST:
            raise UsageError("rating", f"expected 0 to {RATING_MOST}, found {rating}", "Give one of these.")

        def work(connection: Connection) -> None:
            if not rating:
                connection.execute(update(marks).where(_is(account, thing)).values(rating=None))
                _drop_empty(connection, account)
                return
            row = insert_or(connection, marks).values(**_row(account, thing), rating=rating)
            connection.execute(row.on_conflict_do_update(index_elements=list(marks.primary_key), set_={"rating": rating}))
            _check_count(connection, account)

        self._desk.write(account, work)

    def of(self, account: int, kind: Kind, names: Collection[Name]) -> Mapping[Name, Mark]:
        """Return the marks of things of a kind, those that have any."""
        wanted = set(names)
        if not wanted:
            return {}
        asked: dict[str, Any] = {"account": account, "kind": str(kind)}
        keys = {key for key, _ in wanted}
        few = len(keys) <= KEYS_AT_ONCE
        with self._desk.reading() as connection:
            rows = connection.execute(_OF_KEYS, {**asked, "keys": sorted(keys)}) if few else connection.execute(_OF_KIND, asked)
            # Only what is wanted becomes an object: an account may have a hundred thousand.
            return {(key, path): Mark(starred, rating or 0) for key, path, starred, rating in rows if (key, path) in wanted}

    def starred_songs(self, account: int, limit: int) -> list[Song]:
        """Return the songs that an account starred, newest star first."""
        order = marks.c.starred.desc(), marks.c.key, marks.c.path
        query = _chosen(account, Kind.SONG, marks.c.starred).order_by(*order).limit(limit)
        with self._desk.reading() as connection:
            return [Song(row.key, row.path) for row in connection.execute(query)]

    def starred(self, account: int, kind: Kind, part: Part) -> list[int]:
        """Return keys of the artists or albums that an account starred, newest star first."""
        query = _chosen(account, kind, marks.c.starred).order_by(marks.c.starred.desc(), marks.c.key)
        return self._keys(query, part)

    def highest(self, account: int, kind: Kind, part: Part) -> list[int]:
        """Return keys of the artists or albums that an account rated, highest first."""
        query = _chosen(account, kind, marks.c.rating).order_by(marks.c.rating.desc(), marks.c.key)
        return self._keys(query, part)

    def _keys(self, query: Select[Any], part: Part) -> list[int]:
        hidden = sorted(part.hidden)[:HIDDEN_MOST]
        if hidden:
            query = query.where(not_(marks.c.key.in_(hidden)))
        with self._desk.reading() as connection:
            return [row.key for row in connection.execute(query.limit(part.limit).offset(part.offset))]


_OF_KIND = select(marks.c.key, marks.c.path, marks.c.starred, marks.c.rating).where(
    marks.c.account == bindparam("account"), marks.c.kind == bindparam("kind")
)
_OF_KEYS = _OF_KIND.where(marks.c.key.in_(bindparam("keys", expanding=True)))
"""Made once: every page that is shown to an account asks them."""


def _chosen(account: int, kind: Kind, column: ColumnElement[Any]) -> Select[Any]:
    return select(marks.c.key, marks.c.path).where(marks.c.account == account, marks.c.kind == kind, column.is_not(None))


def _row(account: int, thing: Thing) -> dict[str, Any]:
    return {"account": account, "kind": str(thing.kind), "key": thing.key, "path": thing.path}


def _is(account: int, thing: Thing) -> ColumnElement[bool]:
    return and_(*(marks.c[name] == value for name, value in _row(account, thing).items()))


def _drop_empty(connection: Connection, account: int) -> None:
    empty = marks.c.account == account, marks.c.starred.is_(None), marks.c.rating.is_(None)
    connection.execute(delete(marks).where(*empty))


def _check_count(connection: Connection, account: int) -> None:
    counted = select(func.count()).select_from(marks).where(marks.c.account == account)
    if connection.execute(counted).scalar_one() > MARKS_MOST:
        raise too_many("stars and ratings", MARKS_MOST)
