"""Playlists: an account's own, and those that others let everyone see."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, or_, select, update

from fonoteca.model.errors import UsageError
from fonoteca.people.personal.desk import Desk, checked, instant, too_many
from fonoteca.people.personal.nouns import Playlist, Revised, Song
from fonoteca.people.personal.packing import SONG_BYTES, packed, unpacked
from fonoteca.people.personal.tables import playlists
from fonoteca.people.schema import accounts

PLAYLISTS_MOST = 1_000
"""Of an account."""

SONGS_MOST = 10_000
"""Of a playlist. All are read whenever it is shown."""

SHOWN_MOST = 5_000
"""Playlists in one list, own ones first, which the protocol has no pages for."""

NAME_LETTERS_MOST, COMMENT_LETTERS_MOST = 200, 2_000

_ABOUT = (
    *(column for column in playlists.c if column.name != "songs"),
    func.length(playlists.c.songs).label("songs_bytes"),
    func.substr(playlists.c.songs, 1, SONG_BYTES).label("first"),
    accounts.c.name.label("owner"),
)


class Playlists:
    """Playlists of accounts. What is another's and not public is not there for whoever asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def create(self, account: int, made: Revised) -> int:
        """Return the number of a new playlist. Raises: UsageError for too many, too many songs, or a name that is none."""
        row, now = _row(made), self._desk.now()

        def work(connection: Connection) -> int:
            counted = select(func.count()).select_from(playlists).where(playlists.c.account == account)
            if connection.execute(counted).scalar_one() >= PLAYLISTS_MOST:
                raise too_many("playlists", PLAYLISTS_MOST)
            values = {**row, "account": account, "created": now, "changed": now, "revision": 1}
            number: int = connection.execute(insert(playlists).values(**values).returning(playlists.c.number)).scalar_one()
            return number

        return self._desk.write(account, work)

    def shown_to(self, account: int) -> list[Playlist]:
        """Return an account's playlists and those of others that are public, own ones first, as they were made."""
        order = (playlists.c.account != account, playlists.c.number)
        with self._desk.reading() as connection:
            rows = connection.execute(_seen_by(account).order_by(*order).limit(SHOWN_MOST)).all()
        return [_playlist(row) for row in rows]

    def one(self, account: int, number: int) -> tuple[Playlist, tuple[Song, ...]] | None:
        """Return a playlist with its songs, None where there is none that the account may see."""
        query = _seen_by(account).add_columns(playlists.c.songs).where(playlists.c.number == number)
        with self._desk.reading() as connection:
            row = connection.execute(query).first()
        return (_playlist(row), unpacked(bytes(row.songs))) if row else None

    def revise(self, account: int, number: int, revised: Revised) -> bool:
        """Change an account's own playlist. Returns: False where another change came first, or it is not there any more.

        Raises: UsageError for too many songs, or a name that is none.
        """
        row = {**_row(revised), "changed": self._desk.now(), "revision": revised.revision + 1}

        def work(connection: Connection) -> bool:
            same = playlists.c.revision == revised.revision
            changed = update(playlists).where(_own(account, number), same).values(**row)
            return bool(connection.execute(changed).rowcount)

        return self._desk.write(account, work)

    def remove(self, account: int, number: int) -> bool:
        """Remove an account's own playlist. Returns: whether there was one."""
        return self._desk.write(
            account, lambda connection: bool(connection.execute(delete(playlists).where(_own(account, number))).rowcount)
        )


def _seen_by(account: int) -> Select[Any]:
    mine_or_open = or_(playlists.c.account == account, playlists.c.public)
    return select(*_ABOUT).join(accounts, accounts.c.number == playlists.c.account).where(mine_or_open)


def _own(account: int, number: int) -> ColumnElement[bool]:
    return (playlists.c.account == account) & (playlists.c.number == number)


def _row(revised: Revised) -> dict[str, Any]:
    if len(revised.songs) > SONGS_MOST:
        problem = f"expected at most {SONGS_MOST:,} songs, found {len(revised.songs):,}"
        raise UsageError("playlist", problem, "Make several playlists of it.")
    name = checked("name of a playlist", revised.name, NAME_LETTERS_MOST).strip()
    if not name:
        raise UsageError("name of a playlist", "it is empty", "Give it a name.")
    return {
        "name": name,
        "comment": checked("comment", revised.comment, COMMENT_LETTERS_MOST),
        "public": revised.public,
        "songs": packed(revised.songs),
        "duration_ms": revised.duration_ms,
    }


def _playlist(row: Row[Any]) -> Playlist:
    first = unpacked(bytes(row.first)) if row.first else ()
    return Playlist(
        number=row.number,
        account=row.account,
        owner=row.owner,
        name=row.name,
        comment=row.comment,
        public=row.public,
        song_count=row.songs_bytes // SONG_BYTES,
        duration_ms=row.duration_ms,
        first=first[0] if first else None,
        created=instant(row.created),
        changed=instant(row.changed),
        revision=row.revision,
    )
