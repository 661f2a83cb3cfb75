"""The trial of `acquire plan`, small: killed in the middle, every want ends in its right state, and manners hold."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from fonoteca.model.manners import Manners

ROOT = Path(__file__).resolve().parents[2]


def test_a_plan_that_is_killed_is_gone_on_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT)
    bench = importlib.import_module("bench.acquire_plan")
    trial = bench.Trial(24, 60_000, 2, Manners("test@example.org", 100.0, 4, own_networks=True))
    found = bench.run_trial(tmp_path / "trial", trial)
    assert found.wrong == 0, found.states
    assert found.states["held"] == 19
    assert found.twice_bytes <= trial.kills * bench.PIECE_BYTES
    assert found.most_in_a_second <= 100
