"""Archives over disks and object stores that fail, seed by seed; and the proof that the simulation sees what is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fonoteca.testing.simulation import simulate
from fonoteca.testing.simulation.__main__ import MEMORY, main
from fonoteca.testing.simulation.mutants import MUTANTS, first_found

SEEDS = 120
PARTS = 2
"""One test in two parts, so that both workers of a run have one."""

MUTANT_SEEDS = 40
RARE = {"a repair is not marked"}
"""Mutants that take some hundred seeds to find: `make simulate` does."""


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """Return where small archives are quickly made."""
    return MEMORY if os.access(MEMORY, os.W_OK) else tmp_path


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_fails_the_laws_hold(part: int, memory: Path) -> None:
    steps = 0
    for seed in range(part, SEEDS, PARTS):
        outcome = simulate(seed, memory)
        steps += outcome.steps
        again = f"Again: python -m fonoteca.testing.simulation --seed {seed}"
        assert not outcome.broken, "\n".join([f"seed {seed}", *outcome.trace, outcome.broken, again])
    assert steps > 500 * SEEDS / PARTS


def test_the_same_seed_does_the_same_to_the_letter() -> None:
    """In two processes that order their sets and dictionaries of texts in different ways."""
    said = []
    for hashes in ("1", "2"):
        words = [sys.executable, "-m", "fonoteca.testing.simulation", "--seeds", "4", "--json", "--workers", "1"]
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        said.append(subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=250).stdout)
    assert said[0] == said[1]
    assert [json.loads(line)["seed"] for line in said[0].splitlines()] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", sorted(MUTANTS.keys() - RARE))
def test_what_is_broken_on_purpose_is_found(name: str, memory: Path) -> None:
    found = first_found(name, range(MUTANT_SEEDS), memory)
    assert found is not None, f"{MUTANT_SEEDS} seeds saw nothing"
    with MUTANTS[name]():
        assert simulate(found.seed, memory) == found


def test_a_failure_prints_all_that_is_needed_to_see_it_again(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with MUTANTS["recovery does nothing"]():
        found = first_found("recovery does nothing", range(MUTANT_SEEDS), memory)
        assert found is not None
        assert main(["--seed", str(found.seed), "--folder", str(memory)]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"seed {found.seed}\n")
    assert all(line in said for line in found.trace)
    assert f"--seed {found.seed}" in said.splitlines()[-2]
    assert found.broken in said
