"""Where an account is in its music: what it listens to on whatever player, and the places that it marked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from fonoteca.model.errors import UsageError
from fonoteca.people.personal.desk import Desk, checked, instant, too_many
from fonoteca.people.personal.nouns import Bookmark, Playing, Queue, Song
from fonoteca.people.personal.packing import packed, unpacked
from fonoteca.people.personal.tables import bookmarks, playing, queues
from fonoteca.sql.engine import insert_or

QUEUE_SONGS_MOST = 10_000
BOOKMARKS_MOST = 1_000
PLAYERS_MOST = 20
"""That play at once for one account."""

COMMENT_LETTERS_MOST = 2_000
PLAYER_LETTERS_MOST = 64
"""Of a player's name, which is cut there."""


class Places:
    """Queues, bookmarks and what plays now."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def save_queue(self, account: int, songs: Sequence[Song], at: tuple[int, int], player: str) -> None:
        """Keep what an account listens to, in place of what it did. at: place of the current song, milliseconds into it.

        No songs: nothing is kept. Raises: UsageError for more than QUEUE_SONGS_MOST.
        """
        if len(songs) > QUEUE_SONGS_MOST:
            problem = f"expected at most {QUEUE_SONGS_MOST:,} songs, found {len(songs):,}"
            raise UsageError("play queue", problem, "Keep it as playlists.")
        assert not songs or 0 <= at[0] < len(songs), "the current song is one of the queue"
        row = {"songs": packed(songs), "current": at[0], "position_ms": at[1], "changed": self._desk.now()}
        row["changed_by"] = _player(player)

        def work(connection: Connection) -> None:
            if not songs:
                connection.execute(delete(queues).where(queues.c.account == account))
                return
            made = insert_or(connection, queues).values(account=account, **row)
            connection.execute(made.on_conflict_do_update(index_elements=[queues.c.account], set_=row))

        self._desk.write(account, work)

    def queue(self, account: int) -> Queue | None:
        """Return what an account listens to, None where it saved nothing."""
        with self._desk.reading() as connection:
            row = connection.execute(select(queues).where(queues.c.account == account)).first()
        if row is None:
            return None
        return Queue(unpacked(bytes(row.songs)), row.current, row.position_ms, instant(row.changed), row.changed_by)

    def set_bookmark(self, account: int, song: Song, position_ms: int, comment: str) -> None:
        """Mark a place in a song, in place of the one that was marked there. Raises: UsageError for too many."""
        now = self._desk.now()
        row = {"position_ms": position_ms, "comment": checked("comment", comment, COMMENT_LETTERS_MOST), "changed": now}

        def work(connection: Connection) -> None:
            made = insert_or(connection, bookmarks).values(account=account, key=song.album, path=song.path, created=now, **row)
            connection.execute(made.on_conflict_do_update(index_elements=list(bookmarks.primary_key), set_=row))
            counted = select(func.count()).select_from(bookmarks).where(bookmarks.c.account == account)
            if connection.execute(counted).scalar_one() > BOOKMARKS_MOST:
                raise too_many("bookmarks", BOOKMARKS_MOST)

        self._desk.write(account, work)

    def remove_bookmark(self, account: int, song: Song) -> None:
        """Forget the place in a song; nothing where none was marked."""
        own = bookmarks.c.account == account, bookmarks.c.key == song.album, bookmarks.c.path == song.path
        self._desk.write(account, lambda connection: connection.execute(delete(bookmarks).where(*own)))

    def bookmarks(self, account: int) -> list[Bookmark]:
        """Return an account's bookmarks, last changed first."""
        order = bookmarks.c.changed.desc(), bookmarks.c.key, bookmarks.c.path
        with self._desk.reading() as connection:
            rows = connection.execute(select(bookmarks).where(bookmarks.c.account == account).order_by(*order)).all()
        return [
            Bookmark(Song(row.key, row.path), row.position_ms, row.comment, instant(row.created), instant(row.changed))
            for row in rows
        ]

    def set_playing(self, account: int, song: Song, player: str, lasts_s: int) -> None:
        """Say what a player of an account plays now. lasts_s: after this, it plays no more unless it says so again."""
        now = self._desk.now()
        row = {"key": song.album, "path": song.path, "since": now, "until": now + lasts_s}

        def work(connection: Connection) -> None:
            connection.execute(delete(playing).where(playing.c.account == account, playing.c.until <= now))
            made = insert_or(connection, playing).values(account=account, player=_player(player), **row)
            connection.execute(made.on_conflict_do_update(index_elements=list(playing.primary_key), set_=row))
            newest = select(playing.c.player).where(playing.c.account == account).order_by(playing.c.since.desc(), playing.c.player)
            kept = connection.execute(newest.limit(PLAYERS_MOST)).scalars().all()
            connection.execute(delete(playing).where(playing.c.account == account, playing.c.player.not_in(kept)))

        self._desk.write(account, work)

    def playing(self, account: int) -> list[Playing]:
        """Return what an account's players play now, newest first."""
        own = playing.c.account == account, playing.c.until > self._desk.now()
        with self._desk.reading() as connection:
            rows = connection.execute(select(playing).where(*own).order_by(playing.c.since.desc(), playing.c.player)).all()
        return [Playing(Song(row.key, row.path), row.player, instant(row.since)) for row in rows]


def _player(name: str) -> str:
    return name[:PLAYER_LETTERS_MOST].replace("\x00", "").encode("utf-8", "replace").decode()
