"""The queue: what waits, in the order in which it is due, with floods in one row each.

Notices of one text, one contact or one place that are GROUP_LEAST or more stand as one row: whoever sends thousands takes one line
of the queue, not the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, select

from fonoteca.model.settings import NoticeSettings
from fonoteca.people.notices.nouns import BACK, WAITING, Likeness, NoticeState
from fonoteca.people.notices.tables import notices
from fonoteca.people.personal.desk import DAY_S

GROUP_LEAST = 3
_AT_ONCE = 500

_COLUMNS = {Likeness.TEXT: notices.c.gist, Likeness.CONTACT: notices.c.reached, Likeness.PLACE: notices.c.sender}


class Queue:
    """Questions about what waits. days: that a state may last."""

    def __init__(self, settings: NoticeSettings) -> None:
        first = {NoticeState.RECEIVED: settings.decide_days, NoticeState.APPEALED: settings.appeal_answer_days}
        self.days: Mapping[NoticeState, int] = {**first, **{claimed: first[state] for claimed, state in BACK.items()}}

    def rows(self, connection: Connection, limit: int, overdue_at: int | None) -> list[Mapping[Any, Any]]:
        """Return rows of notices with `count` and `like`. overdue_at: only what was due before. Cost: O(waiting log waiting)."""
        chosen = self._first_of_groups().limit(limit)
        if overdue_at is not None:
            chosen = chosen.where(chosen.selected_columns.due < overdue_at)
        found = connection.execute(chosen).all()
        whole: dict[int, Mapping[Any, Any]] = {}
        for start in range(0, len(found), _AT_ONCE):
            some = select(notices).where(notices.c.number.in_([row.number for row in found[start : start + _AT_ONCE]]))
            whole |= {row["number"]: row for row in connection.execute(some).mappings()}
        return [{**whole[row.number], "count": row.count_of, "like": row.like} for row in found]

    def _first_of_groups(self) -> Select[Any]:
        """Return the question for number, due, size and likeness of what stands in the queue, in its order. No text is read."""
        counts = [
            # What a restore brought back has forgotten where it came from: that is nothing to be alike in.
            case((column == "", 1), else_=func.count().over(partition_by=(notices.c.state, column))).label(f"by_{like}")
            for like, column in _COLUMNS.items()
        ]
        counted = select(notices.c.number, notices.c.state, *_COLUMNS.values(), self._due().label("due"), *counts)
        waiting = counted.where(notices.c.state.in_(WAITING)).subquery()
        # The largest group that a notice is in is the row that it stands in.
        most = [(waiting.c[f"by_{like}"] >= self._greatest(waiting, GROUP_LEAST), literal(str(like))) for like in Likeness]
        like = case(*most, else_="").label("like")
        key = case(*((like == str(each), waiting.c[column.name]) for each, column in _COLUMNS.items()), else_="")
        group = (waiting.c.state, like, key, case((like == "", waiting.c.number), else_=0))
        ranked = select(
            waiting.c.number,
            waiting.c.due,
            like,
            func.count().over(partition_by=group).label("count_of"),
            func.row_number().over(partition_by=group, order_by=(waiting.c.due, waiting.c.number)).label("place_in_group"),
        ).subquery()
        columns = ranked.c.number, ranked.c.due, ranked.c.like, ranked.c.count_of
        return select(*columns).where(ranked.c.place_in_group == 1).order_by(ranked.c.due, ranked.c.number)

    def alike(self, connection: Connection, number: int, like: Likeness, upto: int) -> list[Any]:
        """Return what is known of those up to a number that wait as one notice does and are like it, but what was written.

        That one alone where nothing tells what it is like.
        """
        own, column = notices.alias(), _COLUMNS[like]
        same = (column == own.c[column.name]) & (column != "") & (notices.c.state == own.c.state) & (own.c.number == number)
        itself = (notices.c.number == number) & (own.c.number == number)
        columns = notices.c.number, notices.c.kind, notices.c.subject, notices.c.state
        chosen = select(*columns).join(own, same | itself).where(notices.c.state.in_(WAITING), notices.c.number <= upto)
        return list(connection.execute(chosen.order_by(notices.c.number)))

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
