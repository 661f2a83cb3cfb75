"""`fonoteca catalogue merge|split|words`: what a curator knows of which recordings are one, and which are not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption
from fonoteca.cli.catalogue import catalogue_app
from fonoteca.cli.desk import ReasonOption, entry_json
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import put_and_do
from fonoteca.flows.words import words_of
from fonoteca.formats.instants import instant
from fonoteca.formats.words import merging_order, splitting_order
from fonoteca.model.desk import Order
from fonoteca.wiring import open_archive

RecordingArgument = Annotated[str, typer.Argument(help="A recording's id, as `fonoteca search` shows it.", metavar="ID")]


@catalogue_app.command("merge")
def merge_command(
    recording_id: RecordingArgument,
    others: Annotated[list[str], typer.Argument(help="Recordings that are the same one; they lead to it.", metavar="OTHER...")],
    reason: ReasonOption = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say that recordings are one, whatever the rules find: the first stays, the others' ids lead to it from the next build on.

    `fonoteca desk undo` takes it back. A word that contradicts another is refused and names it.
    """
    _put(archive, merging_order(recording_id, others, reason), as_json)


@catalogue_app.command("split")
def split_command(
    recording_id: RecordingArgument,
    ids: Annotated[
        list[str], typer.Argument(help="Which of its ids go: they become one recording of their own.", metavar="PART...")
    ],
    reason: ReasonOption = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say that a recording is two: some of its ids leave it, from the next build on, and no rule or redirect merges them again."""
    _put(archive, splitting_order(recording_id, ids, reason), as_json)


@catalogue_app.command("words")
def words_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """List what curators said of recordings and did not take back, in order of being said."""
    with open_archive(archive) as opened:
        words = words_of(opened.register)
    if as_json:
        told = [
            {
                "entry": word.entry,
                "word": str(word.kind),
                "recording": word.recording,
                "ids": list(word.ids),
                "reason": word.reason,
                "at": instant(word.at),
            }
            for word in words
        ]
        print_json({"words": told})
        return
    rows = [(str(w.entry), f"{w.at:%Y-%m-%d}", str(w.kind), w.recording, " ".join(w.ids), w.reason) for w in words]
    print_table("words of curators", ("entry", "said", "word", "recording", "with or without", "why"), rows, numeric=(0,))


def _put(archive: Path, order: Order, as_json: bool) -> None:
    with open_archive(archive, writing=True) as opened:
        entry = put_and_do(desk_rooms(opened, TerminalProgress(quiet=as_json)), order)
    if as_json:
        print_json(entry_json(entry))
        return
    say(entry.outcome, "green")
    say(f"take it back with: fonoteca desk undo {entry.number} --reason WHY")
