"""The catalogue's charts, each defined once in Altair: the same definition gives PNG, SVG and the site's Vega-Lite.

Not imported by the room itself: Altair takes most of a second to load, and few commands draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import vl_convert

from fonoteca.model.catalogue import Coverage, CoveragePoint
from fonoteca.model.errors import UsageError

CURVE_COLOUR, HELD_COLOUR, INK, FAINT_INK, RULE = "#1f6f78", "#c8553d", "#22272e", "#6b7280", "#e5e7eb"
"""Curve and mark differ in lightness as well as in hue, for readers who see few colours."""
WIDTH_PX, HEIGHT_PX = 640, 380
PNG_SCALE = 2.0
"""Two pixels a unit: sharp on today's screens and in print at a column's width."""
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
MARKS = (0.5, 0.9, 0.99)
"""The shares of listening whose price in recordings is written beside the curve."""


def coverage_spec(coverage: Coverage, log_scale: bool = False) -> dict[str, Any]:
    """Return the coverage curve as a Vega-Lite specification with its figures inside.

    log_scale: whether recordings go by powers of ten, which shows the head; else evenly, which shows the tail.
    Raises: UsageError when there are no recordings.
    """
    if coverage.recording_count < 1:
        raise UsageError("coverage", "there are no recordings to draw", "Import a catalogue and build it.")
    spec: dict[str, Any] = _chart(coverage, log_scale).to_dict()
    return spec


def coverage_png(coverage: Coverage, log_scale: bool = False) -> bytes:
    """Return the coverage curve as PNG. Raises: UsageError when there are no recordings."""
    return bytes(vl_convert.vegalite_to_png(coverage_spec(coverage, log_scale), scale=PNG_SCALE))


def coverage_svg(coverage: Coverage, log_scale: bool = False) -> str:
    """Return the coverage curve as SVG. Raises: UsageError when there are no recordings."""
    return str(vl_convert.vegalite_to_svg(coverage_spec(coverage, log_scale)))


def _chart(coverage: Coverage, log_scale: bool) -> alt.LayerChart:
    x = _recordings(coverage, log_scale)
    layers = [*_curve(coverage, log_scale, x), *_marks(coverage, log_scale, x), *_held(coverage, log_scale, x)]
    title = alt.TitleParams(
        text="How much of all listening do the most heard recordings carry?",
        subtitle=_subtitle(coverage),
        anchor="start",
        offset=16,
        subtitleColor=FAINT_INK if coverage.heard and not coverage.synthetic else HELD_COLOUR,
    )
    chart = alt.layer(*layers).properties(width=WIDTH_PX, height=HEIGHT_PX, title=title, background="white")
    configured: alt.LayerChart = (
        chart.configure(font=FONT, padding=20)
        .configure_view(stroke=None)
        .configure_title(fontSize=17, fontWeight=600, color=INK, subtitleFontSize=12.5, subtitlePadding=6)
        .configure_axis(
            gridColor=RULE, domainColor=RULE, tickColor=RULE, labelColor=FAINT_INK, titleColor=FAINT_INK,
            labelFontSize=12, titleFontSize=12.5, titleFontWeight="normal", titlePadding=10, tickCount=6,
        )
    )  # fmt: skip
    return configured


_PERCENT_LABEL = "format(datum.value * 100, '~g') + ' %'"


def _recordings(coverage: Coverage, log_scale: bool) -> alt.X:
    """Return the axis of recordings: even, or by powers of ten from one recording up."""
    title = "share of recordings, most heard first"
    if not log_scale:
        axis = alt.Axis(title=title, labelExpr=_PERCENT_LABEL)
        return alt.X("recordings:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)
    decades = [10.0**-power for power in range(int(math.log10(coverage.recording_count)), -1, -1)]
    axis = alt.Axis(title=title, labelExpr=_PERCENT_LABEL, values=decades)
    return alt.X("recordings:Q", scale=alt.Scale(type="log", domain=[min(0.1, 1 / coverage.recording_count), 1]), axis=axis)


def _subtitle(coverage: Coverage) -> str:
    size = f"{coverage.recording_count:,} recordings, {coverage.points[-1].curve_bytes / 1e9:,.1f} GB"
    if not coverage.heard:
        return f"No listening is known: every recording counts the same. {size}"
    return f"Synthetic listening: made up, not measured. {size}" if coverage.synthetic else size


def _chart_of(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _listening() -> alt.Y:
    return alt.Y("listening:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="share of listening", labelExpr=_PERCENT_LABEL))


def _curve(coverage: Coverage, log_scale: bool, x: alt.X) -> list[alt.Chart]:
    """Return the area under the curve and the line on top."""
    # A logarithm has no place for the point of no recordings at all.
    rows = [
        {"recordings": p.share_of_recordings, "listening": p.share_of_listening, "gigabytes": p.curve_bytes / 1e9}
        for p in coverage.points
        if p.share_of_recordings > 0 or not log_scale
    ]
    base = _chart_of(rows)
    tooltip = [
        alt.Tooltip("recordings:Q", title="recordings", format=".2%"),
        alt.Tooltip("listening:Q", title="listening", format=".2%"),
        alt.Tooltip("gigabytes:Q", title="GB", format=",.1f"),
    ]
    return [
        base.mark_area(color=CURVE_COLOUR, opacity=0.12, interpolate="monotone").encode(x=x, y=_listening()),
        base.mark_line(color=CURVE_COLOUR, strokeWidth=2.5, interpolate="monotone").encode(x=x, y=_listening(), tooltip=tooltip),
    ]


def _marks(coverage: Coverage, log_scale: bool, x: alt.X) -> list[alt.Chart]:
    """Return dots where the curve passes round shares of listening, each with its price in recordings."""
    layers = []
    for mark in MARKS:
        share = _price(coverage.points, mark)
        words = f"{_percent(mark)} by {_percent(share)} of recordings"
        base = _chart_of([{"recordings": share, "listening": mark, "words": words}]).encode(x=x, y=_listening())
        # Below and to the right of the dot is room under the curve; in the last quarter words would leave the picture.
        right = _place(coverage, share, log_scale) > 0.75
        place: dict[str, Any] = {"align": "center", "dy": 24} if right else {"align": "left", "dx": 11, "dy": 13}
        layers += [
            base.mark_point(color=CURVE_COLOUR, fill="white", size=48, strokeWidth=2, opacity=1),
            base.mark_text(color=INK, fontSize=12, **place).encode(text="words:N"),
        ]
    return layers


def _price(points: Sequence[CoveragePoint], mark: float) -> float:
    """Return the share of recordings at which the curve reaches a share of listening, between points on a straight line."""
    for before, after in pairwise(points):
        if after.share_of_listening >= mark:
            part = (mark - before.share_of_listening) / (after.share_of_listening - before.share_of_listening)
            return before.share_of_recordings + part * (after.share_of_recordings - before.share_of_recordings)
    return 1.0


def _place(coverage: Coverage, share: float, log_scale: bool) -> float:
    """Return where on the axis a share of recordings lies, from 0 at the left to 1 at the right."""
    if not log_scale or coverage.recording_count == 1:
        return share
    return max(0.0, 1 + math.log(share) / math.log(coverage.recording_count))


def _held(coverage: Coverage, log_scale: bool, x: alt.X) -> list[alt.Chart]:
    """Return the archive's place, with its interval: below the curve as far as it holds other than the most heard."""
    if not coverage.held_count:
        return []
    share = coverage.held_count / coverage.recording_count
    row = {
        "recordings": share,
        "listening": coverage.held_share,
        "low": coverage.held_share_low,
        "high": coverage.held_share_high,
        "words": f"held: {coverage.held_count:,} recordings, {_percent(coverage.held_share)} of listening",
        "interval": f"90 % interval {_percent(coverage.held_share_low)} to {_percent(coverage.held_share_high)}",
    }
    base = _chart_of([row]).encode(x=x)
    # Words go where there is room: to the left of the mark once it is past the middle of the picture.
    past_middle = _place(coverage, share, log_scale) > 0.5
    place: dict[str, Any] = {"align": "right", "dx": -12} if past_middle else {"align": "left", "dx": 12}
    words = base.encode(y=_listening())
    return [
        base.mark_rule(color=HELD_COLOUR, strokeWidth=2.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        words.mark_point(shape="diamond", color=HELD_COLOUR, fill=HELD_COLOUR, size=90, opacity=1),
        words.mark_text(dy=-1, color=HELD_COLOUR, fontSize=12.5, fontWeight=600, **place).encode(text="words:N"),
        words.mark_text(dy=14, color=FAINT_INK, fontSize=11.5, **place).encode(text="interval:N"),
    ]


def _percent(share: float) -> str:
    """Return a share for people: two digits that count, without trailing zeros."""
    percent = 100 * share
    digits = 0 if percent >= 10 and abs(percent - round(percent)) < 0.05 else 1 if percent >= 1 else 2
    return f"{percent:.{digits}f} %"
