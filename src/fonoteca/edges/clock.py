"""Time as the machine tells it: the one place that asks."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock, as `fonoteca.ports.Clock`."""

    def now(self) -> datetime:
        """Return the time now, in UTC with a timezone."""
        return datetime.now(UTC)
