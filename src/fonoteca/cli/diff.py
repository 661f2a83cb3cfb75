"""`fonoteca catalogue diff|apply`: what is new in a snapshot of the catalogue, and the newer one made of the older."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteca.catalogue.deltas import DELTA_FILE, Delta, DeltaPlace, apply_delta, diff_snapshots, parse_delta
from fonoteca.catalogue.duck import DuckSettings
from fonoteca.cli.app import ArchiveOption, JsonOption
from fonoteca.cli.catalogue import catalogue_app
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.flows.catalogue import index_for_search
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.errors import UsageError
from fonoteca.ports import Staging
from fonoteca.wiring import catalogue_rooms, open_archive, output_folder

SNAPSHOT_FILE = "snapshot.json"
INTO_OPTION = typer.Option("--into", help="The new folder to write to.")


@catalogue_app.command("diff")
def diff_command(
    old: Annotated[str, typer.Argument(help="The older snapshot: its name in the archive, or its folder.")],
    new: Annotated[str, typer.Argument(help="The newer snapshot, likewise.")],
    into: Annotated[Path | None, INTO_OPTION] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what is new in a snapshot: recordings added, changed, removed and merged; with --into, as a delta to apply."""
    before, after = _snapshot(archive, old), _snapshot(archive, new)
    if into is not None:
        with output_folder(into) as (staging, folder):
            delta = _diff(before, after, folder, staging, as_json)
            delta_bytes = _bytes_of(folder)
    else:
        with open_archive(archive, writing=True) as opened:
            folder = opened.staging.folder("catalogue-diff")
            try:
                delta = _diff(before, after, folder, opened.staging, as_json)
                delta_bytes = _bytes_of(folder)
            finally:
                opened.staging.discard(folder)
    if as_json:
        print_json({**_delta_json(delta), "bytes": delta_bytes, "new_bytes": _bytes_of(after)})
        return
    _say_delta(delta)
    share = delta_bytes / max(1, _bytes_of(after))
    say(f"the delta is {show_bytes(delta_bytes)}, {100 * share:.1f} % of {delta.new}" + (f", in {into}" if into else ""))


@catalogue_app.command("apply")
def apply_command(
    delta_folder: Annotated[Path, typer.Argument(help="The delta's folder.", metavar="DELTA")],
    to: Annotated[str | None, typer.Option(help="The older snapshot, unless the archive has it by its name.")] = None,
    into: Annotated[Path | None, INTO_OPTION] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make the newer snapshot of the older one and a delta, prove it file by file, and put it in force (or --into a folder)."""
    delta = _read(delta_folder)
    old = _snapshot(archive, to or delta.old)
    if into is not None:
        with output_folder(into) as (staging, folder):
            _apply(old, delta_folder, folder, staging, as_json)
    else:
        with open_archive(archive, writing=True) as opened:
            folder = opened.staging.folder("catalogue-apply")
            try:
                _apply(old, delta_folder, folder, opened.staging, as_json)
                opened.catalogue.adopt_snapshot(folder)
            finally:
                opened.staging.discard(folder)
            index_for_search(catalogue_rooms(opened, TerminalProgress(quiet=as_json)))
    if as_json:
        print_json(_delta_json(delta))
        return
    _say_delta(delta)
    say(f"made {delta.new} in {into}" if into else f"{delta.new} is in force", "bold")


def _snapshot(archive: Path, name: str) -> Path:
    """Return the folder of a snapshot that a person named."""
    for folder in (Path(name), archive / "catalogue" / name):
        if (folder / SNAPSHOT_FILE).is_file():
            return folder
    raise UsageError(name, "neither a snapshot of this archive nor the folder of one", "Give a name such as 2026-01-31.")


def _read(folder: Path) -> Delta:
    try:
        content = (folder / DELTA_FILE).read_bytes()
    except OSError as error:
        raise UsageError(str(folder), f"no delta there: {error.strerror}", "Name the folder that has delta.json.") from error
    return parse_delta(content, str(folder / DELTA_FILE))


def _diff(old: Path, new: Path, folder: Path, staging: Staging, quiet: bool) -> Delta:
    scratch = staging.folder(f"{folder.name}.scratch")
    try:
        return diff_snapshots(old, new, folder, DeltaPlace(staging, scratch, DuckSettings(), TerminalProgress(quiet)))
    finally:
        staging.discard(scratch)


def _apply(old: Path, delta_folder: Path, folder: Path, staging: Staging, quiet: bool) -> None:
    scratch = staging.folder(f"{folder.name}.scratch")
    try:
        apply_delta(old, delta_folder, folder, DeltaPlace(staging, scratch, DuckSettings(), TerminalProgress(quiet)))
    finally:
        staging.discard(scratch)


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _delta_json(delta: Delta) -> dict[str, object]:
    return {
        "old": delta.old,
        "new": delta.new,
        "added": delta.added,
        "changed": delta.changed,
        "removed": delta.removed,
        "merged": delta.merged,
    }


def _say_delta(delta: Delta) -> None:
    counts = f"{delta.added} added, {delta.changed} changed, {delta.removed} removed, {delta.merged} merged"
    say(f"{delta.old} to {delta.new}: recordings {counts}", "bold")
