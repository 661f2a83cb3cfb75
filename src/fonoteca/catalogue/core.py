"""The whole-number knapsack around its break: the groups whose steps are nearest to it, searched exactly. Pure.

States (bytes, value), relative to where the search starts, grow by one group at a time, the nearest to the break first. A state
that another beats in both is dropped; so is one whose bound does not pass the best found: what is left of the budget, or is
over it, can be made up by the other groups at no better a rate than their next steps have. When no state is left, the best
found is the optimum over all groups, those that were never looked at too (Pisinger, "A minimal algorithm for the
multiple-choice knapsack problem", European Journal of Operational Research 83, 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NONE = -1
STATES_MAX = 1 << 14
"""More than these, and the least promising go, and with them the proof: adversarial bytes make millions of states."""
PROOF_GROUPS = 512
"""So many are searched for a proof though the gain is enough already; from then on it has to be better than enough."""
WORK_STATES_MAX = 1 << 22
"""All states of all groups together, when the search ends without a proof: half a second."""
EXCHANGES_MAX = 64
_SLACK = 1e-13
"""Sums of this many values differ by less of their size when they are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class Core:
    """Groups to search in order. sizes, values: shape (options, groups); value 0: not on offer. start: option of each, or NONE.

    up: after n groups, the best value per byte that the others can add; down: the least that they lose. Length groups + 1.
    """

    sizes: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    start: npt.NDArray[np.int8]
    up: npt.NDArray[np.float64]
    down: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Improved:
    """What the search found. exact: whether nothing else within the budget has more value, over all groups."""

    options: npt.NDArray[np.int8]
    exact: bool


@dataclass(frozen=True, slots=True)
class _States:
    """Bytes in ascending order, value ascending with them, and where each came from: index of a state before, and option."""

    more_bytes: npt.NDArray[np.int64]
    more_value: npt.NDArray[np.float64]
    parent: npt.NDArray[np.int32]
    option: npt.NDArray[np.int8]

    def take(self, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> _States:
        """Return some of them."""
        return _States(self.more_bytes[chosen], self.more_value[chosen], self.parent[chosen], self.option[chosen])


def improve(core: Core, left_bytes: int, bytes_max: int, enough: float) -> Improved:
    """Return the best options of the core's groups. left_bytes: what the start leaves of the budget; bytes_max: an option's most.

    enough: a gain that makes a long search for a proof not worth it.

    Cost: at most groups x STATES_MAX x options steps of sorting, some 3 ms a group; mostly a few dozen groups to a proof.
    """
    states = _States(np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int32), np.zeros(1, np.int8))
    history: list[_States] = []
    best, best_at = 0.0, (0, 0)
    whole = True
    slack = _SLACK * float(core.values.max(initial=0.0))
    work = 0
    for group in range(core.start.size):
        states = _grown(states, core, group, bytes_max)
        fitting = int(np.searchsorted(states.more_bytes, left_bytes, "right"))
        # Value ascends with bytes, so of the states that fit the last is the best.
        if fitting and states.more_value[fitting - 1] > best:
            best, best_at = float(states.more_value[fitting - 1]), (group + 1, fitting - 1)
            history_best = [*history, states]
        room = (left_bytes - states.more_bytes).astype(np.float64)
        rate = np.where(room >= 0, core.up[group + 1], core.down[group + 1])
        with np.errstate(invalid="ignore"):
            promise = states.more_value + np.where(room == 0, 0.0, room * rate)
        keep = np.flatnonzero(promise > best + slack)
        if len(keep) > STATES_MAX:
            whole = False
            keep = np.sort(keep[np.argpartition(-promise[keep], STATES_MAX)[:STATES_MAX]])
        if not len(keep):
            break
        states = states.take(keep)
        history.append(states)
        work += len(keep)
        if work > WORK_STATES_MAX or (group >= PROOF_GROUPS and best >= enough):
            whole = False
            break
    else:
        # Groups beyond the core may still fill what is left, unless there are none.
        whole = whole and not len(states.more_bytes)
    options = core.start.copy()
    level, state = best_at
    if level:
        for group in range(level - 1, -1, -1):
            at = history_best[group]
            options[group] = at.option[state]
            state = int(at.parent[state])
    if not whole:
        _exchange(core, options, left_bytes, bytes_max)
    return Improved(options, whole)


def _exchange(core: Core, options: npt.NDArray[np.int8], left_bytes: int, bytes_max: int) -> None:
    """Change the option of two groups at a time, or of one, as long as that gains anything: what a search cut short leaves.

    Where bytes are large and much alike, the states that promise most are far from what just fits. left_bytes: of the start.
    """
    groups = np.arange(options.size)
    sizes = np.vstack([core.sizes, np.zeros(options.size, np.int64)])  # the last option is none
    values = np.vstack([core.values, np.zeros(options.size)])
    usable = (values > 0) & (sizes <= bytes_max)
    usable[NONE] = True
    left_bytes += int((sizes[core.start, groups] - sizes[options, groups]).sum())
    option_of, group_of = (each.ravel() for each in np.indices(sizes.shape))
    for _ in range(EXCHANGES_MAX):
        more_bytes = (sizes - sizes[options, groups]).ravel()
        more_value = (values - values[options, groups]).ravel()
        moves = np.flatnonzero(usable.ravel())  # a move to where a group is already costs nothing: one group alone moves then
        moves = moves[np.argsort(more_bytes[moves], kind="stable")]
        size, value = more_bytes[moves], more_value[moves]
        best_up_to = np.maximum.accumulate(value)
        new_best = np.r_[True, best_up_to[1:] > best_up_to[:-1]]
        best_at = np.maximum.accumulate(np.where(new_best, np.arange(len(moves)), 0))
        fitting = np.searchsorted(size, left_bytes - size, "right")
        other = best_at[fitting - 1]
        apart = (fitting > 0) & (group_of[moves] != group_of[moves[other]])
        gain = np.where(apart, value + value[other], 0.0)
        if not gain.size or gain.max() <= _SLACK * np.abs(value).max():
            return
        one = int(gain.argmax())
        for move in (moves[one], moves[other[one]]):
            group, option = group_of[move], option_of[move]
            left_bytes -= int(more_bytes[move])
            options[group] = option if option < len(core.sizes) else NONE


def _grown(states: _States, core: Core, group: int, bytes_max: int) -> _States:
    """Return the states with each option of one more group, without those that others beat."""
    sizes, values, start = core.sizes[:, group], core.values[:, group], int(core.start[group])
    from_bytes = int(sizes[start]) if start != NONE else 0
    from_value = float(values[start]) if start != NONE else 0.0
    moves = [(NONE, 0, 0.0)]
    moves += [(o, int(sizes[o]), float(values[o])) for o in range(len(sizes)) if values[o] > 0 and sizes[o] <= bytes_max]
    count = len(states.more_bytes)
    more_bytes = np.concatenate([states.more_bytes + (size - from_bytes) for _, size, _ in moves])
    more_value = np.concatenate([states.more_value + (value - from_value) for _, _, value in moves])
    order = np.lexsort((-more_value, more_bytes))
    rising = more_value[order]
    better = np.ones(len(order), bool)
    better[1:] = rising[1:] > np.maximum.accumulate(rising)[:-1]
    order = order[better]
    parent = (order % count).astype(np.int32)
    option = np.array([o for o, _, _ in moves], np.int8)[order // count]
    return _States(more_bytes[order], more_value[order], parent, option)
