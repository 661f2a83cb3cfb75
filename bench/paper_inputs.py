"""What the paper model starts from: each line a value with its unit, whether it was measured or assumed, and where it comes from.

All are in `bench/paper.toml`; measured ones with the command that gives them again (most of them `python -m bench.paper_measure`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("paper.toml")
MEASURED, ASSUMED = "measured", "assumed"

GB, TB = 1e9, 1e12
DAY_S, YEAR_S = 86_400.0, 365.25 * 86_400.0


@dataclass(frozen=True, slots=True)
class Line:
    """One number. kind: measured or assumed. source: the command or page, the publication, or what it follows from."""

    key: str
    name: str
    value: float
    unit: str
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """All lines by key, in order."""

    lines: Mapping[str, Line]

    def __getitem__(self, key: str) -> float:
        """Return the value of a line. Raises: KeyError for one that nobody measured."""
        return self.lines[key].value

    def __iter__(self) -> Iterator[Line]:
        """Yield all lines."""
        return iter(self.lines.values())

    def of(self, kind: str) -> list[Line]:
        """Return the lines of a kind."""
        return [line for line in self if line.kind == kind]

    def having(self, **values: float) -> Inputs:
        """Return the same inputs with other values, to ask what if."""
        changed = dict(self.lines)
        for key, value in values.items():
            old = changed[key]
            changed[key] = Line(key, old.name, value, old.unit, old.kind, old.source)
        return Inputs(changed)


def inputs(path: Path = FILE) -> Inputs:
    """Return everything measured and assumed."""
    read = tomllib.loads(path.read_text("utf-8"))
    lines = (
        Line(key, each["name"], float(each["value"]), each["unit"], kind, each["by"])
        for kind in (MEASURED, ASSUMED)
        for key, each in read[kind].items()
    )
    return Inputs({line.key: line for line in lines})


def requests(deed: str, path: Path = FILE) -> Mapping[str, float]:
    """Return the requests of a deed by kind, as they were counted."""
    found: Mapping[str, float] = tomllib.loads(path.read_text("utf-8"))["requests"][deed]
    return found


STORAGE_TIERS = ((50 * TB, 0.023), (450 * TB, 0.022), (float("inf"), 0.021))
"""S3 Standard, US East: dollars a GB and month for the first 50 TB, the next 450 TB, the rest."""


def storage_price(stored_bytes: float) -> float:
    """Return dollars a month of S3 Standard."""
    dollars = 0.0
    for tier_bytes, price in STORAGE_TIERS:
        some = min(stored_bytes, tier_bytes)
        dollars += some / GB * price
        stored_bytes -= some
    return dollars
