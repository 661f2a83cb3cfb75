"""`python -m bench [NAME...]`: measure, print a table, write JSON.

Exit status 0 when all that was asked for is measured and every target is met, else 1.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench import (
    acquire,
    acquire_plan,
    analysis,
    audio,
    audit,
    catalogue,
    corridor,
    cutting,
    demo,
    editions,
    exports,
    hashing,
    pages,
    paper,
    plan,
    players,
    popularity,
    ray,
    register,
    s3,
    search,
    seeding,
    small_objects,
    streaming,
    supysonic,
    swarm,
)
from bench.machine import BusyMeter, await_quiet, describe
from bench.report import Figure, Quiet, Report, Unmeasured, gather, report_json, table_of
from bench.stopwatch import NotMeasurableError, Stopwatch

Benchmark = Callable[[Path], list[Figure]]
"""Measures once. Its argument is an empty folder of its own, removed afterwards."""

BENCHMARKS: Mapping[str, Benchmark] = {
    "hashing": hashing.figures,
    "cutting": cutting.figures,
    "swarm": swarm.figures,
    "seeding": seeding.figures,
    "editions": editions.figures,
    "corridor": corridor.figures,
    "audio": audio.figures,
    "acquire": acquire.figures,
    "acquire_plan": acquire_plan.figures,
    "small_objects": small_objects.figures,
    "analysis": analysis.figures,
    "audit": audit.figures,
    "catalogue": catalogue.figures,
    "plan": plan.figures,
    "popularity": popularity.figures,
    "exports": exports.figures,
    "search": search.figures,
    "register": register.figures,
    "players": players.figures,
    "streaming": streaming.figures,
    "pages": pages.figures,
    "supysonic": supysonic.figures,
    "s3": s3.figures,
    "ray": ray.figures,
    "paper": paper.figures,
    "demo": demo.figures,
}
"""In this order; together they need 18 GB of disk at once and half an hour on two cores."""

JSON_FILE = Path("test-output/bench.json")
PATIENCE_S = 20.0
COLUMNS_IN_FILES = 180
_CONSOLE = Console(stderr=True, highlight=False)


def measure(names: Sequence[str], scratch: Path, runs: int, patience_s: float) -> Report:
    """Return what the named benchmarks measure, each so many times, one after another.

    patience_s: how long each waits at most for other programs to leave the machine alone; what they use is reported.
    """
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    machine = describe(scratch)
    figures: list[Figure] = []
    quiet: list[Quiet] = []
    unmeasured: list[Unmeasured] = []
    for run in range(1, runs + 1):
        for name in names:
            busy, waited_s = await_quiet(patience_s)
            load_1m = os.getloadavg()[0]
            _CONSOLE.print(f"measuring {name}, run {run} of {runs} (load {load_1m:.1f}, others use {busy:.2f} cores)")
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=scratch) as folder, Stopwatch() as watch:
                meter = BusyMeter()
                try:
                    figures += BENCHMARKS[name](Path(folder))
                except NotMeasurableError as error:
                    unmeasured.append(Unmeasured(name, str(error)))
                others = meter.others()
            rounded = [round(value, 2) for value in (load_1m, busy, others, waited_s, watch.seconds)]
            quiet.append(Quiet(name, run, *rounded))
    return Report(machine, begun, runs, gather(figures), tuple(unmeasured), tuple(quiet))


def show(report: Report, console: Console) -> None:
    """Print the table, the machine, how quiet it was, and what is missed."""
    console.print(table_of(report))
    console.print("\n[bold]Machine[/] " + ", ".join(f"{name} {value}" for name, value in report.machine.items()), soft_wrap=True)
    busiest = max(report.quiet, key=lambda each: each.busy_during)
    console.print(
        f"{report.begun}, {report.runs} run(s), median of each figure; others used at most {busiest.busy_during:.2f} cores "
        f"meanwhile (in {busiest.benchmark})",
        soft_wrap=True,
    )
    for each in report.unmeasured:
        console.print(f"[bold red]not measured[/] {each.benchmark}: {each.reason}", soft_wrap=True)
    for name in report.missed:
        console.print(f"[bold red]target missed[/] {name}", soft_wrap=True)
    if not report.exit_status:
        console.print("[green]every target met[/]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for. Returns: the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure every figure that Fonoteca promises.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all of them unless named: {', '.join(BENCHMARKS)}")
    parser.add_argument("--scratch", type=Path, help="a folder with 20 GB of room, for temporary files")
    parser.add_argument("--runs", type=int, default=1, help="measure all so many times and tell median and range")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds to wait for a quiet machine, each time")
    parser.add_argument("--json", type=Path, default=JSON_FILE, help=f"where the JSON goes ({JSON_FILE})")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown or options.runs < 1:
        parser.error(f"no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}" if unknown else "--runs: 1 or more")
    logging.basicConfig(level=logging.WARNING, force=True)  # ocfl-py, once imported, shows everyone's notes
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-", dir=options.scratch) as scratch:
        report = measure(options.names or list(BENCHMARKS), Path(scratch), options.runs, options.patience)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report_json(report), indent=1, ensure_ascii=False) + "\n")
    show(report, Console(highlight=False, width=None if sys.stdout.isatty() else COLUMNS_IN_FILES))
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
