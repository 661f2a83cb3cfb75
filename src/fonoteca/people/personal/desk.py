"""What every part of the room does alike: read, write, and tell the time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine, select

from fonoteca.model.errors import UsageError
from fonoteca.people.schema import CONTENT_LOCK, accounts
from fonoteca.ports import Clock
from fonoteca.sql.engine import reading, write

_T = TypeVar("_T")

DAY_S = 86_400


class Desk:
    """The tables of one archive."""

    def __init__(self, engine: Engine, clock: Clock, held: Connection | None = None) -> None:
        """held: a connection to read by, None for one each time."""
        self._engine, self._clock, self._held = engine, clock, held

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection that sees one state."""
        return nullcontext(self._held) if self._held is not None else reading(self._engine)

    def write(self, account: int, work: Callable[[Connection], _T]) -> _T:
        """Return what is written for an account, one writer of it at a time, so that bounds hold.

        Raises: UsageError when there is no such account any more, StoreError.
        """

        def alone(connection: Connection) -> _T:
            owner = select(accounts.c.number).where(accounts.c.number == account).with_for_update(key_share=True)
            if connection.execute(owner).first() is None:
                raise UsageError("account", "there is no such account any more", "Sign in to another one.")
            return work(connection)

        return write(self._engine, alone, content_lock=CONTENT_LOCK)

    def change(self, work: Callable[[Connection], _T]) -> _T:
        """Return what is written for no account in particular."""
        return write(self._engine, work, content_lock=CONTENT_LOCK)

    def now(self) -> int:
        """Return the seconds since 1970."""
        return int(self._clock.now().timestamp())


def instant(seconds: int) -> datetime:
    """Return a time of the tables."""
    return datetime.fromtimestamp(seconds, UTC)


def too_many(what: str, most: int) -> UsageError:
    """Return the error for more than may be kept."""
    return UsageError(what, f"an account keeps at most {most:,}", "Remove what is not needed.")


def checked(what: str, text: str, letters_most: int) -> str:
    """Return a text that is not too long. Raises: UsageError."""
    if len(text) > letters_most:
        raise UsageError(what, f"expected at most {letters_most:,} characters, found {len(text):,}", "Make it shorter.")
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
