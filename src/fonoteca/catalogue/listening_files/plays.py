"""One play as a file gives it, and the reasons why it may not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Shown = str | None

_KINDS: dict[type, str] = {list: "a list", dict: "an object", bool: "a boolean", int: "a number", float: "a number"}
_WHOLE_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class Play:
    """A play before it is judged; None or "" where the file gives nothing.

    at: Unix seconds or an ISO time, as text. mbid: of the recording, as the file has it. wrong: why it is a bad row.
    left_out: why it is sound but no listen, such as a skipped track; such plays are counted, not set aside.
    """

    at: Shown = None
    artist: Shown = None
    title: Shown = None
    mbid: Shown = None
    mapped: Shown = None
    wrong: str = ""
    left_out: str = ""


Plays = Iterator[tuple[int, Play]]
"""Line or entry, from 1, and the play that is there."""


class _UnfitError(Exception):
    """A field's reason to set its row aside."""


def text_of(value: Any, field: str) -> Shown:
    """Return text that JSON gave. Raises: _UnfitError, which `play` turns into a bad row."""
    if value is None or isinstance(value, str):
        return value
    raise _UnfitError(f"{field}: expected text, found {_KINDS.get(type(value), 'something else')}")


def time_of(value: Any, per_second: int = 1) -> Shown:
    """Return a time as text in seconds, or an ISO time as it is. per_second: 1000 for milliseconds."""
    if isinstance(value, str | None):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _UnfitError(f"time: expected a number, found {_KINDS.get(type(value), 'something else')}")
    return repr(value if per_second == 1 else value / per_second)


def fitting(make: Any, entry: Any) -> Play:
    """Return the play that `make` finds in an entry of a JSON document, or why there is none."""
    if not isinstance(entry, dict):
        return Play(wrong=f"expected an object, found {_KINDS.get(type(entry), 'something else')}")
    try:
        found: Play = make(entry)
    except _UnfitError as unfit:
        return Play(wrong=str(unfit))
    return found


def object_of(value: Any) -> dict[str, Any]:
    """Return the object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def whole_number(digits: str) -> int | float:
    """Return an integer of JSON; one that is absurdly long becomes a float, so that it spoils its own row only."""
    return int(digits) if len(digits) <= _WHOLE_DIGITS_MAX else float(digits)
