"""How many notices came, and what became of them: for everybody, by ranges that tell of nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from fonoteca.people.notices import Roughly, Tally
from fonoteca.serve.lasting import Lasting
from fonoteca.serve.rooms import ServeRooms

LASTS = timedelta(minutes=10)
"""What anyone may ask for costs the database a pass over its notices at most so often."""


@dataclass(frozen=True, slots=True)
class CountAnswer:
    """A count, from least to most, both inclusive. kind: what was asked for. state: what became of it, "" for any."""

    kind: str
    state: str
    month: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class MedianAnswer:
    """Within how many whole days half the notices of a kind were decided first."""

    kind: str
    days: int


@dataclass(frozen=True, slots=True)
class CountsAnswer:
    """Counts of notices that came before a day. by_state: `month` is "". by_month: `state` is "", newest month first."""

    before: str
    by_state: list[CountAnswer]
    by_month: list[CountAnswer]
    median_days: list[MedianAnswer]


def tally_of(rooms: ServeRooms) -> Callable[[], Tally]:
    """Return what gives the counts, at most LASTS old."""
    return Lasting(rooms.clock, LASTS, rooms.people.notices.tally)


def counts_answer(found: Tally) -> CountsAnswer:
    """Return the counts as the API and the page tell them."""
    return CountsAnswer(
        f"{found.before:%Y-%m-%d}",
        [_count(kind, state, "", count) for kind, states in found.states.items() for state, count in states.items()],
        [_count(kind, "", month, count) for month, kinds in found.months.items() for kind, count in kinds.items()],
        [MedianAnswer(str(kind), days) for kind, days in found.median_days.items()],
    )


def _count(kind: str, state: str, month: str, count: Roughly) -> CountAnswer:
    return CountAnswer(str(kind), str(state), month, count.least, count.most)
