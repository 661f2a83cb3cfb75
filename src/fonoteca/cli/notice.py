"""`fonoteca notice`: what holders of rights and others sent by the site's form, and the decision about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.cli.withdraw import withdrawal_json
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import put_and_do
from fonoteca.flows.notices import Meant, check_fits, notice_order
from fonoteca.flows.withdrawn import own_word
from fonoteca.formats.instants import instant
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Reason
from fonoteca.people.notices import Act, Brief, Likeness, Notice, NoticeKind, Notices, NoticeState, Queued, Step, Verdict
from fonoteca.wiring import Archive, open_archive

SHOWN_MOST = 1000
PREVIEWED_MOST = 20

notice_app = typer.Typer(no_args_is_help=True, help="What was sent by the site's form for notices: list, show, decide.")
app.add_typer(notice_app, name="notice")

NumberArgument = Annotated[int, typer.Argument(help="Of the notice, as `notice list` shows it.", metavar="NUMBER")]
GroundOption = Annotated[str, typer.Option("--ground", metavar="WHY", help="The reasons, which the sender reads.")]
SubjectArgument = Annotated[
    str, typer.Argument(help="What is withdrawn: an object's id or an item's key. None for a correction.", metavar="[ID]")
]
ReasonOption = Annotated[Reason, typer.Option(help="The public code of the reason.")]
FilesOption = Annotated[list[str] | None, typer.Option("--file", metavar="PATH", help="Withdraw this file of it alone.")]
LikeOption = Annotated[
    Likeness | None,
    typer.Option("--like", help="Decide all that wait with it and have the same text, contact or place they came from."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show which notices would be decided, and decide nothing.")]


@notice_app.command("list")
def list_command(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that should be decided or answered by now.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """List the notices that wait for a decision or an answer, what is due first first.

    Several of one text, contact or place stand in one row.
    """
    with open_archive(archive) as opened:
        notices, now = opened.people.notices, opened.clock.now()
        found, standing = notices.queue(SHOWN_MOST, overdue=overdue), notices.standing()
    if as_json:
        rows = [{**notice_json(each.notice), "count": each.count, "like": each.like} for each in found]
        print_json({"waiting": standing.waiting, "overdue": standing.overdue, "notices": rows})
        return
    columns = ("number", "received", "due", "kind", "state", "like it", "place")
    print_table("notices that wait", columns, [_row(each, now) for each in found], numeric=(0,))
    if standing.overdue:
        say(f"{standing.overdue} of {standing.waiting} should be decided by now", "red")


@notice_app.command("show")
def show_command(number: NumberArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Show a notice, what happened to it, and who sent it until that is forgotten."""
    with open_archive(archive) as opened:
        notices = opened.people.notices
        found, steps = notices.numbered(number), notices.steps(number)
    if as_json:
        print_json({**notice_json(found), "steps": [step_json(each) for each in steps]})
        return
    words = found.words
    say(f"notice {found.number}, {words.kind}, received {found.received:%Y-%m-%d}: {found.state}")
    say(f"place: {words.place}")
    if words.subject:
        say(f"about the withdrawal of: {words.subject}")
    say(f"from: {words.name or 'forgotten'}, {words.contact or 'forgotten'}")
    if found.due:
        say(f"due: {found.due:%Y-%m-%d}")
    say(words.reasons)
    for each in steps[1:]:
        say(f"{each.at:%Y-%m-%d %H:%M} {each.what}: {each.words}")
        for object_id in each.objects:
            say(f"  {each.act}: {object_id}")


@notice_app.command("accept")
def accept_command(
    number: NumberArgument,
    subject: SubjectArgument = "",
    ground: GroundOption = "",
    reason: ReasonOption = Reason.RIGHTS_HOLDER,
    files: FilesOption = None,
    like: LikeOption = None,
    dry_run: DryRunOption = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Accept a notice: what it means is given out no more, or again where it is a counter-notice.

    The bytes are kept, and `withdraw ID --reinstate` gives it out again. A correction is accepted without an ID, once it was made.
    """
    with open_archive(archive, writing=not dry_run) as opened:
        notices = opened.people.notices
        told = Told(number, NoticeState.RECEIVED, like, dry_run, as_json)
        found = _chosen(notices, told)
        if found[0].kind is NoticeKind.COUNTER:
            if subject:
                raise UsageError(f"notice {number}", "a counter-notice names its own withdrawal", "Leave out the ID.")
            verdict = Verdict(True, ground, Act.REINSTATE, found[0].subject)
        else:
            act = Act.WITHDRAW if subject else Act.NONE
            verdict = Verdict(True, ground, act, subject, reason, tuple(files or []))
        _finish(opened, found, verdict, told)


@notice_app.command("reject")
def reject_command(
    number: NumberArgument,
    ground: GroundOption = "",
    like: LikeOption = None,
    dry_run: DryRunOption = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Reject a notice, with reasons that its sender reads."""
    with open_archive(archive) as opened:
        told = Told(number, NoticeState.RECEIVED, like, dry_run, as_json)
        _finish(opened, _chosen(opened.people.notices, told), Verdict(False, ground), told)


@notice_app.command("answer")
def answer_command(
    number: NumberArgument,
    grant: Annotated[bool, typer.Option("--grant/--deny", help="Whether the appeal is right.")],
    subject: Annotated[
        str, typer.Argument(help="What is withdrawn, or given out again with --reinstate. None to change nothing.", metavar="[ID]")
    ] = "",
    ground: GroundOption = "",
    reinstated: Annotated[bool, typer.Option("--reinstate", help="Give it out again.")] = False,
    reason: ReasonOption = Reason.RIGHTS_HOLDER,
    files: FilesOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Answer the appeal of a notice's sender against the decision, with reasons that the sender reads. It is answered once."""
    act = Act.NONE if not subject else Act.REINSTATE if reinstated else Act.WITHDRAW
    verdict = Verdict(grant, ground, act, subject, reason, tuple(files or []))
    with open_archive(archive, writing=act is not Act.NONE) as opened:
        told = Told(number, NoticeState.APPEALED, None, False, as_json)
        _finish(opened, _chosen(opened.people.notices, told), verdict, told)


@dataclass(frozen=True, slots=True)
class Told:
    """What a command is told beside the decision. state: in which the notice has to wait."""

    number: int
    state: NoticeState
    like: Likeness | None
    dry_run: bool
    as_json: bool


def _chosen(notices: Notices, told: Told) -> list[Brief]:
    """Return the notices that are meant. Raises: UsageError for one that waits for another kind of decision."""
    found, subject = notices.numbered(told.number), f"notice {told.number}"
    if found.state is NoticeState.APPEALED and told.state is NoticeState.RECEIVED:
        raise UsageError(subject, "its sender appealed", "Answer it: `fonoteca notice answer`.")
    if found.state is not NoticeState.APPEALED and told.state is NoticeState.APPEALED:
        raise UsageError(subject, f"it is {found.state}: nobody appealed", "`fonoteca notice list` shows what waits.")
    if found.state is not told.state:
        raise UsageError(subject, f"it is {found.state} already: {found.answer or 'this is carried out'}", "Nothing was changed.")
    return (notices.alike(told.number, told.like) if told.like else []) or [found.brief]


def _finish(archive: Archive, found: Sequence[Brief], verdict: Verdict, told: Told) -> None:
    """Decide, or show what would be decided, and say so."""
    notices, first = archive.people.notices, found[0]
    check_fits(found, verdict)
    if told.dry_run:
        _preview(notices, found, told.as_json)
        return
    meant = Meant(first.number if told.like is None else told.number, told.state, told.like, found[-1].number)
    put_and_do(desk_rooms(archive, TerminalProgress(quiet=told.as_json)), notice_order(meant, verdict))
    decided = [notices.numbered(each.number) for each in found[:SHOWN_MOST]]
    words = [own_word(archive.register, ObjectId(each)) for each in notices.steps(meant.number)[-1].objects]
    stated = [each for each in words if each is not None]
    if told.as_json:
        rows = [notice_json(each) for each in decided]
        print_json({**rows[0], "count": len(found), "together": rows, "withdrawals": [withdrawal_json(each) for each in stated]})
        return
    for withdrawal in stated:
        say(f"{withdrawal.tombstone.object_id} is {withdrawal.tombstone.state}", "green")
    if len(found) == 1:
        say(f"notice {meant.number} is {decided[0].state}; its sender reads why at the receipt", "green")
    else:
        say(f"{len(found)} notices are {decided[0].state}; their senders read why at their receipts", "green")
    if stated:
        say("mirrors hear of it with the next: fonoteca publish")


def _preview(notices: Notices, meant: Sequence[Brief], as_json: bool) -> None:
    """Show which notices would be decided together, the first of them with what was written."""
    found = [notices.numbered(each.number) for each in meant[:PREVIEWED_MOST]]
    if as_json:
        print_json({"count": len(meant), "notices": [notice_json(each) for each in found]})
        return
    rows = [(str(each.number), f"{each.received:%Y-%m-%d}", each.words.place, each.words.reasons[:80]) for each in found]
    print_table("would be decided", ("number", "received", "place", "reasons"), rows, numeric=(0,))
    say(f"{len(meant)} in all; nothing was decided")


def _row(each: Queued, now: datetime) -> tuple[str, ...]:
    notice = each.notice
    due = f"{notice.due:%Y-%m-%d}{' overdue' if notice.overdue(now) else ''}" if notice.due else ""
    like = f"{each.count} by {each.like}" if each.like else ""
    return (str(notice.number), f"{notice.received:%Y-%m-%d}", due, notice.words.kind, notice.state, like, notice.words.place)


def notice_json(each: Notice) -> dict[str, Any]:
    """Return a notice as `--json` shows it."""
    return {
        "number": each.number,
        "received": instant(each.received),
        "kind": each.words.kind,
        "place": each.words.place,
        "subject": each.words.subject,
        "reasons": each.words.reasons,
        "name": each.words.name,
        "contact": each.words.contact,
        "state": each.state,
        "answer": each.answer,
        "decided": instant(each.decided) if each.decided else None,
        "due": instant(each.due) if each.due else None,
    }


def step_json(each: Step) -> dict[str, Any]:
    """Return something that happened to a notice as `--json` shows it."""
    return {"at": instant(each.at), "what": each.what, "words": each.words, "act": each.act, "objects": list(each.objects)}
