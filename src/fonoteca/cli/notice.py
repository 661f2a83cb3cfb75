"""`fonoteca notice`: what holders of rights and others sent by the site's form, and the decision about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.cli.withdraw import withdrawal_json
from fonoteca.flows.withdraw import Order, withdraw
from fonoteca.formats.instants import instant
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import LogicalPath
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.people.notices import Notice, NoticeKind, NoticeState
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import open_archive

SHOWN_MOST = 1000

notice_app = typer.Typer(no_args_is_help=True, help="What was sent by the site's form for notices: list, show, decide.")
app.add_typer(notice_app, name="notice")

NumberArgument = Annotated[int, typer.Argument(help="Of the notice, as `notice list` shows it.", metavar="NUMBER")]
GroundOption = Annotated[str, typer.Option("--ground", metavar="WHY", help="The reasons, which the sender reads.")]


@notice_app.command("list")
def list_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """List the notices that nobody decided about yet, oldest first."""
    with open_archive(archive) as opened:
        found = opened.people.notices.waiting(SHOWN_MOST)
    if as_json:
        print_json({"notices": [notice_json(each) for each in found]})
        return
    rows = [(str(each.number), f"{each.received:%Y-%m-%d}", each.words.kind, each.words.place) for each in found]
    print_table("notices that wait", ("number", "received", "kind", "place"), rows, numeric=(0,))


@notice_app.command("show")
def show_command(number: NumberArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Show a notice, with who sent it until that is forgotten."""
    with open_archive(archive) as opened:
        found = opened.people.notices.numbered(number)
    if as_json:
        print_json(notice_json(found))
        return
    words = found.words
    say(f"notice {found.number}, {words.kind}, received {found.received:%Y-%m-%d}: {found.state}")
    say(f"place: {words.place}")
    say(f"from: {words.name or 'forgotten'}, {words.contact or 'forgotten'}")
    say(words.reasons)
    if found.answer:
        say(f"decision: {found.answer}")


@notice_app.command("accept")
def accept_command(
    number: NumberArgument,
    subject: Annotated[
        str,
        typer.Argument(help="What is withdrawn: an object's id or an item's key. None for a correction.", metavar="[ID]"),
    ] = "",
    ground: GroundOption = "",
    reason: Annotated[Reason, typer.Option(help="The public code of the reason.")] = Reason.RIGHTS_HOLDER,
    files: Annotated[list[str] | None, typer.Option("--file", metavar="PATH", help="Withdraw this file of it alone.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Accept a notice: what it means is given out no more.

    The bytes are kept, and `withdraw ID --reinstate` gives it out again. A correction is accepted without an ID, once it was made.
    """
    with open_archive(archive, writing=True) as opened:
        notices = opened.people.notices
        found = notices.numbered(number)
        if found.state is NoticeState.REJECTED:
            raise UsageError(f"notice {number}", f"it is {found.state} already: {found.answer}", "Nothing was changed.")
        words = found.words
        if not subject and words.kind is NoticeKind.RIGHTS:
            raise UsageError(f"notice {number}", "it asks for a withdrawal, and no ID is given", "Say what is withdrawn.")
        order = Order(
            state=WithdrawalState.DARK,
            reason=reason,
            ground=ground,
            # Without who sent it: that is forgotten one day, and private/ forgets nothing.
            notice=f"notice {number}\n{words.kind}\n{words.place}\n\n{words.reasons}\n".encode(),
            noticed_at=found.received,
            files=tuple(LogicalPath(path) for path in files or []),
        )
        stated = withdraw(withdraw_rooms(opened), subject, order) if subject else []
        if found.state is NoticeState.RECEIVED:
            found = notices.decide(number, NoticeState.ACCEPTED, ground)
    if as_json:
        print_json({**notice_json(found), "withdrawals": [{**withdrawal_json(s.withdrawal), "new": s.made} for s in stated]})
        return
    for each in stated:
        say(f"{each.withdrawal.tombstone.object_id} is {each.withdrawal.tombstone.state}", "green")
    say(f"notice {number} is accepted; its sender reads why at the receipt")
    if stated:
        say("mirrors hear of it with the next: fonoteca publish")


@notice_app.command("reject")
def reject_command(
    number: NumberArgument, ground: GroundOption = "", archive: ArchiveOption = Path(), as_json: JsonOption = False
) -> None:
    """Reject a notice, with reasons that its sender reads."""
    with open_archive(archive) as opened:
        found = opened.people.notices.decide(number, NoticeState.REJECTED, ground)
    if as_json:
        print_json(notice_json(found))
        return
    say(f"notice {number} is rejected; its sender reads why at the receipt", "green")


def notice_json(each: Notice) -> dict[str, Any]:
    """Return a notice as `--json` shows it."""
    return {
        "number": each.number,
        "received": instant(each.received),
        "kind": each.words.kind,
        "place": each.words.place,
        "reasons": each.words.reasons,
        "name": each.words.name,
        "contact": each.words.contact,
        "state": each.state,
        "answer": each.answer,
        "decided": instant(each.decided) if each.decided else None,
    }
