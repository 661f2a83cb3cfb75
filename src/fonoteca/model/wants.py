"""What became of wants: the states that a plan's recordings are in while an archive looks for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fonoteca.model.ids import RecordingId


class WantState(StrEnum):
    """Where a want stands. WANTED has no row: nobody has looked for it yet."""

    WANTED = "wanted"
    FETCHED = "fetched"
    """Its files are here, and not taken in yet."""
    HELD = "held"
    REVIEW = "review"
    """Held for a person to decide."""
    REFUSED = "refused"
    NOT_FOUND = "not-found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class WantRow:
    """What became of one want. plan: in force when it was last looked for. subject: the object, or the item at a source.

    reference: `KIND REF`, as `acquire` takes it. tries: that failed. next_at: when it is worth another one, None for never.
    """

    recording: RecordingId
    plan: str
    place: int
    title: str
    artist: str
    state: WantState
    subject: str = ""
    reference: str = ""
    reason: str = ""
    tries: int = 0
    next_at: datetime | None = None
    changed_at: datetime | None = None
