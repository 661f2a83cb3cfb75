"""Object stores that fail: a wrapper of `ObjectCalls` that lets one request go wrong, in every way in which networks do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from fonoteca.model.errors import UnsureError
from fonoteca.testing.calls import Crash

_WRITES = ("put", "create", "put_parts", "delete")


class Mishap(StrEnum):
    """What becomes of a request. After a crash no request is let through any more: the process is gone."""

    CRASH_BEFORE = "the process dies before it is sent"
    CRASH_AFTER = "the process dies after it was done"
    REFUSED = "it is not done, and the answer says nothing of that"
    LOST = "it is done, and its answer is lost"
    TWICE = "it is done twice, and the second answer comes"
    LATE = "its answer is lost, and it is done after the next request only"


class MishapObjects:
    """`ObjectCalls` of which the n-th request, counted from 0, meets a mishap; `count` tells how many there were.

    n: None lets everything through, to learn how many requests there are. names: of all requests that came.
    """

    def __init__(self, inner: Any, n: int | None = None, mishap: Mishap = Mishap.CRASH_BEFORE) -> None:
        self._inner = inner
        self._n = n
        self.names: list[str] = []
        self._mishap = mishap
        self._late: Callable[[], object] | None = None
        self.count = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a request that may go wrong."""

        def request(*arguments: Any) -> Any:
            number = self.count
            self.count += 1
            self.names.append(name)
            # An iterator can be sent once; what is sent twice or late must be the same.
            sent = tuple(_fixed(each) for each in arguments)
            if self._n is None or number < self._n:
                return self._done(name, sent)
            if number == self._n:
                return self._goes_wrong(name, sent)
            if self._mishap in (Mishap.CRASH_BEFORE, Mishap.CRASH_AFTER):
                raise Crash(f"after request {self._n}")
            answer = self._done(name, sent)
            late, self._late = self._late, None
            if late is not None:
                late()
            return answer

        return request

    def _done(self, name: str, sent: tuple[Any, ...]) -> Any:
        """Return the answer to a request that is let through."""
        return getattr(self._inner, name)(
            *(iter(each) if isinstance(each, list) and name == "put_parts" else each for each in sent)
        )

    def _goes_wrong(self, name: str, sent: tuple[Any, ...]) -> Any:
        """Let a request meet its mishap. Reading changes nothing, so it is refused where writing would be done."""
        said = f"{name} {sent[0] if sent else ''}"
        if self._mishap is Mishap.CRASH_BEFORE:
            raise Crash(f"before request {self._n}: {said}")
        if self._mishap is Mishap.CRASH_AFTER:
            self._done(name, sent)
            raise Crash(f"after request {self._n}: {said}")
        if self._mishap is Mishap.TWICE:
            self._done(name, sent)
            return self._done(name, sent)
        if self._mishap is Mishap.LOST:
            self._done(name, sent)
        if self._mishap is Mishap.LATE and name in _WRITES:
            self._late = lambda: self._done(name, sent)
        raise UnsureError(said, f"request {self._n}: {self._mishap}")


def _fixed(argument: Any) -> Any:
    """Return an argument that can be sent again."""
    return list(argument) if isinstance(argument, Iterator) and not isinstance(argument, Path) else argument


class TwiceObjects(MishapObjects):
    """`ObjectCalls` that does every request twice and gives the second answer, as a network does that repeats what it carries."""

    def _done(self, name: str, sent: tuple[Any, ...]) -> Any:
        """Return the second answer."""
        super()._done(name, sent)
        return super()._done(name, sent)
