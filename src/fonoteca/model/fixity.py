"""What is told of checks of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

Stamp = tuple[int, int]
"""A blob's length in bytes, and the time of its last change in nanoseconds since 1970."""

GONE = "no such file"

CALENDAR_DAYS = 371
"""A year and the week that it begins in: 53 columns of seven days."""


class Sighting(NamedTuple):
    """A blob as it was found. sha256: hexadecimal. trouble: why it has no digest, `GONE` or what the medium said; "" for none.

    stamp: None with trouble. A tuple, since an audit sends millions of them from worker to worker.
    """

    stamp: Stamp | None
    sha256: str
    trouble: str


@dataclass(frozen=True, slots=True)
class DayOfChecks:
    """What was checked on a day, UTC. damaged_count: files that were not sound."""

    day: date
    file_count: int
    checked_bytes: int
    damaged_count: int
