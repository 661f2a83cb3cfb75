"""Counts of notices that anybody may know: of those that came before this month, and never closer than by steps of STEP.

An exact small count, or two exact counts of which one can be taken from the other, would tell of one person that he sent a notice.
Ranges that begin at multiples of STEP tell neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from fonoteca.people.notices.nouns import APPEALABLE, NoticeKind, NoticeState
from fonoteca.people.notices.tables import notices, steps
from fonoteca.people.personal.desk import DAY_S, instant

STEP = 5
MONTHS_MOST = 24


@dataclass(frozen=True, slots=True)
class Roughly:
    """A count from `least` to `most`, both inclusive."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by what was asked for, by what became of it, and by month, newest first; without those that are none.

    before: of notices that came before this day. median_days: from receipt to the first decision, of kinds with STEP or more.
    """

    before: datetime
    states: Mapping[NoticeKind, Mapping[NoticeState, Roughly]]
    months: Mapping[str, Mapping[NoticeKind, Roughly]]
    median_days: Mapping[NoticeKind, int]


def tally(connection: Connection, now: int) -> Tally:
    """Return the counts. Cost: a pass over all notices."""
    today = instant(now)
    before = datetime(today.year, today.month, 1, tzinfo=UTC)
    day = (notices.c.received // DAY_S).label("day")
    came = notices.c.received < int(before.timestamp())
    chosen = select(notices.c.kind, notices.c.state, day, func.count()).where(came).group_by(notices.c.kind, notices.c.state, day)
    states: dict[NoticeKind, Counter[NoticeState]] = {}
    months: dict[str, Counter[NoticeKind]] = {}
    for kind, state, on, count in connection.execute(chosen):
        states.setdefault(NoticeKind(kind), Counter())[NoticeState(state)] += count
        months.setdefault(f"{instant(on * DAY_S):%Y-%m}", Counter())[NoticeKind(kind)] += count
    return Tally(
        before,
        {
            kind: {state: roughly(counts[state]) for state in NoticeState if counts[state]}
            for kind, counts in sorted(states.items())
        },
        {
            month: {kind: roughly(count) for kind, count in sorted(months[month].items())}
            for month in sorted(months, reverse=True)[:MONTHS_MOST]
        },
        _median_days(connection, int(before.timestamp())),
    )


def roughly(count: int) -> Roughly:
    """Return the range that a count is told by. count: 1 or more."""
    least = count - count % STEP
    return Roughly(least or 1, least + STEP - 1)


def _median_days(connection: Connection, before: int) -> dict[NoticeKind, int]:
    """Return for each kind with enough decisions the whole days within which half of them were made."""
    decided = select(steps.c.notice, func.min(steps.c.at).label("at")).where(steps.c.what.in_(APPEALABLE)).group_by(steps.c.notice)
    first = decided.subquery()
    days = ((first.c.at - notices.c.received) // DAY_S).label("days")
    joined = select(notices.c.kind, days, func.count()).join(first, first.c.notice == notices.c.number)
    found: dict[NoticeKind, Counter[int]] = {}
    for kind, took, count in connection.execute(joined.where(notices.c.received < before).group_by(notices.c.kind, days)):
        found.setdefault(NoticeKind(kind), Counter())[took] += count
    return {kind: _median(counts) for kind, counts in sorted(found.items()) if counts.total() >= STEP}


def _median(counts: Counter[int]) -> int:
    """Return the lower median."""
    passed = 0
    for value in sorted(counts):
        passed += counts[value]
        if 2 * passed >= counts.total():
            return value
    raise AssertionError("there are counts")
