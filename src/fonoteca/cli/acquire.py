"""`fonoteca acquire KIND REF...`: take music from a source, if rights let us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.acquire_plan import PlanAsked, acquire_plan, say_asked
from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.flows.acquire import Acquired, Failed, Outcome, acquire
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.errors import UsageError
from fonoteca.model.rights import Hold, Refusal
from fonoteca.sources import SOURCES
from fonoteca.wiring import acquire_rooms, open_archive

EXIT_DONE, EXIT_FAILED, EXIT_REFUSED = 0, 1, 3


@app.command("acquire")
def acquire_command(
    kind: Annotated[str, typer.Argument(help=f"Where from: {', '.join(SOURCES)}; or plan.", metavar="KIND")],
    refs: Annotated[
        list[str] | None, typer.Argument(help="Folders, packages, addresses, ... as the kind names them.", metavar="REF...")
    ] = None,
    archive: ArchiveOption = Path(),
    later: Annotated[bool, typer.Option("--later", help="Decode nothing now; `fonoteca analyse` does.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked of whom, and ask nobody.")] = False,
    status: Annotated[bool, typer.Option("--status", help="`plan`: say where its wants stand, and do nothing.")] = False,
    bytes_max: Annotated[str, typer.Option("--bytes", help="`plan`: begin nothing that would fetch more, as in 10GB.")] = "",
    requests: Annotated[int, typer.Option("--requests", help="`plan`: begin nothing that would ask more often.")] = 0,
    span: Annotated[str, typer.Option("--for", help="`plan`: begin nothing after this time, as in 2h.")] = "",
    again: Annotated[bool, typer.Option("--again", help="`plan`: also what was refused, not found or given up before.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Take music from a source, if rights let us.

    `fonoteca acquire plan` takes the wants of the plan in force, in order, from the places of `sources.places`, and goes on where
    an earlier run stopped.

    Each item is admitted, refused, or held for a person to decide; what was decided and why is printed and recorded.
    With `--later` nothing is decoded: items are held as they come, and neither published nor served before their analysis.
    Exit status: 0 all held now, 1 something failed, 3 something was refused or held for review.
    """
    asked = PlanAsked(dry_run, status, bytes_max, requests, span, again)
    if kind == "plan":
        return acquire_plan(archive, asked, later=later, refs=refs or [], as_json=as_json)
    if asked != PlanAsked(dry_run):
        raise UsageError(kind, "--status, --bytes, --requests, --for and --again are for `acquire plan`")
    if kind not in SOURCES:
        raise UsageError(kind, "not a kind of source", f"Known kinds are {', '.join(SOURCES)}, plan.")
    if not refs:
        raise UsageError(kind, "nothing named", "Name at least one REF, as docs/sources.md has it.")
    if dry_run:
        return say_asked(kind, refs, as_json=as_json)
    progress = TerminalProgress(quiet=as_json)
    outcomes: list[Outcome] = []
    with open_archive(archive, writing=True) as opened:
        rooms = acquire_rooms(opened, progress, later=later)
        for ref in refs:
            for outcome in acquire(rooms, kind, ref):
                outcomes.append(outcome)
                if not as_json:
                    print_outcome(outcome)
    if as_json:
        print_json({"outcomes": [outcome_json(o) for o in outcomes]})
    return exit_status(outcomes)


def exit_status(outcomes: list[Outcome]) -> int:
    """Return the exit status that a run with these outcomes ends with."""
    if any(isinstance(o, Failed) for o in outcomes):
        return EXIT_FAILED
    return EXIT_REFUSED if any(isinstance(o, Refusal | Hold) for o in outcomes) else EXIT_DONE


def print_outcome(outcome: Outcome) -> None:
    """Print what became of one candidate, and why."""
    match outcome:
        case Acquired():
            state = "held" if outcome.made else "held already"
            say(f"{state}  {outcome.item}: {outcome.file_count} files, {show_bytes(outcome.acquired_bytes)}", "green")
            for left in outcome.left_out:
                say(f"  left out {left.logical_path}: {left.reason} ({left.rule})", "yellow")
        case Refusal():
            say(f"refused  {outcome.subject}: {outcome.reason} ({outcome.rule})", "red")
            say(f"  {outcome.remedy}")
        case Hold():
            say(f"for review  {outcome.subject}: {outcome.reason} ({outcome.rule})", "yellow")
            say(f"  {outcome.question}")
        case Failed():
            say(f"failed  {outcome.item}: {outcome.error}", "red")


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as `--json` shows it."""
    match outcome:
        case Acquired():
            return {
                "outcome": "held",
                "item": outcome.item,
                "object": outcome.object_id,
                "version": outcome.version,
                "new": outcome.made,
                "files": outcome.file_count,
                "bytes": outcome.acquired_bytes,
                "left_out": [{"path": x.logical_path, "rule": x.rule, "reason": x.reason} for x in outcome.left_out],
            }
        case Refusal():
            return {"outcome": "refused", "item": outcome.subject, "rule": outcome.rule, "reason": outcome.reason}
        case Hold():
            return {"outcome": "held-for-review", "item": outcome.subject, "rule": outcome.rule, "reason": outcome.reason}
        case Failed():
            return {"outcome": "failed", "item": outcome.item, "error": outcome.error.as_json()}
