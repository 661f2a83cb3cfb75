"""Work in batches beside other work: what came while a batch was under way is the next batch, within limits.

So a lone thing is seen to at once, and a flood of small things shares the waits for the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

THINGS_AT_ONCE_MAX = 1000
BYTES_AT_ONCE_MAX = 10**9
"""Of one durable point: more would save nothing more, and let those who wait for it wait longer."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is made durable at once. beside: in a thread, while the next comes; else in turn, when a batch is full."""

    objects_max: int = THINGS_AT_ONCE_MAX
    bytes_max: int = BYTES_AT_ONCE_MAX
    beside: bool = True


class Batches(Generic[T, R]):
    """Takes things in order and gives the answers to them in order. A context: a batch under way ends with it.

    settle: answers a batch, each thing in its place. waiting: what no batch has taken yet.
    """

    def __init__(self, pace: Pace, settle: Callable[[list[T]], list[R]]) -> None:
        self._pace = pace
        self._settle = settle
        self.waiting: list[T] = []
        self._waiting_bytes = 0
        self._clerk = ThreadPoolExecutor(1, "batches") if pace.beside else None
        self._under_way: Future[list[R]] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let the batch under way end."""
        if self._clerk is not None:
            self._clerk.shutdown()

    def put(self, thing: T, thing_bytes: int) -> Iterator[R]:
        """Take a thing; yield the answers that are there by now. Waits when a batch is full and the one before is under way.

        Raises: what settling raises.
        """
        self.waiting.append(thing)
        self._waiting_bytes += thing_bytes
        full = len(self.waiting) >= self._pace.objects_max or self._waiting_bytes >= self._pace.bytes_max
        idle = self._clerk is not None and (self._under_way is None or self._under_way.done())
        if full or idle:
            yield from self._answers()
            self._begin()

    def rest(self) -> Iterator[R]:
        """Yield the answers to all things taken. Raises: what settling raises."""
        yield from self._answers()
        if self.waiting:
            self._begin()
            yield from self._answers()

    def _begin(self) -> None:
        """Let all that waits be settled."""
        batch, self.waiting, self._waiting_bytes = self.waiting, [], 0
        if self._clerk is not None:
            self._under_way = self._clerk.submit(self._settle, batch)
            return
        self._under_way = Future()
        self._under_way.set_result(self._settle(batch))

    def _answers(self) -> list[R]:
        """Return the answers to the batch under way, none if there is none."""
        batch, self._under_way = self._under_way, None
        return [] if batch is None else batch.result()
