"""The docket: what curators decided, put down before it is carried out. Entries are added and never changed but in their state.

Two who decide about the same thing at once lose nothing: whoever is second is told what the first one decided, and decides anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Select,
    String,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from fonoteca.formats.strictjson import parse_json, whole_text
from fonoteca.model.desk import Entry, EntryState, Order
from fonoteca.model.errors import OvertakenError, UsageError
from fonoteca.people.personal.desk import Desk, instant
from fonoteca.people.schema import metadata
from fonoteca.sql.engine import one_at_a_time

FACTS_BYTES_MAX = 1 << 20
"""Of one entry: a decision about a thousand items has some 100 kB."""

SUBJECTS_MAX = 1000
"""That one entry may be about."""

OUTCOME_LETTERS_MOST = 2000
WAITING_MOST = 10_000
"""Entries that wait. More than a day of anyone's decisions."""

_PUTTING = 0x666F6E72
"""Key of the lock under which entries are put on PostgreSQL: who looks whether another was first waits for who is putting."""

_AT_ONCE = 500
_Name = String().with_variant(String(collation="C"), "postgresql")

docket = Table(
    "people_docket",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("action", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("by", Integer),
    Column("put_at", BigInteger, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("outcome", Text, nullable=False),
    Column("ended_at", BigInteger),
    sqlite_autoincrement=True,
)

docket_subjects = Table(
    "people_docket_subject",
    metadata,
    Column("subject", _Name, primary_key=True),
    Column("number", ForeignKey("people_docket.number"), primary_key=True),
)
"""One row for each thing that an entry is about."""


class Docket:
    """The docket of an archive."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def put(self, order: Order, by: int | None, seen: int) -> Entry:
        """Return the entry of an order, which waits. seen: the number of the newest entry about it that whoever decided had seen.

        Raises: OvertakenError when there is a newer one; UsageError for too much at once.
        """
        subjects, facts = order.subjects, facts_json(order.facts)
        if len(subjects) > SUBJECTS_MAX or len(facts) > FACTS_BYTES_MAX:
            raise UsageError(order.subject, f"more than {SUBJECTS_MAX:,} items in one decision", "Decide about fewer at once.")
        now = self._desk.now()
        state = str(EntryState.WAITING)
        row = {"action": order.action, "subject": order.subject, "facts": facts, "by": by, "put_at": now, "state": state}

        def work(connection: Connection) -> int:
            one_at_a_time(connection, _PUTTING)
            newer = _newest_about(connection, subjects, seen)
            if newer:
                raise _overtaken(newer)
            waits = select(func.count()).where(docket.c.state == EntryState.WAITING)
            if connection.execute(waits).scalar_one() >= WAITING_MOST:
                raise UsageError("desk", f"{WAITING_MOST:,} decisions wait already", "Wait until some are carried out.")
            number: int = connection.execute(insert(docket).values(**row, outcome="").returning(docket.c.number)).scalar_one()
            connection.execute(insert(docket_subjects), [{"subject": each, "number": number} for each in subjects])
            return number

        return self.numbered(self._desk.change(work))

    def numbered(self, number: int) -> Entry:
        """Return an entry. Raises: UsageError when there is none of this number."""
        found = self._entries(select(docket).where(docket.c.number == number))
        if not found:
            raise UsageError(f"entry {number}", "there is no such entry in the docket", "`fonoteca desk list` shows them.")
        return found[0]

    def waiting(self, limit: int = WAITING_MOST) -> list[Entry]:
        """Return what waits, oldest first."""
        return self.in_state(EntryState.WAITING, limit)

    def in_state(self, state: EntryState, limit: int) -> list[Entry]:
        """Return entries in a state, oldest first."""
        return self._entries(select(docket).where(docket.c.state == state).order_by(docket.c.number).limit(limit))

    def count(self, state: EntryState) -> int:
        """Return how many entries are in a state."""
        with self._desk.reading() as connection:
            return int(connection.execute(select(func.count()).where(docket.c.state == state)).scalar_one())

    def about(self, subject: str, limit: int = 100) -> list[Entry]:
        """Return the newest entries about a subject, oldest of them first."""
        named = select(docket_subjects.c.number).where(docket_subjects.c.subject == subject)
        chosen = select(docket).where(docket.c.number.in_(named)).order_by(docket.c.number.desc()).limit(limit)
        return self._entries(chosen)[::-1]

    def seen(self, subject: str = "") -> int:
        """Return the number of the newest entry about a subject, "" for any; 0 for none. What `put` is told."""
        asked = select(func.max(docket_subjects.c.number))
        asked = asked.where(docket_subjects.c.subject == subject) if subject else asked
        with self._desk.reading() as connection:
            return connection.execute(asked).scalar() or 0

    def latest(self, subjects: Iterable[str]) -> Mapping[str, Entry]:
        """Return the newest entry about each of some subjects that has one."""
        with self._desk.reading() as connection:
            return _newest_about(connection, tuple(subjects), 0)

    def newest(self, limit: int, before: int = 0) -> list[Entry]:
        """Return entries, newest first, those before a number, 0 for all."""
        chosen = select(docket).order_by(docket.c.number.desc()).limit(limit)
        return self._entries(chosen.where(docket.c.number < before) if before else chosen)

    def done(self, number: int, outcome: str) -> Entry:
        """Return an entry that was carried out. outcome: what came of it."""
        return self._end(number, EntryState.DONE, outcome, tuple(EntryState))

    def failed(self, number: int, why: str) -> Entry:
        """Return an entry that could not be carried out."""
        return self._end(number, EntryState.FAILED, why, (EntryState.WAITING,))

    def drop(self, number: int, why: str) -> Entry:
        """Return an entry that is not to be carried out. Raises: UsageError for one that was, or was dropped before."""
        return self._end(number, EntryState.DROPPED, why, (EntryState.WAITING, EntryState.FAILED))

    def retry(self, number: int) -> Entry:
        """Return an entry that failed and waits again. Raises: UsageError for one that did not, or that another one followed.

        What was decided since about the same thing was decided in knowledge of the failure: it is not to be overtaken by it.
        """

        def work(connection: Connection) -> bool:
            one_at_a_time(connection, _PUTTING)
            about = connection.execute(select(docket_subjects.c.subject).where(docket_subjects.c.number == number)).scalars()
            newer = _newest_about(connection, tuple(about), number)
            if newer:
                raise _overtaken(newer)
            again = update(docket).where(docket.c.number == number, docket.c.state == EntryState.FAILED)
            return connection.execute(again.values(state=str(EntryState.WAITING), outcome="", ended_at=None)).rowcount == 1

        if not self._desk.change(work):
            raise _not_so(self.numbered(number))
        return self.numbered(number)

    def _end(self, number: int, state: EntryState, outcome: str, of: Iterable[EntryState]) -> Entry:
        now, told = self._desk.now(), whole_text(outcome.replace("\x00", ""))[:OUTCOME_LETTERS_MOST]

        def work(connection: Connection) -> bool:
            open_still = docket.c.number == number, docket.c.state.in_([str(each) for each in of])
            changed = update(docket).where(*open_still).values(state=str(state), outcome=told, ended_at=now)
            return connection.execute(changed).rowcount == 1

        if not self._desk.change(work):
            raise _not_so(self.numbered(number))
        return self.numbered(number)

    def _entries(self, chosen: Select[Any]) -> list[Entry]:
        with self._desk.reading() as connection:
            rows = connection.execute(chosen).all()
            others = _subjects(connection, [row.number for row in rows])
        return [_entry(row, others.get(row.number, ())) for row in rows]


def facts_json(facts: Mapping[str, Any]) -> str:
    """Return facts as the docket keeps them. Lone surrogates become U+FFFD, and NUL nothing: PostgreSQL keeps neither."""
    return json.dumps(_plain(facts), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return whole_text(value.replace("\x00", ""))
    if isinstance(value, Mapping):
        return {_plain(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _newest_about(connection: Connection, subjects: tuple[str, ...], after: int) -> Mapping[str, Entry]:
    """Return the newest entry after a number about each subject that has one."""
    newest: dict[str, int] = {}
    for start in range(0, len(subjects), _AT_ONCE):
        some = docket_subjects.c.subject.in_(subjects[start : start + _AT_ONCE])
        chosen = select(docket_subjects.c.subject, func.max(docket_subjects.c.number).label("newest"))
        for row in connection.execute(chosen.where(some, docket_subjects.c.number > after).group_by(docket_subjects.c.subject)):
            newest[row.subject] = row.newest
    numbers = sorted(set(newest.values()))
    found: dict[int, Entry] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        for row in connection.execute(select(docket).where(docket.c.number.in_(numbers[start : start + _AT_ONCE]))):
            found[row.number] = _entry(row, ())
    return {subject: found[number] for subject, number in newest.items()}


def _subjects(connection: Connection, numbers: list[int]) -> Mapping[int, tuple[str, ...]]:
    """Return what entries are about."""
    about: dict[int, list[str]] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        some = docket_subjects.c.number.in_(numbers[start : start + _AT_ONCE])
        for row in connection.execute(select(docket_subjects).where(some).order_by(docket_subjects.c.subject)):
            about.setdefault(row.number, []).append(row.subject)
    return {number: tuple(each) for number, each in about.items()}


def _entry(row: Any, about: Iterable[str]) -> Entry:
    others = tuple(each for each in about if each != row.subject)
    order = Order(row.action, row.subject, parse_json(row.facts.encode(), f"entry {row.number}"), others)
    ended_at = None if row.ended_at is None else instant(row.ended_at)
    return Entry(row.number, order, row.by, instant(row.put_at), EntryState(row.state), row.outcome, ended_at)


def _overtaken(newer: Mapping[str, Entry]) -> OvertakenError:
    subject, entry = max(newer.items(), key=lambda each: each[1].number)
    return OvertakenError(
        subject,
        f"it was decided about since you looked: entry {entry.number} ({entry.order.action}) of {entry.put_at:%Y-%m-%d %H:%M} UTC",
        "Nothing was put down. Look again, and decide in knowledge of it.",
    )


def _not_so(entry: Entry) -> UsageError:
    return UsageError(f"entry {entry.number}", f"it is {entry.state} already", "Nothing was changed.")
