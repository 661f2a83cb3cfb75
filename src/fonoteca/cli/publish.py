"""`fonoteca publish`: put out what may be shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.coverage import is_synthetic, say_whether_synthetic
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.editions import Index, IndexEntry
from fonoteca.flows.publish import Published, publish
from fonoteca.formats.quantities import show_bytes, show_share
from fonoteca.wiring import open_archive, publish_rooms


@app.command("publish")
def publish_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Put out an edition: metadata first, then audio in order of popularity, then artwork.

    Drops that are out never change; only what is new makes new ones. With nothing new, nothing happens.
    """
    with open_archive(archive, writing=True) as opened:
        published = publish(publish_rooms(opened, TerminalProgress(quiet=as_json)))
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
    else:
        say(f"nothing new: edition {published.number} stands")
    for each in published.withheld:
        say(f"withheld {each.member.object_id} v{each.member.version}: {each.reason}", "yellow")


def published_json(published: Published, index: Index | None) -> dict[str, Any]:
    """Return what a run put out as `--json` shows it."""
    made = {drop.id for drop in published.drops}
    return {
        "edition": published.number,
        "new": published.made,
        "drops": [drop_json(entry) for entry in (index.entries if index else ()) if entry.id in made],
        "withheld": [{"object": w.member.object_id, "version": w.member.version, "reason": w.reason} for w in published.withheld],
    }


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
