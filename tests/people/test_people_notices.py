"""Notices on SQLite and PostgreSQL: one decision whoever else decides, deadlines, appeals, floods, and what is forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import text

from fonoteca.model.errors import UsageError
from fonoteca.model.settings import NoticeSettings
from fonoteca.people import People, Seal
from fonoteca.people.notices import Act, Likeness, NoticeKind, NoticeState, Roughly, Verdict, Words
from fonoteca.people.notices.tally import roughly
from fonoteca.people.schema import VERSION
from fonoteca.ports import Clock
from fonoteca.sql.engine import open_engine, writing


class Hand(Clock, Protocol):
    """The clock of these tests, whose hand one moves."""

    at: datetime

    def move(self, **step: float) -> None: ...


WORDS = Words(NoticeKind.RIGHTS, "urn:fonoteca:audio:folder:song", "It is mine.", "Ada Example", "ada@example.org")
WITHDRAW = Verdict(True, "found right", Act.WITHDRAW, "folder:song")

DECIDER = """
import os, sys
from fonoteca.edges.clock import SystemClock
from fonoteca.model.errors import UsageError
from fonoteca.people import People, Seal
from fonoteca.people.notices import Act, Verdict
people = People.open(sys.argv[1], SystemClock(), os.urandom, Seal(Seal.new_key()))
verdict = Verdict(True, "yes", Act.WITHDRAW, "folder:song") if sys.argv[2] == "accept" else Verdict(False, "no")
print("ready", flush=True)
for number in map(int, sys.stdin.readline().split()):
    try:
        people.notices.decide([number], verdict)
        print(number, flush=True)
    except UsageError:
        pass
people.close()
"""


def sent(people: People, count: int, **other: str) -> list[int]:
    """Return the numbers of so many notices, each from a place, a contact and with a text of its own."""
    found = []
    for each in range(count):
        words = replace(WORDS, **{"reasons": f"It is mine: {each}.", "contact": f"{each}@example.org", **other})
        found.append(people.notices.add(words, f"10.{each // 250}.{each % 250}.1")[0].number)
    return found


def test_of_two_processes_that_accept_and_reject_at_once_one_decides_each(people: People, address: str) -> None:
    numbers = sent(people, 20)
    command = (sys.executable, "-c", DECIDER, address)
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    two = [subprocess.Popen([*command, name], **pipe) for name in ("accept", "reject")]  # type: ignore[call-overload]
    for each in two:
        assert each.stdout.readline() == "ready\n"
    # One begins at each end: they meet, whichever is the faster.
    for each, order in zip(two, (numbers, numbers[::-1]), strict=True):
        each.stdin.write(" ".join(map(str, order)) + "\n")
        each.stdin.flush()
    accepted, rejected = (set(map(int, each.communicate(timeout=60)[0].split())) for each in two)
    assert accepted.isdisjoint(rejected)
    assert accepted | rejected == set(numbers)
    states = {number: people.notices.numbered(number).state for number in numbers}
    assert {number for number, state in states.items() if state is NoticeState.DECIDING} == accepted
    assert people.notices.claimed() == ({Verdict(True, "yes", Act.WITHDRAW, "folder:song"): sorted(accepted)} if accepted else {})


def test_a_decision_is_claimed_then_settled_and_told_step_by_step(people: People, hand: Hand) -> None:
    notices = people.notices
    notice, token = notices.add(WORDS, "10.0.0.1")
    claimed = notices.decide([notice.number], WITHDRAW)
    assert claimed.state is NoticeState.DECIDING
    with pytest.raises(UsageError, match="decided already to withdraw folder:song"):
        notices.decide([notice.number], Verdict(False, "no"))
    notices.release([notice.number])
    assert notices.numbered(notice.number).state is NoticeState.RECEIVED
    notices.decide([notice.number], WITHDRAW)
    for _ in range(2):
        settled = notices.settle([notice.number], ["urn:fonoteca:audio:folder:song"])
    assert (settled.state, settled.answer) == (NoticeState.ACCEPTED, "found right")
    hand.move(days=2)
    assert notices.appeal(token, "\u202eToo little. <b>").state is NoticeState.APPEALED
    with pytest.raises(UsageError, match="appealed against once"):
        notices.appeal(token, "again")
    notices.decide([notice.number], Verdict(False, "it is enough"))
    with pytest.raises(UsageError, match="appealed against once"):
        notices.appeal(token, "again")
    told = [(each.what, each.words, each.objects) for each in notices.steps(notice.number)]
    assert told == [
        ("received", "", ()),
        ("accepted", "found right", ("urn:fonoteca:audio:folder:song",)),
        ("appealed", "\u202eToo little. <b>", ()),
        ("denied", "it is enough", ()),
    ]


def test_what_is_due_comes_first_and_who_sent_what_is_forgotten(people: People, hand: Hand) -> None:
    notices = people.notices
    late, early = sent(people, 2)
    hand.move(days=10)
    (fresh,) = sent(people, 1, reasons="another")
    hand.move(days=5)
    assert [each.notice.number for each in notices.queue(10, overdue=True)] == [late, early]
    standing = notices.standing()
    assert (standing.waiting, standing.overdue, (hand.at - standing.oldest).days) == (3, 2, 15)  # type: ignore[operator]
    notices.decide([late], Verdict(False, "no"))
    hand.move(days=179)
    assert notices.expire() == 0
    assert notices.appealable_until(notices.numbered(late)) is not None
    hand.move(days=1)
    assert notices.expire() == 1
    assert (notices.numbered(late).words.contact, notices.numbered(late).words.name) == ("", "")
    assert notices.numbered(early).words.contact == "1@example.org", "who waits must be reached"
    assert [each.notice.number for each in notices.queue(10)] == [early, fresh]
    hand.move(days=4)
    assert notices.appealable_until(notices.numbered(late)) is None


def test_five_thousand_notices_stand_in_one_row_and_shut_nobody_out(address: str, hand: Hand, seal: Seal) -> None:
    settings = NoticeSettings(sent_per_day=10_000, waiting_max=5_000)
    with People.open(address, hand, os.urandom, seal, settings) as people:
        notices = people.notices
        (honest,) = sent(people, 1, reasons="The honest one.")
        first = notices.add(replace(WORDS, reasons="Spam spam", contact="spam@example.org"), "192.0.2.7")[0]
        _copy(address, first.number, 4_998)
        assert [(each.count, each.like) for each in notices.queue(10)] == [(1, None), (4_999, Likeness.TEXT)]
        for place, contact in (("192.0.2.9", "other@example.org"), ("198.51.100.1", "spam@example.org")):
            with pytest.raises(UsageError, match="very many wait, and one of the same"):
                notices.add(replace(WORDS, contact=contact), place)
        with pytest.raises(UsageError, match="of the same text"):
            notices.add(replace(WORDS, reasons="SPAM  spam", contact="x@example.org"), "198.51.100.1")
        late = notices.add(replace(WORDS, reasons="Also honest.", contact="eve@example.org"), "203.0.113.1")[0]
        assert late.number in [each.notice.number for each in notices.queue(10)]
        alike = [each.number for each in notices.alike(first.number, Likeness.TEXT)]
        assert len(alike) == 4_999
        notices.decide(alike[:4_000], Verdict(False, "spam"))
        assert [(each.count, each.like) for each in notices.queue(10)] == [(1, None), (999, Likeness.TEXT), (1, None)]
        assert notices.numbered(honest).state is NoticeState.RECEIVED


def test_one_sender_sends_so_many_a_day(people: People, hand: Hand) -> None:
    for each in range(people.notices.settings.sent_per_day):
        people.notices.add(replace(WORDS, contact=f"{each}@example.org"), "2001:db8:1::/48")
    with pytest.raises(UsageError, match="more than 10 in a day"):
        people.notices.add(WORDS, "2001:db8:1::/48")
    hand.move(days=1, seconds=1)
    people.notices.add(WORDS, "2001:db8:1::/48")
    with pytest.raises(UsageError, match="at most 10,000 characters, found 1,048,576"):
        people.notices.add(replace(WORDS, reasons="a" * (1 << 20)), "10.0.0.1")


def test_counts_for_everybody_tell_of_nobody(people: People, hand: Hand) -> None:
    numbers = sent(people, 7)
    hand.move(days=3)
    people.notices.decide(numbers[:6], Verdict(False, "no"))
    assert not people.notices.tally().states, "this month's are not told yet"
    hand.move(days=30)
    found = people.notices.tally()
    assert found.states == {"rights": {"received": Roughly(1, 4), "rejected": Roughly(5, 9)}}
    assert found.months == {"2026-11": {"rights": Roughly(5, 9)}}
    assert found.median_days == {"rights": 3}
    assert not [each for each in range(1, 100) if not roughly(each).least <= each <= roughly(each).most]


def test_a_backup_keeps_the_queue_and_of_who_sent_it_only_those_who_wait(
    people: People, address: str, hand: Hand, seal: Seal, tmp_path: Path
) -> None:
    notices = people.notices
    waiting, _ = notices.add(WORDS, "10.0.0.1")
    settled, token = notices.add(replace(WORDS, name="Bo Example", contact="bo@example.org"), "10.0.0.2")
    notices.decide([settled.number], Verdict(False, "no"))
    lines = list(people.dump())
    told = b"".join(lines)
    assert (b"ada@example.org" in told, b"bo@example.org" in told, b"Bo Example" in told) == (True, False, False)
    assert b"bo@example.org" in b"".join(people.dump(whole=True)), "accounts that move take all with them"
    with People.open(str(tmp_path / "restored.sqlite"), hand, os.urandom, seal) as restored:
        restored.load(lines)
        assert list(restored.dump()) == lines
        assert [each.notice.words.contact for each in restored.notices.queue(10)] == ["ada@example.org"]
        assert restored.notices.steps(settled.number) == notices.steps(settled.number)
        assert restored.notices.appeal(token, "It does not.").state is NoticeState.APPEALED, "receipts work on"
        assert restored.notices.add(WORDS, "10.0.0.1")[0].number == settled.number + 1
        sent(restored, 3)
        restored.load(list(restored.dump()))
        assert [each.like for each in restored.notices.queue(10)] == [None] * 6, "to have no known origin is not to be alike"
    people.load(lines)
    assert people.notices.add(WORDS, "10.0.0.1")[0].number == settled.number + 1
    assert waiting.number < settled.number


def test_notices_of_version_5_are_brought_along(address: str, hand: Hand, seal: Seal, opened: Callable[[], People]) -> None:
    with People.open(address, hand, os.urandom, seal) as people:
        waiting, settled = sent(people, 2)
        people.notices.decide([settled], Verdict(False, "no"))
    engine = open_engine(address)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE people_notice_step"))
        for name in ("gist", "network"):
            connection.execute(text(f"DROP INDEX ix_people_notice_{name}"))
        for name in ("subject", "gist", "network", "since", "verdict"):
            connection.execute(text(f"ALTER TABLE people_notice DROP COLUMN {name}"))
        connection.execute(text("UPDATE people_version SET version = 5"))
    engine.dispose()
    people = opened()
    assert [(each.what, each.words) for each in people.notices.steps(settled)] == [("received", ""), ("rejected", "no")]
    assert [each.notice.number for each in people.notices.queue(10)] == [waiting]
    assert people.notices.numbered(waiting).since == hand.at
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version FROM people_version")).scalar_one() == VERSION
    engine.dispose()


def _copy(address: str, number: int, count: int) -> None:
    """Have a notice there so many times more, as if each had been sent."""
    columns = "sender, reached, network, gist, received, since, kind, place, reasons, name, contact, subject, state, answer"
    engine = open_engine(address)
    wrote = f"INSERT INTO people_notice (token, {columns}) SELECT :token, {columns} FROM people_notice WHERE number = :number"
    with writing(engine) as connection:
        connection.execute(text(wrote), [{"token": f"{each}", "number": number} for each in range(count)])
    engine.dispose()
