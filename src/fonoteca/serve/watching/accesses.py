"""Access events on their way to their table: gathered for a second, written together, and never in a listener's way."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Protocol

from anyio.to_thread import run_sync

from fonoteca.model.errors import FonotecaError
from fonoteca.people.accesses import Access

log = logging.getLogger("fonoteca.serve")

GATHERED_S = 1.0
"""What a process that is killed may lose; a durable commit of SQLite costs some ms."""

WAITING_MAX = 50_000
"""Events that wait while the database is away: some 20 MB. Older ones go, and are counted."""

AT_ONCE = 2_000
EXPIRY_EVERY_S = 3_600
_PATIENCE_S = 5.0


class Shelf(Protocol):
    """Where events are kept."""

    def visitor(self, host: str) -> str:
        """Return what tells one network from another today."""
        ...

    def append(self, rows: Sequence[Access]) -> None:
        """Record events, durable together."""
        ...

    def expire(self, kept_days: int) -> int:
        """Forget what is older."""
        ...


class AccessLog:
    """The events of one process. A thread writes them, which lives as long as there are any.

    kept_days: 0 keeps none, and none are written. lost, written: told how many were lost and written.
    """

    def __init__(self, shelf: Shelf, kept_days: int, written: Callable[[int], None], lost: Callable[[int], None]) -> None:
        self._shelf, self._kept_days = shelf, kept_days
        self._written, self._lost = written, lost
        self._waiting: deque[tuple[Access, str]] = deque()
        self._turn = threading.Condition()
        self._writer: threading.Thread | None = None
        self._closing = False

    def add(self, access: Access, host: str) -> None:
        """Take an event. host: the address of who has no account, "" for an account. Cost: a lock."""
        if not self._kept_days:
            return
        with self._turn:
            if len(self._waiting) >= WAITING_MAX:
                self._waiting.popleft()
                self._lost(1)
            self._waiting.append((access, host))
            if not self._is_writing() and not self._closing:
                self._writer = threading.Thread(target=self._write, name="accesses", daemon=True)
                self._writer.start()

    def _is_writing(self) -> bool:
        """Whether there is a writer. One that met what nobody expected is gone, and the next event brings another."""
        return self._writer is not None and self._writer.is_alive()

    def close(self) -> None:
        """Write what waits, and take no more. What cannot be written is lost, counted and logged."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()
            writer = self._writer
        if writer is not None:
            writer.join(_PATIENCE_S * 2)
        self._drain()
        if self._waiting:
            self._lost(len(self._waiting))
            log.error("%d access events were lost: the accounts' database did not take them", len(self._waiting))

    def _write(self) -> None:
        """Write until nothing waits."""
        pause_s = GATHERED_S
        while True:
            with self._turn:
                if not self._closing:
                    self._turn.wait(pause_s)
                if self._closing or not self._waiting:
                    self._writer = None
                    return
            pause_s = GATHERED_S if self._drain() else _PATIENCE_S

    def _drain(self) -> bool:
        """Write what waits. Returns: whether that went well; what could not be written waits on."""
        while True:
            with self._turn:
                some = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            if not some:
                return True
            try:
                self._shelf.append([_told(access, self._shelf.visitor(host) if host else "") for access, host in some])
            except FonotecaError as error:
                log.error("access events wait, the accounts' database does not take them: %s", error)
                with self._turn:
                    self._waiting.extendleft(reversed(some))
                return False
            except Exception:
                self._lost(len(some))  # a fault of ours, which the next try would meet again
                raise
            self._written(len(some))

    def expire(self) -> None:
        """Forget what is older than its days. That it cannot be done now is logged: it is tried again within the hour."""
        try:
            self._shelf.expire(self._kept_days)
        except FonotecaError as error:
            log.error("old access events could not be removed: %s", error)


def lasting(accesses: AccessLog, expire: Callable[[], object]) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Return the life of a server: old events go when it starts and once an hour, and what waits is written when it stops.

    expire: forgets what else is kept for a time only, as often.
    """

    def forget_others() -> None:
        try:
            expire()
        except FonotecaError as error:
            log.error("who sent old notices could not be forgotten: %s", error)

    @asynccontextmanager
    async def life(_app: object) -> AsyncIterator[None]:
        async def forget() -> None:
            while True:
                await run_sync(accesses.expire)
                await run_sync(forget_others)
                await asyncio.sleep(EXPIRY_EVERY_S)

        forgetting = asyncio.create_task(forget())
        try:
            yield
        finally:
            forgetting.cancel()
            await run_sync(accesses.close)

    return life


def _told(access: Access, visitor: str) -> Access:
    return replace(access, visitor=visitor) if visitor else access
