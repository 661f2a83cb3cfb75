"""The multiple-choice knapsack over columns: of each group at most one option, the most value within a budget of bytes. Pure.

The linear-programming relaxation is solved exactly: of each group only the options on the upper convex hull of value over bytes
can be in it, and filling by falling value per byte of the hull's steps is optimal (Sinha and Zoltners, "The Multiple-Choice
Knapsack Problem", Operations Research 27, 1979). The step at which the budget ends is found without sorting all steps: a sample
says where it must be, one pass over all groups adds up what is before and keeps what is near. Around that step the whole-number
answer is searched exactly (`core`), so it is mostly the optimum and proved so, and never below half of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fonoteca.catalogue.core import Core, improve

Bytes = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]
Choices = npt.NDArray[np.int8]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NONE = -1
BLOCK_ROWS = 1 << 16
"""A block's columns stay in a core's cache: twice as fast here as blocks of a million."""
SAMPLE_ROWS = 1 << 20
SAMPLE_MARGIN = 1 / 200
"""Of the sample's steps, kept on each side of where the budget ends. The sample errs by a tenth of it; a miss only widens it."""
CORE_STEPS = 4096
"""On each side of the break, where the exact search may go. It seldom needs more than some dozens of them."""


GAP_ENOUGH = 1e-9
"""A millionth of the gap that matters: of more than some hundreds of groups no proof is sought below it."""


class Offers(Protocol):
    """Groups of options, as columns. There may be hundreds of millions of groups, so they are given in blocks."""

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        ...

    def at(self, rows: slice | Rows) -> tuple[Bytes, Shares]:
        """Return bytes and value of the options of some groups, each of shape (options, groups). Value 0: not on offer."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """Offers that are two arrays. sizes and values: shape (options, groups); bytes and values 0 or more."""

    sizes: Bytes
    values: Shares

    def __post_init__(self) -> None:
        """Hold that the columns make sense. Raises: ValueError."""
        if self.sizes.shape != self.values.shape or self.sizes.ndim != 2:
            raise ValueError(f"bytes of shape {self.sizes.shape}, values of shape {self.values.shape}")
        if (self.sizes < 0).any() or not (self.values >= 0).all():
            raise ValueError("bytes and values must not be negative")

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return int(self.sizes.shape[1])

    def at(self, rows: slice | Rows) -> tuple[Bytes, Shares]:
        """Return bytes and value of the options of some groups."""
        return self.sizes[:, rows], self.values[:, rows]


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take. options: of each group the index of its option, or NONE.

    bound: no selection within the budget has more value than this. exact: none has more than `value`, proved.
    """

    options: Choices
    total_bytes: int
    value: float
    bound: float
    exact: bool


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps of hulls, from one option of a group to a larger one, as columns. number: within the group, from 0."""

    slope: Shares
    row: Rows
    number: Choices
    option: Choices
    more_bytes: Bytes
    more_value: Shares

    def in_order(self) -> _Steps:
        """Return them by falling value per byte, ties by group and number."""
        return self.take(np.lexsort((self.number, self.row, -self.slope)))

    def take(self, chosen: Rows | Mask) -> _Steps:
        """Return some of them."""
        return _Steps(*(getattr(self, name)[chosen] for name in _Steps.__slots__))

    @classmethod
    def joined(cls, parts: list[_Steps]) -> _Steps:
        """Return all parts as one. parts: one or more."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class _Key:
    """A place in the order of steps: falling slope, then rising group."""

    slope: float
    row: int

    def after(self, steps: _Steps) -> Mask:
        """Return which steps come before this place, itself not included."""
        found: Mask = (steps.slope > self.slope) | ((steps.slope == self.slope) & (steps.row < self.row))
        return found


_FIRST, _LAST = _Key(np.inf, -1), _Key(0.0, 1 << 62)


@dataclass(frozen=True, slots=True)
class _Scan:
    """One pass over all groups. options: what the steps before the window choose; window: the steps in it, in order.

    single: the most valued option that fits alone, as (value, group, option).
    """

    options: Choices
    spent: int
    value: float
    window: _Steps
    single: tuple[float, int, int]


def select(offers: Offers, budget_bytes: int) -> Selection:
    """Return a selection of at most `budget_bytes`. The same offers have the same answer.

    Cost: two passes of some 50 ns a group of two options each, 1 B a group kept, and at most seconds for the search at the break.
    Raises: ValueError for a negative budget.
    """
    if budget_bytes < 0:
        raise ValueError(f"a negative budget: {budget_bytes}")
    scan, first, last = _find_break(offers, budget_bytes)
    window = scan.window
    spent = scan.spent + np.cumsum(window.more_bytes)
    taken = int(np.searchsorted(spent, budget_bytes, "right"))
    options = scan.options
    options[window.row[:taken]] = window.option[:taken]  # of steps of one group the last is the largest, and stays
    used = int(spent[taken - 1]) if taken else scan.spent
    value = bound = scan.value + float(window.more_value[:taken].sum())
    exact = taken == len(spent)
    if not exact:
        bound += float(window.more_value[taken]) * (budget_bytes - used) / int(window.more_bytes[taken])
        near = slice(max(0, taken - CORE_STEPS), taken + CORE_STEPS)
        edges = (
            float(window.slope[near.start - 1]) if near.start else (np.inf if first == _FIRST else first.slope),
            float(window.slope[near.stop]) if near.stop < len(spent) else last.slope,
        )
        rows, core = _core_of(offers, options, window.take(np.arange(len(spent))[near]), (taken - near.start, edges))
        better = improve(core, budget_bytes - used, budget_bytes, bound * (1 - GAP_ENOUGH) - value)
        options[rows] = better.options
        exact = better.exact
    return _checked(offers, options, budget_bytes, (bound, exact, scan.single))


def value_of(offers: Offers, options: Choices) -> tuple[int, float]:
    """Return bytes and value of a selection. Added up block by block, so equal selections have equal values to the last bit."""
    total_bytes, value = 0, 0.0
    for rows in blocks(offers.group_count):
        sizes, values = offers.at(rows)
        chosen = options[rows]
        for option in range(len(sizes)):
            here = chosen == option
            total_bytes += int(sizes[option][here].sum())
            value += float(values[option][here].sum())
    return total_bytes, value


def blocks(count: int) -> Iterator[slice]:
    """Yield slices that cover so many rows in order."""
    return (slice(start, min(start + BLOCK_ROWS, count)) for start in range(0, count, BLOCK_ROWS))


def _checked(offers: Offers, options: Choices, budget_bytes: int, known: tuple[float, bool, tuple[float, int, int]]) -> Selection:
    """Return the selection, or the one most valued option alone where that is more: the guard for half the optimum."""
    bound, exact, (alone, row, option) = known
    total_bytes, value = value_of(offers, options)
    if alone > value and not exact:
        options.fill(NONE)
        options[row] = option
        total_bytes, value = value_of(offers, options)
    assert total_bytes <= budget_bytes, f"{total_bytes} bytes chosen for a budget of {budget_bytes}"
    return Selection(options, total_bytes, value, max(bound, value), exact)


def _hull(offers: Offers, rows: slice | Rows, bytes_max: int) -> Iterator[_Steps]:
    """Yield the first steps of these groups' hulls, then the second, ...; slope 0 where a group has no such step."""
    sizes, values = offers.at(rows)
    index = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
    usable = (values > 0) & (sizes <= bytes_max)
    at_bytes = np.zeros(len(index), np.int64)
    at_value = np.zeros(len(index))
    before = np.full(len(index), np.inf)
    for number in range(len(sizes)):
        slope = np.zeros(len(index))
        option = np.full(len(index), NONE, np.int8)
        for each in range(len(sizes)):
            more_bytes = sizes[each] - at_bytes
            more_value = values[each] - at_value
            open_to = usable[each] & (more_value > 0) & (more_bytes >= 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                found = np.where(open_to, more_value / more_bytes, 0.0)
            steeper = found > slope
            slope[steeper] = found[steeper]
            option[steeper] = each
        # Of each next step the steepest is the hull's; rounding may not make it steeper than the one before.
        np.minimum(slope, before, out=slope)
        before = slope
        to = option.astype(np.intp)[None, :]
        has = option != NONE
        to_bytes = np.where(has, np.take_along_axis(sizes, to, 0)[0], at_bytes)
        to_value = np.where(has, np.take_along_axis(values, to, 0)[0], at_value)
        numbers = np.full(len(index), number, np.int8)
        yield _Steps(slope, index, numbers, option, to_bytes - at_bytes, to_value - at_value)
        at_bytes, at_value = to_bytes, to_value


def _find_break(offers: Offers, budget_bytes: int) -> tuple[_Scan, _Key, _Key]:
    """Return the pass whose window has the step at which the budget ends, and the window's ends."""
    stride = max(1, -(-offers.group_count // SAMPLE_ROWS))
    rows = np.arange(0, offers.group_count, stride)
    sample = _Steps.joined(list(_hull(offers, rows, budget_bytes)) or [_no_steps()])
    sample = sample.take(sample.slope > 0).in_order()
    place = int(np.searchsorted(np.cumsum(sample.more_bytes) * float(stride), budget_bytes, "right"))
    margin = 2 * CORE_STEPS + (int(len(sample.slope) * SAMPLE_MARGIN) if stride > 1 else 0)
    while True:
        low, high = place - margin, place + margin
        first = _Key(float(sample.slope[low]), int(sample.row[low])) if low > 0 else _FIRST
        last = _Key(float(sample.slope[high]), int(sample.row[high])) if high < len(sample.slope) else _LAST
        scan = _scan(offers, budget_bytes, first, last)
        fits = scan.spent <= budget_bytes
        ends = scan.spent + int(scan.window.more_bytes.sum()) > budget_bytes or last == _LAST
        if fits and ends:
            return scan, first, last
        margin *= 4


def _scan(offers: Offers, budget_bytes: int, first: _Key, last: _Key) -> _Scan:
    """Return what all steps before `first` choose, and the steps from there up to `last`."""
    options = np.full(offers.group_count, NONE, np.int8)
    spent, value = 0, 0.0
    single = (0.0, 0, NONE)
    near = [_no_steps()]
    for rows in blocks(offers.group_count):
        chosen = options[rows]
        for steps in _hull(offers, rows, budget_bytes):
            has = steps.slope > 0
            before = first.after(steps) & has
            np.copyto(chosen, steps.option, where=before)
            spent += int(steps.more_bytes.sum(where=before))
            value += float(steps.more_value.sum(where=before))
            inside = has & ~before & last.after(steps)
            if inside.any():
                near.append(steps.take(inside))
        single = max(single, _single(offers.at(rows), rows.start, budget_bytes), key=lambda s: s[0])
    return _Scan(options, spent, value, _Steps.joined(near).in_order(), single)


def _single(offered: tuple[Bytes, Shares], start: int, bytes_max: int) -> tuple[float, int, int]:
    sizes, values = offered
    fitting = np.where(sizes <= bytes_max, values, 0.0)
    option, row = np.unravel_index(int(fitting.argmax()), fitting.shape)
    return float(fitting[option, row]), start + int(row), int(option)


def _no_steps() -> _Steps:
    whole, number = np.zeros(0, np.int64), np.zeros(0, np.int8)
    return _Steps(np.zeros(0), whole, number, number, whole, np.zeros(0))


def _core_of(offers: Offers, options: Choices, near: _Steps, at: tuple[int, tuple[float, float]]) -> tuple[Rows, Core]:
    """Return the groups of these steps, the nearest to the break first, and what the search needs of them.

    near: steps in order. at: how many of them are taken, and the slopes next beyond them on both sides.
    """
    taken, (steepest, flattest) = at
    by_distance = np.argsort(np.abs(np.arange(len(near.row)) - taken + 0.5), kind="stable")
    found, first = np.unique(near.row[by_distance], return_index=True)
    order = np.argsort(first, kind="stable")
    rows = found[order]
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows))
    turns = turn[np.searchsorted(found, near.row)]
    # Once the first n groups are searched, no other group gains more per byte than `up[n]`, or loses less than `down[n]`.
    if len(rows) == offers.group_count:
        steepest, flattest = np.inf, 0.0
    up = np.full(len(rows) + 1, flattest)
    down = np.full(len(rows) + 1, steepest)
    np.maximum.at(up, turns[taken:], near.slope[taken:])
    np.minimum.at(down, turns[:taken], near.slope[:taken])
    up = np.maximum.accumulate(up[::-1])[::-1]
    down = np.minimum.accumulate(down[::-1])[::-1]
    sizes, values = offers.at(rows)
    return rows, Core(sizes, values, options[rows], up, down)
