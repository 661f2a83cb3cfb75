"""`fonoteca catalogue export`: the catalogue for others, and single rows of what was exported."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption
from fonoteca.cli.catalogue import catalogue_app
from fonoteca.cli.coverage import say_whether_synthetic
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.errors import UsageError
from fonoteca.wiring import open_archive, open_place, output_folder


@catalogue_app.command("export")
def export_command(
    place: Annotated[str, typer.Argument(help="A new folder to export to; with --row or --id an export's folder or address.")],
    form: Annotated[str, typer.Option("--format", help="parquet, sqlite or jsonl.")] = "parquet",
    row: Annotated[int | None, typer.Option(help="Print the recording of this rank from an export, 1 the most heard.")] = None,
    rows: Annotated[int, typer.Option(help="With --row: how many from there on.")] = 1,
    row_id: Annotated[str | None, typer.Option("--id", help="Print the recording with this id from an export.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Export the catalogue with its data dictionary and a citation, or print rows of an export, near or far.

    Of an export at an http address only the blocks that hold the rows are fetched.
    """
    if row is not None and row_id is not None:
        raise UsageError("export", "--row and --id", "Give one of the two.")
    if row is None and row_id is None:
        _export(Path(place), form, archive, as_json)
    else:
        _print_rows(place, row, rows, row_id, as_json)


def _export(folder: Path, form: str, archive: Path, as_json: bool) -> None:
    from fonoteca.catalogue.exports import export_snapshot

    with open_archive(archive) as opened:
        snapshot = opened.catalogue.snapshot_folder()
        with output_folder(folder) as (staging, made):
            export = export_snapshot(snapshot, form, made, staging, TerminalProgress(quiet=as_json))
    if as_json:
        files = [{"path": f.path, "bytes": f.file_bytes, "sha256": f.sha256} for f in export.files]
        print_json(
            {
                "export": str(folder),
                "id": export.id,
                "format": export.form,
                "snapshot": export.snapshot,
                "recordings": export.recording_count,
                "bytes": export.export_bytes,
                "synthetic": export.synthetic,
                "files": files,
            }
        )
        return
    rows = [(file.path, show_bytes(file.file_bytes)) for file in export.files]
    print_table(f"exported to {folder}", ("file", "bytes"), rows, numeric=(1,))
    say(f"{export.recording_count} recordings, {show_bytes(export.export_bytes)}; cite it as {export.id}", "bold")
    say_whether_synthetic(export.synthetic)


def _print_rows(place: str, first: int | None, count: int, row_id: str | None, as_json: bool) -> None:
    from fonoteca.catalogue.exported import ExportReader

    with closing(ExportReader.at(open_place(place))) as reader:
        if first is not None:
            found = reader.rows(first, count)
        else:
            assert row_id is not None
            one = reader.row_of(row_id)
            found = [one] if one is not None else []
        export = reader.export
    if not found:
        asked = f"rank {first}" if first is not None else str(row_id)
        raise UsageError(asked, f"not in this export of {export.recording_count} recordings", "Check the rank or the id.")
    if as_json:
        print_json({"id": export.id, "synthetic": export.synthetic, "rows": found})
        return
    for row in found:
        print_table(f"{row['rank']}", ("column", "value"), [(name, _shown(value)) for name, value in row.items()])
    say_whether_synthetic(export.synthetic)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
