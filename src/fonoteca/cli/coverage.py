"""`fonoteca coverage`: how much of all listening is kept."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.coverage_trial import CoverageTrial, evaluate_files
from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.formats.quantities import parse_bytes, show_bytes, show_share
from fonoteca.model.catalogue import Coverage, KeptWithin
from fonoteca.model.errors import UsageError
from fonoteca.wiring import open_archive, write_output

ROWS_SHOWN = 12
BAR_WIDTH = 24
SYNTHETIC = "The listening in this catalogue is synthetic: made up for the demo, it measures nobody's ears."


@app.command("coverage")
def coverage_command(
    png: Annotated[Path | None, typer.Option(help="Write the curve as a picture to this file.")] = None,
    evaluate: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="TRAIN TEST", help="Rank on one listening history, measure on another; no archive is needed."),
    ] = None,
    budget: Annotated[str, typer.Option(help="Say what so many bytes keep, most heard first, such as 500GB.")] = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show how much of all listening the most heard recordings carry, and how much is held."""
    if budget and (evaluate is not None or png is not None):
        raise UsageError("--budget", "named with --png or --evaluate", "Ask for one at a time.")
    if budget:
        with open_archive(archive) as opened:
            kept = opened.catalogue.kept_within(parse_bytes(budget))
        if as_json:
            print_json(kept_json(kept))
        else:
            print_kept(kept)
        return
    if evaluate is not None and png is not None:
        raise UsageError("--png", "there is no picture of a trial", "Leave --png out, or --evaluate.")
    if evaluate is not None:
        trial = evaluate_files(*evaluate)
        if as_json:
            print_json(trial_json(trial))
        else:
            print_trial(trial)
        return
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


def print_kept(found: KeptWithin) -> None:
    """Print what a budget keeps, what is missing of that, and where it ends."""
    kept, whole = found.kept, found.whole
    say(f"{show_bytes(found.budget_bytes)} keep {kept.count:,} of {whole.count:,} recordings, the most heard first", "bold")
    say(f"{show_share(kept.share)} of listening (90 % interval {show_share(found.low)} to {show_share(found.high)})", "bold")
    say(f"held of these: {kept.held_count:,}, {show_share(kept.held_share)} of listening, {show_bytes(kept.held_bytes)}")
    say(f"missing: {kept.missing_count:,}, in {show_bytes(kept.missing_bytes)}")
    if found.left is not None:
        say(f"{show_bytes(found.more_bytes)} more: {found.more.count:,} recordings, {show_share(found.more.share)} of listening")
    rows = [(f"{each.popularity.rank:,}", each.title, each.artist, show_bytes(each.file_bytes)) for each in found.last]
    if rows:
        print_table("the last ones kept", ("rank", "title", "artist", "bytes"), rows, numeric=(0, 3))
    if found.planned is not None:
        wants = f"{found.planned.want_count:,} more recordings in {show_bytes(found.planned.want_bytes)}"
        say(f"by the plan in force, beside what is held: {wants}; then {show_share(found.planned.share)} of listening is kept")
    if not found.heard:
        say("No listening is known: every recording counts the same. Import a listening history.", "yellow")
    say_whether_synthetic(found.synthetic)


def kept_json(found: KeptWithin) -> dict[str, Any]:
    """Return what a budget keeps as `--json` shows it."""
    return {
        "budget_bytes": found.budget_bytes,
        "kept": asdict(found.kept),
        "kept_share_interval": [found.low, found.high],
        "missing": found.kept.missing_count,
        "missing_bytes": found.kept.missing_bytes,
        "all": asdict(found.whole),
        "more_bytes": found.more_bytes,
        "more": {"count": found.more.count, "share": found.more.share},
        "last": [{"rank": each.popularity.rank, "id": each.id, "title": each.title, "artist": each.artist} for each in found.last],
        "plan": asdict(found.planned) if found.planned else None,
        "synthetic": found.synthetic,
        "heard": found.heard,
    }


def print_trial(trial: CoverageTrial) -> None:
    """Print how a ranking by one history does on another."""
    rows = [
        (
            show_share(p.share_of_items),
            *(show_share(share) for share in (p.by_share, p.by_listens, p.best, p.promised)),
            f"{show_share(p.low)} to {show_share(p.high)}",
        )
        for p in trial.points
    ]
    columns = ("of items", "by estimate", "by raw counts", "at best", "promised", "90 % interval")
    print_table(f"of the listening in {trial.test.name}, ranked by {trial.train.name}", columns, rows, numeric=(0, 1, 2, 3, 4))
    unheard = f"{show_share(trial.unheard_share)} expected, {show_share(trial.unheard_truth)} found"
    say(f"never heard in {trial.train.name}: {unheard}", "bold")
    say(f"log-loss {trial.log_loss:.3f}; raw counts at their best {trial.smoothed_log_loss:.3f}")
    for history in (trial.train, trial.test):
        for reason, count in history.bad_rows.items():
            say(f"{history.name}: {count} rows set aside: {reason}", "yellow")


def trial_json(trial: CoverageTrial) -> dict[str, Any]:
    """Return the trial as `--json` shows it."""
    return {
        "train": trial.train.name,
        "test": trial.test.name,
        "items": trial.item_count,
        "points": [asdict(point) for point in trial.points],
        "curve": [asdict(point) for point in trial.curve],
        "unheard_share": trial.unheard_share,
        "unheard_truth": trial.unheard_truth,
        "log_loss": trial.log_loss,
        "smoothed_log_loss": trial.smoothed_log_loss,
        "bad_rows": {"train": dict(trial.train.bad_rows), "test": dict(trial.test.bad_rows)},
    }


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


def coverage_points_json(coverage: Coverage) -> list[dict[str, Any]]:
    """Return the points of the curve as `--json` shows them."""
    return [
        {
            "share_of_recordings": p.share_of_recordings,
            "share_of_listening": p.share_of_listening,
            "listening_interval": [p.listening_low, p.listening_high],
            "bytes": p.curve_bytes,
        }
        for p in coverage.points
    ]
