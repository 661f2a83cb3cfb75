"""Charts by popularity: tracks, listening and artists by the share of all listening that each has, and how much of them is held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from fonoteca.catalogue.charts.look import COUNT_LABEL, ODDS_LABEL, PERCENT_LABEL, Heading, Layered, Look, dressed, records
from fonoteca.catalogue.statistics import Figures

LOG_FLOOR = 0.5
"""Where bars of counts stand on a log scale: a single track is seen as a bar of one."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What is drawn as bars by popularity. series: column to its name in the legend, the one in front last.

    shares: whether they are shares of 1, else counts. of_whom: whose share of listening the axis below is.
    """

    series: Mapping[str, str]
    title: str
    shares: bool
    of_whom: str


def steps_chart(figures: Figures, steps: Steps, log_scale: bool, heading: Heading, look: Look) -> Layered:
    """Return bars of one or two series behind each other, on an even or a log scale."""
    rows = figures.records()
    values = [row[name] for row in rows for name in steps.series if row[name] > 0]
    floor = _floor(values, steps.shares) if log_scale else 0.0
    y = _y_axis(steps, max(values, default=1.0), floor, log_scale)
    colours = [look.calm, look.main][-len(steps.series) :]
    layers = []
    names = list(steps.series.values())
    for column, name in steps.series.items():
        bars = [_bar(row, row[column], floor, name) for row in rows if row[column] > floor]
        tooltip = [
            alt.Tooltip("from:N", title="from"),
            alt.Tooltip("to:N", title="to"),
            alt.Tooltip("value:Q", title=name or steps.title, format=".3%" if steps.shares else ","),
        ]
        colour = alt.Color(
            "series:N", scale=alt.Scale(domain=names, range=colours), legend=alt.Legend() if len(names) > 1 else None
        )
        chart = records(bars).mark_rect(stroke=look.background, strokeWidth=0.75)
        layers.append(
            chart.encode(x=_popularity_axis(rows, steps.of_whom), x2="x2:Q", y=y, y2="floor:Q", color=colour, tooltip=tooltip)
        )
    return dressed(layers, heading, look)


def _bar(row: Mapping[str, Any], value: float, floor: float, series: str) -> dict[str, Any]:
    low, high = math.log10(row["share_from"]), math.log10(row["share_to"])
    words = {"from": f"{row['share_from']:.2g}", "to": f"{row['share_to']:.2g}"}
    return {"x": round(low, 6), "x2": round(high, 6), "value": value, "floor": floor, "series": series, **words}


def _popularity_axis(rows: Sequence[Mapping[str, Any]], of_whom: str) -> alt.X:
    """Return the axis of popularity: powers of ten of the share of all listening, the most heard on the right."""
    ends = (rows[0]["share_from"], rows[-1]["share_to"]) if rows else (0.1, 1.0)
    low, high = math.log10(ends[0]), min(0.0, math.log10(ends[1]))
    decades = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
    axis = alt.Axis(
        title=f"{of_whom} share of all listening", values=decades, labelExpr=ODDS_LABEL, grid=False, labelOverlap="greedy"
    )
    return alt.X("x:Q", scale=alt.Scale(domain=[low, high], nice=False), axis=axis)


def _floor(values: Sequence[float], shares: bool) -> float:
    if not shares:
        return LOG_FLOOR
    return 10.0 ** math.floor(math.log10(min(values, default=1.0)) - 1e-9)


def _y_axis(steps: Steps, top: float, floor: float, log_scale: bool) -> alt.Y:
    label = PERCENT_LABEL if steps.shares else COUNT_LABEL
    if not log_scale:
        return alt.Y("value:Q", scale=alt.Scale(domain=[0, top], nice=True), axis=alt.Axis(title=steps.title, labelExpr=label))
    first, last = math.ceil(math.log10(floor) - 1e-9), math.floor(math.log10(top) + 1e-9)
    values = [10.0**power for power in range(first, last + 1)]
    axis = alt.Axis(title=steps.title, labelExpr=label, values=values, tickCount=len(values))
    return alt.Y("value:Q", scale=alt.Scale(type="log", domain=[floor, max(top, floor * 10) * 1.3], nice=False), axis=axis)


def held_chart(figures: Figures, heading: Heading, look: Look) -> Layered:
    """Return how much of each step of popularity is held: of its tracks as bars."""
    rows = figures.records()
    bars = [_bar(row, row["held"] / row["tracks"], 0.0, "") | {"tracks": row["tracks"], "held": row["held"]} for row in rows]
    y = alt.Y("value:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="share of tracks held", labelExpr=PERCENT_LABEL))
    tooltip = [
        alt.Tooltip("held:Q", title="held", format=","),
        alt.Tooltip("tracks:Q", title="of tracks", format=","),
        alt.Tooltip("value:Q", title="share", format=".1%"),
    ]
    x = _popularity_axis(rows, "a track's")
    ground = records([{**bar, "value": 1.0} for bar in bars]).mark_rect(color=look.rule, stroke=look.background, strokeWidth=0.75)
    drawn = records(bars).mark_rect(color=look.main, stroke=look.background, strokeWidth=0.75)
    return dressed(
        [
            ground.encode(x=x, x2="x2:Q", y=y, y2="floor:Q", tooltip=tooltip),
            drawn.encode(x=x, x2="x2:Q", y=y, y2="floor:Q", tooltip=tooltip),
        ],
        heading,
        look,
    )
