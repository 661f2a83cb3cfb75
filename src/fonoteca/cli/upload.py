"""`fonoteca upload`: files of an album with their rights, taken in as the desk of the site does it."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.desk import entry_json
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.cli.rights import parse_object_id
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import check_order, put_and_do
from fonoteca.formats.uploads import Brought, file_name, upload_order
from fonoteca.model.errors import UsageError
from fonoteca.model.rights import Act
from fonoteca.ports import Staging
from fonoteca.sources.uploads import stamps_of
from fonoteca.wiring import open_archive


@app.command("upload")
def upload_command(
    files: Annotated[list[Path], typer.Argument(help="Music and pictures of one release.", metavar="FILE...")],
    why: Annotated[str, typer.Option("--why", help="How you know that it may be held: who licensed it, and where to read that.")],
    title: Annotated[str, typer.Option("--title", help="What the release is called.")] = "",
    cover_of: Annotated[
        str, typer.Option("--cover-of", metavar="ID", help="They are pictures of what is held under this id.")
    ] = "",
    artist: Annotated[str, typer.Option("--artist", help="Whose it is.")] = "",
    licence: Annotated[str, typer.Option("--licence", metavar="URI", help="The licence's address or SPDX name.")] = "",
    own: Annotated[
        list[Act] | None, typer.Option("--own", help="It is your own work, and you grant this; may be given again.")
    ] = None,
    credit: Annotated[str, typer.Option("--credit", help="The line that credits its authors.")] = "",
    source: Annotated[str, typer.Option("--source", metavar="URL", help="Where it is from.")] = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Take in files of one release with what you say of their rights, through the same gates as everything else.

    `fonoteca desk undo` takes it back: what came in is withdrawn, and its bytes are kept.
    """
    named = _named(files)
    acts = tuple(each.value for each in own or [])
    said = Brought(secrets.token_hex(16), title, artist, licence, acts, credit, source, why)
    token = said.token
    with open_archive(archive, writing=True) as opened:
        if cover_of:
            held = opened.store.metadata(parse_object_id(cover_of))
            said = replace(said, title=title or held.title, artist=artist or held.artist, cover_of=held.item)
        check_order(upload_order(said, {}, {}))
        rooms = desk_rooms(opened, TerminalProgress(quiet=as_json))
        try:
            _bring(rooms.uploads, token, named)
            done = put_and_do(rooms, upload_order(said, stamps_of(rooms.uploads.kept_folder(token)), {}))
        finally:
            rooms.uploads.discard(rooms.uploads.kept_folder(token))
    if as_json:
        print_json({**entry_json(done), "object": said.object_id})
        return
    say(f"{said.object_id}: {done.outcome}", "green")
    say(f"take it back with: fonoteca desk undo {done.number} --reason TEXT")


def _named(files: list[Path]) -> dict[str, Path]:
    """Return files by the names that they are kept under. Raises: UsageError."""
    named: dict[str, Path] = {}
    for path in files:
        if not path.is_file():
            raise UsageError(str(path), "no such file", "Name files; a whole folder is taken in by `fonoteca acquire folder`.")
        name = file_name(path.name)
        if name in named:
            raise UsageError(str(path), f"two files are called {name}", "Rename one of them.")
        named[name] = path
    return named


def _bring(uploads: Staging, token: str, named: dict[str, Path]) -> None:
    """Copy files into an upload's folder."""
    folder = uploads.kept_folder(token)
    for name, path in named.items():
        with path.open("rb") as source, uploads.writer(folder / name) as target:
            shutil.copyfileobj(source, target, 1 << 20)
