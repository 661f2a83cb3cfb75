"""`fonoteca export bagit|ro-crate ID... --into DIR`: copies of what is held, in forms that others read."""

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
from fonoteca.flows.exporting import Exported, ExportRooms, Place
from fonoteca.formats.quantities import show_bytes
from fonoteca.intake import export_rooms
from fonoteca.model.ids import ObjectId
from fonoteca.wiring import open_archive, output_folder

Exporter = Callable[[ExportRooms, Sequence[ObjectId], Place], Iterator[Exported]]

export_app = typer.Typer(no_args_is_help=True, help="Copies of what is held, in forms that others read.")
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
