"""What was measured, as nouns, as a table and as JSON. Pure: nothing here measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table

FORMAT = "fonoteca-bench/1"


@dataclass(frozen=True, slots=True)
class Peer:
    """What the figure is held against, in the figure's own unit: another program on the same bytes, or a limit."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure must reach: at least `limit`, or at most. of_ratio: the limit is on the ratio to the peer."""

    limit: float
    of_ratio: bool = False
    at_most: bool = False

    def met(self, reached: float) -> bool:
        """Return whether the goal is reached."""
        return reached <= self.limit if self.at_most else reached >= self.limit

    def shown(self) -> str:
        """Return the goal as the table shows it."""
        return f"{'≤' if self.at_most else '≥'} {number(self.limit)}{' x' if self.of_ratio else ''}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured once. less_is_better: as of seconds. Without a goal it is only told."""

    name: str
    value: float
    unit: str
    peer: Peer | None = None
    goal: Goal | None = None
    less_is_better: bool = False

    def __post_init__(self) -> None:
        """Hold that a goal of a ratio has a peer."""
        assert self.peer or not (self.goal and self.goal.of_ratio), f"{self.name}: a ratio to nothing"

    @property
    def ratio(self) -> float | None:
        """How many times as good as the peer, None without one or with one that is zero."""
        if self.peer is None:
            return None
        above, below = (self.peer.value, self.value) if self.less_is_better else (self.value, self.peer.value)
        return above / below if below else None


@dataclass(frozen=True, slots=True)
class Spread:
    """The same figure over all runs: median, lowest and highest."""

    median: float
    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of values, of which there is at least one."""
        return cls(median(values), min(values), max(values), tuple(values))

    def shown(self, unit: str = "") -> str:
        """Return the median, with the range where runs differ."""
        text = f"{number(self.median)} {unit}".rstrip()
        return text if self.low == self.high else f"{text} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure over all runs. met: whether the goal is reached by the median; None where there is no goal."""

    figure: Figure
    value: Spread
    peer: Spread | None
    ratio: Spread | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached, None where there is none."""
        goal = self.figure.goal
        if goal is None:
            return None
        if not goal.of_ratio:
            return goal.met(self.value.median)
        return self.ratio is not None and goal.met(self.ratio.median)


@dataclass(frozen=True, slots=True)
class Quiet:
    """How quiet the machine was around one run of one benchmark.

    load_1m: load average before. busy_before and busy_during: cores that others used, before and meanwhile, as
    `/proc/stat` tells. waited_s: spent waiting for them. seconds: what the whole benchmark took, setting up included.
    """

    benchmark: str
    run: int
    load_1m: float
    busy_before: float
    busy_during: float
    waited_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A benchmark that could not be run here, and why."""

    benchmark: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that one command measured."""

    machine: Mapping[str, str | int | float]
    begun: str
    runs: int
    measured: tuple[Measured, ...]
    unmeasured: tuple[Unmeasured, ...]
    quiet: tuple[Quiet, ...]

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of figures that miss their goal."""
        return tuple(each.figure.name for each in self.measured if each.met is False)

    @property
    def exit_status(self) -> int:
        """0 when everything asked for was measured and every goal is met, else 1."""
        return 1 if self.missed or self.unmeasured else 0


def gather(figures: Sequence[Figure]) -> tuple[Measured, ...]:
    """Return figures of several runs by name, in the order of their first appearance."""
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    return tuple(_measured(each) for each in by_name.values())


def _measured(same: Sequence[Figure]) -> Measured:
    peers = [figure.peer.value for figure in same if figure.peer]
    ratios = [figure.ratio for figure in same if figure.ratio is not None]
    return Measured(
        same[0],
        Spread.of([figure.value for figure in same]),
        Spread.of(peers) if peers else None,
        Spread.of(ratios) if ratios else None,
    )


def number(value: float) -> str:
    """Return a number with three digits that count; whole ones, and those of three digits and more, without a fraction."""
    whole = value == int(value) or abs(value) >= 100
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def table_of(report: Report) -> Table:
    """Return the table that a person reads."""
    table = Table(title="Measured on this machine", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column, justify in (("figure", "left"), ("value", "right"), ("peer or limit", "left"), ("ratio", "right")):
        table.add_column(column, justify="right" if justify == "right" else "left", overflow="fold")
    table.add_column("target", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in report.measured:
        figure = each.figure
        peer = f"{figure.peer.name}: {each.peer.shown()}" if figure.peer and each.peer else ""
        goal = figure.goal.shown() if figure.goal else ""
        verdict = {None: "", True: "[green]met[/]", False: "[bold red]MISSED[/]"}[each.met]
        table.add_row(figure.name, each.value.shown(figure.unit), peer, each.ratio.shown() if each.ratio else "", goal, verdict)
    return table


def report_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON has it. Figures: one an entry, in the order of the table; `met` is null without a goal."""
    return {
        "format": FORMAT,
        "machine": dict(report.machine),
        "begun": report.begun,
        "runs": report.runs,
        "figures": [_figure_json(each) for each in report.measured],
        "missed": list(report.missed),
        "unmeasured": [asdict(each) for each in report.unmeasured],
        "quiet": [asdict(each) for each in report.quiet],
    }


def _figure_json(each: Measured) -> dict[str, Any]:
    figure = each.figure
    return {
        "name": figure.name,
        "unit": figure.unit,
        "less_is_better": figure.less_is_better,
        **asdict(each.value),
        "peer": {"name": figure.peer.name, **asdict(each.peer)} if figure.peer and each.peer else None,
        "ratio": asdict(each.ratio) if each.ratio else None,
        "target": asdict(figure.goal) if figure.goal else None,
        "met": each.met,
    }
