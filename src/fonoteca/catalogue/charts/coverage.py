"""The coverage curve: share of listening against share of recordings, and where the archive stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import vl_convert

from fonoteca.catalogue.charts.look import (
    LIGHT,
    PERCENT_LABEL,
    WIDTH_PX,
    Heading,
    Layered,
    Look,
    dressed,
    percent,
    png_of,
    records,
    spec_of,
)
from fonoteca.model.catalogue import Coverage, CoveragePoint
from fonoteca.model.errors import UsageError

CHAR_PX = 6.3
"""How wide a letter is on average at 12 pixels."""
MARKS = (0.5, 0.9, 0.99)
"""The shares of listening whose price in recordings is written beside the curve."""


def coverage_spec(coverage: Coverage, log_scale: bool = False, look: Look = LIGHT) -> dict[str, Any]:
    """Return the coverage curve as a Vega-Lite specification with its figures inside.

    log_scale: whether recordings go by powers of ten, which shows the head; else evenly, which shows the tail.
    Raises: UsageError when there are no recordings.
    """
    return spec_of(coverage_chart(coverage, log_scale, look))


def coverage_png(coverage: Coverage, log_scale: bool = False) -> bytes:
    """Return the coverage curve as PNG. Raises: UsageError when there are no recordings."""
    return png_of(coverage_spec(coverage, log_scale))


def coverage_svg(coverage: Coverage, log_scale: bool = False) -> str:
    """Return the coverage curve as SVG. Raises: UsageError when there are no recordings."""
    return str(vl_convert.vegalite_to_svg(coverage_spec(coverage, log_scale)))


def coverage_chart(coverage: Coverage, log_scale: bool, look: Look) -> Layered:
    """Return the curve with its interval. Raises: UsageError when there are no recordings."""
    if coverage.recording_count < 1:
        raise UsageError("coverage", "there are no recordings to draw", "Import a catalogue and build it.")
    picture = _Picture(coverage, log_scale, look)
    heading = Heading(
        "How much of all listening do the most heard recordings carry?",
        _subtitle(coverage),
        warned=coverage.synthetic or not coverage.heard,
    )
    return dressed([*picture.curve(), *picture.marks(), *picture.held()], heading, look)


def _recordings(coverage: Coverage, log_scale: bool) -> alt.X:
    """Return the axis of recordings: even, or by powers of ten from one recording up."""
    title = "share of recordings, most heard first"
    if not log_scale:
        axis = alt.Axis(title=title, labelExpr=PERCENT_LABEL)
        return alt.X("recordings:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)
    decades = [10.0**-power for power in range(int(math.log10(coverage.recording_count)), -1, -1)]
    axis = alt.Axis(title=title, labelExpr=PERCENT_LABEL, values=decades)
    return alt.X("recordings:Q", scale=alt.Scale(type="log", domain=[min(0.1, 1 / coverage.recording_count), 1]), axis=axis)


def _subtitle(coverage: Coverage) -> str:
    size = f"{coverage.recording_count:,} recordings, {coverage.points[-1].curve_bytes / 1e9:,.1f} GB"
    if not coverage.heard:
        return f"No listening is known: every recording counts the same. {size}"
    return f"Synthetic listening: made up, not measured. {size}" if coverage.synthetic else size


def _listening() -> alt.Y:
    return alt.Y("listening:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="share of listening", labelExpr=PERCENT_LABEL))


class _Picture:
    """The layers of one picture of the curve."""

    def __init__(self, coverage: Coverage, log_scale: bool, look: Look) -> None:
        self._coverage = coverage
        self._log_scale = log_scale
        self._look = look
        self._x = _recordings(coverage, log_scale)

    def curve(self) -> list[alt.Chart]:
        """Return the area under the curve, the interval where one is known, and the line on top."""
        # A logarithm has no place for the point of no recordings at all.
        rows = [
            {
                "recordings": p.share_of_recordings,
                "listening": p.share_of_listening,
                "low": p.listening_low,
                "high": p.listening_high,
                "gigabytes": p.curve_bytes / 1e9,
            }
            for p in self._coverage.points
            if p.share_of_recordings > 0 or not self._log_scale
        ]
        base, colour = records(rows).encode(x=self._x), self._look.main
        tooltip = [
            alt.Tooltip("recordings:Q", title="recordings", format=".2%"),
            alt.Tooltip("listening:Q", title="listening", format=".2%"),
            alt.Tooltip("low:Q", title="90 % interval from", format=".2%"),
            alt.Tooltip("high:Q", title="to", format=".2%"),
            alt.Tooltip("gigabytes:Q", title="GB", format=",.1f"),
        ]
        layers = [base.mark_area(color=colour, opacity=0.12, interpolate="monotone").encode(y=_listening())]
        if any((p.listening_low, p.listening_high) != (0.0, 1.0) for p in self._coverage.points):
            band = base.mark_area(color=colour, opacity=0.28, interpolate="monotone")
            layers.append(band.encode(y=alt.Y("low:Q"), y2="high:Q"))
        line = base.mark_line(color=colour, strokeWidth=2.5, interpolate="monotone")
        return [*layers, line.encode(y=_listening(), tooltip=tooltip)]

    def marks(self) -> list[alt.Chart]:
        """Return dots where the curve passes round shares of listening, each with its price in recordings."""
        layers = []
        for mark in MARKS:
            share = price(self._coverage.points, mark)
            words = f"{percent(mark)} by {percent(share)} of recordings"
            base = records([{"recordings": share, "listening": mark, "words": words}]).encode(x=self._x, y=_listening())
            place = self._words_place(share, words)
            layers += [
                base.mark_point(color=self._look.main, fill=self._look.background, size=48, strokeWidth=2, opacity=1),
                base.mark_text(color=self._look.ink, fontSize=12, **place).encode(text="words:N"),
            ]
        return layers

    def _words_place(self, share: float, words: str) -> dict[str, Any]:
        """Return where words stand from a dot: under the curve, or on a log scale above it where it bends to the right."""
        at = self._place(share)
        if self._log_scale and at > 0.55:
            return {"align": "right", "dx": -11, "dy": -10}
        half_px = CHAR_PX * len(words) / 2
        if at * WIDTH_PX + 2 * half_px < WIDTH_PX:
            return {"align": "left", "dx": 11, "dy": 13}
        return {"align": "center", "dx": min(0.0, (1 - at) * WIDTH_PX - half_px), "dy": 24}

    def _place(self, share: float) -> float:
        """Return where on the axis a share of recordings lies, from 0 at the left to 1 at the right."""
        if not self._log_scale or self._coverage.recording_count == 1:
            return share
        return max(0.0, 1 + math.log(share) / math.log(self._coverage.recording_count))

    def held(self) -> list[alt.Chart]:
        """Return the archive's place, with its interval: below the curve as far as it holds other than the most heard."""
        coverage, look = self._coverage, self._look
        if not coverage.held_count:
            return []
        share = coverage.held_count / coverage.recording_count
        low, high = coverage.held_share_low, coverage.held_share_high
        row = {
            "recordings": share,
            "listening": coverage.held_share,
            "low": low,
            "high": high,
            "words": f"held: {coverage.held_count:,} recordings, {percent(coverage.held_share)} of listening",
            "interval": f"90 % interval {percent(low)} to {percent(high)}",
        }
        base = records([row]).encode(x=self._x)
        # Words go where there is room: to the left of the mark once it is past the middle of the picture.
        past_middle = self._place(share) > 0.5
        place: dict[str, Any] = {"align": "right", "dx": -12} if past_middle else {"align": "left", "dx": 12}
        words = base.encode(y=_listening())
        return [
            base.mark_rule(color=look.mark, strokeWidth=2.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
            words.mark_point(shape="diamond", color=look.mark, fill=look.mark, size=90, opacity=1),
            words.mark_text(dy=-1, color=look.mark, fontSize=12.5, fontWeight=600, **place).encode(text="words:N"),
            words.mark_text(dy=14, color=look.faint_ink, fontSize=11.5, **place).encode(text="interval:N"),
        ]


def price(points: Sequence[CoveragePoint], mark: float) -> float:
    """Return the share of recordings at which the curve reaches a share of listening, between points on a straight line."""
    for before, after in pairwise(points):
        if after.share_of_listening >= mark:
            part = (mark - before.share_of_listening) / (after.share_of_listening - before.share_of_listening)
            return before.share_of_recordings + part * (after.share_of_recordings - before.share_of_recordings)
    return 1.0
