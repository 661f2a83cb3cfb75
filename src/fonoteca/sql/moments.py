"""Several readings of one moment: what one thread asks for one answer is asked by one connection, and is of one state."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, Engine

from fonoteca.sql.engine import reading, told


class Moments:
    """The readings of an engine. Outside `one` each is of its own moment. Safe for threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._here = threading.local()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Let all that this thread reads meanwhile be of one moment, which begins when it reads first."""
        if getattr(self._here, "moment", None) is not None:
            yield
            return
        self._here.moment = _Moment(self._engine)
        try:
            yield
        finally:
            self.end()
            self._here.moment = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state. Raises: StoreError when the engine fails."""
        moment: _Moment | None = getattr(self._here, "moment", None)
        if moment is None:
            with reading(self._engine) as connection:
                yield connection
            return
        try:
            with told(self._engine):
                yield moment.connection()
        except BaseException:
            moment.end()  # what failed may have spoilt it
            raise

    def end(self) -> None:
        """End this thread's moment, if it has begun: who writes waits for no connection while it keeps one."""
        moment: _Moment | None = getattr(self._here, "moment", None)
        if moment is not None:
            moment.end()


class _Moment:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open = ExitStack()
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._open.enter_context(reading(self._engine))
        return self._connection

    def end(self) -> None:
        self._connection = None
        self._open.close()
