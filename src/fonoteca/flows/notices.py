"""Decide about notices: what was sent by the site's form is withdrawn, given out again, or left as it is, with reasons.

Rules of order:
  1. the decision is claimed in the database of accounts: of several at once one claims, and the others are told what it decided;
  2. it is carried out by the archive's one writer, by the way of every withdrawal;
  3. it is settled, and the senders read it.
Killed after 1, whoever writes in the archive next goes on (`finish_decisions`): what is claimed then is of a run that is gone,
since only the writer claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fonoteca.flows.withdraw import Order, Stated, WithdrawRooms, held_by, reinstate, withdraw
from fonoteca.flows.withdrawn import own_word
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import LogicalPath
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.people.notices import Act, Notice, NoticeKind, Notices, NoticeState, Verdict


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision. stated: of the objects that it did something to."""

    notices: list[Notice]
    stated: list[Stated]


def decide(rooms: WithdrawRooms, notices: Notices, numbers: Sequence[int], verdict: Verdict, by: int | None = None) -> Decided:
    """Return what came of a decision about notices, by the archive's writer. What a killed run left behind is done first.

    by: the account that decides. Raises: UsageError for a decision that does not fit them, or that somebody else was first to make.
    """
    finish_decisions(rooms, notices)
    check_fits([notices.numbered(number) for number in numbers], verdict)
    decided = notices.decide(numbers, verdict, by)
    if verdict.act is Act.NONE:
        return Decided(decided, [])
    return _carry_out(rooms, notices, numbers, verdict, by)


def finish_decisions(rooms: WithdrawRooms, notices: Notices) -> list[Notice]:
    """Return the notices whose decision was cut short and is carried out now. One that cannot be waits again. Cost: a question."""
    finished: list[Notice] = []
    for verdict, numbers in notices.claimed().items():
        try:
            finished += _carry_out(rooms, notices, numbers, verdict, None).notices
        except UsageError:
            continue  # released: what was meant is not there any more, and the notice stands in the queue again
    return finished


def check_fits(found: Sequence[Notice], verdict: Verdict) -> None:
    """Return when a decision fits all of these. Raises: UsageError."""
    if not found:
        raise UsageError("notices", "none is named", "`fonoteca notice list` shows them.")
    for notice in found:
        subject, kind = f"notice {notice.number}", notice.words.kind
        if kind is not found[0].words.kind or notice.words.subject != found[0].words.subject:
            raise UsageError(subject, f"it is about something else than notice {found[0].number}", "Decide them one by one.")
        if not verdict.grant or notice.state is not NoticeState.RECEIVED:
            continue
        if kind is NoticeKind.RIGHTS and verdict.act is not Act.WITHDRAW:
            raise UsageError(subject, "it asks for a withdrawal, and no ID is given", "Say what is withdrawn.")
        if kind is NoticeKind.COUNTER and verdict.act is not Act.REINSTATE:
            raise UsageError(subject, "it asks that something is given out again", "Accept it without an ID: it names its own.")


def _carry_out(rooms: WithdrawRooms, notices: Notices, numbers: Sequence[int], verdict: Verdict, by: int | None) -> Decided:
    """Return what came of a claimed decision, after that is done and settled. Raises: UsageError, after letting them wait again."""
    try:
        if verdict.act is Act.WITHDRAW:
            stated = withdraw(rooms, verdict.subject, _order([notices.numbered(number) for number in numbers], verdict))
        else:
            stated = _reinstated(rooms, verdict)
    except UsageError:
        notices.release(numbers)
        raise
    objects = [each.withdrawal.tombstone.object_id for each in stated]
    return Decided(notices.settle(numbers, objects, by), stated)


def _reinstated(rooms: WithdrawRooms, verdict: Verdict) -> list[Stated]:
    """Return what was said of a subject that is given out again; what a run that was killed said already is not said twice."""
    said = [own_word(rooms.register, object_id) for object_id in held_by(rooms, verdict.subject)]
    before = [
        Stated(each, made=False)
        for each in said
        if each is not None
        and each.tombstone.state is WithdrawalState.REINSTATED
        and each.tombstone.ground == verdict.ground.strip()
    ]
    if before and not any(each is not None and each.tombstone.masks() for each in said):
        return before
    return [*before, *reinstate(rooms, verdict.subject, verdict.ground.strip())]


def _order(found: Sequence[Notice], verdict: Verdict) -> Order:
    """Return the order to withdraw. Its evidence is the first notice without who sent it: private/ forgets nothing."""
    first = found[0]
    words = first.words
    numbers = ", ".join(str(each.number) for each in found[:100])
    return Order(
        state=WithdrawalState.DARK,
        reason=Reason(verdict.reason),
        ground=verdict.ground.strip(),
        notice=f"notice {numbers}\n{words.kind}\n{words.place}\n\n{words.reasons}\n".encode(),
        noticed_at=first.received,
        files=tuple(LogicalPath(path) for path in verdict.files),
    )
