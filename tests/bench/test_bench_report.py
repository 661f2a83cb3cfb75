"""The report that `make bench` writes, and that every benchmark can be named. Nothing is timed here."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "bench").glob("*.py") if path.stem != "__init__")


@pytest.fixture(autouse=True)
def _checkout_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


@pytest.fixture
def report() -> ModuleType:
    return importlib.import_module("bench.report")


@pytest.fixture
def command() -> ModuleType:
    return importlib.import_module("bench.__main__")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_of_the_benchmarks_imports(name: str) -> None:
    importlib.import_module(f"bench.{name}")


def test_every_benchmark_measures_into_figures(command: ModuleType) -> None:
    for name, benchmark in command.BENCHMARKS.items():
        assert benchmark.__module__ == f"bench.{name}"
        assert benchmark.__name__ == "figures"


def test_a_goal_of_a_ratio_is_judged_by_the_ratio_and_others_by_the_value(report: ModuleType) -> None:
    slow = report.Figure("hashing", 1.0, "GB/s", report.Peer("hashlib", 2.0), report.Goal(0.8, of_ratio=True))
    quick = report.Figure("cutting", 0.1, "s", report.Peer("libtorrent", 6.0), report.Goal(50, of_ratio=True), less_is_better=True)
    low = report.Figure("errors", 0, "", goal=report.Goal(0, at_most=True))
    fair = report.Figure("mirror", 149.0, "MB/s", report.Peer("a copy", 1.0), report.Goal(150))
    told = report.Figure("audit", 3.0, "MB/s")
    assert [each.ratio for each in (slow, quick, low)] == [0.5, pytest.approx(60), None]
    assert [each.met for each in report.gather([slow, quick, low, fair, told])] == [False, True, True, False, None]


def test_several_runs_give_median_and_range_and_the_median_is_judged(report: ModuleType) -> None:
    goal, peer = report.Goal(150), report.Peer("a copy", 300.0)
    (found,) = report.gather([report.Figure("mirror", value, "MB/s", peer, goal) for value in (90.0, 200.0, 160.0)])
    assert (found.value.median, found.value.low, found.value.high) == (160.0, 90.0, 200.0)
    assert found.met
    assert found.value.shown("MB/s") == "160 MB/s (90 to 200)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (150, "150"), (1234.56, "1,235"), (12.345, "12.3"), (99.96, "100"), (0.8, "0.8"), (0.05123, "0.0512")],
)
def test_numbers_are_short(report: ModuleType, value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_a_missed_target_and_a_benchmark_that_cannot_run_both_fail_and_say_so(report: ModuleType, command: ModuleType) -> None:
    missed = report.gather([report.Figure("mirror", 20.0, "MB/s", goal=report.Goal(150))])
    met = report.gather([report.Figure("mirror", 200.0, "MB/s", goal=report.Goal(150))])
    absent = (report.Unmeasured("corridor", "there is no apt-get here"),)
    quiet = (report.Quiet("swarm", 1, 0.1, 0.0, 0.1, 2.0, 9.0),)
    console = Console(record=True, width=160)
    for measured, unmeasured, status in [(met, (), 0), (missed, (), 1), (met, absent, 1)]:
        made = report.Report({"cores": 2}, "2026-11-22T00:00:00+00:00", 1, measured, unmeasured, quiet)
        assert made.exit_status == status
        command.show(made, console)
    text = console.export_text()
    assert "target missed mirror" in text
    assert "not measured corridor: there is no apt-get here" in text


def test_the_command_writes_its_report_and_ends_with_its_status(
    tmp_path: Path, command: ModuleType, report: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fast(scratch: Path) -> list[object]:
        assert list(scratch.iterdir()) == []
        (scratch / "left behind").write_bytes(b"x")
        return [report.Figure("speed", 2.0, "GB/s", report.Peer("another", 4.0), report.Goal(0.4, of_ratio=True))]

    monkeypatch.setattr(command, "BENCHMARKS", {"fast": fast})
    monkeypatch.setattr(command, "describe", lambda _scratch: {"cores": 2, "cpu": "one of ours"})
    monkeypatch.setattr(command, "await_quiet", lambda _patience_s: (0.0, 0.0))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    status = command.main(["fast", "--runs", "2", "--scratch", str(scratch), "--json", str(tmp_path / "out" / "bench.json")])
    assert status == 0
    assert list(scratch.iterdir()) == []
    written = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert written.keys() == {"format", "machine", "begun", "runs", "figures", "missed", "unmeasured", "quiet"}
    assert written["format"] == "fonoteca-bench/1"
    (figure,) = written["figures"]
    assert figure["values"] == [2.0, 2.0]
    assert figure["peer"] == {"name": "another", "median": 4.0, "low": 4.0, "high": 4.0, "values": [4.0, 4.0]}
    assert figure["ratio"]["median"] == 0.5
    assert figure["target"] == {"limit": 0.4, "of_ratio": True, "at_most": False}
    assert figure["met"] is True
    assert [each["run"] for each in written["quiet"]] == [1, 2]
    assert "every target met" in capsys.readouterr().out


def test_an_unknown_name_is_wrong_use(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["walking"])
    assert ended.value.code == 2
    assert "no benchmark 'walking'" in capsys.readouterr().err


def test_the_machine_is_described_and_nothing_is_left_behind(tmp_path: Path) -> None:
    found = importlib.import_module("bench.machine").describe(tmp_path)
    assert {"cores", "cpu", "memory_gib", "disk", "python", "libtorrent"} <= found.keys()
    assert list(tmp_path.iterdir()) == []
