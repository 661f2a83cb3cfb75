"""`fonoteca catalogue import|kinds|build|stats|synth`: what music exists and how much of it is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.catalogue import TableMapping
from fonoteca.catalogue.importing import KINDS
from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.flows.catalogue import import_listening, refresh
from fonoteca.model.catalogue import Snapshot, SnapshotSource
from fonoteca.model.errors import UsageError
from fonoteca.wiring import Archive, catalogue_rooms, open_archive, output_folder

catalogue_app = typer.Typer(no_args_is_help=True, help="What music exists and how much of it is heard: import, build, look.")
app.add_typer(catalogue_app, name="catalogue")

SYNTHETIC = "Made up from a seed: it measures nobody's ears."

OWN_KINDS = {
    "table": "any CSV, JSON lines or Parquet, by a mapping file",
    "starter": "the catalogue that ships with Fonoteca",
    "store": "what this archive holds",
}
"""Kinds that need more than files."""


@catalogue_app.command("import")
def import_command(
    kind: Annotated[str, typer.Argument(help="What the files are; `fonoteca catalogue kinds` lists them.", metavar="KIND")],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="The files to import, together one source.", metavar="[PATH]...")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="For tables: the TOML file that says which column is which.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Import recordings or listening as their sources publish them, all or nothing.

    What a source gave before is replaced. Importing the same twice changes nothing; bad rows are set aside and counted.
    """
    if kind not in KINDS and kind not in OWN_KINDS:
        raise UsageError(kind, "not a kind of import", f"Known kinds are {', '.join(sorted({*KINDS, *OWN_KINDS}))}.")
    wants_paths = kind not in ("starter", "store")
    if wants_paths != bool(paths) or (kind == "table") != (mapping is not None):
        raise UsageError(kind, "wrong arguments", "`table` takes PATH... and --mapping FILE, `starter` and `store` take neither.")
    progress = TerminalProgress(quiet=as_json)
    with open_archive(archive, writing=True) as opened:
        if kind == "starter":
            source = opened.catalogue.import_starter()
        elif kind == "store":
            source = opened.catalogue.import_store(opened.register.held_tracks(), progress)
        elif mapping is not None:
            described = TableMapping.from_toml(_read(mapping), str(mapping))
            source = opened.catalogue.import_table(paths or [], described, progress)
        else:
            source = opened.catalogue.import_kind(KINDS[kind], paths or [], progress)
    if as_json:
        print_json({"sources": [source_json(source)]})
    else:
        _print_sources("imported", [source])


@catalogue_app.command("kinds")
def kinds_command(as_json: JsonOption = False) -> None:
    """List what can be imported."""
    about = {**OWN_KINDS, **{name: kind.about for name, kind in KINDS.items()}}
    if as_json:
        print_json({"kinds": [{"kind": name, "about": about[name]} for name in sorted(about)]})
    else:
        print_table("kinds of import", ("kind", "what its files are"), [(name, about[name]) for name in sorted(about)])


@catalogue_app.command("synth")
def synth_command(
    folder: Annotated[Path, typer.Argument(help="A new folder for the dump, its mapping and the truth.", metavar="DIR")],
    tracks: Annotated[int, typer.Option(help="How many rows.")],
    seed: Annotated[int, typer.Option(help="Of all chance: the same seed gives the same bytes.")] = 1,
    held_out: Annotated[bool, typer.Option("--held-out", help="Also what other listeners heard, to judge by.")] = False,
    questions: Annotated[int, typer.Option(help="Also so many noisy rows to match, with their right answers.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Make a catalogue up, in the shape of the largest known and of any size, with the truth beside it: to measure with.

    `fonoteca catalogue import table DIR/catalogue-*.parquet --mapping DIR/catalogue.toml` imports it, labelled synthetic.
    """
    from fonoteca.catalogue.synth.queries import QuerySettings, Questions, write_queries
    from fonoteca.catalogue.synth.settings import SynthSettings
    from fonoteca.catalogue.synth.writing import write_held_out, write_synthetic

    settings, progress = SynthSettings(tracks, seed), TerminalProgress(quiet=as_json)
    with output_folder(folder) as (staging, made):
        facts = write_synthetic(settings, made, staging.writer, progress)
        if held_out:
            write_held_out(settings, made, staging.writer, progress)
        if questions:
            asked = Questions(settings, QuerySettings(questions, seed), made / "questions.parquet")
            write_queries(asked, staging.writer, progress)
    if as_json:
        print_json({"folder": str(folder), **facts})
        return
    say(f"{facts['tracks']:,} rows of {facts['recordings']:,} recordings that do not exist, in {folder}", "bold")
    say(SYNTHETIC, "yellow")


@catalogue_app.command("build")
def build_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Make a snapshot of all imports, of all that is held and was heard here, ordered by popularity, and its search index."""
    with open_archive(archive, writing=True) as opened:
        rooms = catalogue_rooms(opened, TerminalProgress(quiet=as_json))
        import_listening(rooms)
        snapshot = refresh(rooms)
    if as_json:
        print_json(snapshot_json(snapshot))
    else:
        say(f"snapshot {snapshot.name}: {snapshot.recording_count} recordings", "bold")
        _print_sources("made of", list(snapshot.sources))


@catalogue_app.command("stats")
def stats_command(
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw it too: a new folder for a page and its pictures.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what the snapshot in force is made of.

    With --html also in pictures: tracks, listening and artists by popularity, coverage, durations, copies, years, genres, licences
    and what is held; each as PNG, Vega-Lite and CSV, and a page that needs no network.
    """
    with open_archive(archive) as opened:
        stored = opened.catalogue.stored_snapshot()
        if stored is None:
            raise UsageError(str(archive), "there is no catalogue snapshot yet", "Run `fonoteca catalogue build`.")
        pictures = _draw(opened, html, as_json) if html is not None else ()
    snapshot = stored.snapshot
    if as_json:
        drawn = {"html": str(html), "pictures": list(pictures)} if html is not None else {}
        print_json({**snapshot_json(snapshot), "merged": dict(stored.merged), **drawn})
        return
    say(f"snapshot {snapshot.name}: {snapshot.recording_count} recordings", "bold")
    _print_sources("made of", list(snapshot.sources))
    merged = ", ".join(f"{count:,} by {rule}" for rule, count in stored.merged.items() if count)
    say(f"rows that became part of another's recording: {merged or 'none'}")
    if html is not None:
        say(f"pictures: {html / 'index.html'}")


def _draw(opened: Archive, folder: Path, as_json: bool) -> tuple[str, ...]:
    """Draw every chart of the snapshot in force into a new folder. Returns: the names of the files."""
    from fonoteca.catalogue.charts import write_gallery  # here: Altair takes most of a second to load

    statistics = opened.catalogue.statistics()
    with output_folder(folder) as (staging, made):
        return write_gallery(statistics, made, staging, TerminalProgress(quiet=as_json))


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
