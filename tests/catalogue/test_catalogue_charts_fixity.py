"""The fixity calendar shows every day of the year, how much was proved on it, and where damage was found."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from fonoteca.catalogue.charts.fixity import calendar_chart, calendar_png, calendar_svg
from fonoteca.model.fixity import DayOfChecks

TODAY = date(2026, 11, 22)
DAYS = [
    DayOfChecks(TODAY - timedelta(days=370), 10, 1_000, 0),
    DayOfChecks(TODAY - timedelta(days=40), 2_000_000, 3 * 10**12, 2),
    DayOfChecks(TODAY, 7, 0, 0),
]


def test_every_day_has_its_cell_in_its_week() -> None:
    spec = calendar_chart(DAYS, TODAY, 371).to_dict()
    cells = max(spec["datasets"].values(), key=len)
    assert [cell["day"] for cell in cells] == [(TODAY - timedelta(days=day)).isoformat() for day in reversed(range(371))]
    assert {(cell["week"], cell["weekday"]) for cell in cells} == {
        (week, day) for week in range(53) for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    }
    assert [(cell["day"], cell["damaged"]) for cell in cells if cell["damaged"]] == [("2026-10-13", 2)]
    assert [cell["words"] for cell in cells if cell["read"]] == ["10 files, 1 kB", "2,000,000 files, 3 TB", "7 files, 0 B"]


@pytest.mark.parametrize("days", [DAYS, [], DAYS[:1]], ids=["a year", "nothing", "a day"])
def test_the_calendar_is_drawn_as_png_and_svg(days: list[DayOfChecks]) -> None:
    assert calendar_png(days, TODAY, 371).startswith(b"\x89PNG")
    picture = calendar_svg(days, TODAY, 371)
    assert picture.startswith("<svg")
    assert ("damage found 2 times" in picture) == (days == DAYS)
    assert ("Nothing was checked" in picture) == (not days)
