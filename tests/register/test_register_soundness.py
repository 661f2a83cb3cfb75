"""How sound the register knows the archive to be: by indexes alone (its fixture looks at the plans), the same on both engines."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from register_world import NOON, keep, made

from fonoteca.formats.checklists import CHECKED, CHECKS, Checklist, checked_event
from fonoteca.model.corridor import Damage, DamageKind, Event
from fonoteca.model.fixity import DayOfChecks
from fonoteca.register import Check, Register, Soundness, soundness
from fonoteca.register.rows import MemberRow

DAY = timedelta(days=1)
EVER = NOON - 10_000 * DAY


def members(register: Register, count: int = 10) -> list[MemberRow]:
    stored = made("folder:a", names=("01.ogg", "02.ogg", "03.ogg"))
    keep(register, stored)
    return register.next_to_audit(count)


def damage(row: MemberRow) -> Damage:
    found = next(each for each in made("folder:a", names=("01.ogg", "02.ogg", "03.ogg")).members if each.path == row.path)
    return Damage(row.object_id, found, DamageKind.DIGEST, (), "a", "b")


def test_an_archive_that_was_never_checked_says_so(register: Register) -> None:
    nothing = Soundness(None, 0, 0, 0, 0, 0, 0)
    assert register.soundness.since(EVER, NOON) == nothing
    rows = members(register)
    found = register.soundness.since(EVER, NOON)
    assert (found.oldest_check, found.never_count, found.overdue_count) == (None, len(rows), 0)


def test_what_waits_and_what_is_damaged_is_counted(register: Register) -> None:
    first, second, third, *others = members(register)
    ids = [(row.object_id, row.path) for row in (first, second, third)]
    register.record_checks(Check(*each, NOON + number * DAY, None) for number, each in enumerate(ids))
    register.record_checks([Check(*ids[2], NOON + 5 * DAY, damage(third))])
    found = register.soundness.since(EVER, NOON + 1 * DAY)
    assert (found.oldest_check, found.never_count, found.overdue_count) == (NOON, len(others), 1)
    assert (found.damaged_count, found.found_count, found.quarantined_count) == (1, 1, 0)
    register.auditing.quarantine(first.object_id, NOON, "no mirror has it")
    assert register.soundness.since(EVER, NOON).quarantined_count == 1
    register.record_checks([Check(*ids[2], NOON + 6 * DAY, None)])
    healed = register.soundness.since(NOON + 6 * DAY, NOON)
    assert (healed.damaged_count, healed.found_count, healed.healed_count) == (0, 0, 1)


def test_more_than_enough_is_counted_as_enough(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(members(register)) > 2
    monkeypatch.setattr(soundness, "COUNTED_MAX", 2)
    assert register.soundness.since(EVER, NOON).never_count == 2


def test_days_are_those_of_the_events_between_two_dates(register: Register) -> None:
    def checked(days: int, files: int, damaged: int = 0) -> Event:
        return checked_event(Checklist(NOON + days * DAY, (), (), files, 10 * files, damaged))

    register.record_events([checked(0, 5), checked(0, 7, 1), checked(2, 1), checked(9, 3), Event(NOON, "other", CHECKS)])
    assert checked(0, 1).what == CHECKED
    today = NOON.date()
    assert register.soundness.days(today, today + 2 * DAY) == [
        DayOfChecks(today, 5 + 7, 120, 1),
        DayOfChecks(today + 2 * DAY, 1, 10, 0),
    ]
    assert register.soundness.days(today + DAY, today + DAY) == []
    assert register.soundness.days(date(2000, 1, 1), date(2000, 2, 1)) == []
