"""`fonoteca coverage`: how much of all listening is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.catalogue import Catalogue
from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.formats.quantities import show_bytes, show_share
from fonoteca.model.catalogue import Coverage
from fonoteca.wiring import open_archive, write_output

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
