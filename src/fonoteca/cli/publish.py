"""`fonoteca publish`: put out what may be shared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.coverage import is_synthetic, say_whether_synthetic
from fonoteca.cli.lacks import lack_json, lack_said
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.cli.passphrases import ask_passphrase
from fonoteca.editions import Index, IndexEntry
from fonoteca.flows.publish import Published, Staged, finish, publish, stage
from fonoteca.formats.quantities import show_bytes, show_share
from fonoteca.model.errors import UsageError
from fonoteca.vault import read_stage, write_stage
from fonoteca.wiring import open_archive, publish_rooms


@app.command("publish")
def publish_command(
    stage_in: Annotated[
        Path | None, typer.Option("--stage", metavar="DIR", help="Only write what keys elsewhere must sign to this new folder.")
    ] = None,
    finish_of: Annotated[
        list[Path] | None,
        typer.Option("--finish", metavar="DIR", help="Put out what was staged there and signed; once for each copy signed apart."),
    ] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Put out an edition: metadata first, then audio in order of popularity, then artwork.

    Drops that are out never change; only what is new makes new ones. With nothing new, only the edition's date is signed anew:
    mirrors refuse one that is older than `signing.timestamp_days`. Where the keys of root or targets lie elsewhere, what is new
    waits until `--stage`, `fonoteca keys sign` there, and `--finish`.
    """
    if stage_in is not None and finish_of:
        raise UsageError("--stage and --finish", "one after the other", "Sign what was staged in between.")
    with open_archive(archive, writing=True) as opened:
        opened.passphrase = ask_passphrase
        rooms = publish_rooms(opened, TerminalProgress(quiet=as_json))
        if stage_in is not None:
            staged = stage(rooms)
            write_stage(stage_in, dict(staged.files))
            _print_staged(staged, stage_in, as_json)
            return
        published = finish(rooms, [read_stage(folder) for folder in finish_of]) if finish_of else publish(rooms)
        index = opened.editions.index()
        synthetic = is_synthetic(opened.catalogue)
    if as_json:
        print_json({**published_json(published, index), "synthetic": synthetic})
    else:
        print_published(published, synthetic)


def print_published(published: Published, synthetic: bool) -> None:
    """Print what a run put out and what it withheld. synthetic: the listening is made up."""
    rows = [(d.id, str(d.file_count), show_bytes(d.drop_bytes), show_share(d.coverage_share)) for d in published.drops]
    if published.made:
        print_table(f"edition {published.number}", ("new drop", "files", "bytes", "of listening"), rows, numeric=(1, 2, 3))
        say_whether_synthetic(synthetic)
    elif published.waits:
        say(f"edition {published.number} stands; {published.waiting_count} new drops wait for keys that are elsewhere:", "yellow")
        for lack in published.waits:
            say(f"  {lack_said(lack)}", "yellow")
        say("next: fonoteca publish --stage DIR, fonoteca keys sign DIR/FILE there, fonoteca publish --finish DIR")
    else:
        say(f"nothing new: edition {published.number} stands")
    if published.good_until:
        say(f"mirrors take it until {published.good_until:%Y-%m-%d}; publish again before that")
    for each in published.withheld:
        say(f"withheld {each.member.object_id} v{each.member.version}: {each.reason}", "yellow")


def published_json(published: Published, index: Index | None) -> dict[str, Any]:
    """Return what a run put out as `--json` shows it."""
    made = {drop.id for drop in published.drops}
    return {
        "edition": published.number,
        "new": published.made,
        "good_until": published.good_until.isoformat() if published.good_until else None,
        "waits_for": [lack_json(lack) for lack in published.waits],
        "drops": [drop_json(entry) for entry in (index.entries if index else ()) if entry.id in made],
        "withheld": [{"object": w.member.object_id, "version": w.member.version, "reason": w.reason} for w in published.withheld],
    }


def _print_staged(staged: Staged, folder: Path, as_json: bool) -> None:
    """Print what was staged and who must sign it."""
    if as_json:
        waits = [lack_json(lack) for lack in staged.waits]
        print_json({"edition": staged.number, "staged": str(folder), "new_drops": len(staged.drops), "waits_for": waits})
        return
    say(f"edition {staged.number} with {len(staged.drops)} new drops is staged in {folder}, and not out yet", "green")
    for lack in staged.waits:
        say(f"{folder}/{lack_said(lack)}", "yellow")
    say(f"then: fonoteca publish --finish {folder}")


def drop_json(entry: IndexEntry) -> dict[str, Any]:
    """Return a drop as `--json` shows it. torrent: its path below `editions/`."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "torrent": entry.torrent.path,
        "infohash_v1": entry.infohash_v1,
        "infohash_v2": entry.infohash_v2,
        "bytes": entry.drop_bytes,
        "files": entry.file_count,
        "coverage_share": entry.coverage_share,
    }
