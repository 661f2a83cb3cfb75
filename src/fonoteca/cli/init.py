"""`fonoteca init DIR` and `claim`: make a new archive, and take over a store whose archive is gone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, say
from fonoteca.model.settings import FOLDER_STORE, S3Settings, Settings
from fonoteca.wiring import Archive, Founding, create_archive, load_settings

StoreOption = Annotated[str, typer.Option(help="Where its store is: `store`, a folder in it, or s3://bucket/prefix.")]
EndpointOption = Annotated[str, typer.Option(help="The URL of the S3 that the store is on. Default: Amazon's own.")]
TakeOverOption = Annotated[
    bool, typer.Option("--take-over", help="Take over the store that is there, of an archive that is gone; then run rebuild.")
]


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(help="Where to make it: a folder that is empty or not there yet.", metavar="DIR")],
    name: Annotated[str, typer.Option(help="What its torrents are called, for ever. Default: the folder's name.")] = "",
    title: Annotated[str, typer.Option(help="What the site calls it. Default: the name.")] = "",
    store: StoreOption = FOLDER_STORE,
    s3_endpoint: EndpointOption = "",
    take_over: TakeOverOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new, empty archive with its settings in fonoteca.toml."""
    chosen = name or name_from(folder)
    settings = Settings(name=chosen, title=title or chosen, store=store, s3=S3Settings(endpoint=s3_endpoint))
    create_archive(folder, settings, how=Founding(take_over=take_over))
    if as_json:
        print_json({"archive": str(folder), "name": settings.name, "store": settings.store})
    else:
        say(f"made the archive {settings.name} in {folder}", "green")
        next_step = "rebuild" if take_over else "acquire folder MUSIC"
        say(f"next: fonoteca {next_step} --archive {folder}")


@app.command("claim")
def claim_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Make the store this archive's own: for when the archive that it belonged to is gone for good.

    Two archives that write in one store would undo each other's work, so each store says whose it is.
    """
    opened = Archive(archive, load_settings(archive))
    try:
        before = opened.take_over()
    finally:
        opened.close()
    if as_json:
        taken = None if before is None else {"archive": before.archive_id, "name": before.name}
        print_json({"store": opened.settings.store, "before": taken})
    else:
        say(f"the store belongs to this archive now; before, to {before or 'nobody'}", "green")


def name_from(folder: Path) -> str:
    """Return a name for an archive in this folder: its own name in lower case, other characters as hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:63] or "archive"
