"""`fonoteca audit`, `repair` and `rebuild`: prove the bytes, heal them, and make the register anew."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.flows.audit import Audited, Repaired, audit, audit_sample, repair, seen_damages
from fonoteca.flows.rebuild import rebuild
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.corridor import Damage
from fonoteca.wiring import SwarmChoice, audit_rooms, mirrors_at, open_archive, open_swarm, rebuild_rooms, repair_rooms

EXIT_DONE, EXIT_DAMAGED = 0, 4
SHOWN_DIGITS = 16
"""Of a digest, for people; `--json` has all of it."""

MirrorsOption = Annotated[
    list[str] | None,
    typer.Option("--from", help="Who has the bytes: an archive's folder, an http(s) URL of an edition, or HOST:PORT of a peer."),
]


@app.command("audit")
def audit_command(
    sample: Annotated[int, typer.Option(help="Check so many files instead of all: the longest unchecked ones.", min=0)] = 0,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> int:
    """Hold every byte against its digest, and say which pieces are damaged.

    Exit status: 0 all sound, 4 damage found.
    """
    with open_archive(archive, writing=True) as opened:
        rooms = audit_rooms(opened, TerminalProgress(quiet=as_json))
        audited = audit_sample(rooms, sample) if sample else audit(rooms)
    if as_json:
        print_json(audited_json(audited))
    else:
        print_audited(audited)
    return EXIT_DONE if audited.sound else EXIT_DAMAGED


@app.command("repair")
def repair_command(mirrors: MirrorsOption = None, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> int:
    """Heal what the last audit found damaged: fetch only the damaged pieces, from any mirror, and prove them.

    Exit status: 0 all healed, 4 something is still damaged.
    """
    progress = TerminalProgress(quiet=as_json)
    with (
        open_archive(archive, writing=True) as opened,
        mirrors_at(mirrors or []) as whereabouts,
        open_swarm(SwarmChoice(public=not mirrors)) as swarm,
    ):
        damages = seen_damages(audit_rooms(opened, progress))
        repaired = repair(repair_rooms(opened, swarm, whereabouts, progress), damages)
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
    rows = [(_name(d), d.kind, _pieces(d), d.expected[:SHOWN_DIGITS], d.found[:SHOWN_DIGITS]) for d in audited.damages]
    if rows:
        print_table("damaged", ("file", "what", "pieces", "expected", "found"), rows)
    for path in audited.root_files:
        say(f"damaged: {path} of the storage root", "red")
    for path in audited.unregistered:
        say(f"not checked: {path}, which the register does not know", "red")
    if rows or audited.root_files:
        say("heal it with: fonoteca repair --from MIRROR", "yellow")
    if audited.unregistered:
        say("enter it with: fonoteca rebuild", "yellow")
    if audited.sound:
        say("all sound", "green")


def print_repaired(repaired: Repaired) -> None:
    """Print what a repair did."""
    for path in repaired.mended:
        say(f"restored {path} from what the store itself knew", "green")
    for path in repaired.healed:
        say(f"healed {path}", "green")
    for path, reason in repaired.left.items():
        say(f"still damaged {path}: {reason}", "red")
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
    }


def repaired_json(repaired: Repaired) -> dict[str, Any]:
    """Return what a repair did as `--json` shows it."""
    return {
        "healed": list(repaired.healed),
        "mended": list(repaired.mended),
        "left": dict(repaired.left),
        "pieces": repaired.piece_count,
        "bytes_refetched": repaired.refetched_bytes,
    }


def _name(damage: Damage) -> str:
    """Return which file of which object is damaged; its folder in the store is long and says no more."""
    return f"{damage.object_id.key} {PurePosixPath(damage.member.path).name}"


def _pieces(damage: Damage) -> str:
    """Return which pieces are damaged, in few words."""
    if len(damage.pieces) > 4:
        return f"{len(damage.pieces)} of {damage.member.hashes.piece_count}"
    return ", ".join(map(str, damage.pieces))
