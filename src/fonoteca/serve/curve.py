"""The coverage curve as the site draws it: in the page's own colours, light or dark, and as a table beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fonoteca.formats.quantities import show_bytes
from fonoteca.model.catalogue import Coverage, CoveragePoint, KeptWithin

WIDTH, HEIGHT = 720, 360
"""Units of the drawing; it scales with the page."""

_TABLE_SHARES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_TICKS_MAX = 7
"""Labels of amounts that fit beside each other on a phone."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid: its place on the axis and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point beside or on the curve: its place, and that of the ends of its interval."""

    x: float
    y: float
    low: float
    high: float

    @property
    def leans_left(self) -> bool:
        """Whether its words go to its left, where there is more room."""
        return self.x > WIDTH * 0.6


@dataclass(frozen=True, slots=True)
class CurveView:
    """The curve in units of the drawing. line, band: SVG paths, band of the 90 % interval; reached: the area below what is kept.

    held: where the archive stands, None when it holds nothing. chosen: where the budget ends, None without one.
    rows: the points to read as numbers, by share of listening.
    """

    line: str
    band: str
    reached: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    held: Mark | None
    chosen: Mark | None
    rows: tuple[CoveragePoint, ...]


def curve_view(coverage: Coverage, kept: KeptWithin | None = None) -> CurveView:
    """Return the curve, bytes on a logarithmic axis from the most heard recording to all: the head is where it bends."""
    points = [point for point in coverage.points if point.curve_bytes > 0]
    across = _Across(points)
    line = [(across(point.curve_bytes), _up(point.share_of_listening)) for point in points]
    high = [(across(point.curve_bytes), _up(point.listening_high)) for point in points]
    low = [(across(point.curve_bytes), _up(point.listening_low)) for point in reversed(points)]
    held = chosen = None
    if coverage.held_count:
        ends = (_up(coverage.held_share_low), _up(coverage.held_share_high))
        held = Mark(across(coverage.held_bytes), _up(coverage.held_share), *ends)
    if kept is not None:
        chosen = Mark(across(kept.budget_bytes), _up(kept.kept.share), _up(kept.low), _up(kept.high))
    return CurveView(
        line=_path(line),
        band=f"{_path(high + low)} Z" if coverage.heard and points else "",
        reached=_reached(line, chosen) if chosen else "",
        x_ticks=across.ticks(),
        y_ticks=tuple(Tick(_up(percent / 100), f"{percent} %") for percent in (0, 25, 50, 75, 100)),
        held=held,
        chosen=chosen,
        rows=_table(coverage),
    )


class _Across:
    """The axis of bytes."""

    def __init__(self, points: Sequence[CoveragePoint]) -> None:
        self._least = math.log10(points[0].curve_bytes) if points else 0.0
        self._most = max(math.log10(points[-1].curve_bytes) if points else 1.0, self._least + 0.1)

    def __call__(self, amount: int) -> float:
        """Return the place of so many bytes, within the drawing."""
        place = (math.log10(max(1, amount)) - self._least) / (self._most - self._least)
        return WIDTH * min(1.0, max(0.0, place))

    def ticks(self) -> tuple[Tick, ...]:
        """Return the round amounts in the range, as many as have room."""
        powers = range(math.ceil(self._least), math.floor(self._most) + 1)
        stride = max(1, -(-len(powers) // _TICKS_MAX))
        return tuple(Tick(self(10**power), show_bytes(10**power)) for power in powers[::stride])


def _reached(line: Sequence[tuple[float, float]], chosen: Mark) -> str:
    """Return the area below the curve up to what the budget keeps."""
    places = [(x, y) for x, y in line if x <= chosen.x and y >= chosen.y] + [(chosen.x, chosen.y)]
    return f"{_path(places)} L{chosen.x:.1f} {HEIGHT} L{places[0][0]:.1f} {HEIGHT} Z"


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places) if places else ""


def _up(share_of_listening: float) -> float:
    """Return the height of a share of listening, counted down from the top as SVG does."""
    return HEIGHT * (1 - share_of_listening)


def _table(coverage: Coverage) -> tuple[CoveragePoint, ...]:
    """Return the first points that reach round shares of listening."""
    reached = (next((point for point in coverage.points if point.share_of_listening >= share), None) for share in _TABLE_SHARES)
    return tuple(dict.fromkeys(point for point in reached if point is not None))
