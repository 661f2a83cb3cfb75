"""The docket: what is put down stays, and who is second learns what the first one decided."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fonoteca.model.desk import EntryState, Order
from fonoteca.model.errors import OvertakenError, UsageError
from fonoteca.people import People

ONE, TWO = "urn:fonoteca:audio:folder:one", "urn:fonoteca:audio:folder:two"
HOSTILE = {"reason": "<script>\x00\ud800\u202e", "many": [1, 2.5, True, None, {"deep": "x"}]}


def test_an_entry_is_kept_as_it_was_put_and_ends_once(people: People, hand: Any) -> None:
    docket = people.docket
    entry = docket.put(Order("rule", ONE, HOSTILE, (TWO, ONE)), None, 0)
    assert entry.order.facts == {"reason": "<script>\ufffd\u202e", "many": HOSTILE["many"]}
    assert (entry.order.subjects, entry.state, entry.ended_at) == ((ONE, TWO), EntryState.WAITING, None)
    assert docket.waiting() == docket.about(TWO) == [entry]
    assert (docket.seen(ONE), docket.seen("urn:other"), docket.seen()) == (entry.number, 0, entry.number)
    hand.move(minutes=1)
    failed = docket.failed(entry.number, "no\x00 disk")
    assert (failed.outcome, failed.ended_at, docket.waiting()) == ("no disk", hand.now(), [])
    assert docket.retry(entry.number) == entry
    done = docket.done(entry.number, "it is so")
    for change in (docket.retry, lambda number: docket.drop(number, "why"), lambda number: docket.failed(number, "why")):
        with pytest.raises(UsageError, match="it is done already"):
            change(entry.number)
    assert docket.done(entry.number, "it is so") == done, "a run that was killed says it again"
    with pytest.raises(UsageError, match="no such entry"):
        docket.numbered(99)


def test_who_is_second_is_told_what_the_first_one_decided(people: People) -> None:
    docket = people.docket
    first = docket.put(Order("rule", ONE, {"reason": "a"}), None, 0)
    with pytest.raises(OvertakenError, match=f"entry {first.number} \\(rule\\)"):
        docket.put(Order("rule", TWO, {"reason": "b"}, (ONE,)), None, 0)
    assert len(docket.newest(10)) == 1, "nothing was put down"
    second = docket.put(Order("rule", TWO, {"reason": "b"}, (ONE,)), None, first.number)
    docket.failed(first.number, "no")
    with pytest.raises(OvertakenError):
        docket.retry(first.number)
    assert {name: each.number for name, each in docket.latest([ONE, TWO, "urn:other"]).items()} == dict.fromkeys(
        (ONE, TWO), second.number
    )
    assert [each.number for each in docket.newest(10)] == [second.number, first.number]
    assert [each.number for each in docket.newest(10, second.number)] == [first.number]


def test_of_many_who_decide_at_once_one_is_first(opened: Callable[[], People]) -> None:
    desks = [opened().docket for _ in range(6)]

    def decide(number: int) -> int:
        try:
            return desks[number % 6].put(Order("rule", ONE, {"reason": str(number)}), None, 0).number
        except OvertakenError:
            return 0

    with ThreadPoolExecutor(6) as pool:
        put = [each for each in pool.map(decide, range(18)) if each]
    assert len(put) == 1
    assert [each.number for each in desks[0].waiting()] == put


def test_the_docket_is_in_a_backup(people: People, opened: Callable[[], People]) -> None:
    entry = people.docket.put(Order("rule", ONE, {"reason": "a"}, (TWO,)), None, 0)
    lines = list(people.dump())
    people.docket.put(Order("rule", "urn:later"), None, 0)
    other = opened()
    other.load(lines)
    assert other.docket.newest(10) == [entry]
    assert other.docket.put(Order("rule", TWO), None, entry.number).number > entry.number
