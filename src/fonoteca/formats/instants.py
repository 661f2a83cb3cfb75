"""Moments as text: RFC 3339 in UTC, one spelling for each moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def instant(moment: datetime) -> str:
    """Return a moment as RFC 3339 text in UTC, such as `2026-11-22T12:00:00Z`, with microseconds where it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(text: Any) -> datetime:
    """Return the moment. Raises: ValueError for text that `instant` would not have written, TypeError for no text."""
    if not isinstance(text, str):
        raise TypeError(f"expected a time, found {type(text).__name__}")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or instant(moment) != text:
        raise ValueError(f"expected a time in UTC such as 2026-11-22T12:00:00Z, found {text!r}")
    return moment
