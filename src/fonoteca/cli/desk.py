"""`fonoteca desk`: what curators decided, and carrying it out as the archive's one writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import put_and_do, undoing, work
from fonoteca.formats.instants import instant
from fonoteca.model.desk import Entry, EntryState
from fonoteca.wiring import open_archive

LISTED_MOST = 1000

desk_app = typer.Typer(no_args_is_help=True, help="What curators decided: carry it out, list, show, undo, retry, drop.")
app.add_typer(desk_app, name="desk")

NumberArgument = Annotated[int, typer.Argument(help="Of the entry, as `desk list` shows it.", metavar="NUMBER")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="WHY", help="Why: kept for ever.")]


@desk_app.command("work")
def work_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Carry out what waits, oldest first, as the archive's one writer; the site starts this by itself when somebody decides."""
    ended: list[Entry] = []
    with open_archive(archive, writing=True) as opened:
        for entry in work(desk_rooms(opened, TerminalProgress(quiet=as_json))):
            ended.append(entry)
            if not as_json:
                say(_line(entry), "red" if entry.state is EntryState.FAILED else "")
    if as_json:
        print_json({"entries": [entry_json(each) for each in ended]})
    elif not ended:
        say("nothing waits")


@desk_app.command("list")
def list_command(
    state: Annotated[EntryState | None, typer.Option(help="Only entries in this state. Default: all, newest first.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """List what was decided: what waits, what was carried out, what failed."""
    with open_archive(archive) as opened:
        docket = opened.people.docket
        found = docket.newest(LISTED_MOST) if state is None else docket.in_state(state, LISTED_MOST)
    if as_json:
        print_json({"entries": [entry_json(each) for each in found]})
        return
    rows = [(str(e.number), f"{e.put_at:%Y-%m-%d %H:%M}", e.order.action, _about(e), str(e.state), e.outcome) for e in found]
    print_table("entries of the desk", ("number", "put down", "action", "about", "", "what came of it"), rows, numeric=(0,))


@desk_app.command("show")
def show_command(number: NumberArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Show an entry with all that it says."""
    with open_archive(archive) as opened:
        found = opened.people.docket.numbered(number)
    if as_json:
        print_json(entry_json(found))
        return
    say(_line(found), "bold")
    for name, value in found.order.facts.items():
        say(f"{name}: {value if isinstance(value, str) else json.dumps(value)}")
    for subject in found.order.subjects:
        say(f"about: {subject}")


@desk_app.command("undo")
def undo_command(
    number: NumberArgument, reason: ReasonOption, archive: ArchiveOption = Path(), as_json: JsonOption = False
) -> None:
    """Take back what was carried out, where that can be: what is undone is kept, and so is that it was."""
    with open_archive(archive, writing=True) as opened:
        order = undoing(opened.people.docket, number, reason)
        done = put_and_do(desk_rooms(opened, TerminalProgress(quiet=as_json)), order)
    _tell(done, as_json)


@desk_app.command("retry")
def retry_command(number: NumberArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Let an entry that failed wait again."""
    with open_archive(archive) as opened:
        found = opened.people.docket.retry(number)
    _tell(found, as_json)


@desk_app.command("drop")
def drop_command(
    number: NumberArgument, reason: ReasonOption = "", archive: ArchiveOption = Path(), as_json: JsonOption = False
) -> None:
    """Take an entry that waits or failed from the docket: it is not carried out, and stays on record."""
    with open_archive(archive) as opened:
        found = opened.people.docket.drop(number, reason or "dropped at the command line")
    _tell(found, as_json)


def entry_json(each: Entry) -> dict[str, Any]:
    """Return an entry as `--json` shows it."""
    return {
        "number": each.number,
        "action": each.order.action,
        "subjects": list(each.order.subjects),
        "facts": dict(each.order.facts),
        "by": each.by,
        "put_at": instant(each.put_at),
        "state": str(each.state),
        "outcome": each.outcome,
        "ended_at": instant(each.ended_at) if each.ended_at else None,
    }


def _tell(each: Entry, as_json: bool) -> None:
    if as_json:
        print_json(entry_json(each))
    else:
        say(_line(each), "green")


def _line(each: Entry) -> str:
    told = f": {each.outcome}" if each.outcome else ""
    return f"entry {each.number}, {each.order.action} {_about(each)}: {each.state}{told}"


def _about(each: Entry) -> str:
    more = len(each.order.others)
    return f"{each.order.subject}{f' and {more} more' if more else ''}"
