"""`fonoteca audit`, `repair` and `rebuild`: prove the bytes, heal them, and make the register anew."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.ocfl import audit_ocfl
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.flows.audit import Audited, Scope, audit, seen_damages
from fonoteca.flows.calendar import CALENDAR_DAYS, days_of_checks
from fonoteca.flows.rebuild import rebuild
from fonoteca.flows.repair import Repaired, repair
from fonoteca.formats.quantities import parse_bytes, parse_span, show_bytes
from fonoteca.model.corridor import Damage
from fonoteca.model.errors import UsageError
from fonoteca.model.settings import Settings
from fonoteca.wiring import Archive, audit_rooms, healers_at, open_archive, rebuild_rooms, repair_rooms, write_output

EXIT_DONE, EXIT_DAMAGED = 0, 4
SHOWN_DIGITS = 16
"""Of a digest, for people; `--json` has all of it."""

SHOWN_ROWS = 200
"""Of a table, for people; `--json` has all."""

PICTURE_KINDS = (".png", ".svg")

MirrorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        help="Who has the bytes: an archive's folder or a copy of its store, an http(s) URL of an edition or a web seed, or "
        "HOST:PORT of a peer. Several are asked in turn, folders and URLs first.",
    ),
]
BudgetOption = Annotated[str, typer.Option(help="Read so many bytes at most, what is longest unchecked first, as in 50GB.")]
ForOption = Annotated[str, typer.Option("--for", help="Begin no new file after this time, as in 2h; longest unchecked first.")]
OlderOption = Annotated[
    str,
    typer.Option(help="Read again what was verified longer ago than this, as in 30d. Default: fixity.cycle_days."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Read everything, however lately it was verified.")]
CalendarOption = Annotated[
    Path | None, typer.Option(help="Also draw the last year's checks and damage, day by day, into this .png or .svg file.")
]

OcflOption = Annotated[
    Path | None,
    typer.Option(help="Instead of an archive, hold this OCFL object or storage root, whoever wrote it, against OCFL 1.0 or 1.1."),
]


@app.command("audit")
def audit_command(
    sample: Annotated[int, typer.Option(help="Check so many files instead of all: the longest unchecked ones.", min=0)] = 0,
    budget: BudgetOption = "",
    time_max: ForOption = "",
    older_than: OlderOption = "",
    everything: AllOption = False,
    calendar: CalendarOption = None,
    ocfl: OcflOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> int:
    """Hold every byte that is due against its digest, and say which pieces are damaged.

    Due is what was never verified, what was verified longer ago than a cycle, and what changed in length or time since.
    Exit status: 0 all sound (with --ocfl: valid, perhaps with warnings), 4 damage found (with --ocfl: invalid).
    """
    if ocfl is not None:
        if sample or budget or time_max or older_than or everything or calendar:
            raise UsageError("--ocfl", "takes no other option but --json", "It reads all of the folder, and no archive.")
        return audit_ocfl(ocfl, as_json)
    _check_picture(calendar)
    with open_archive(archive, writing=True) as opened:
        scope = _scope(opened.settings, older_than, everything)
        scope = Scope(
            older_than=None if sample else scope.older_than,
            bytes_max=parse_bytes(budget) if budget else None,
            time_max=parse_span(time_max) if time_max else None,
            files_max=sample or None,
        )
        audited = audit(audit_rooms(opened, TerminalProgress(quiet=as_json)), scope)
        if calendar is not None:
            _draw(opened, calendar)
    if as_json:
        print_json(audited_json(audited))
    else:
        print_audited(audited)
    return EXIT_DONE if audited.sound else EXIT_DAMAGED


def _scope(settings: Settings, older_than: str, everything: bool) -> Scope:
    """Return how lately verified files are left alone."""
    if everything and older_than:
        raise UsageError("--all", "cannot go with --older-than", "Give one of them.")
    if everything:
        return Scope()
    return Scope(parse_span(older_than) if older_than else timedelta(days=settings.fixity.cycle_days))


def _check_picture(path: Path | None) -> None:
    """Raise UsageError for a picture of a kind that is not drawn, before hours are spent."""
    if path is not None and path.suffix.lower() not in PICTURE_KINDS:
        raise UsageError(str(path), "expected a .png or .svg file", "Name the picture as in `calendar.png`.")


def _draw(opened: Archive, path: Path) -> None:
    """Write the fixity calendar."""
    from fonoteca.catalogue.charts.fixity import calendar_png, calendar_svg  # here: Altair takes most of a second to load

    today = opened.clock.now().date()
    days = days_of_checks(opened.register, today)
    if path.suffix.lower() == ".png":
        write_output(path, calendar_png(days, today, CALENDAR_DAYS))
    else:
        write_output(path, calendar_svg(days, today, CALENDAR_DAYS).encode())


@app.command("repair")
def repair_command(mirrors: MirrorsOption = None, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> int:
    """Heal what the last audit found damaged: fetch only the damaged pieces, from any mirror, and prove them.

    What nothing can heal goes into quarantine: it is neither served nor published until a later repair or acquire heals it.
    Exit status: 0 all healed, 4 something is still damaged.
    """
    progress = TerminalProgress(quiet=as_json)
    with open_archive(archive, writing=True) as opened, healers_at(mirrors or [], opened.settings.name) as healers:
        damages = seen_damages(audit_rooms(opened, progress))
        repaired = repair(repair_rooms(opened, healers, progress), damages)
    if as_json:
        print_json(repaired_json(repaired))
    else:
        print_repaired(repaired)
    return EXIT_DAMAGED if repaired.left else EXIT_DONE


@app.command("rebuild")
def rebuild_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> int:
    """Make the register anew from the store's own bytes. It changes when all of it is made, or not at all.

    Exit status: 0 all of it, 4 damage found: of an object, and nothing was changed, or of the event log alone.
    """
    with open_archive(archive, writing=True) as opened:
        opened.store.recover(whole=True)
        rebuilt = rebuild(rebuild_rooms(opened, TerminalProgress(quiet=as_json)))
    counts = {
        "objects": rebuilt.object_count,
        "versions": rebuilt.version_count,
        "drops": rebuilt.drop_count,
        "events": rebuilt.event_count,
    }
    if as_json:
        print_json({**counts, "damaged_log": list(rebuilt.damaged_log)})
    else:
        say("rebuilt " + ", ".join(f"{count} {what}" for what, count in counts.items()), "green")
        for path in rebuilt.damaged_log:
            say(f"damaged: {path}, of the event log; what the register knew of these events, it still knows", "red")
    return EXIT_DAMAGED if rebuilt.damaged_log else EXIT_DONE


def print_audited(audited: Audited) -> None:
    """Print what an audit found."""
    say(f"checked {audited.file_count} files, {show_bytes(audited.audited_bytes)}", "bold")
    if audited.stamp_count:
        changed = f"{audited.changed_count} of them changed since" if audited.changed_count else "none has changed since"
        say(f"looked at length and time of {audited.stamp_count} files verified before: {changed}")
    rows = [(_name(d), d.kind, _pieces(d), d.expected[:SHOWN_DIGITS], d.found[:SHOWN_DIGITS]) for d in audited.damages]
    if rows:
        title = "damaged" if len(rows) <= SHOWN_ROWS else f"damaged, {SHOWN_ROWS} of {len(rows)}"
        print_table(title, ("file", "what", "pieces", "expected", "found"), rows[:SHOWN_ROWS])
    for path in audited.root_files:
        say(f"damaged: {path} of the storage root", "red")
    for path in audited.unregistered:
        say(f"not checked: {path}, which the register does not know", "red")
    for path in audited.mistaken:
        say(f"sound, but the register has other hashes for it: {path}", "red")
    for each in audited.quarantined:
        say(f"in quarantine since {each.at:%Y-%m-%d}: {each.object_id}: {each.reason}", "yellow")
    if rows or audited.root_files:
        say("heal it with: fonoteca repair --from MIRROR", "yellow")
    if audited.unregistered or audited.mistaken:
        say("enter it with: fonoteca rebuild", "yellow")
    if audited.sound:
        say("all sound", "green")
    if audited.cut_short:
        say("the budget is used up; the next audit goes on from here")


def print_repaired(repaired: Repaired) -> None:
    """Print what a repair did."""
    for path in repaired.mended:
        say(f"restored {path} from what the store itself knew", "green")
    for path in repaired.healed:
        say(f"healed {path}", "green")
    for path, reason in repaired.left.items():
        say(f"still damaged {path}: {reason}", "red")
    for each in repaired.asked:
        if each.lies:
            say(f"not to be relied on: {each.name} gave {each.lies} pieces that are not what their hashes prove", "red")
        elif each.trouble:
            say(f"{each.name}: {each.trouble}", "yellow")
    for object_id in repaired.quarantined:
        say(f"in quarantine, neither served nor published: {object_id}", "red")
    for object_id in repaired.released:
        say(f"out of quarantine: {object_id}", "green")
    say(f"fetched {repaired.piece_count} pieces, {show_bytes(repaired.refetched_bytes)}", "bold")


def audited_json(audited: Audited) -> dict[str, Any]:
    """Return what an audit found as `--json` shows it."""
    return {
        "files": audited.file_count,
        "bytes": audited.audited_bytes,
        "damaged": [
            {
                "object": d.object_id,
                "path": d.member.path,
                "kind": d.kind,
                "pieces": list(d.pieces),
                "expected": d.expected,
                "found": d.found,
            }
            for d in audited.damages
        ],
        "root_files": list(audited.root_files),
        "unregistered": list(audited.unregistered),
        "mistaken": list(audited.mistaken),
        "changed": list(audited.changed),
        "changed_count": audited.changed_count,
        "stamps": audited.stamp_count,
        "quarantined": [{"object": q.object_id, "since": q.at.isoformat(), "reason": q.reason} for q in audited.quarantined],
        "cut_short": audited.cut_short,
    }


def repaired_json(repaired: Repaired) -> dict[str, Any]:
    """Return what a repair did as `--json` shows it."""
    return {
        "healed": list(repaired.healed),
        "mended": list(repaired.mended),
        "left": dict(repaired.left),
        "pieces": repaired.piece_count,
        "bytes_refetched": repaired.refetched_bytes,
        "mirrors": [
            {"name": a.name, "pieces": a.piece_count, "bytes": a.payload_bytes, "lies": a.lies, "trouble": a.trouble}
            for a in repaired.asked
        ],
        "quarantined": list(repaired.quarantined),
        "released": list(repaired.released),
    }


def _name(damage: Damage) -> str:
    """Return which file of which object is damaged; its folder in the store is long and says no more."""
    return f"{damage.object_id.key} {PurePosixPath(damage.member.path).name}"


def _pieces(damage: Damage) -> str:
    """Return which pieces are damaged, in few words."""
    if len(damage.pieces) > 4:
        return f"{len(damage.pieces)} of {damage.member.hashes.piece_count}"
    return ", ".join(map(str, damage.pieces))
