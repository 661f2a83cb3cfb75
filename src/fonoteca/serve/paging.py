"""Pages of a list that go on after a row, not after a count: what comes and goes meanwhile shifts nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fonoteca.serve.problems import Problem

AFTER_CHARACTERS_MAX = 500
"""Longer than any name of a row."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """Some rows of a list. next: names the last of them, None where none follow."""

    rows: Sequence[_T]
    next: str | None


def page_of(rows: Sequence[_T], name: Callable[[_T], str], limit: int, after: str) -> Page[_T]:
    """Return at most `limit` rows after the one of a name, the first ones for "". Raises: Problem 404 where none has that name."""
    first = 0
    if after:
        first = next((place for place, row in enumerate(rows, 1) if name(row) == after), 0)
        if not first:
            raise Problem(404, "Nothing in this list has the name that `after` gives. Begin again without it.", "usage")
    here = rows[first : first + limit]
    return Page(here, name(here[-1]) if first + limit < len(rows) else None)
