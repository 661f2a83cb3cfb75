"""A clock that tests can foresee."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class SteppingClock:
    """`Clock` that begins at a moment and goes on by a step each time it is asked."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), step: timedelta = timedelta(seconds=1)) -> None:
        self._next = start
        self._step = step

    def now(self) -> datetime:
        """Return the moment, a step later than the last."""
        moment = self._next
        self._next += self._step
        return moment
