"""Notices: what a holder of rights, or anyone who found a mistake, sends to the archive, and what was decided about it.

Who sent it and how to reach them is theirs: it is in this table alone, no backup has it, and it goes CONTACT_KEPT_DAYS after the
decision. Where a notice came from is kept as a digest, for a count of one day.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, Text, func, insert, select, update

from fonoteca.model.errors import UsageError
from fonoteca.people.passwords import Chance
from fonoteca.people.personal.desk import DAY_S, Desk, instant
from fonoteca.people.schema import metadata

PLACE_LETTERS_MOST, REASONS_LETTERS_MOST, CONTACT_LETTERS_MOST, ANSWER_LETTERS_MOST = 500, 10_000, 200, 500
SENT_MOST = 10
"""Notices of one place, or of one contact, in a day: a form is for people."""

OPEN_MOST = 10_000
"""Notices that wait. More than anyone answers, and 100 MB at most."""

CONTACT_KEPT_DAYS = 180
TOKEN_BYTES = 32


class NoticeKind(StrEnum):
    """What a notice asks for."""

    RIGHTS = "rights"
    CORRECTION = "correction"


class NoticeState(StrEnum):
    """What became of a notice."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


notices = Table(
    "people_notice",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("token", String, nullable=False, unique=True),
    Column("sender", String, nullable=False, index=True),
    Column("reached", String, nullable=False, index=True),
    Column("received", BigInteger, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("place", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("answer", Text, nullable=False),
    Column("decided", BigInteger),
    sqlite_autoincrement=True,
)
"""One row a notice. token, sender, reached: digests of the secret link, of where it came from, of the contact."""


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody wrote. place: the exact place, an object's id or its page. name, contact: who, "" once forgotten."""

    kind: NoticeKind
    place: str
    reasons: str
    name: str
    contact: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice. answer: the reasons of the decision, "" while there is none."""

    number: int
    received: datetime
    words: Words = field(repr=False)
    state: NoticeState
    answer: str
    decided: datetime | None


class Notices:
    """The notices of an archive."""

    def __init__(self, desk: Desk, chance: Chance) -> None:
        self._desk, self._chance = desk, chance

    def add(self, words: Words, sender: str) -> tuple[Notice, str]:
        """Return a new notice and the token of its receipt, which is not kept. sender: the place that it came from.

        Raises: UsageError for words that are missing or too long, or more notices than one place or one contact may send in a day.
        """
        words, now = _checked(words), self._desk.now()
        token = urlsafe_b64encode(self._chance(TOKEN_BYTES)).rstrip(b"=").decode()
        row = {
            "token": _digest(token),
            "sender": _digest(f"place {sender}"),
            "reached": _digest(f"contact {words.contact.casefold()}"),
            "received": now,
            "kind": str(words.kind),
            "place": words.place,
            "reasons": words.reasons,
            "name": words.name,
            "contact": words.contact,
            "state": str(NoticeState.RECEIVED),
            "answer": "",
        }

        def work(connection: Connection) -> int:
            _forget(connection, now)
            for column in (notices.c.sender, notices.c.reached):
                sent = select(func.count()).where(column == row[column.name], notices.c.received > now - DAY_S)
                if connection.execute(sent).scalar_one() >= SENT_MOST:
                    remedy = "Send the next one tomorrow, or put several into one."
                    raise UsageError("notice", f"more than {SENT_MOST} in a day", remedy)
            waiting = select(func.count()).where(notices.c.state == NoticeState.RECEIVED)
            if connection.execute(waiting).scalar_one() >= OPEN_MOST:
                raise UsageError("notice", "too many wait already", "Write to the contact of this archive.")
            number: int = connection.execute(insert(notices).values(**row).returning(notices.c.number)).scalar_one()
            return number

        number = self._desk.change(work)
        return Notice(number, instant(now), words, NoticeState.RECEIVED, "", None), token

    def by_token(self, token: str) -> Notice | None:
        """Return the notice of a receipt, None where there is none."""
        return self._one(notices.c.token == _digest(token))

    def numbered(self, number: int) -> Notice:
        """Return a notice. Raises: UsageError when there is none of this number."""
        found = self._one(notices.c.number == number)
        if found is None:
            raise UsageError(f"notice {number}", "there is no such notice", "`fonoteca notice list` shows them.")
        return found

    def waiting(self, limit: int) -> list[Notice]:
        """Return the notices that nobody decided about yet, oldest first."""
        chosen = select(notices).where(notices.c.state == NoticeState.RECEIVED).order_by(notices.c.number).limit(limit)
        with self._desk.reading() as connection:
            return [_notice(row) for row in connection.execute(chosen).mappings()]

    def decide(self, number: int, state: NoticeState, answer: str) -> Notice:
        """Return a notice after a decision, which one of several at once makes. Raises: UsageError when another one was first."""
        answer, now = _text("reasons of the decision", answer, ANSWER_LETTERS_MOST), self._desk.now()

        def work(connection: Connection) -> bool:
            _forget(connection, now)
            open_still = notices.c.number == number, notices.c.state == NoticeState.RECEIVED
            changed = update(notices).where(*open_still).values(state=str(state), answer=answer, decided=now)
            return connection.execute(changed).rowcount == 1

        if not self._desk.change(work):
            found = self.numbered(number)
            raise UsageError(f"notice {number}", f"it is {found.state} already: {found.answer}", "Nothing was changed.")
        return self.numbered(number)

    def _one(self, wanted: Any) -> Notice | None:
        with self._desk.reading() as connection:
            row = connection.execute(select(notices).where(wanted)).mappings().first()
        return None if row is None else _notice(row)


def _forget(connection: Connection, now: int) -> None:
    """Forget who sent what was decided long ago."""
    old = notices.c.decided <= now - CONTACT_KEPT_DAYS * DAY_S, notices.c.contact != ""
    connection.execute(update(notices).where(*old).values(name="", contact="", sender="", reached=""))


def _checked(words: Words) -> Words:
    """Return words that are there and not too long. Raises: UsageError."""
    return Words(
        words.kind,
        _text("exact place", words.place, PLACE_LETTERS_MOST),
        _text("reasons", words.reasons, REASONS_LETTERS_MOST),
        _text("name", words.name, CONTACT_LETTERS_MOST),
        _text("contact", words.contact, CONTACT_LETTERS_MOST),
    )


def _text(what: str, text: str, letters_most: int) -> str:
    found = text.replace("\x00", "").strip()
    if not found:
        raise UsageError(what, "nothing is there", "Fill it in.")
    if len(found) > letters_most:
        raise UsageError(what, f"expected at most {letters_most:,} characters, found {len(found):,}", "Make it shorter.")
    return found.encode("utf-8", "replace").decode()


def _notice(row: Mapping[Any, Any]) -> Notice:
    words = Words(NoticeKind(row["kind"]), row["place"], row["reasons"], row["name"], row["contact"])
    decided = None if row["decided"] is None else instant(row["decided"])
    return Notice(row["number"], instant(row["received"]), words, NoticeState(row["state"]), row["answer"], decided)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=32).hexdigest()
