"""How sound an archive is known to be: what its calendar and its page of health show. Nothing here scans the files' rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, Connection, func, select

from fonoteca.formats.checklists import CHECKED, CHECKS
from fonoteca.model.fixity import DayOfChecks
from fonoteca.register.rows import SOUND
from fonoteca.register.schema import fixity_check, member_file, object_

COUNTED_MAX = 10_000
"""Of files that are late or damaged so many are counted: to know that there are more is enough, and cheap."""

EventsOf = Callable[[str, datetime], Iterator[tuple[datetime, str, dict[str, str | int | float]]]]


@dataclass(frozen=True, slots=True)
class Soundness:
    """What is known of the files' bytes. oldest_check: of the file that waits the longest, None before the first check.

    never_count: files no check has seen; overdue_count: others whose check is too old; damaged_count: whose last check found
    damage; each `COUNTED_MAX` at most. found_count, healed_count: damages found, and files found sound again, of the time asked.
    quarantined_count: objects.
    """

    oldest_check: datetime | None
    never_count: int
    overdue_count: int
    damaged_count: int
    quarantined_count: int
    found_count: int
    healed_count: int


class SoundnessKnown:
    """The register as it knows what was proved. Made by `Register.soundness`. reading: gives a connection."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]], events_of: EventsOf) -> None:
        self._reading = reading
        self._events_of = events_of

    def since(self, since: datetime, due: datetime) -> Soundness:
        """Return what is known. since: of when on damages are counted. due: what was checked before it is overdue.

        Cost: look-ups in indexes, whatever the number of files.
        """
        checked = member_file.c.checked_at
        with self._reading() as connection:

            def count(which: ColumnElement[bool]) -> int:
                return len(connection.execute(select(member_file.c.id).where(which).limit(COUNTED_MAX)).all())

            told = connection.execute(
                select(fixity_check.c.result, func.count()).where(fixity_check.c.at >= since).group_by(fixity_check.c.result)
            )
            by_result = {str(result): int(number) for result, number in told.all()}
            ill = select(func.count()).select_from(object_).where(object_.c.quarantined_at.is_not(None))
            return Soundness(
                oldest_check=connection.execute(select(func.min(checked))).scalar_one(),
                never_count=count(checked.is_(None)),
                overdue_count=count(checked < due),
                damaged_count=count(member_file.c.damage.is_not(None)),
                quarantined_count=int(connection.execute(ill).scalar_one()),
                found_count=sum(number for result, number in by_result.items() if result != SOUND),
                healed_count=by_result.get(SOUND, 0),
            )

    def days(self, first: date, last: date) -> list[DayOfChecks]:
        """Return the days, UTC, from the first to the last on which anything was checked, in order. Cost: their events."""
        sums: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
        for at, what, facts in self._events_of(CHECKS, datetime(first.year, first.month, first.day, tzinfo=UTC)):
            if what == CHECKED and at.date() <= last:
                for place, name in enumerate(("files", "bytes", "damaged")):
                    sums[at.date()][place] += int(facts[name])
        return [DayOfChecks(day, *sums[day]) for day in sorted(sums)]
