"""The fixity calendar: a year of days, how much was proved on each, and where damage was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt
import vl_convert

from fonoteca.catalogue.charts.look import LIGHT, WIDTH_PX, Heading, Layered, Look, dressed, png_of, records, spec_of
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.fixity import DayOfChecks

CELL_PX = 14
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_POWERS = ("1 B", "1 kB", "1 MB", "1 GB", "1 TB", "1 PB", "1 EB")


def calendar_png(days: Sequence[DayOfChecks], today: date, day_count: int) -> bytes:
    """Return the calendar of so many days up to this one as PNG. days: those on which anything was checked."""
    return png_of(spec_of(calendar_chart(days, today, day_count)))


def calendar_svg(days: Sequence[DayOfChecks], today: date, day_count: int) -> str:
    """Return the calendar as SVG."""
    return str(vl_convert.vegalite_to_svg(spec_of(calendar_chart(days, today, day_count))))


def calendar_chart(days: Sequence[DayOfChecks], today: date, day_count: int, look: Look = LIGHT) -> Layered:
    """Return the calendar: a column a week, a cell a day, darker the more was read, and a mark where damage was found."""
    rows = _cells({each.day: each for each in days}, today, day_count)
    base = records(rows).encode(
        x=_weeks(rows),
        y=alt.Y("weekday:N", sort=list(WEEKDAYS), axis=_weekday_axis(), scale=alt.Scale(paddingInner=0.14)),
        tooltip=[alt.Tooltip("day:N"), alt.Tooltip("words:N", title="checked"), alt.Tooltip("damaged:Q", title="damaged files")],
    )
    empty = base.mark_rect(color=look.rule, cornerRadius=2)
    read = base.transform_filter("datum.read > 0").mark_rect(cornerRadius=2).encode(color=_colour(rows, look))
    ill = base.transform_filter("datum.damaged > 0").mark_point(
        shape="circle", color=look.mark, fill=look.mark, stroke=look.background, strokeWidth=1, size=52, opacity=1
    )
    heading = Heading("How much was proved, day by day?", _subtitle(days, today), warned=any(d.damaged_count for d in days))
    return dressed([empty, read, ill, _months(rows, look)], heading, look, height_px=CELL_PX * 7)


def _cells(days: dict[date, DayOfChecks], today: date, day_count: int) -> list[dict[str, Any]]:
    """Return a row a day, in order, from the first to this one."""
    first = today - timedelta(days=day_count - 1)
    first_monday = first - timedelta(days=first.weekday())
    rows: list[dict[str, Any]] = []
    for place in range(day_count):
        day = first + timedelta(days=place)
        found = days.get(day)
        rows.append(
            {
                "day": day.isoformat(),
                "week": (day - first_monday).days // 7,
                "weekday": WEEKDAYS[day.weekday()],
                "month": MONTHS[day.month - 1] if day.day <= 7 and day.weekday() == 0 else "",
                "read": max(found.checked_bytes, 1) if found else 0,
                "damaged": found.damaged_count if found else 0,
                "words": f"{found.file_count:,} files, {show_bytes(found.checked_bytes)}" if found else "nothing",
            }
        )
    return rows


def _months(rows: Sequence[dict[str, Any]], look: Look) -> alt.Chart:
    """Return the names of months, each over the first week that begins in it: an axis would leave every other one out."""
    named = [{"week": row["week"], "month": row["month"]} for row in rows if row["month"]]
    place: dict[str, Any] = {"align": "left", "baseline": "bottom", "dx": -CELL_PX / 3, "dy": -7}
    texts: alt.Chart = records(named).mark_text(color=look.faint_ink, fontSize=12, **place)
    return texts.encode(x=_weeks(rows), y=alt.value(0), text="month:N")


def _weeks(rows: Sequence[dict[str, Any]]) -> alt.X:
    return alt.X("week:O", axis=None, scale=alt.Scale(domain=list(range(rows[-1]["week"] + 1)), paddingInner=0.14))


def _weekday_axis() -> alt.Axis:
    return alt.Axis(title=None, values=["Mon", "Wed", "Fri"], grid=False, ticks=False, domain=False, labelPadding=6)


def _colour(rows: Sequence[dict[str, Any]], look: Look) -> alt.Color:
    """Return how bytes are shown: by powers of ten, since a sample and a whole audit differ a thousandfold."""
    read = [row["read"] for row in rows if row["read"]]
    low, high = min(read, default=1), max(read, default=10)
    scale = alt.Scale(type="log", domain=[min(low, high / 10), high], range=[look.calm, look.main], clamp=True)
    powers = [1000**power for power in range(len(_POWERS)) if low <= 1000**power <= high]
    expr = f"({ {str(1000**power): name for power, name in enumerate(_POWERS)}!r})[datum.value]"
    words = expr if powers else f"'{show_bytes(high)}'"
    legend = alt.Legend(
        title="bytes proved in a day", values=powers or [high], labelExpr=words, orient="bottom", direction="horizontal",
        gradientLength=WIDTH_PX // 4, gradientThickness=8, titleColor=look.faint_ink, offset=14,
    )  # fmt: skip
    return alt.Color("read:Q", scale=scale, legend=legend)


def _subtitle(days: Sequence[DayOfChecks], today: date) -> str:
    if not days:
        return f"Nothing was checked in the year to {today.isoformat()}."
    read = show_bytes(sum(day.checked_bytes for day in days))
    damaged = sum(day.damaged_count for day in days)
    found = f"damage found {damaged:,} times, on days with a dot" if damaged else "no damage found"
    return f"{read} proved on {len(days)} of the days up to {today.isoformat()}; {found}"
