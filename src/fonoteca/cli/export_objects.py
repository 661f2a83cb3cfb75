"""`fonoteca export bagit|ro-crate ID... --into DIR` and `export files`: what is held, in forms that others read and hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.cli.rights import parse_object_id
from fonoteca.flows.export_bags import export_bags
from fonoteca.flows.export_crates import export_crates
from fonoteca.flows.export_files import BY_DEFAULT, FilesAsked, export_files
from fonoteca.flows.exporting import Exported, ExportRooms, Place
from fonoteca.formats.quantities import show_bytes
from fonoteca.intake import export_rooms
from fonoteca.model.ids import ObjectId
from fonoteca.outputs import shelf_in
from fonoteca.wiring import open_archive, output_folder

Exporter = Callable[[ExportRooms, Sequence[ObjectId], Place], Iterator[Exported]]

export_app = typer.Typer(no_args_is_help=True, help="What is held, in forms that others read and hear.")
app.add_typer(export_app, name="export")

IdsArgument = Annotated[
    list[str], typer.Argument(help="Ids of objects, as `fonoteca search` and the site show them.", metavar="ID...")
]
IntoOption = Annotated[Path, typer.Option("--into", help="A new folder, in which each object gets one of its own.")]


@export_app.command("bagit")
def bagit_command(object_ids: IdsArgument, into: IntoOption, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Copy objects out as bags (BagIt, RFC 8493), which `fonoteca acquire bagit` and many others read.

    Rights are asked again first, and each byte is proved as it is copied. The folder is there whole or not at all.
    Exit status: 3 when one may not be held any more, 4 when one is damaged.
    """
    _export(export_bags, object_ids, (into, archive), as_json)


@export_app.command("ro-crate")
def ro_crate_command(
    object_ids: IdsArgument, into: IntoOption, archive: ArchiveOption = Path(), as_json: JsonOption = False
) -> None:
    """Copy objects out as RO-Crates 1.1, each described in its ro-crate-metadata.json.

    Rights are asked again first, and each byte is proved as it is copied. The folder is there whole or not at all.
    Exit status: 3 when one may not be held any more, 4 when one is damaged.
    """
    _export(export_crates, object_ids, (into, archive), as_json)


@export_app.command("files")
def files_command(
    into: Annotated[Path, typer.Option("--into", help="A new folder, or one that this command made.")],
    by: Annotated[str, typer.Option("--by", help="Folders by artist, album, genre, year or codec, with / between.")] = BY_DEFAULT,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the bytes, where links are not wanted or cannot be.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what an earlier run named and is not held any more.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Give all music that may be shared plain names in folders, for players and people. Links, no copies.

    Hard links where the disk lets, else symbolic ones: whatever writes into such a file changes the archive's own, and the next
    audit finds it; for programs that write tags, use `--copy`. Withdrawn and damaged files are left out. A second run changes
    nothing.
    """
    with open_archive(archive) as opened:
        rooms = export_rooms(opened, TerminalProgress(quiet=as_json))
        done = export_files(rooms, shelf_in(into), FilesAsked(by, copy, prune))
    if as_json:
        left_out = [{"what": what, "reason": reason} for what, reason in done.left_out]
        facts = {"made": done.made, "kept": done.kept, "removed": done.removed, "stale": done.stale, "left_out": left_out}
        print_json({"export": str(into), **facts})
        return
    say(f"{into}: {len(done.made)} files named, {done.kept} as they were, {len(done.removed)} removed", "green")
    for what, reason in done.left_out:
        say(f"left out {what}: {reason}", "yellow")
    if done.stale:
        say(f"{len(done.stale)} names are of what is not given any more; --prune removes them", "yellow")


def _export(exporter: Exporter, texts: Sequence[str], folders: tuple[Path, Path], as_json: bool) -> None:
    """Export and say so. folders: into which, and of which archive."""
    into, archive = folders
    object_ids = [parse_object_id(text) for text in texts]
    with open_archive(archive) as opened, output_folder(into) as (staging, made):
        rooms = export_rooms(opened, TerminalProgress(quiet=as_json))
        exported = list(exporter(rooms, object_ids, Place(staging, made)))
    if as_json:
        print_json({"export": str(into), "objects": [_json(one) for one in exported]})
        return
    rows = [(one.folder, str(len(one.files)), show_bytes(one.exported_bytes), one.object_id) for one in exported]
    print_table(f"exported to {into}", ("folder", "files", "bytes", "object"), rows, numeric=(1, 2))
    for one in exported:
        for file in one.renamed:
            say(f"{one.folder}: {file.logical_path} is named {file.name} there", "yellow")


def _json(one: Exported) -> dict[str, Any]:
    """Return an object's copy as `--json` shows it."""
    files = [{"path": f.name, "logical_path": f.logical_path, "bytes": f.file_bytes, "sha256": f.sha256} for f in one.files]
    return {"object": one.object_id, "version": one.version, "folder": one.folder, "bytes": one.exported_bytes, "files": files}
