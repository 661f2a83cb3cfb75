"""What is made of the snapshot in force, once a snapshot and not once a visit."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from fonoteca.serve.rooms import Atlas

_T = TypeVar("_T")


class Latest(Generic[_T]):
    """Remembers what was last made: a snapshot never changes, so its name says whether that still holds.

    Measuring scans the snapshot and drawing takes a core for half a second, so visitors who come at once wait for the first. Once
    there is something, they are given that while the new one is made: none holds a thread then.
    """

    def __init__(self, catalogue: Atlas, make: Callable[[], _T]) -> None:
        self._catalogue = catalogue
        self._make = make
        self._made: tuple[str, _T] | None = None
        self._making = Lock()

    def __call__(self) -> _T | None:
        """Return it, None before the first snapshot."""
        snapshot = self._catalogue.snapshot()
        if snapshot is None:
            return None
        made = self._made
        if made is not None and made[0] == snapshot.name:
            return made[1]
        if not self._making.acquire(blocking=made is None):
            assert made is not None, "the first is waited for"
            return made[1]
        try:
            if self._made is None or self._made[0] != snapshot.name:
                self._made = (snapshot.name, self._make())
            return self._made[1]
        finally:
            self._making.release()
