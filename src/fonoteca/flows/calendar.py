"""The fixity calendar: what was checked on each day, and what was found, from the events of checks."""

from __future__ import annotations

from datetime import date, timedelta

from fonoteca.model.fixity import CALENDAR_DAYS as CALENDAR_DAYS
from fonoteca.model.fixity import DayOfChecks
from fonoteca.register import Register


def days_of_checks(register: Register, today: date) -> list[DayOfChecks]:
    """Return the days, UTC, of the year to this one on which anything was checked, in order. Cost: a read of their events."""
    return register.soundness.days(today - timedelta(days=CALENDAR_DAYS - 1), today)
