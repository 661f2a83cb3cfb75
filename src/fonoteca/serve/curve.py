"""The coverage curve as the site draws it: in the page's own colours, light or dark, and as a table beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fonoteca.model.catalogue import Coverage, CoveragePoint

WIDTH, HEIGHT = 720, 360
"""Units of the drawing; it scales with the page."""

_TABLE_SHARES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid: its place on the axis and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class CurveView:
    """The curve in units of the drawing. line, area: SVG paths. held: where the archive stands, None when it holds nothing.

    rows: the points to read as numbers, by share of listening.
    """

    line: str
    area: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    held: tuple[float, float, float, float] | None
    rows: tuple[CoveragePoint, ...]


def curve_view(coverage: Coverage) -> CurveView:
    """Return the curve, recordings on a logarithmic axis from one recording to all: the head is where it bends."""
    count = max(2, coverage.recording_count)
    points = [point for point in coverage.points if point.share_of_recordings > 0]
    places = [(_across(point.share_of_recordings, count), _up(point.share_of_listening)) for point in points]
    line = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places) if places else ""
    area = f"{line} L{places[-1][0]:.1f} {HEIGHT} L{places[0][0]:.1f} {HEIGHT} Z" if places else ""
    held = None
    if coverage.held_count:
        across = _across(coverage.held_count / count, count)
        held = (across, _up(coverage.held_share), _up(coverage.held_share_low), _up(coverage.held_share_high))
    return CurveView(
        line=line,
        area=area,
        x_ticks=tuple(Tick(_across(10**power / count, count), f"{10**power:,}") for power in range(int(math.log10(count)) + 1)),
        y_ticks=tuple(Tick(_up(percent / 100), f"{percent} %") for percent in (0, 25, 50, 75, 100)),
        held=held,
        rows=_table(coverage),
    )


def _across(share_of_recordings: float, count: int) -> float:
    """Return the place of a share of recordings: 0 for one recording, the whole width for all."""
    return WIDTH * max(0.0, 1 + math.log(max(share_of_recordings, 1 / count)) / math.log(count))


def _up(share_of_listening: float) -> float:
    """Return the height of a share of listening, counted down from the top as SVG does."""
    return HEIGHT * (1 - share_of_listening)


def _table(coverage: Coverage) -> tuple[CoveragePoint, ...]:
    """Return the first points that reach round shares of listening."""
    reached = (next((point for point in coverage.points if point.share_of_listening >= share), None) for share in _TABLE_SHARES)
    return tuple(dict.fromkeys(point for point in reached if point is not None))
