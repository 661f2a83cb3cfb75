"""What is kept for accounts, as one room's public surface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from fonoteca.people.personal.desk import Desk
from fonoteca.people.personal.listening import Listening
from fonoteca.people.personal.marks import Marks
from fonoteca.people.personal.places import Places
from fonoteca.people.personal.playlists import Playlists
from fonoteca.ports import Clock
from fonoteca.sql.engine import reading


class Personal:
    """Stars and ratings, playlists, places in music, and what was heard."""

    def __init__(self, engine: Engine, clock: Clock, held: Connection | None = None) -> None:
        """engine: whose tables are prepared. held: a connection that all is read by, None for one each time."""
        self._engine, self._clock = engine, clock
        desk = Desk(engine, clock, held)
        self.marks = Marks(desk)
        self.playlists = Playlists(desk)
        self.places = Places(desk)
        self.listening = Listening(desk)

    @contextmanager
    def at_once(self) -> Iterator[Personal]:
        """Give the same, to be asked several things of one moment. Raises: StoreError.

        It keeps a connection meanwhile: whoever asks something else by another one may wait for those who do the same.
        """
        with reading(self._engine) as connection:
            yield Personal(self._engine, self._clock, connection)
