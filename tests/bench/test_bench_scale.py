"""The whole of `make bench-catalogue` at a million tracks: what it promises of quality holds, whatever the machine is busy with."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_OF_TIME = ("by id", "by popularity")
"""Figures that a busy machine may miss."""


@pytest.mark.timeout(600)
def test_a_million_tracks_keep_what_is_promised_of_quality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    importlib.import_module("bench.scale").main(
        ["--tracks", "1000000", "--folder", str(tmp_path / "scale"), "--json", str(tmp_path / "report.json")]
    )
    report = json.loads((tmp_path / "report.json").read_bytes())
    names = [figure["name"] for figure in report["figures"]]
    for part in (
        "import, identity",
        "peak memory",
        "dump, spill",
        "gap to the bound",
        "one track by id",
        "pair precision",
        "recall",
    ):
        assert any(part in name for name in names), part
    assert [name for name in report["missed"] if not any(part in name for part in _OF_TIME)] == []
