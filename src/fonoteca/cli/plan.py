"""`fonoteca plan`: what to hold next, and how good a plan that is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.catalogue.encodings import parse_encoding
from fonoteca.catalogue.wantsfile import check_export
from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.coverage import say_whether_synthetic
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.flows.catalogue import plan
from fonoteca.formats.quantities import parse_bytes, show_bytes, show_share
from fonoteca.model.catalogue import OPUS_75, Encoding, Kept, Plan, PlanPart, PlanQuestion
from fonoteca.model.corridor import Want
from fonoteca.model.errors import UsageError
from fonoteca.wiring import catalogue_rooms, open_archive, output_file

WANTS_SHOWN = 12
PHASES_SHOWN = 12
GAP_SHOWN = 1e-9
"""Smaller gaps are the rounding of sums."""


@app.command("plan")
def plan_command(
    budget: Annotated[str, typer.Option(help="How many bytes there are, such as 300TB.")],
    phase: Annotated[str, typer.Option(help="How many bytes a phase of it may have.")] = "10TB",
    encoding: Annotated[
        list[str] | None,
        typer.Option(
            help="What to choose from besides the sources' own files, with what it keeps of a listen: NAME=RATE:VALUE, such as "
            "opus-75=75k:0.98; NAME@SOURCE=RATE:VALUE, where one source offers it; or a known name. May be repeated.",
            show_default=OPUS_75.name,
        ),
    ] = None,
    as_offered: Annotated[bool, typer.Option("--as-offered", help="Choose from the sources' own files alone.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write all wants with titles to this .parquet, .csv or .jsonl file.")] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what to hold next, so that the most listening is kept in a budget of bytes.

    What is held costs nothing, and what rights would refuse is left out. The plan is kept in the archive until the next one.
    """
    question = PlanQuestion(parse_bytes(budget), parse_bytes(phase), encodings_of(encoding or [], as_offered))
    if out is not None:
        check_export(out)
    with open_archive(archive, writing=True) as opened:
        found = plan(catalogue_rooms(opened, TerminalProgress(quiet=as_json)), question)
        if out is not None:
            with output_file(out) as target:
                opened.catalogue.export_wants(target)
    if as_json:
        print_json(plan_json(found))
    else:
        print_plan(found)
        if out is not None:
            say(f"written to {out}")


def encodings_of(texts: list[str], as_offered: bool) -> tuple[Encoding, ...]:
    """Return the encodings that a command line names. Raises: UsageError."""
    if as_offered and texts:
        raise UsageError("--as-offered", "named with --encoding", "Name one of the two.")
    if as_offered:
        return ()
    return tuple(parse_encoding(text) for text in texts) or (OPUS_75,)


def print_plan(found: Plan) -> None:
    """Print the first wants of a plan, its phases, and what it keeps beside what others would."""
    rows = [
        (str(want.place), want.title, want.artist, want.encoding, show_bytes(want.file_bytes), show_share(want.share))
        for want in found.wants[:WANTS_SHOWN]
    ]
    columns = ("", "title", "artist", "as", "bytes", "of listening")
    print_table(f"plan for {show_bytes(found.question.budget_bytes)}", columns, rows, (0, 4, 5))
    if found.want_count > len(rows):
        say(f"and {found.want_count - len(rows):,} more wants")
    if len(found.phases) > 1:
        say()
        _print_phases(found)
    say()
    _say_what_it_keeps(found)
    if found.left_out_count:
        share = show_share(found.left_out_share)
        say(f"left out: {found.left_out_count:,} recordings that rights would refuse or ask a person about, {share} of listening")
    say_whether_synthetic(found.synthetic)


def _print_phases(found: Plan) -> None:
    rows, kept = [], found.held_share
    for part in found.phases[:PHASES_SHOWN]:
        kept += part.share
        rows.append((part.name, f"{part.want_count:,}", show_bytes(part.part_bytes), show_share(part.share), show_share(kept)))
    columns = ("phase", "wants", "bytes", "of listening", "kept by then")
    print_table(f"phases of up to {show_bytes(found.question.phase_bytes)}", columns, rows, (0, 1, 2, 3, 4))
    if len(found.phases) > PHASES_SHOWN:
        say(f"and {len(found.phases) - PHASES_SHOWN:,} more phases")


def _say_what_it_keeps(found: Plan) -> None:
    if not found.want_count:
        say(f"nothing to want: {show_share(found.held_share)} of listening is held, and no other recording may be", "bold")
        return
    ways = ", ".join(f"{part.want_count:,} {part.name}" for part in found.encodings)
    say(f"wants {found.want_count:,} of {found.candidate_count:,} recordings in {show_bytes(found.plan_bytes)}: {ways}")
    kept = f"keeps {show_share(found.kept.share)} of listening (held now: {show_share(found.held_share)})"
    say(f"{kept}; no plan in these bytes can keep more than {show_share(found.bound.share)}", "bold")
    beside = f"plain popularity order keeps {show_share(found.by_popularity.share)} in the same bytes"
    if not found.question.encodings:
        say(f"{beside}; {_gap(found)}")
        return
    say(f"{beside}, or {show_share(found.by_popularity_smallest.share)} with each in its smallest encoding")
    weighted = f"weighted by what each encoding keeps of a listen: {show_share(found.kept.value)}"
    orders = f"{show_share(found.by_popularity.value)} and {show_share(found.by_popularity_smallest.value)}"
    say(f"{weighted}, popularity order {orders}; {_gap(found)}")


def _gap(found: Plan) -> str:
    """Say how far the plan is from the best there can be."""
    if found.optimal:
        return "no plan does better, which is proved"
    return f"no plan does better by more than {show_share(max(found.gap, GAP_SHOWN))}"


def plan_json(found: Plan) -> dict[str, Any]:
    """Return the plan as `--json` shows it."""
    return {
        "plan": found.id,
        "snapshot": found.snapshot,
        "budget_bytes": found.question.budget_bytes,
        "phase_bytes": found.question.phase_bytes,
        "encodings": [asdict(encoding) for encoding in found.question.encodings],
        "want_count": found.want_count,
        "candidate_count": found.candidate_count,
        "plan_bytes": found.plan_bytes,
        "held_share": found.held_share,
        **_kept_json("kept", found.kept),
        **_kept_json("bound", found.bound),
        "gap": found.gap,
        "optimal": found.optimal,
        **_kept_json("by_popularity", found.by_popularity),
        **_kept_json("by_popularity_smallest", found.by_popularity_smallest),
        "left_out": found.left_out_count,
        "left_out_share": found.left_out_share,
        "synthetic": found.synthetic,
        "phases": [_part_json(part) for part in found.phases],
        "by_encoding": [_part_json(part) for part in found.encodings],
        "wants": [_want_json(want) for want in found.wants],
    }


def _kept_json(name: str, kept: Kept) -> dict[str, float]:
    return {f"{name}_share": kept.share, f"{name}_value": kept.value}


def _part_json(part: PlanPart) -> dict[str, Any]:
    return {"name": part.name, "wants": part.want_count, "bytes": part.part_bytes, "share": part.share}


def _want_json(want: Want) -> dict[str, Any]:
    return {
        "place": want.place,
        "phase": want.phase,
        "recording": want.recording,
        "title": want.title,
        "artist": want.artist,
        "release": want.release,
        "licence": want.licence_uri,
        "source": want.source_uri,
        "encoding": want.encoding,
        "bytes": want.file_bytes,
        "share": want.share,
    }
