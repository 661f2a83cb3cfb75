"""The health of the archive: what was proved on each day, what was found and healed, room, and what is out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock

from fonoteca.model.errors import FonotecaError
from fonoteca.model.fixity import CALENDAR_DAYS, DayOfChecks
from fonoteca.model.rights import Kind
from fonoteca.people.notices import Standing
from fonoteca.ports import Clock
from fonoteca.register import Register, Soundness, Totals
from fonoteca.serve.lasting import Lasting
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.standing import EditionSeen, Space
from fonoteca.serve.views import swarm_noted
from fonoteca.serve.withdrawals import MirrorAnswer, mirror_answer

LASTS = timedelta(minutes=1)
"""So long what is shown may be old: a page that anyone may ask for costs the register next to nothing."""

CELL, GAP = 13, 3
"""Units of the calendar's drawing."""
LEVELS = 4
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of the calendar. x, y: its place in the drawing. level: 0 where nothing was proved, up to LEVELS by how many files."""

    day: date
    x: int
    y: int
    level: int
    file_count: int
    checked_bytes: int
    damaged_count: int


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar in figures. name: `2026-01`. x: where its first week is drawn, None where no week begins in it."""

    name: str
    label: str
    x: int | None
    day_count: int
    file_count: int
    checked_bytes: int
    damaged_count: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """A year of checks. width, height: of the drawing."""

    cells: tuple[Cell, ...]
    months: tuple[Month, ...]
    width: int
    height: int

    @property
    def day_count(self) -> int:
        """On how many days anything was proved."""
        return sum(each.day_count for each in self.months)

    @property
    def file_count(self) -> int:
        """How many files were read, each as often as it was."""
        return sum(each.file_count for each in self.months)

    @property
    def checked_bytes(self) -> int:
        """How many bytes were read."""
        return sum(each.checked_bytes for each in self.months)


@dataclass(frozen=True, slots=True)
class HealthView:
    """All that the page of health says. At `at`. space: None where the store is on no disk of this machine. S3 keeps its own count.

    least_seeds: how many have the drop that fewest have, None where nobody knows. last_backup: None where none is on record.
    """

    at: datetime
    calendar: Calendar
    soundness: Soundness
    totals: Totals
    music: Totals
    space: Space | None
    withdrawn: int
    edition: EditionSeen | None
    mirror: MirrorAnswer | None
    least_seeds: int | None
    swarm_at: datetime | None
    last_backup: datetime | None
    notices: Standing


class HealthTold:
    """The page's content, made anew when it is a minute old."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._rooms = rooms
        self._days = DaysKnown(rooms.register, rooms.clock)
        self.edition = Lasting(rooms.clock, LASTS, rooms.edition)
        self.view = Lasting(rooms.clock, LASTS, self._view)

    def _view(self) -> HealthView:
        rooms = self._rooms
        now = rooms.clock.now()
        # An archive without a cycle reads everything each time: nothing of it is overdue.
        due = now - timedelta(days=rooms.settings.fixity.cycle_days or 36_500)
        first = now.date() - timedelta(days=CALENDAR_DAYS - 1)
        noted = swarm_noted(rooms)
        seeds = [each.seeds for each in noted.drops if each.seeds is not None] if noted else []
        return HealthView(
            at=now,
            calendar=calendar_of(self._days(), now.date()),
            soundness=rooms.register.soundness.since(datetime.combine(first, time(), UTC), due),
            totals=rooms.register.totals(),
            music=rooms.register.totals(Kind.AUDIO),
            space=_known(rooms.space),
            withdrawn=len(rooms.register.withdrawals.masked()),
            edition=self.edition(),
            mirror=mirror_answer(rooms),
            least_seeds=min(seeds) if seeds else None,
            swarm_at=noted.at if noted else None,
            last_backup=rooms.last_backup(),
            notices=rooms.people.notices.standing(),
        )


class DaysKnown:
    """The days on which anything was proved. Those before today are read once a day, today's each time."""

    def __init__(self, register: Register, clock: Clock) -> None:
        self._register = register
        self._clock = clock
        self._before: tuple[date, list[DayOfChecks]] | None = None
        self._reading = Lock()

    def __call__(self) -> list[DayOfChecks]:
        """Return the days of the year to this one, in order."""
        with self._reading:
            today = self._clock.now().date()
            if self._before is None or self._before[0] != today:
                first, yesterday = today - timedelta(days=CALENDAR_DAYS - 1), today - timedelta(days=1)
                self._before = (today, self._register.soundness.days(first, yesterday))
            return self._before[1] + self._register.soundness.days(today, today)


def calendar_of(days: Sequence[DayOfChecks], today: date) -> Calendar:
    """Return the calendar of the year to this day: a column a week from Monday, a cell a day."""
    known = {each.day: each for each in days}
    first = today - timedelta(days=CALENDAR_DAYS - 1)
    monday = first - timedelta(days=first.weekday())
    most = max((each.file_count for each in days), default=0)
    dates = [first + timedelta(days=place) for place in range(CALENDAR_DAYS)]
    cells = tuple(_cell(day, known.get(day), (day - monday).days // 7, most) for day in dates)
    step = CELL + GAP
    return Calendar(cells, tuple(_months(dates, known, cells)), ((today - monday).days // 7 + 1) * step - GAP, 7 * step - GAP)


def _cell(day: date, found: DayOfChecks | None, week: int, most: int) -> Cell:
    """Return a day's cell. Levels go by powers, since a sample and a whole audit differ a thousandfold."""
    count = found.file_count if found else 0
    level = 0 if not count else 1 + min(LEVELS - 1, math.floor(LEVELS * math.log(count + 1) / math.log(most + 2)))
    step = CELL + GAP
    sums = (found.file_count, found.checked_bytes, found.damaged_count) if found else (0, 0, 0)
    return Cell(day, week * step, day.weekday() * step, level, *sums)


def _months(dates: Sequence[date], known: Mapping[date, DayOfChecks], cells: Sequence[Cell]) -> list[Month]:
    """Return the months of these dates, the newest first."""
    starts = {f"{cell.day:%Y-%m}": cell.x for cell in reversed(cells) if cell.day.weekday() == 0 and cell.day.day <= 7}
    found = []
    for name in sorted({f"{day:%Y-%m}" for day in dates}, reverse=True):
        days = [known[day] for day in dates if f"{day:%Y-%m}" == name and day in known]
        label = _MONTHS[int(name[5:]) - 1]
        sums = (sum(d.file_count for d in days), sum(d.checked_bytes for d in days), sum(d.damaged_count for d in days))
        found.append(Month(name, label, starts.get(name), len(days), *sums))
    return found


def _known(ask: Callable[[], Space | None]) -> Space | None:
    """Return the room on the disk, None where it cannot be told: the page has more to say."""
    try:
        return ask()
    except FonotecaError:
        return None
