"""How all charts look, on light and on dark: colours, letters, sizes, and how counts and shares are written on axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from fonoteca.formats.quantities import show_share

PNG_SCALE = 2.0
"""Two pixels a unit: sharp on today's screens and in print at a column's width."""
WIDTH_PX, HEIGHT_PX = 640, 380
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Look:
    """Colours. main and mark differ in lightness as well as in hue, for readers who see few colours; calm is for the rest."""

    name: str
    background: str
    main: str
    calm: str
    mark: str
    ink: str
    faint_ink: str
    rule: str


LIGHT = Look("light", "#ffffff", "#1f6f78", "#b7c9cc", "#c8553d", "#22272e", "#6b7280", "#e5e7eb")
DARK = Look("dark", "#15191e", "#5fbac4", "#3d5a60", "#f08a6c", "#e8eaed", "#a2abb6", "#2c333b")

PERCENT_LABEL = "format(datum.value * 100, '~g') + ' %'"
COUNT_LABEL = (
    "datum.value >= 1e9 ? format(datum.value / 1e9, ',~g') + ' bn' : "
    "datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' M' : format(datum.value, ',~g')"
)
_ONES = ["1", "10", "100", "1,000", "10,000", "100,000", "1 M", "10 M", "100 M", "1 bn", "10 bn", "100 bn"]
_ONES += ["1,000 bn", "10^13", "10^14", "10^15"]
ODDS_LABEL = f"'1 in ' + {_ONES!r}[-datum.value]"
"""For an axis of the power of ten of a share: a billionth of all listening is `1 in 1 bn`."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a chart. warned: whether the second line is a warning."""

    title: str
    subtitle: str
    warned: bool


Layered = alt.LayerChart


def records(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """Return a chart with these rows inside."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def dressed(layers: Sequence[alt.Chart], heading: Heading, look: Look, height_px: int = HEIGHT_PX) -> Layered:
    """Return layers as one chart with its heading, in a look."""
    title = alt.TitleParams(
        text=heading.title,
        subtitle=heading.subtitle,
        anchor="start",
        offset=16,
        subtitleColor=look.mark if heading.warned else look.faint_ink,
    )
    chart = alt.layer(*layers).properties(width=WIDTH_PX, height=height_px, title=title, background=look.background)
    configured: Layered = (
        chart.configure(font=FONT, padding=20)
        .configure_view(stroke=None)
        .configure_title(fontSize=17, fontWeight=600, color=look.ink, subtitleFontSize=12.5, subtitlePadding=6)
        .configure_axis(
            gridColor=look.rule, domainColor=look.rule, tickColor=look.rule, labelColor=look.faint_ink,
            titleColor=look.faint_ink, labelFontSize=12, titleFontSize=12.5, titleFontWeight="normal", titlePadding=10, tickCount=6,
        )
        .configure_legend(
            labelColor=look.ink, labelFontSize=12, title=None, orient="top", direction="horizontal", symbolType="square", offset=4,
        )
    )  # fmt: skip
    return configured


def spec_of(chart: Layered) -> dict[str, Any]:
    """Return a chart as a Vega-Lite specification with its figures inside."""
    spec: dict[str, Any] = chart.to_dict()
    return spec


def png_of(spec: dict[str, Any]) -> bytes:
    """Return a specification as PNG."""
    return bytes(vl_convert.vegalite_to_png(spec, scale=PNG_SCALE))


def percent(share: float) -> str:
    """Return a share for people: two digits that count, without trailing zeros."""
    value = 100 * share
    if 0 < value < 0.095:
        return show_share(float(f"{share:.1g}"))
    digits = 0 if value >= 10 and abs(value - round(value)) < 0.05 else 1 if value >= 1 else 2
    return f"{value:.{digits}f} %"


def odds(share: float) -> str:
    """Return a small share for people, such as `1 in 3 million`."""
    if share >= 0.01:
        return percent(share)
    return f"1 in {large(1 / share)}" if share > 0 else "nothing"


def large(count: float) -> str:
    """Return a number for people in two digits that count, such as `256 million` or `1,300`."""
    for size, word in ((1e12, "million million"), (1e9, "billion"), (1e6, "million")):
        if count >= 0.95 * size:
            value = count / size
            return f"{value:.{0 if value >= 9.5 else 1}f} {word}".replace(".0 ", " ")
    if count >= 10_000:
        return f"{round(count, -3):,.0f}"
    return f"{round(count, -2):,.0f}" if count >= 1000 else f"{count:.0f}"
