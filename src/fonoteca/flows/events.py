"""What happened, written first to the store's append-only log and then to the register, which a rebuild fills from the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fonoteca.model.corridor import Event
from fonoteca.register import Register
from fonoteca.store import Store


class EventRooms(Protocol):
    """What has a store and a register."""

    @property
    def store(self) -> Store:
        """The store, whose log is the truth."""
        ...

    @property
    def register(self) -> Register:
        """The register, which answers questions."""
        ...


def record_events(rooms: EventRooms, events: Sequence[Event]) -> None:
    """Record events durably. A crash between the two leaves them in the log, from where a rebuild takes them."""
    if events:
        rooms.store.append_events(events)
        rooms.register.record_events(events)
