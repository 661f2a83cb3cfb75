"""Rows as readers hand them on: as found, or bad with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ROW_CHARS_SHOWN = 1000
"""How much of a bad row the quarantine file shows."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row for the quarantine file. row: what was there, cut to ROW_CHARS_SHOWN. file: where it was, "" for the only one.

    kept: whether the row stays all the same, without the field that the reason names.
    """

    line: int
    reason: str
    row: str
    file: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row as a reader found it. line: where it begins, from 1 (row number in Parquet). cells: field (not column) to raw value."""

    line: int
    cells: Mapping[str, object]


def shown(text: str) -> str:
    """Return text that any reader of UTF-8 can read, cut to ROW_CHARS_SHOWN."""
    return text[:ROW_CHARS_SHOWN].encode("utf-8", "backslashreplace").decode("utf-8")
