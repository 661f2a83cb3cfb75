"""`fonoteca coverage` and `fonoteca plan`: how much of all listening is kept, and what to hold next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.catalogue import Catalogue
from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.flows.catalogue import plan
from fonoteca.formats.quantities import parse_bytes, show_bytes, show_share
from fonoteca.model.catalogue import Coverage, Plan
from fonoteca.wiring import catalogue_rooms, open_archive, write_output

ROWS_SHOWN = 12
BAR_WIDTH = 24
SYNTHETIC = "The listening in this catalogue is synthetic: made up for the demo, it measures nobody's ears."


@app.command("coverage")
def coverage_command(
    png: Annotated[Path | None, typer.Option(help="Write the curve as a picture to this file.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show how much of all listening the most heard recordings carry, and how much is held."""
    with open_archive(archive) as opened:
        coverage = opened.catalogue.coverage()
    if png is not None:
        from fonoteca.catalogue.charts import coverage_png

        write_output(png, coverage_png(coverage))
    if as_json:
        print_json(coverage_json(coverage))
    else:
        print_coverage(coverage)


@app.command("plan")
def plan_command(
    budget: Annotated[str, typer.Option(help="How many bytes there are, such as 300TB.")],
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what to hold next, so that the most listening is kept in a budget of bytes."""
    with open_archive(archive) as opened:
        found = plan(catalogue_rooms(opened, TerminalProgress(quiet=as_json)), parse_bytes(budget))
    if as_json:
        print_json(plan_json(found))
    else:
        print_plan(found)


def print_coverage(coverage: Coverage) -> None:
    """Print the curve as a short table, evenly spaced over its points."""
    step = max(1, (len(coverage.points) - 1) // ROWS_SHOWN)
    points = [*coverage.points[:-1:step], coverage.points[-1]]
    rows = [
        (
            show_share(p.share_of_recordings),
            show_share(p.share_of_listening),
            "█" * round(BAR_WIDTH * p.share_of_listening),
            show_bytes(p.curve_bytes),
        )
        for p in points
    ]
    print_table("coverage: the most heard", ("of recordings", "of listening", "", "in bytes"), rows, numeric=(0, 1, 3))
    low, high = show_share(coverage.held_share_low), show_share(coverage.held_share_high)
    held = f"held: {coverage.held_count} of {coverage.recording_count} recordings, {show_share(coverage.held_share)} of listening"
    say(f"{held} (90 % interval {low} to {high})", "bold")
    if not coverage.heard:
        say("No listening is known: every recording counts the same. Import a listening history.", "yellow")
    say_whether_synthetic(coverage.synthetic)


def print_plan(found: Plan) -> None:
    """Print the first wants of a plan and what it keeps."""
    rows = [
        (str(rank), want.title, want.artist, show_bytes(want.file_bytes), show_share(want.share))
        for rank, want in enumerate(found.wants[:ROWS_SHOWN], start=1)
    ]
    print_table(f"plan for {show_bytes(found.budget_bytes)}", ("", "title", "artist", "bytes", "of listening"), rows, (0, 3, 4))
    if len(found.wants) > ROWS_SHOWN:
        say(f"and {len(found.wants) - ROWS_SHOWN} more wants")
    kept = f"keeps {show_share(found.kept_share)} of listening (held now: {show_share(found.held_share)})"
    beside = f"plain popularity order in the same bytes {show_share(found.by_popularity_share)}; no plan can keep more than"
    say(f"{kept}; {beside} {show_share(found.bound_share)}", "bold")
    if found.left_out_count:
        say(f"left out: {found.left_out_count} recordings that rights would refuse or ask a person about")
    say_whether_synthetic(found.synthetic)


def is_synthetic(catalogue: Catalogue) -> bool:
    """Return whether shares of listening come from a history that was made up."""
    snapshot = catalogue.snapshot()
    return snapshot is not None and snapshot.synthetic


def say_whether_synthetic(synthetic: bool) -> None:
    """Say below figures of listening that it is made up, where it is."""
    if synthetic:
        say(SYNTHETIC, "yellow")


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """Return the coverage as `--json` shows it."""
    return {
        "recordings": coverage.recording_count,
        "held": coverage.held_count,
        "held_share": coverage.held_share,
        "held_share_interval": [coverage.held_share_low, coverage.held_share_high],
        "synthetic": coverage.synthetic,
        "heard": coverage.heard,
        "coverage": coverage_points_json(coverage),
    }


def coverage_points_json(coverage: Coverage) -> list[dict[str, float | int]]:
    """Return the points of the curve as `--json` shows them."""
    return [
        {"share_of_recordings": p.share_of_recordings, "share_of_listening": p.share_of_listening, "bytes": p.curve_bytes}
        for p in coverage.points
    ]


def plan_json(found: Plan) -> dict[str, Any]:
    """Return the plan as `--json` shows it."""
    return {
        "budget_bytes": found.budget_bytes,
        "plan_bytes": found.plan_bytes,
        "held_share": found.held_share,
        "kept_share": found.kept_share,
        "bound_share": found.bound_share,
        "by_popularity_share": found.by_popularity_share,
        "left_out": found.left_out_count,
        "synthetic": found.synthetic,
        "wants": [
            {
                "recording": w.recording,
                "title": w.title,
                "artist": w.artist,
                "release": w.release,
                "licence": w.licence_uri,
                "source": w.source_uri,
                "bytes": w.file_bytes,
                "share": w.share,
            }
            for w in found.wants
        ],
    }
