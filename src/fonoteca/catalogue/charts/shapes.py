"""Charts of what a catalogue is made of: durations, years, sizes of releases, copies, genres, licences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from fonoteca.catalogue.charts.look import COUNT_LABEL, PERCENT_LABEL, Heading, Layered, Look, dressed, large, percent, records
from fonoteca.catalogue.charts.popularity import LOG_FLOOR
from fonoteca.catalogue.statistics import Figures

DURATION_S_SHOWN = 600
PEAK_S, BESIDE_S = 3, range(8, 21)
"""Seconds from a whole minute that are of its peak, and those that it is held against."""
PEAK_FACTOR = 1.2
"""What so many times more tracks last than what is beside it stands out to the eye."""
RARE_SHARE = 0.001
"""Years before the first of so few releases are left out of the picture: they are mostly errors, and would make it all margin."""
ROW_PX = 25
NAME_CHARS_MAX = 34


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars over whole numbers. x, y: columns. shown_max: larger numbers are left out of the picture, not of the table.

    trimmed: whether the first numbers are too, as far as they are rare.
    """

    x: str
    y: str
    x_title: str
    y_title: str
    shown_max: int
    trimmed: bool = False


def duration_peaks(figures: Figures) -> list[tuple[int, int]]:
    """Return the whole minutes that stand out from both sides, in seconds, with the highest count about each, in order of time."""
    counts = {int(second): int(tracks) for second, tracks in figures.rows if second is not None}
    peaks = []
    for minute in range(60, DURATION_S_SHOWN, 60):
        top = max(counts.get(minute + away, 0) for away in range(-PEAK_S, PEAK_S + 1))
        beside = max(sum(counts.get(minute + side * away, 0) for away in BESIDE_S) / len(BESIDE_S) for side in (-1, 1))
        # Three standard deviations above what is beside it are more than chance.
        if top > max(PEAK_FACTOR * beside, beside + 3 * beside**0.5):
            peaks.append((minute, top))
    return peaks


def durations_chart(figures: Figures, heading: Heading, look: Look) -> Layered:
    """Return tracks by duration, second by second to ten minutes, with the peaks at whole minutes named."""
    counts = dict(figures.rows)
    rows = [{"seconds": second, "tracks": counts.get(second, 0)} for second in range(DURATION_S_SHOWN)]
    minutes = list(range(0, DURATION_S_SHOWN + 1, 60))
    axis = alt.Axis(title="duration, minutes", values=minutes, tickCount=len(minutes), labelExpr="datum.value / 60", grid=False)
    top = max(1, *(row["tracks"] for row in rows))
    x = alt.X("seconds:Q", scale=alt.Scale(domain=[0, DURATION_S_SHOWN]), axis=axis)
    y = alt.Y(
        "tracks:Q", scale=alt.Scale(domain=[0, top * 1.08]), axis=alt.Axis(title="tracks of each second", labelExpr=COUNT_LABEL)
    )
    tooltip = [alt.Tooltip("seconds:Q", title="seconds"), alt.Tooltip("tracks:Q", format=",")]
    area = records(rows).mark_area(color=look.main, opacity=0.85, interpolate="step-after").encode(x=x, y=y, tooltip=tooltip)
    peaks = [{"seconds": s, "tracks": n, "words": f"{s // 60}:00"} for s, n in duration_peaks(figures)]
    words = records(peaks).mark_text(dy=-8, color=look.mark, fontSize=12.5, fontWeight=600).encode(x=x, y=y, text="words:N")
    return dressed([area, words], heading, look)


def bars_chart(figures: Figures, bars: Bars, log_scale: bool, heading: Heading, look: Look) -> Layered:
    """Return a bar for each whole number, on an even or a log scale."""
    rows = [
        {"x": row[bars.x] - 0.45, "x2": row[bars.x] + 0.45, "at": row[bars.x], "count": row[bars.y], "floor": LOG_FLOOR * log_scale}
        for row in _shown(figures, bars)
    ]
    first, last = min((r["at"] for r in rows), default=0), max((r["at"] for r in rows), default=1)
    step = max(1, math.ceil((last - first) / 12))
    round_step = _round_step(step)
    ticks = [n for n in range(first, last + 1) if n % round_step == 0 or (n == first and -n % round_step > round_step / 3)]
    x_axis = alt.Axis(title=bars.x_title, values=ticks, tickCount=len(ticks), format="d", grid=False)
    top = max((r["count"] for r in rows), default=1)
    if log_scale:
        powers = [10.0**power for power in range(math.floor(math.log10(top)) + 1)]
        y_axis = alt.Axis(title=bars.y_title, labelExpr=COUNT_LABEL, values=powers)
        scale = alt.Scale(type="log", domain=[LOG_FLOOR, top * 1.5], nice=False)
    else:
        y_axis, scale = alt.Axis(title=bars.y_title, labelExpr=COUNT_LABEL), alt.Scale(domain=[0, top], nice=True)
    chart = records(rows).mark_rect(color=look.main).encode(
        x=alt.X("x:Q", scale=alt.Scale(domain=[first - 0.7, last + 0.7], nice=False), axis=x_axis),
        x2="x2:Q",
        y=alt.Y("count:Q", scale=scale, axis=y_axis),
        y2="floor:Q",
        tooltip=[alt.Tooltip("at:Q", title=bars.x_title), alt.Tooltip("count:Q", title=bars.y_title, format=",")],
    )  # fmt: skip
    return dressed([chart], heading, look)


def _shown(figures: Figures, bars: Bars) -> list[dict[str, Any]]:
    rows = [row for row in figures.records() if row[bars.x] is not None and row[bars.x] <= bars.shown_max and row[bars.y] > 0]
    rare = RARE_SHARE * sum(row[bars.y] for row in rows) if bars.trimmed else 0
    passed = 0
    for index, row in enumerate(rows):
        passed += row[bars.y]
        if passed > rare:
            return rows[index:]
    return rows


def _round_step(step: int) -> int:
    """Return the next step of 1, 2, 5, 10, 20, 50, ... that is at least this one."""
    power: int = 10 ** int(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)


_NAME_SERIES = {"of tracks": "tracks", "of listening": "listening"}


def names_chart(figures: Figures, shown: Mapping[str, str], heading: Heading, look: Look) -> Layered:
    """Return shares of all tracks, and of all listening, by name. shown: what is written for a name where it is not the name."""
    rows = figures.records()
    order = [_shortened(shown.get(row["name"], row["name"]) if not row["rest"] else _rest(row)) for row in rows]
    points: list[dict[str, Any]] = []
    for series, column in _NAME_SERIES.items():
        total = sum(row[column] for row in rows) or 1.0
        for name, row in zip(order, rows, strict=True):
            share = row[column] / total
            points.append({"name": name, "series": series, "share": share, "words": percent(share)})
    top = max((point["share"] for point in points), default=1.0)
    names_axis = alt.Axis(title=None, labelLimit=260, grid=False, ticks=False, domain=False, labelPadding=8)
    share_axis = alt.Axis(title="share", labelExpr=PERCENT_LABEL)
    series_scale = alt.Scale(domain=list(_NAME_SERIES), range=[look.main, look.calm])
    base = records(points).encode(
        x=alt.X("share:Q", axis=share_axis, scale=alt.Scale(domain=[0, top * 1.1], nice=False)),
        y=alt.Y("name:N", sort=order, axis=names_axis),
        yOffset=alt.YOffset("series:N", scale=alt.Scale(domain=list(_NAME_SERIES))),
        tooltip=[alt.Tooltip("name:N", title=" "), "series:N", alt.Tooltip("words:N", title="share")],
    )
    bars = base.mark_bar(cornerRadiusEnd=1.5).encode(color=alt.Color("series:N", scale=series_scale, legend=alt.Legend()))
    words = base.mark_text(align="left", dx=4, dy=1, fontSize=10, color=look.faint_ink).encode(text="words:N")
    return dressed([bars, words], heading, look, height_px=ROW_PX * (len(order) + 1))


def _rest(row: Mapping[str, Any]) -> str:
    return f"{large(row['names'])} others" if row["rest"] == "others" else "none named"


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_CHARS_MAX else name[: NAME_CHARS_MAX - 1] + "…"


def licence_names(uris: Sequence[str]) -> dict[str, str]:
    """Return what licences are called for short: Creative Commons' as in `CC BY-SA 4.0`, else the address without scheme."""
    found = {}
    for uri in uris:
        parts = uri.partition("://")[2].rstrip("/").split("/")
        if parts[:1] and parts[0].removeprefix("www.") == "creativecommons.org" and len(parts) >= 4:
            kind, name, version = parts[1], parts[2], " ".join(parts[3:])
            known = {"zero": "CC0", "mark": "Public Domain Mark"}
            found[uri] = f"{known.get(name, f'CC {name.upper()}') if kind in ('licenses', 'publicdomain') else name} {version}"
        else:
            found[uri] = "/".join(parts) or uri
    return found
