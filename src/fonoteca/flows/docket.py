"""Carrying out what the docket holds: by the archive's one writer, oldest first, each entry whole or again.

Rules of order:
  1. an entry is put down before anything is done about it, by a page or by a command;
  2. what it says is done, in steps that may all be done again;
  3. only then the entry is done. Killed before that, whoever writes next does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fonoteca.flows.actions import Action, DeskRooms
from fonoteca.flows.correct import CORRECT
from fonoteca.flows.merging import BUILD_CATALOGUE, DIFFER, MERGE, SPLIT
from fonoteca.flows.notices import DECIDE
from fonoteca.flows.rulings import RULE
from fonoteca.flows.terming import SET_TERM
from fonoteca.flows.uploads import UPLOAD, sweep_uploads
from fonoteca.model.desk import UNDO, Entry, EntryState, Order
from fonoteca.model.errors import FonotecaError, StoreError, UsageError
from fonoteca.people.docket import Docket

AT_ONCE = 100
"""Entries that are read from the docket at a time."""


def check_order(order: Order) -> None:
    """Raise UsageError for an order that no action takes as it is."""
    action = ACTIONS.get(order.action)
    if action is None:
        raise UsageError(order.action, "the desk knows no such action", f"It knows {', '.join(sorted(ACTIONS))}.")
    action.check(order)


def undoing(docket: Docket, number: int, reason: str) -> Order:
    """Return the order that takes an entry back. Raises: UsageError for one that cannot be taken back now."""
    entry = docket.numbered(number)
    action = ACTIONS.get(entry.order.action)
    if action is None or action.undo is None:
        raise UsageError(f"entry {number}", f"`{entry.order.action}` cannot be undone", "Decide anew instead.")
    if entry.state is not EntryState.DONE:
        raise UsageError(f"entry {number}", f"it is {entry.state}, and only what was carried out is undone", "Look at it again.")
    order = replace(entry.order, action=UNDO, facts={"entry": number, "reason": reason})
    check_order(order)
    return order


def put_and_do(rooms: DeskRooms, order: Order) -> Entry:
    """Return the entry of an order that a command gives, after it is carried out. Raises: what the action raises.

    What a curator put down before about the same thing goes first: it is carried out, or has to be dropped.
    """
    check_order(order)
    seen = rooms.docket.seen()
    for subject, entry in rooms.docket.latest(order.subjects).items():
        if entry.state is EntryState.WAITING:
            problem = f"entry {entry.number} ({entry.order.action}) about it waits to be carried out"
            raise UsageError(subject, problem, f"Run `fonoteca desk work` first, or `fonoteca desk drop {entry.number}`.")
    entry = rooms.docket.put(order, None, seen)
    try:
        outcome = _outcome(rooms, entry)
    except StoreError:
        raise
    except FonotecaError as error:  # who gave the command is told, and nobody has to see to it
        rooms.docket.drop(entry.number, str(error))
        raise
    return rooms.docket.done(entry.number, outcome)


def work(rooms: DeskRooms) -> Iterator[Entry]:
    """Yield each entry that waits, oldest first, after it was carried out or has failed; also those that are put meanwhile.

    Raises: StoreError when the archive's disk or database fails: the entry then waits on.
    """
    while waiting := rooms.docket.waiting(AT_ONCE):
        for entry in waiting:
            yield carry_out(rooms, entry)
    sweep_uploads(rooms)


def carry_out(rooms: DeskRooms, entry: Entry) -> Entry:
    """Return an entry as it ended: done, or failed with the reason. Raises: StoreError."""
    try:
        outcome = _outcome(rooms, entry)
    except StoreError:
        raise
    except FonotecaError as error:
        return rooms.docket.failed(entry.number, str(error))
    return rooms.docket.done(entry.number, outcome)


def _outcome(rooms: DeskRooms, entry: Entry) -> str:
    """Return what came of an entry. Raises: FonotecaError."""
    check_order(entry.order)
    return ACTIONS[entry.order.action].carry_out(rooms, entry)


def _check_undo(order: Order) -> None:
    if not isinstance(order.facts.get("entry"), int):
        raise UsageError(order.subject, "no entry is named that is to be undone", "Name it by its number.")


def _undo(rooms: DeskRooms, entry: Entry) -> str:
    undone = rooms.docket.numbered(int(entry.order.facts["entry"]))
    action = ACTIONS.get(undone.order.action)
    if action is None or action.undo is None:
        raise UsageError(f"entry {undone.number}", f"`{undone.order.action}` cannot be undone", "Decide anew instead.")
    return action.undo(rooms, undone, entry)


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        RULE,
        CORRECT,
        UPLOAD,
        SET_TERM,
        DECIDE,
        MERGE,
        SPLIT,
        DIFFER,
        BUILD_CATALOGUE,
        Action(UNDO, "Undone", _check_undo, _undo),
    )
}
"""All that the desk can do, by name."""
