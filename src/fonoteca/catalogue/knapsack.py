"""The multiple-choice knapsack: of each group at most one option, the most value within a budget of bytes. Pure.

The linear-programming relaxation is solved exactly: of each group only the options on the upper convex hull of value over bytes
can be in it, and filling by falling value per byte of the hull's steps is optimal (Sinha and Zoltners, "The Multiple-Choice
Knapsack Problem", Operations Research 27, 1979). The whole-number answer takes the same steps, skips those that no longer fit,
and then spends what is left; it is never below half the optimum, and `bound` says how far it can be from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Option:
    """One way to have a thing. file_bytes: 0 or more. value: what it keeps, 0 or more."""

    file_bytes: int
    value: float


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take. chosen: (index of group, index of option), most value per byte first, ties by index.

    bound: no selection within the budget has more value than this.
    """

    chosen: tuple[tuple[int, int], ...]
    total_bytes: int
    value: float
    bound: float


@dataclass(frozen=True, slots=True)
class _Step:
    """From one option of a group's hull to the next larger. step: its number within the group, from 0."""

    group: int
    step: int
    option: int
    more_bytes: int
    more_value: float


def select(groups: Sequence[Sequence[Option]], budget_bytes: int) -> Selection:
    """Return a selection of at most `budget_bytes`. Cost: O(n log n) for n options.

    Raises: ValueError for a negative budget, bytes or value.
    """
    if budget_bytes < 0 or any(o.file_bytes < 0 or not o.value >= 0 for group in groups for o in group):
        raise ValueError("budget, bytes and values must not be negative")
    usable = [[(o, offer) for o, offer in enumerate(group) if offer.file_bytes <= budget_bytes] for group in groups]
    steps = [step for index, group in enumerate(usable) for step in _hull_steps(index, group)]
    steps.sort(key=lambda s: (-_density(s.more_value, s.more_bytes), s.group, s.step))
    bound = _bound(steps, budget_bytes)
    best = max(
        (_take_steps(groups, steps, budget_bytes), _take_single(groups, budget_bytes)),
        key=lambda taken: _value(groups, taken),
    )
    return selection_of(groups, best, bound)


def selection_of(groups: Sequence[Sequence[Option]], taken: dict[int, int], bound: float) -> Selection:
    """Return the selection of these options (group to option), in order of worth."""
    chosen = sorted(taken.items(), key=lambda t: (-_density(groups[t[0]][t[1]].value, groups[t[0]][t[1]].file_bytes), t))
    total = sum(groups[g][o].file_bytes for g, o in chosen)
    value = _value(groups, taken)
    return Selection(tuple(chosen), total, value, max(bound, value))


def _density(value: float, file_bytes: int) -> float:
    if file_bytes == 0:
        return float("inf") if value > 0 else 0.0
    return value / file_bytes


def _value(groups: Sequence[Sequence[Option]], taken: dict[int, int]) -> float:
    # In order of group, so that equal selections have equal values to the last bit.
    return sum(groups[group][option].value for group, option in sorted(taken.items()))


def _hull_steps(index: int, group: Sequence[tuple[int, Option]]) -> list[_Step]:
    """Return the steps from nothing up the group's convex hull, in order, each worth less per byte than the one before."""
    hull: list[tuple[int, float, int]] = [(0, 0.0, -1)]
    for option, offer in sorted(group, key=lambda o: (o[1].file_bytes, -o[1].value, o[0])):
        point = (offer.file_bytes, offer.value, option)
        if point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _bends_up(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return [
        _Step(index, number, after[2], after[0] - before[0], after[1] - before[1])
        for number, (before, after) in enumerate(pairwise(hull))
    ]


def _bends_up(one: tuple[int, float, int], two: tuple[int, float, int], three: tuple[int, float, int]) -> bool:
    return (two[1] - one[1]) * (three[0] - one[0]) <= (three[1] - one[1]) * (two[0] - one[0])


def _bound(steps: Sequence[_Step], budget_bytes: int) -> float:
    left, value = budget_bytes, 0.0
    for step in steps:
        if step.more_bytes > left:
            return value + step.more_value * left / step.more_bytes
        left -= step.more_bytes
        value += step.more_value
    return value


def _take_steps(groups: Sequence[Sequence[Option]], steps: Sequence[_Step], budget_bytes: int) -> dict[int, int]:
    """Return the options that falling worth reaches, then spend what is left on whatever still improves a group."""
    taken: dict[int, int] = {}
    left = budget_bytes
    for step in steps:
        # After a skipped step the move starts lower, so its bytes are counted from what the group has, not from the hull.
        held_bytes = groups[step.group][taken[step.group]].file_bytes if step.group in taken else 0
        more = groups[step.group][step.option].file_bytes - held_bytes
        if more <= left:
            taken[step.group] = step.option
            left -= more
    for index, group in enumerate(groups):
        now = group[taken[index]] if index in taken else Option(0, 0.0)
        better = [
            (offer.value, -offer.file_bytes, -o)
            for o, offer in enumerate(group)
            if offer.file_bytes - now.file_bytes <= left and offer.value > now.value
        ]
        if better:
            _, file_bytes, option = max(better)
            left -= -file_bytes - now.file_bytes
            taken[index] = -option
    return taken


def _take_single(groups: Sequence[Sequence[Option]], budget_bytes: int) -> dict[int, int]:
    """Return the one most valued option that fits: with the steps taken whole, the guard for half the optimum."""
    fitting = [
        (offer.value, -index, -option)
        for index, group in enumerate(groups)
        for option, offer in enumerate(group)
        if offer.file_bytes <= budget_bytes and offer.value > 0
    ]
    if not fitting:
        return {}
    _, index, option = max(fitting)
    return {-index: -option}
