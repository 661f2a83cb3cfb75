"""The queue: what waits, in the order in which it is due, with floods in one row each.

Notices of one text, one contact or one place that are GROUP_LEAST or more stand as one row: whoever sends thousands takes one line
of the queue, not the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, select

from fonoteca.model.settings import NoticeSettings
from fonoteca.people.notices.nouns import BACK, WAITING, Likeness, NoticeState
from fonoteca.people.notices.tables import notices
from fonoteca.people.personal.desk import DAY_S

GROUP_LEAST = 3

_COLUMNS = {Likeness.TEXT: notices.c.gist, Likeness.CONTACT: notices.c.reached, Likeness.PLACE: notices.c.sender}


class Queue:
    """Questions about what waits. days: that a state may last."""

    def __init__(self, settings: NoticeSettings) -> None:
        first = {NoticeState.RECEIVED: settings.decide_days, NoticeState.APPEALED: settings.appeal_answer_days}
        self.days: Mapping[NoticeState, int] = {**first, **{claimed: first[state] for claimed, state in BACK.items()}}

    def rows(self, connection: Connection, limit: int, overdue_at: int | None) -> Sequence[Mapping[Any, Any]]:
        """Return rows of notices with `count` and `like`. overdue_at: only what was due before. Cost: O(waiting log waiting)."""
        counts = {like: func.count().over(partition_by=(notices.c.state, column)) for like, column in _COLUMNS.items()}
        counted = select(notices, self._due().label("due"), *(count.label(f"by_{like}") for like, count in counts.items()))
        waiting = counted.where(notices.c.state.in_(WAITING)).subquery()
        # The largest group that a notice is in is the row that it stands in.
        most = [(waiting.c[f"by_{like}"] >= self._greatest(waiting, GROUP_LEAST), literal(str(like))) for like in Likeness]
        like = case(*most, else_="").label("like")
        key = case(*((like == str(each), waiting.c[column.name]) for each, column in _COLUMNS.items()), else_="")
        alone = case((like == "", waiting.c.number), else_=0)
        group = (waiting.c.state, like, key, alone)
        ranked = select(
            waiting,
            like,
            func.count().over(partition_by=group).label("count"),
            func.row_number().over(partition_by=group, order_by=(waiting.c.due, waiting.c.number)).label("place_in_group"),
        ).subquery()
        chosen = select(ranked).where(ranked.c.place_in_group == 1).order_by(ranked.c.due, ranked.c.number).limit(limit)
        if overdue_at is not None:
            chosen = chosen.where(ranked.c.due < overdue_at)
        return connection.execute(chosen).mappings().all()

    def alike(self, connection: Connection, number: int, like: Likeness, limit: int) -> Sequence[Mapping[Any, Any]]:
        """Return the rows that wait as one notice does and are like it; that one alone where nothing tells what it is like."""
        column = _COLUMNS[like]
        own = select(column.label("own"), notices.c.state.label("state")).where(notices.c.number == number).subquery()
        same = (column == own.c.own) & (column != "") & (notices.c.state == own.c.state)
        chosen = select(notices).join(own, same | (notices.c.number == number)).where(notices.c.state.in_(WAITING))
        return connection.execute(chosen.order_by(notices.c.number).limit(limit)).mappings().all()

    def standing(self, connection: Connection, now: int) -> tuple[int, int, int | None]:
        """Return how many wait, how many of them are overdue, and since when the oldest does."""
        late = func.coalesce(func.sum(case((self._due() < now, 1), else_=0)), 0)
        chosen = select(func.count(), late, func.min(notices.c.since)).where(notices.c.state.in_(WAITING))
        waiting, overdue, oldest = connection.execute(chosen).one()
        return int(waiting), int(overdue), oldest

    def _due(self) -> ColumnElement[int]:
        days = case(*((notices.c.state == str(state), days) for state, days in self.days.items()), else_=0)
        return notices.c.since + days * DAY_S

    def _greatest(self, waiting: Any, least: int) -> ColumnElement[int]:
        """Return the size of the largest group that a notice is in, `least` at least."""
        found: ColumnElement[int] = literal(least)
        for like in Likeness:
            column = waiting.c[f"by_{like}"]
            found = case((column > found, column), else_=found)
        return found
