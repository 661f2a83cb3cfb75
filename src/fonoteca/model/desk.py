"""The curator's desk: orders that are put down first and carried out then, by the archive's one writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

UNDO = "undo"
"""The action that takes another entry back: its fact `entry` is that one's number."""


class EntryState(StrEnum):
    """What became of an entry."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    DROPPED = "dropped"
    """Somebody took it from the docket before it was carried out."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody decided. action: its name in the table of actions. subject: what it is about, an object's id mostly.

    facts: what the action needs to know, as JSON can hold it. others: what else it is about, for one that is about several.
    """

    action: str
    subject: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """All that it is about, each once."""
        return tuple(dict.fromkeys((self.subject, *self.others)))


@dataclass(frozen=True, slots=True)
class Entry:
    """An order in the docket. by: the account's number, None for a command at the machine. outcome: what came of it, in words."""

    number: int
    order: Order
    by: int | None
    put_at: datetime
    state: EntryState
    outcome: str
    ended_at: datetime | None
