"""The paper model: its tables are those of docs/scale.md, its counts those of the code, its simulations what can be reckoned."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from fonoteca.testing.seaweed import Seaweed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _checkout_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"bench.{name}")


def test_the_page_has_the_tables_that_the_model_derives() -> None:
    paper = _module("paper")
    written = (ROOT / "docs/scale.md").read_text("utf-8")
    assert paper.page_with(written, paper.tables()) == written, "run python -m bench.paper --write"


def test_what_an_acquire_asks_of_s3_is_what_the_model_takes(
    seaweed: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    counted = _module("paper_requests").acquire_counts(seaweed, tmp_path)
    requests = _module("paper_inputs").requests
    for deed, counts in counted.items():
        assert {kind: count for kind, count in counts.items() if count} == {k: n for k, n in requests(deed).items() if n}, deed


def test_every_line_says_where_it_comes_from() -> None:
    inputs = _module("paper_inputs")
    for line in inputs.inputs():
        assert line.kind in (inputs.MEASURED, inputs.ASSUMED)
        assert len(line.source) > 3, line.key


def test_simulated_losses_are_those_of_the_closed_form() -> None:
    given = _module("paper_inputs").inputs()
    storage = _module("paper_storage")
    one, two = storage.durability(given, 2, 7)
    assert one.lost_bytes == pytest.approx(one.lost_by_formula, rel=0.05)
    assert two.lost_bytes == pytest.approx(two.lost_by_formula, rel=0.7)  # two whole mirrors at once come some 15 times
    assert storage.at_risk(given, 30, 7) < storage.at_risk(given, 365, 7) / 8


def test_an_ingest_is_never_faster_than_what_bounds_it_and_more_drivers_help() -> None:
    given = _module("paper_inputs").inputs()
    ingest = _module("paper_ingest")
    one, eight = (ingest.makespan_days(given, ingest.Layout("", count, "cloud_latency_s"), 7) for count in (1, 8))
    least = given["bytes"] / given["uplink"] / 86_400
    assert one.middle > eight.middle > least
    assert ingest.makespan_days(given.having(uplink=1e8), ingest.Layout("", 8, "near_latency_s"), 7).low > 10 * least


def test_storage_is_priced_by_tiers() -> None:
    price = _module("paper_inputs").storage_price
    assert price(50e12) == pytest.approx(1150)
    assert price(600e12) == pytest.approx(1150 + 450_000 * 0.022 + 100_000 * 0.021)
