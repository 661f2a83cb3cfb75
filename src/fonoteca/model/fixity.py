"""What is told of checks of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class DayOfChecks:
    """What was checked on a day, UTC. damaged_count: files that were not sound."""

    day: date
    file_count: int
    checked_bytes: int
    damaged_count: int
