"""The fixity calendar: what was checked on each day, and what was found, from the events of checks."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

from fonoteca.formats.checklists import CHECKED, CHECKS
from fonoteca.model.fixity import DayOfChecks
from fonoteca.register import Register

CALENDAR_DAYS = 371
"""A year and the week that it begins in: 53 columns of seven days."""


def days_of_checks(register: Register, today: date) -> list[DayOfChecks]:
    """Return the days, UTC, of the year to this one on which anything was checked, in order. Cost: a read of their events."""
    first = today - timedelta(days=CALENDAR_DAYS - 1)
    sums: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for at, what, facts in register.auditing.events_of(CHECKS, datetime(first.year, first.month, first.day, tzinfo=UTC)):
        if what == CHECKED and at.date() <= today:
            for place, name in enumerate(("files", "bytes", "damaged")):
                sums[at.date()][place] += int(facts[name])
    return [DayOfChecks(day, *sums[day]) for day in sorted(sums)]
