"""The coverage explorer: a person names a budget of bytes and sees what it keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fonoteca.formats.quantities import parse_bytes, show_bytes
from fonoteca.model.catalogue import Coverage, KeptWithin, Recording
from fonoteca.model.errors import UsageError
from fonoteca.model.withdrawal import Purpose
from fonoteca.serve.merged import files_holding
from fonoteca.serve.paths import track_url
from fonoteca.serve.rooms import ServeRooms

BUDGET_CHARACTERS_MAX = 40
"""Of what is typed: as many digits as any amount of bytes has, and a unit."""

DEFAULT_SHARE = 0.9
"""Of all listening: what the explorer shows before a budget is named."""

_PRESET_SHARES = (0.5, 0.75, 0.9, 0.99, 1.0)
_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Preset:
    """A budget to choose with one press. share: of all listening, that it keeps, or a little more."""

    share: float
    budget: str


@dataclass(frozen=True, slots=True)
class Named:
    """A recording by name. page: its place on the release that holds it, "" where it is not held. title: "" if it was withdrawn."""

    rank: int
    title: str
    artist: str
    file_bytes: int
    held: bool
    page: str


@dataclass(frozen=True, slots=True)
class Explored:
    """What the explorer shows. typed: as it stands in the field. problem: why it is not understood, "" where it is.

    last: the last recordings kept; left: the first that is not. slider: logarithms to base 10 of the smallest and largest budget
    that the slider gives, and of the one chosen.
    """

    typed: str
    problem: str
    found: KeptWithin | None
    last: tuple[Named, ...]
    left: Named | None
    presets: tuple[Preset, ...]
    slider: tuple[float, float, float]


def explored(rooms: ServeRooms, coverage: Coverage, typed: str | None) -> Explored:
    """Return what a budget keeps, and what is to be chosen from. typed: None where nobody named one yet."""
    presets = _presets(coverage)
    typed = (default_budget(coverage) if typed is None else typed).strip()
    least, most = budget_range(coverage)
    try:
        found = rooms.catalogue.kept_within(budget_of(typed))
    except UsageError as error:
        problem = f"{error.problem.capitalize()}. {error.remedy}"
        return Explored(typed, problem, None, (), None, presets, _slider(least, most, most))
    last = tuple(named(rooms, each) for each in found.last)
    left = named(rooms, found.left) if found.left else None
    return Explored(typed, "", found, last, left, presets, _slider(least, most, found.budget_bytes))


def _slider(least: int, most: int, chosen: int) -> tuple[float, float, float]:
    return math.log10(least), math.log10(most), math.log10(min(most, max(least, chosen)))


def named(rooms: ServeRooms, recording: Recording) -> Named:
    """Return a recording by name; without one where all that is held of it was withdrawn."""
    rows = files_holding(rooms, recording.id, held=True) if recording.held else []
    sieve = rooms.register.withdrawals.sieve(Purpose.FINDING)
    files = sieve.files(rows)
    page = track_url(files[0].object_id, files[0].logical_path) if files else ""
    rank, hidden = recording.popularity.rank, sieve.hides(recording.held, rows)
    title, artist = ("", "") if hidden else (recording.title, recording.artist)
    return Named(rank, title, artist, recording.file_bytes, bool(files), page)


def budget_of(typed: str) -> int:
    """Return the bytes that a person or program names. Raises: UsageError."""
    if len(typed) > BUDGET_CHARACTERS_MAX:
        raise UsageError("budget", "a budget of too many characters", "Write a number and a unit, such as 300TB or 20 GB.")
    return parse_bytes(typed)


def budget_range(coverage: Coverage) -> tuple[int, int]:
    """Return the budgets between which all happens: what the most heard recording weighs, and what all of them do."""
    sizes = [point.curve_bytes for point in coverage.points if point.curve_bytes > 0]
    return (min(sizes), max(*sizes, min(sizes) + 1)) if sizes else (1, 10)


def default_budget(coverage: Coverage) -> str:
    """Return a round budget that keeps most of all listening."""
    return _budget_for(coverage, DEFAULT_SHARE)


def _presets(coverage: Coverage) -> tuple[Preset, ...]:
    found = {_budget_for(coverage, share): Preset(share, _budget_for(coverage, share)) for share in reversed(_PRESET_SHARES)}
    return tuple(reversed(found.values()))


def _budget_for(coverage: Coverage, share: float) -> str:
    """Return a budget of two digits that keeps at least this share."""
    needed = next((point.curve_bytes for point in coverage.points if point.share_of_listening >= share), 0)
    step = 10 ** max(0, len(str(needed)) - _DIGITS)
    return show_bytes(-(-needed // step) * step)
