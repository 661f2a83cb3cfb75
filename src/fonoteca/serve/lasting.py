"""What is told of an archive and changes slowly: made anew after some time and not for every visit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

from fonoteca.ports import Clock

_T = TypeVar("_T")


class Lasting(Generic[_T]):
    """Remembers what was last made for so long. Visitors who come at once wait for the first."""

    def __init__(self, clock: Clock, lasts: timedelta, make: Callable[[], _T]) -> None:
        self._clock = clock
        self._lasts = lasts
        self._make = make
        self._made: tuple[datetime, _T] | None = None
        self._making = Lock()

    def __call__(self) -> _T:
        """Return it. What hinders its making is raised, and tried again by the next who asks."""
        with self._making:
            now = self._clock.now()
            if self._made is None or not timedelta(0) <= now - self._made[0] < self._lasts:
                self._made = (now, self._make())
            return self._made[1]
