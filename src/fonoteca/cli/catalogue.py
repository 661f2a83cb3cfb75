"""`fonoteca catalogue import|build|stats`: what music exists and how much of it is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.catalogue import TableMapping
from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.flows.catalogue import refresh
from fonoteca.model.catalogue import Snapshot, SnapshotSource
from fonoteca.model.errors import UsageError
from fonoteca.wiring import catalogue_rooms, open_archive

catalogue_app = typer.Typer(no_args_is_help=True, help="What music exists and how much of it is heard: import, build, look.")
app.add_typer(catalogue_app, name="catalogue")

KINDS = ("table", "starter", "store")


@catalogue_app.command("import")
def import_command(
    kind: Annotated[str, typer.Argument(help=f"What the files are: {', '.join(KINDS)}.", metavar="KIND")],
    paths: Annotated[list[Path] | None, typer.Argument(help="The files to import.", metavar="[PATH]...")] = None,
    mapping: Annotated[Path | None, typer.Option(help="For tables: the TOML file that says which column is which.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Import rows of recordings or of listening, all or nothing.

    `table` reads CSV, JSON lines or Parquet by a mapping file; `starter` is the catalogue that ships with Fonoteca;
    `store` is what this archive holds. Importing the same twice changes nothing; bad rows are set aside and counted.
    """
    if kind not in KINDS:
        raise UsageError(kind, "not a kind of catalogue", f"Known kinds are {', '.join(KINDS)}.")
    if (kind == "table") != bool(paths) or (kind == "table") != (mapping is not None):
        raise UsageError(kind, "wrong arguments", "`table` takes PATH... and --mapping FILE; the others take neither.")
    with open_archive(archive, writing=True) as opened:
        if kind == "starter":
            sources = [opened.catalogue.import_starter()]
        elif kind == "store":
            sources = [opened.catalogue.import_store(opened.register.held_tracks())]
        else:
            assert mapping is not None
            described = TableMapping.from_toml(_read(mapping), str(mapping))
            sources = [opened.catalogue.import_table(paths or [], described)]
    if as_json:
        print_json({"sources": [source_json(s) for s in sources]})
    else:
        _print_sources("imported", sources)


@catalogue_app.command("build")
def build_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Make a snapshot of all imports and all that is held, ordered by popularity, and its search index."""
    with open_archive(archive, writing=True) as opened:
        snapshot = refresh(catalogue_rooms(opened, TerminalProgress(quiet=as_json)))
    if as_json:
        print_json(snapshot_json(snapshot))
    else:
        say(f"snapshot {snapshot.name}: {snapshot.recording_count} recordings", "bold")
        _print_sources("made of", list(snapshot.sources))


@catalogue_app.command("stats")
def stats_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Say what the snapshot in force is made of."""
    with open_archive(archive) as opened:
        snapshot = opened.catalogue.snapshot()
    if snapshot is None:
        raise UsageError(str(archive), "there is no catalogue snapshot yet", "Run `fonoteca catalogue build`.")
    if as_json:
        print_json(snapshot_json(snapshot))
    else:
        say(f"snapshot {snapshot.name}: {snapshot.recording_count} recordings", "bold")
        _print_sources("made of", list(snapshot.sources))


def snapshot_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as `--json` shows it."""
    return {
        "snapshot": snapshot.name,
        "recordings": snapshot.recording_count,
        "synthetic": snapshot.synthetic,
        "sources": [source_json(s) for s in snapshot.sources],
    }


def source_json(source: SnapshotSource) -> dict[str, Any]:
    """Return a source of a snapshot as `--json` shows it."""
    return {
        "name": source.name,
        "kind": source.kind,
        "date": source.date,
        "licence": source.licence,
        "attribution": source.attribution,
        "rows": source.row_count,
        "quarantined": source.quarantined_count,
        "synthetic": source.synthetic,
    }


def _print_sources(title: str, sources: list[SnapshotSource]) -> None:
    """Print where rows came from."""
    rows = [
        (s.name, s.kind, s.date, str(s.row_count), str(s.quarantined_count), s.licence, "synthetic" if s.synthetic else "")
        for s in sources
    ]
    print_table(title, ("source", "rows of", "date", "rows", "set aside", "licence", ""), rows, numeric=(3, 4))


def _read(path: Path) -> bytes:
    """Return a file that the caller named."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}", "Check the path.") from error
