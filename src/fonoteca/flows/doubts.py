"""Checks that are dated in the future: the clock was ahead then, or is behind now, and nobody can tell which.

Taken at their word they would keep files from being checked for years; thrown away, a clock that was once set back would have
everything read again. So they count as made when they were first met: that moment is told to the event log, and a cycle later the
files are due. Where the clock was only behind for a while, their dates are in the past again before that, and hold.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from fonoteca.flows.checks import CheckRooms
from fonoteca.flows.events import record_events
from fonoteca.model.corridor import Event

CLOCK, DOUBTED = "clock", "doubted"
FUTURE_SLACK = timedelta(days=1)
"""Clocks of machines that share an archive may differ by this much without anybody being wrong about the day."""

_DOUBTS_MAX = 1000


def future_checks_are_due(rooms: CheckRooms, now: datetime, older_than: timedelta) -> bool:
    """Return whether files whose last check is dated in the future are due: when such dates were first met a cycle ago.

    Meeting them for the first time tells the event log.
    """
    newest = rooms.register.auditing.newest_check()
    if newest is None or newest <= now + FUTURE_SLACK:
        return False
    met = _first_met(rooms, newest, now)
    if met is None:
        record_events(rooms, [Event(now, DOUBTED, CLOCK, (("newest", newest.isoformat()),))])
        return not older_than
    return now - met >= older_than


def _first_met(rooms: CheckRooms, newest: datetime, now: datetime) -> datetime | None:
    """Return when a date as late as this was first met, by a clock that may be right, None when it never was."""
    told = rooms.register.events(_DOUBTS_MAX, subject=CLOCK)
    as_late = (each.at for each in told if datetime.fromisoformat(str(dict(each.facts)["newest"])) >= newest)
    return min((at for at in as_late if at <= now), default=None)
