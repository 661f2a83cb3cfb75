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

from fonoteca.flows.actions import Action, DeskRooms, text_of
from fonoteca.flows.withdraw import Order, Stated, WithdrawRooms, held_by, reinstate, withdraw
from fonoteca.flows.withdrawn import own_word
from fonoteca.model.desk import Entry
from fonoteca.model.desk import Order as DeskOrder
from fonoteca.model.errors import FonotecaError, StoreError, UsageError
from fonoteca.model.ids import LogicalPath
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.people.notices import Act, Brief, Likeness, Notice, NoticeKind, Notices, NoticeState, Verdict


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision. notice: the first of those that it is about. stated: of the objects that it did something to."""

    notice: Notice
    stated: list[Stated]


def decide(rooms: WithdrawRooms, notices: Notices, numbers: Sequence[int], verdict: Verdict, by: int | None = None) -> Decided:
    """Return what came of a decision about notices, by the archive's writer. What a killed run left behind is done first.

    by: the account that decides. Raises: UsageError for a decision that does not fit them, or that somebody else was first to make.
    """
    finish_decisions(rooms, notices)
    check_fits([notices.numbered(numbers[0]).brief], verdict)
    decided = notices.decide(numbers, verdict, by)
    if verdict.act is Act.NONE:
        return Decided(decided, [])
    return _carry_out(rooms, notices, numbers, verdict, by)


def finish_decisions(rooms: WithdrawRooms, notices: Notices) -> list[int]:
    """Return the numbers of notices whose decision was cut short and is carried out now; one that cannot be waits again."""
    finished: list[int] = []
    for verdict, numbers in notices.claimed().items():
        try:
            _carry_out(rooms, notices, numbers, verdict, None)
            finished += numbers
        except StoreError:
            raise
        except FonotecaError:
            continue  # released: what was meant is not there any more, and the notice stands in the queue again
    return finished


def check_fits(found: Sequence[Brief], verdict: Verdict) -> None:
    """Return when a decision fits all of these. Raises: UsageError."""
    if not found:
        raise UsageError("notices", "none is named", "`fonoteca notice list` shows them.")
    for notice in found:
        subject, kind = f"notice {notice.number}", notice.kind
        if (kind, notice.subject) != (found[0].kind, found[0].subject):
            raise UsageError(subject, f"it is about something else than notice {found[0].number}", "Decide them one by one.")
        if not verdict.grant or notice.state is not NoticeState.RECEIVED:
            continue
        if kind is NoticeKind.RIGHTS and verdict.act is not Act.WITHDRAW:
            raise UsageError(subject, "it asks for a withdrawal, and no ID is given", "Say what is withdrawn.")
        if kind is NoticeKind.COUNTER and verdict.act is not Act.REINSTATE:
            raise UsageError(subject, "it asks that something is given out again", "Accept it without an ID: it names its own.")


def _carry_out(rooms: WithdrawRooms, notices: Notices, numbers: Sequence[int], verdict: Verdict, by: int | None) -> Decided:
    """Return what came of a claimed decision, done and settled. Raises: what withdrawing does, after letting them wait again."""
    try:
        if verdict.act is Act.WITHDRAW:
            stated = withdraw(rooms, verdict.subject, _order(notices.numbered(numbers[0]), numbers, verdict))
        else:
            stated = _reinstated(rooms, verdict)
    except StoreError:
        raise  # the disk or the database: the next writer goes on
    except FonotecaError:
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


def _order(first: Notice, numbers: Sequence[int], verdict: Verdict) -> Order:
    """Return the order to withdraw. Its evidence is the first notice without who sent it: private/ forgets nothing."""
    words = first.words
    named = ", ".join(str(each) for each in numbers[:100])
    return Order(
        state=WithdrawalState.DARK,
        reason=Reason(verdict.reason),
        ground=verdict.ground.strip(),
        notice=f"notice {named}\n{words.kind}\n{words.place}\n\n{words.reasons}\n".encode(),
        noticed_at=first.received,
        files=tuple(LogicalPath(path) for path in verdict.files),
    )


# At the desk -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meant:
    """Which notices a decision is about. state: in which they wait. like: all that wait with this one and are like it, up to
    `upto`, the newest that whoever decided had seen; None for this one alone.
    """

    number: int
    state: NoticeState
    like: Likeness | None = None
    upto: int = 0


def notice_order(meant: Meant, verdict: Verdict) -> DeskOrder:
    """Return the order to decide about notices."""
    facts = {
        "notice": meant.number,
        "state": str(meant.state),
        "like": str(meant.like or ""),
        "upto": meant.upto,
        "grant": verdict.grant,
        "ground": verdict.ground,
        "act": str(verdict.act),
        "id": verdict.subject,
        "reason": verdict.reason,
        "files": list(verdict.files),
    }
    return DeskOrder(DECIDE.name, f"notice:{meant.number}", facts)


def _asked(order: DeskOrder) -> tuple[Meant, Verdict]:
    """Return what an order says. Raises: UsageError."""
    facts = order.facts
    number, upto, files = facts.get("notice"), facts.get("upto", 0), facts.get("files", [])
    if not (isinstance(number, int) and isinstance(upto, int) and isinstance(files, list) and order.subject == f"notice:{number}"):
        raise UsageError(order.subject, "no notice is named", "Name it by its number.")
    if not text_of(facts, "ground").strip():
        raise UsageError(f"notice {number}", "a decision without reasons", "Say why: its sender reads it.")
    try:
        state, like = NoticeState(text_of(facts, "state")), text_of(facts, "like")
        act, reason = Act(text_of(facts, "act")), Reason(text_of(facts, "reason"))
        meant = Meant(number, state, Likeness(like) if like else None, upto)
    except ValueError as error:
        problem = f"no decision that the desk knows: {error}"
        raise UsageError(f"notice {number}", problem, "Begin at the page of the notice.") from error
    paths = tuple(str(path) for path in files)
    return meant, Verdict(facts.get("grant") is True, text_of(facts, "ground"), act, text_of(facts, "id"), reason, paths)


def _decide(rooms: DeskRooms, entry: Entry) -> str:
    """Decide as an entry says. Returns: what came of it."""
    meant, verdict = _asked(entry.order)
    found = rooms.notices.numbered(meant.number)
    if not _is_done(rooms, entry, verdict):
        if found.state is not meant.state:
            problem = f"it is {found.state} by now: {found.answer or 'nothing is decided'}"
            raise UsageError(f"notice {meant.number}", problem, "Look at it again.")
        alike = rooms.notices.alike(meant.number, meant.like, meant.upto) if meant.like else []
        check_fits(alike or [found.brief], verdict)
        numbers = [each.number for each in alike] or [meant.number]
        if verdict.act is Act.NONE:
            rooms.notices.decide(numbers, verdict, entry.by)
        else:
            decide(rooms.withdrawing(), rooms.notices, numbers, verdict, entry.by)
    done = rooms.notices.steps(meant.number)[-1]
    what = {Act.WITHDRAW: "; withdrawn: ", Act.REINSTATE: "; given out again: ", Act.NONE: ""}[verdict.act]
    alike_words = f", with all that were alike by {meant.like} then" if meant.like else ""
    return f"{done.what}{alike_words}{what}{', '.join(done.objects[:10])}"


def _is_done(rooms: DeskRooms, entry: Entry, verdict: Verdict) -> bool:
    """Whether a run that was killed, or the writer after it, carried the entry out already."""
    last = rooms.notices.steps(int(entry.order.facts["notice"]))[-1]
    return (last.words, last.act) == (verdict.ground.strip(), verdict.act) and last.at >= entry.put_at


DECIDE = Action("notice", "Notice decided", _asked, _decide)
