"""Work on many things by a few threads, with the answers in order and no more of them waiting than memory has room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 2
_Answer = TypeVar("_Answer")
_Task = TypeVar("_Task")


def in_order(
    task: Callable[[_Task], _Answer], items: Iterable[_Task], threads: int = THREADS, ahead: int = 2
) -> Generator[_Answer, None, None]:
    """Yield the task's answer for each item in order. ahead: how many items a thread are under way or wait to be taken.

    Use it as `with closing(in_order(...)) as answers`: then no task runs any more when the context ends, however it ends.
    """
    under_way: deque[Future[_Answer]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                under_way.append(pool.submit(task, item))
                if len(under_way) >= threads * ahead:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
