"""`python -m fonoteca.testing.simulation`: many seeds, one after the other; a failure prints all that is needed to see it again."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from fonoteca.testing.simulation.mutants import MUTANTS, first_found
from fonoteca.testing.simulation.run import Outcome, simulate

MEMORY = Path("/dev/shm")


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when all laws held, 1 when one was broken, or a mutant was not found."""
    parser = argparse.ArgumentParser(prog="python -m fonoteca.testing.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this seed alone, with all that was done")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--folder", type=Path, default=MEMORY if os.access(MEMORY, os.W_OK) else None, help="where, best in memory")
    parser.add_argument("--mutants", action="store_true", help="find what is broken on purpose, each within so many seeds")
    parser.add_argument("--json", action="store_true", help="for machines")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return _tell([simulate(chosen.seed, chosen.folder)], chosen.json, whole=True)
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    if chosen.mutants:
        return _tell_mutants(seeds, chosen.folder)
    with ProcessPoolExecutor(chosen.workers) as pool:
        return _tell(pool.map(partial(simulate, folder=chosen.folder), seeds, chunksize=4), chosen.json, whole=False)


def _tell(outcomes: Iterable[Outcome], as_json: bool, *, whole: bool) -> int:
    """Print outcomes. whole: their traces, whatever came of them. Returns: the exit status."""
    count = steps = broken = 0
    for outcome in outcomes:
        count, steps = count + 1, steps + outcome.steps
        broken += bool(outcome.broken)
        if as_json:
            sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        elif whole or outcome.broken:
            sys.stdout.write("\n".join([f"seed {outcome.seed}", *outcome.trace, outcome.broken or "all laws held", ""]) + "\n")
        if outcome.broken and not as_json:
            sys.stdout.write(f"Again: python -m fonoteca.testing.simulation --seed {outcome.seed}\n\n")
    sys.stderr.write(f"{count} seeds, {steps} steps, {broken} broken\n")
    return 1 if broken else 0


def _tell_mutants(seeds: range, folder: Path | None) -> int:
    """Print, for each mutant, the seed that found it and the law that it broke. Returns: the exit status."""
    status = 0
    for name in MUTANTS:
        found = first_found(name, seeds, folder)
        status = status if found else 1
        said = "NOT FOUND" if found is None else f"seed {found.seed}: {found.broken.partition(':')[0]}"
        sys.stdout.write(f"{name:45} {said}\n")
        sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
