"""Amounts as people write them: `300TB`, `4 MiB`, and back."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from fonoteca.model.errors import UsageError

_UNITS = {
    "": 1,
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGTPE", start=1)},
    **{f"{prefix}IB": 1024**power for power, prefix in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(text: str) -> int:
    """Return the bytes that a text such as `300TB` (decimal), `4 MiB` (binary) or `1000` stands for.

    Raises: UsageError when it is not a number with a unit of bytes.
    """
    match = _QUANTITY.fullmatch(text)
    unit = match.group(2).upper() if match else ""
    if match is None or unit not in _UNITS:
        raise UsageError(repr(text), "not an amount of bytes", "Write a number and a unit, such as 300TB, 20 GB or 4 MiB.")
    return int(float(match.group(1)) * _UNITS[unit]) if "." in match.group(1) else int(match.group(1)) * _UNITS[unit]


_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN_DAYS_MAX = 36_500
"""A century."""


def parse_span(text: str) -> timedelta:
    """Return the time that a text such as `90d`, `2h` or `30 m` stands for: seconds, minutes, hours, days or weeks.

    Raises: UsageError when it is none, or longer than a century.
    """
    match = _QUANTITY.fullmatch(text)
    seconds = float(match.group(1)) * _SPANS.get(match.group(2).lower(), -1) if match else -1.0
    if not 0 <= seconds <= _SPAN_DAYS_MAX * _SPANS["d"]:
        raise UsageError(repr(text), "not a length of time", "Write a number and a unit, such as 90d, 2h or 30m.")
    return timedelta(seconds=seconds)


def show_bytes(amount: int) -> str:
    """Return an amount for people, with three digits and a decimal unit: `1.23 MB`."""
    if amount < 1000:
        return f"{amount} B"
    value = float(amount)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.3g} {unit}"
    return f"{value / 1000:.3g} EB"


def show_duration(duration_ms: int) -> str:
    """Return a duration for people: `3:05`, `1:02:03`."""
    seconds = round(duration_ms / 1000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def show_share(share: float) -> str:
    """Return a share of 0 to 1 as a percentage with three digits that count: `99.6 %`, `0.012 %`, `0.0000989 %`.

    `100 %` is all of it, but for the last bits of floating point, and nothing less: `over 99.9 %`.
    """
    digits = f"{100 * share:.3g}"
    if digits == "100" and share < 1 - 1e-9:
        return "over 99.9 %"
    return f"{Decimal(digits):f} %"
