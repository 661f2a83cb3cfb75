"""What an action of the curator's desk is: a name, what its facts must be, how it is carried out, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fonoteca.catalogue import Catalogue
from fonoteca.flows.catalogue import CatalogueRooms
from fonoteca.flows.withdraw import WithdrawRooms
from fonoteca.model.desk import Entry, Order
from fonoteca.people.docket import Docket
from fonoteca.people.notices import Notices
from fonoteca.ports import Clock, Progress, Staging
from fonoteca.register import Register
from fonoteca.store import Store

if TYPE_CHECKING:  # acquiring takes rulings as evidence, and rulings are actions
    from fonoteca.flows.acquire_desk import AcquireRooms


@dataclass(frozen=True, slots=True)
class DeskRooms:
    """What actions need. withdrawing, cataloguing, acquiring: give rooms that are opened by the action that asks for them.

    uploads: a folder for each upload that is not held yet.
    """

    store: Store
    register: Register
    clock: Clock
    docket: Docket
    notices: Notices
    progress: Progress
    catalogue: Catalogue
    withdrawing: Callable[[], WithdrawRooms]
    cataloguing: Callable[[], CatalogueRooms]
    acquiring: Callable[[], AcquireRooms]
    uploads: Staging


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of decision. words: what it is called on pages.

    check: raises UsageError for an order that cannot be carried out as it is; it looks at nothing but the order.
    carry_out: does what the entry says, with the archive's writer, and returns what came of it in words; twice does no harm, and
        after a kill anywhere in it once more does the rest. undo: likewise, given the entry that is taken back and the one that
        takes it back; None for what cannot be undone. undone: what undoing does, as a page says it to who is about to.
    Both raise FonotecaError for what cannot be done, and StoreError, which leaves the entry waiting.
    """

    name: str
    words: str
    check: Callable[[Order], object]
    carry_out: Callable[[DeskRooms, Entry], str]
    undo: Callable[[DeskRooms, Entry, Entry], str] | None = None
    undone: str = ""


def text_of(facts: Mapping[str, Any], name: str) -> str:
    """Return a fact that is text, "" where it is left out or is none."""
    found = facts.get(name, "")
    return found if isinstance(found, str) else ""
