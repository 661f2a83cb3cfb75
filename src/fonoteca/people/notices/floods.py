"""What keeps a flood of notices from shutting everybody else out.

One address, and one contact, sends so many a day. Once `waiting_max` wait, only the first of a network, a contact and a text is
taken: who sends many finds the door shut, and who sends one finds it open, unless a flood comes from OVERFLOW times as many
networks as may wait, each with a contact and a text of its own. Then the disk is what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from fonoteca.model.errors import UsageError
from fonoteca.model.settings import NoticeSettings
from fonoteca.people.notices.nouns import WAITING
from fonoteca.people.notices.tables import notices
from fonoteca.people.personal.desk import DAY_S

OVERFLOW = 10
"""A notice has 44 kB at most: of the 100,000 that wait at most by the default, 4.4 GB."""


def admit(connection: Connection, row: Mapping[str, Any], now: int, settings: NoticeSettings) -> None:
    """Return when a new notice may be taken. row: as it will be stored. Raises: UsageError. Cost: some questions by indexes."""
    for column in (notices.c.sender, notices.c.reached):
        sent = select(func.count()).where(column == row[column.name], notices.c.received > now - DAY_S)
        if connection.execute(sent).scalar_one() >= settings.sent_per_day:
            remedy = "Send the next one tomorrow, or put several into one."
            raise UsageError("notice", f"more than {settings.sent_per_day} in a day", remedy)
    waits = notices.c.state.in_(WAITING)
    waiting: int = connection.execute(select(func.count()).where(waits)).scalar_one()
    if waiting < settings.waiting_max:
        return
    if waiting >= settings.waiting_max * OVERFLOW:
        raise UsageError("notice", "too many wait already", "Write to the contact of this archive.")
    for column, what in ((notices.c.network, "network"), (notices.c.reached, "contact"), (notices.c.gist, "text")):
        like = select(notices.c.number).where(waits, column == row[column.name]).limit(1)
        if connection.execute(like).first() is not None:
            problem = f"very many wait, and one of the same {what} is among them"
            raise UsageError("notice", problem, "It will be read; send the next one when that is decided.")
