"""`fonoteca init DIR`: make a new archive."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from fonoteca.cli.app import JsonOption, app
from fonoteca.cli.output import print_json, say
from fonoteca.model.settings import Settings
from fonoteca.wiring import create_archive


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(help="Where to make it: a folder that is empty or not there yet.", metavar="DIR")],
    name: Annotated[str, typer.Option(help="What its torrents are called, for ever. Default: the folder's name.")] = "",
    title: Annotated[str, typer.Option(help="What the site calls it. Default: the name.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a new, empty archive with its settings in fonoteca.toml."""
    chosen = name or name_from(folder)
    settings = Settings(name=chosen, title=title or chosen)
    create_archive(folder, settings)
    if as_json:
        print_json({"archive": str(folder), "name": settings.name})
    else:
        say(f"made the archive {settings.name} in {folder}", "green")
        say(f"next: fonoteca acquire folder MUSIC --archive {folder}")


def name_from(folder: Path) -> str:
    """Return a name for an archive in this folder: its own name in lower case, other characters as hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:63] or "archive"
