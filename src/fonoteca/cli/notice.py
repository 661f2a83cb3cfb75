"""`fonoteca notice`: what holders of rights and others sent by the site's form, and the decision about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.cli.withdraw import withdrawal_json
from fonoteca.flows.notices import Decided, check_fits, decide
from fonoteca.formats.instants import instant
from fonoteca.model.errors import UsageError
from fonoteca.model.withdrawal import Reason
from fonoteca.people.notices import Act, Likeness, Notice, NoticeKind, Notices, NoticeState, Queued, Step, Verdict
from fonoteca.stewardship import withdraw_rooms
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
        found = _chosen(notices, number, like, NoticeState.RECEIVED)
        if found[0].words.kind is NoticeKind.COUNTER:
            if subject:
                raise UsageError(f"notice {number}", "a counter-notice names its own withdrawal", "Leave out the ID.")
            verdict = Verdict(True, ground, Act.REINSTATE, found[0].words.subject)
        else:
            act = Act.WITHDRAW if subject else Act.NONE
            verdict = Verdict(True, ground, act, subject, reason, tuple(files or []))
        _finish(opened, found, verdict, dry_run=dry_run, as_json=as_json)


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
        found = _chosen(opened.people.notices, number, like, NoticeState.RECEIVED)
        _finish(opened, found, Verdict(False, ground), dry_run=dry_run, as_json=as_json)


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
        found = _chosen(opened.people.notices, number, None, NoticeState.APPEALED)
        _finish(opened, found, verdict, dry_run=False, as_json=as_json)


def _chosen(notices: Notices, number: int, like: Likeness | None, state: NoticeState) -> list[Notice]:
    """Return the notices that are meant, which wait in this state, or whose decision is under way. Raises: UsageError."""
    found = notices.numbered(number)
    if found.state is NoticeState.APPEALED and state is NoticeState.RECEIVED:
        raise UsageError(f"notice {number}", "its sender appealed", "Answer it: `fonoteca notice answer`.")
    if found.state is not NoticeState.APPEALED and state is NoticeState.APPEALED:
        raise UsageError(f"notice {number}", f"it is {found.state}: nobody appealed", "`fonoteca notice list` shows what waits.")
    return (notices.alike(number, like) if like else []) or [found]


def _finish(archive: Archive, found: Sequence[Notice], verdict: Verdict, *, dry_run: bool, as_json: bool) -> None:
    """Decide, or show what would be decided, and say so."""
    notices, numbers = archive.people.notices, [each.number for each in found]
    check_fits(found, verdict)
    if dry_run:
        _preview(found, as_json)
        return
    if verdict.act is Act.NONE:
        decided = Decided(notices.decide(numbers, verdict), [])
    else:
        decided = decide(withdraw_rooms(archive), notices, numbers, verdict)
    if as_json:
        stated = [{**withdrawal_json(each.withdrawal), "new": each.made} for each in decided.stated]
        rows = [notice_json(each) for each in decided.notices]
        print_json({**rows[0], "together": rows, "withdrawals": stated})
        return
    for each in decided.stated:
        say(f"{each.withdrawal.tombstone.object_id} is {each.withdrawal.tombstone.state}", "green")
    state = decided.notices[0].state
    if len(numbers) == 1:
        say(f"notice {numbers[0]} is {state}; its sender reads why at the receipt", "green")
    else:
        say(f"{len(numbers)} notices are {state}; their senders read why at their receipts", "green")
    if decided.stated:
        say("mirrors hear of it with the next: fonoteca publish")


def _preview(found: Sequence[Notice], as_json: bool) -> None:
    """Show which notices would be decided together."""
    if as_json:
        print_json({"count": len(found), "notices": [notice_json(each) for each in found]})
        return
    rows = [(str(each.number), f"{each.received:%Y-%m-%d}", each.words.place, each.words.reasons[:80]) for each in found]
    print_table("would be decided", ("number", "received", "place", "reasons"), rows[:PREVIEWED_MOST], numeric=(0,))
    say(f"{len(found)} in all; nothing was decided")


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
