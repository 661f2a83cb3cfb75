"""The list that harvesters page through: what could ever be shared, at the time of its last change, the same after a rebuild."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from register_world import DESCRIPTION, NOON, keep, made, rights, second

from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Act, Kind
from fonoteca.model.withdrawal import Authority, Dates, Reason, Tombstone, WithdrawalState
from fonoteca.register import ChangeRow, Register, Span

LATER = datetime(2026, 11, 22, tzinfo=UTC)


def said(object_id: str, state: WithdrawalState, number: int = 1, at: datetime = LATER) -> Tombstone:
    """Return a statement about an object."""
    return Tombstone(ObjectId(object_id), number, number - 1, state, Reason.OPERATOR, "", Dates(at, at, at))


def listed(register: Register, span: Span | None = None, limit: int = 2) -> list[ChangeRow]:
    """Return the whole of a span, a page at a time."""
    found: list[ChangeRow] = []
    while True:
        last = (found[-1].changed_at, found[-1].object_id) if found else None
        page = register.changes.page(span or Span(), last, limit)
        if not page:
            return found
        found += page


def test_pages_follow_each_other_by_time_and_object_without_gap_or_repetition(register: Register) -> None:
    names = [f"{source}:{number}" for source in ("folder", "debian") for number in range(3)]
    for name in names:
        keep(register, made(name))
    keep(register, made("folder:0", Kind.ARTWORK))
    keep(register, second(made("folder:1")))
    found = listed(register)
    assert len(found) == len({row.object_id for row in found}) == 7
    assert found == sorted(found, key=lambda row: (row.changed_at, row.object_id))
    assert found[-1].object_id == ObjectId.of("audio", "folder:1"), "a new version is a change"
    assert register.changes.sources() == [("artwork", "folder"), ("audio", "debian"), ("audio", "folder")]
    assert {row.source for row in listed(register, Span("audio", "debian"))} == {"debian"}
    assert register.changes.count(Span("audio")) == len(listed(register, Span("audio"))) == 6
    assert listed(register, Span(since=NOON + timedelta(microseconds=1))) == found[-1:]
    assert listed(register, Span(before=found[-1].changed_at)) == found[:-1]
    assert register.changes.earliest() == NOON


def test_what_could_never_be_shared_is_not_listed(register: Register) -> None:
    kept = made("folder:kept")
    register.record(kept, replace(rights("folder:kept"), acts=frozenset({Act.HOLD})), DESCRIPTION)
    assert listed(register) == []
    keep(register, second(kept))
    assert [row.object_id for row in listed(register)] == [kept.object_id]


def test_a_withdrawal_is_a_change_and_what_was_purged_stays_listed(tmp_path: Path) -> None:
    with Register.open(tmp_path / "register.sqlite") as register:
        stored = made("folder:songs")
        keep(register, stored)
        register.withdrawals.enter(said(stored.object_id, WithdrawalState.REMOVED), Authority.OWN)
        assert [row.changed_at for row in listed(register)] == [LATER]
        (ordered,) = register.withdrawals.of(stored.object_id)
        register.withdrawals.order_purge(ordered, LATER + timedelta(seconds=1))
        register.withdrawals.forget(stored.object_id)
        (ordered,) = register.withdrawals.of(stored.object_id)
        register.withdrawals.note_purged(ordered, LATER + timedelta(seconds=2))
        rows = listed(register)
        assert rows == [ChangeRow(stored.object_id, "audio", "folder", LATER + timedelta(seconds=2))]
        with register.made_anew():
            pass
        assert listed(register) == rows, "made anew it is the same"
        lines = list(register.dump())
        with Register.open(tmp_path / "other.sqlite") as other:
            other.load(lines)
            assert listed(other) == rows, "filled from a backup too"


def test_a_reinstatement_is_a_change(register: Register) -> None:
    stored = made("folder:songs")
    keep(register, stored)
    for number, state in enumerate((WithdrawalState.DARK, WithdrawalState.REINSTATED), 1):
        at = LATER + timedelta(days=number)
        register.withdrawals.enter(said(stored.object_id, state, number, at), Authority.OWN)
        assert [row.changed_at for row in listed(register)] == [at]
