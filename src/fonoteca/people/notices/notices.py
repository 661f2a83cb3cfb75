"""The notices of an archive. Several processes and machines may have the same tables open.

A decision that does something to what is held is claimed first (`deciding`, `answering`), then carried out by the archive's one
writer, then settled: of several who decide at once one claims, and a claim that a kill left behind is carried out by the next
writer.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from fonoteca.model.errors import UsageError
from fonoteca.model.settings import NoticeSettings
from fonoteca.people.notices.floods import admit
from fonoteca.people.notices.nouns import (
    ANSWER_LETTERS_MOST,
    APPEALABLE,
    BACK,
    CONTACT_LETTERS_MOST,
    ENDED,
    PLACE_LETTERS_MOST,
    REASONS_LETTERS_MOST,
    WAYS,
    Act,
    Brief,
    Likeness,
    Notice,
    NoticeKind,
    NoticeState,
    Queued,
    Standing,
    Step,
    Verdict,
    Words,
)
from fonoteca.people.notices.queue import Queue
from fonoteca.people.notices.tables import add_steps, digest, gist_of, network_of, notices, steps
from fonoteca.people.notices.tally import Tally, tally
from fonoteca.people.passwords import Chance
from fonoteca.people.personal.desk import DAY_S, Desk, instant

TOKEN_BYTES = 32
NUMBER_MOST = 2**31 - 1
_AT_ONCE = 500
"""Notices of one statement."""


class Notices:
    """The notices of an archive."""

    def __init__(self, desk: Desk, chance: Chance, settings: NoticeSettings) -> None:
        self._desk, self._chance, self.settings = desk, chance, settings
        self._queue = Queue(settings)

    # Senders

    def add(self, words: Words, sender: str) -> tuple[Notice, str]:
        """Return a new notice and the token of its receipt, which is not kept. sender: the place that it came from.

        Raises: UsageError for words that are missing or too long, or more notices than may be sent.
        """
        words, now = _checked(words), self._desk.now()
        token = urlsafe_b64encode(self._chance(TOKEN_BYTES)).rstrip(b"=").decode()
        row = {
            "token": digest(token),
            "sender": digest(f"place {sender}"),
            "reached": digest(f"contact {words.contact.casefold()}"),
            "network": network_of(sender),
            "gist": gist_of(words.reasons),
            "received": now,
            "since": now,
            "kind": str(words.kind),
            "place": words.place,
            "reasons": words.reasons,
            "name": words.name,
            "contact": words.contact,
            "subject": words.subject,
            "state": str(NoticeState.RECEIVED),
            "answer": "",
        }

        def work(connection: Connection) -> int:
            admit(connection, row, now, self.settings)
            number: int = connection.execute(insert(notices).values(**row).returning(notices.c.number)).scalar_one()
            add_steps(connection, [number], now, {"what": NoticeState.RECEIVED})
            return number

        return self.numbered(self._desk.change(work)), token

    def appeal(self, token: str, reasons: str) -> Notice:
        """Return a decided notice whose sender objects to the decision, which may be done once. token: of the receipt.

        Raises: UsageError where nothing is decided yet, somebody objected already, or it is too late.
        """
        reasons, now = _text("reasons of the appeal", reasons, REASONS_LETTERS_MOST), self._desk.now()

        def work(connection: Connection) -> bool:
            own = notices.c.token == digest(token), notices.c.state.in_(APPEALABLE)
            recent = notices.c.since > now - self.settings.appeal_days * DAY_S
            changed = update(notices).where(*own, recent).values(state=str(NoticeState.APPEALED), since=now)
            found = connection.execute(changed.returning(notices.c.number)).scalar_one_or_none()
            if found is not None:
                add_steps(connection, [found], now, {"what": NoticeState.APPEALED, "words": reasons})
            return found is not None

        done = self._desk.change(work)
        notice = self.by_token(token)
        if notice is None:
            raise UsageError("receipt", "there is no such receipt", "Its link has to be whole.")
        if not done:
            problem = f"it is {notice.state}, and a decision is appealed against once, within {self.settings.appeal_days} days"
            raise UsageError(f"notice {notice.number}", problem, "Write to the contact of this archive.")
        return notice

    def appealable_until(self, notice: Notice) -> datetime | None:
        """Return until when a notice's sender may object, None where that cannot be done."""
        if notice.state not in APPEALABLE:
            return None
        until = notice.since + timedelta(days=self.settings.appeal_days)
        return until if until > instant(self._desk.now()) else None

    # Readers

    def by_token(self, token: str) -> Notice | None:
        """Return the notice of a receipt, None where there is none."""
        return self._one(notices.c.token == digest(token))

    def numbered(self, number: int) -> Notice:
        """Return a notice. Raises: UsageError when there is none of this number."""
        found = self._one(notices.c.number == number)
        if found is None:
            raise UsageError(f"notice {number}", "there is no such notice", "`fonoteca notice list` shows them.")
        return found

    def steps(self, number: int) -> list[Step]:
        """Return what happened to a notice, in order."""
        chosen = select(steps).where(steps.c.notice == number).order_by(steps.c.number)
        with self._desk.reading() as connection:
            return [_step(row) for row in connection.execute(chosen).mappings()]

    def queue(self, limit: int, *, overdue: bool = False) -> list[Queued]:
        """Return the notices that wait for a decision or an answer, what is due first first; those that are alike in one row."""
        with self._desk.reading() as connection:
            rows = self._queue.rows(connection, limit, self._desk.now() if overdue else None)
            return [Queued(self._notice(row), row["count"], Likeness(row["like"]) if row["like"] else None) for row in rows]

    def alike(self, number: int, like: Likeness, upto: int = NUMBER_MOST) -> list[Brief]:
        """Return the notices up to a number that wait as this one does and are like it, itself among them, in order of number."""
        with self._desk.reading() as connection:
            found = self._queue.alike(connection, number, like, upto)
            return [Brief(row.number, NoticeKind(row.kind), row.subject, NoticeState(row.state)) for row in found]

    def standing(self) -> Standing:
        """Return how the queue stands. Cost: a question."""
        with self._desk.reading() as connection:
            count, overdue, oldest = self._queue.standing(connection, self._desk.now())
        return Standing(count, overdue, None if oldest is None else instant(oldest))

    def tally(self) -> Tally:
        """Return the counts that anybody may know. Cost: a pass over all notices."""
        with self._desk.reading() as connection:
            return tally(connection, self._desk.now())

    def touching(self, object_id: str) -> list[tuple[int, Step]]:
        """Return the numbers of the notices by which an object was withdrawn or given out again, and how. Cost: all such steps."""
        chosen = select(steps).where(steps.c.objects.contains(object_id, autoescape=True)).order_by(steps.c.number)
        with self._desk.reading() as connection:
            found = [(row["notice"], _step(row)) for row in connection.execute(chosen).mappings()]
        return [(number, step) for number, step in found if object_id in step.objects]

    # Those who decide

    def decide(self, numbers: Sequence[int], verdict: Verdict, by: int | None = None) -> Notice:
        """Return the first of some notices after a decision about all of them, which one of several at once makes.

        One that does nothing to what is held is settled at once; else it is claimed, and whoever carried it out calls `settle`.
        by: the account that decides. Raises: UsageError when one of them does not wait, by then; nothing is changed.
        Cost: some statements for each 500.
        """
        ground, now = _text("reasons of the decision", verdict.ground, ANSWER_LETTERS_MOST), self._desk.now()

        def work(connection: Connection) -> None:
            for some in _chunks(numbers):
                known = {row["number"]: row for row in _locked(connection, some)}
                open_still: dict[NoticeState, list[int]] = {}
                for number in some:
                    row = known.get(number)
                    if row is None or NoticeState(row["state"]) not in WAYS:
                        raise _settled(number, row)
                    open_still.setdefault(NoticeState(row["state"]), []).append(number)
                for state, found in open_still.items():
                    ways = WAYS[state]
                    if verdict.act is Act.NONE:
                        ended = ways.granted if verdict.grant else ways.refused
                        _settle(connection, found, ended, (now, ground, verdict, (), by))
                    else:
                        changed = {"state": str(ways.claimed), "verdict": verdict.text()}
                        connection.execute(update(notices).where(notices.c.number.in_(found)).values(**changed))

        self._desk.change(work)
        return self.numbered(numbers[0])

    def settle(self, numbers: Sequence[int], objects: Sequence[str], by: int | None = None) -> Notice:
        """Return the first of some claimed notices after what was decided about all is done. Twice does no harm.

        objects: ids of those that it was done to.
        """
        now = self._desk.now()

        def work(connection: Connection) -> None:
            for (state, text), found in _claimed(connection, numbers).items():
                verdict = Verdict.parse(text)
                _settle(connection, found, WAYS[BACK[state]].granted, (now, verdict.ground, verdict, objects, by))

        self._desk.change(work)
        return self.numbered(numbers[0])

    def release(self, numbers: Sequence[int]) -> None:
        """Let claimed notices wait again: what was decided cannot be done."""

        def work(connection: Connection) -> None:
            for (state, _), found in _claimed(connection, numbers).items():
                changed = {"state": str(BACK[state]), "verdict": ""}
                for some in _chunks(found):
                    connection.execute(update(notices).where(notices.c.number.in_(some)).values(**changed))

        self._desk.change(work)

    def claimed(self) -> dict[Verdict, list[int]]:
        """Return what was decided and not settled, with the numbers of its notices. Cost: a question."""
        chosen = select(notices.c.number, notices.c.verdict).where(notices.c.state.in_(BACK)).order_by(notices.c.number)
        found: dict[Verdict, list[int]] = {}
        with self._desk.reading() as connection:
            for number, verdict in connection.execute(chosen):
                found.setdefault(Verdict.parse(verdict), []).append(number)
        return found

    def expire(self) -> int:
        """Forget who sent what was settled long ago. Returns: of how many notices. Cost: a question where there is none."""
        before = self._desk.now() - self.settings.contact_kept_days * DAY_S
        old = notices.c.state.in_(ENDED), notices.c.since <= before, notices.c.contact != ""
        with self._desk.reading() as connection:
            if connection.execute(select(notices.c.number).where(*old).limit(1)).first() is None:
                return 0

        def work(connection: Connection) -> int:
            forgotten = dict.fromkeys(("name", "contact", "sender", "reached", "network"), "")
            return connection.execute(update(notices).where(*old).values(**forgotten)).rowcount

        return self._desk.change(work)

    def _one(self, wanted: Any) -> Notice | None:
        with self._desk.reading() as connection:
            row = connection.execute(select(notices).where(wanted)).mappings().first()
        return None if row is None else self._notice(row)

    def _notice(self, row: Mapping[Any, Any]) -> Notice:
        words = Words(NoticeKind(row["kind"]), *(row[name] for name in ("place", "reasons", "name", "contact", "subject")))
        state, since = NoticeState(row["state"]), row["since"]
        days = self._queue.days.get(state)
        return Notice(
            number=row["number"],
            received=instant(row["received"]),
            words=words,
            state=state,
            answer=row["answer"],
            decided=None if row["decided"] is None else instant(row["decided"]),
            since=instant(since),
            due=None if days is None else instant(since + days * DAY_S),
        )


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _AT_ONCE):
        yield numbers[start : start + _AT_ONCE]


def _locked(connection: Connection, numbers: Sequence[int]) -> Iterator[Mapping[Any, Any]]:
    """Yield what is known of notices but what was written, for this transaction alone."""
    columns = notices.c.number, notices.c.state, notices.c.answer, notices.c.verdict
    chosen = select(*columns).where(notices.c.number.in_(numbers)).order_by(notices.c.number).with_for_update()
    yield from connection.execute(chosen).mappings()


def _claimed(connection: Connection, numbers: Sequence[int]) -> dict[tuple[NoticeState, str], list[int]]:
    """Return those of the notices that are claimed still, by state and verdict."""
    found: dict[tuple[NoticeState, str], list[int]] = {}
    for some in _chunks(numbers):
        for row in _locked(connection, some):
            if NoticeState(row["state"]) in BACK:
                found.setdefault((NoticeState(row["state"]), row["verdict"]), []).append(row["number"])
    return found


def _settle(
    connection: Connection,
    numbers: Sequence[int],
    state: NoticeState,
    how: tuple[int, str, Verdict, Sequence[str], int | None],
) -> None:
    """End what is decided about notices. how: when, the ground, the verdict, the objects, the account."""
    now, ground, verdict, objects, by = how
    changed = {"state": str(state), "answer": ground, "decided": now, "since": now, "verdict": ""}
    facts = {"what": state, "words": ground, "act": verdict.act, "objects": "\n".join(objects), "account": by}
    for some in _chunks(numbers):
        connection.execute(update(notices).where(notices.c.number.in_(some)).values(**changed))
        add_steps(connection, some, now, facts)


def _settled(number: int, row: Mapping[Any, Any] | None) -> UsageError:
    """Return the error for a notice that does not wait."""
    if row is None:
        return UsageError(f"notice {number}", "there is no such notice", "`fonoteca notice list` shows them.")
    if NoticeState(row["state"]) in BACK:
        said = Verdict.parse(row["verdict"])
        problem = f"somebody decided already to {said.act} {said.subject}, which is being carried out: {said.ground}"
        return UsageError(f"notice {number}", problem, "Nothing was changed.")
    return UsageError(f"notice {number}", f"it is {row['state']} already: {row['answer']}", "Nothing was changed.")


def _checked(words: Words) -> Words:
    """Return words that are there and not too long. Raises: UsageError."""
    if (words.kind is NoticeKind.COUNTER) is not bool(words.subject):
        raise UsageError("counter-notice", "it is about no withdrawal", "Begin at the tombstone, under Withdrawals.")
    return Words(
        words.kind,
        _text("exact place", words.place, PLACE_LETTERS_MOST),
        _text("reasons", words.reasons, REASONS_LETTERS_MOST),
        _text("name", words.name, CONTACT_LETTERS_MOST),
        _text("contact", words.contact, CONTACT_LETTERS_MOST),
        words.subject,
    )


def _text(what: str, text: str, letters_most: int) -> str:
    found = text.replace("\x00", "").strip()
    if not found:
        raise UsageError(what, "nothing is there", "Fill it in.")
    if len(found) > letters_most:
        raise UsageError(what, f"expected at most {letters_most:,} characters, found {len(found):,}", "Make it shorter.")
    return found.encode("utf-8", "replace").decode()


def _step(row: Mapping[Any, Any]) -> Step:
    objects = tuple(row["objects"].split())
    return Step(instant(row["at"]), NoticeState(row["what"]), row["words"], Act(row["act"]), objects, row["account"])
