"""Rulings: what a person at this archive decided about what rights held for review.

A ruling is an event in the store's log, so a rebuild keeps it; acquiring the item again takes it as evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fonoteca.flows.events import EventRooms, record_events
from fonoteca.model.corridor import Event
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Evidence, Scheme
from fonoteca.register import Register
from fonoteca.rights import find_licence

RULED = "ruled"
EVENTS_OF_SUBJECT_MAX = 10_000
"""Of one subject's events the newest so many are looked at: some thousand runs."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """That an object comes under a licence, and why a person is sure of it."""

    licence_uri: str
    reason: str
    at: datetime


def rule(rooms: EventRooms, object_id: ObjectId, ruling: Ruling) -> int:
    """Return how many open decisions about an object this ruling settles, after it is recorded.

    Raises: UsageError when the licence is not one of the table's, nobody gave a reason, or nothing is to be decided.
    """
    if find_licence(ruling.licence_uri, Scheme.LICENCE_URI) is None:
        raise UsageError(ruling.licence_uri, "not a licence of the table", "Give its address as docs/rights.md lists it.")
    if not ruling.reason.strip():
        raise UsageError(object_id, "a ruling without a reason", "Say why with --reason: others will want to know.")
    if not any(row.subject == object_id for row in rooms.register.decisions_about(object_id.key)):
        raise UsageError(object_id, "nothing was refused or held for review under this id", "See `fonoteca rights review`.")
    facts = (("licence", ruling.licence_uri), ("reason", ruling.reason))
    record_events(rooms, [Event(at=ruling.at, what=RULED, subject=object_id, facts=facts)])
    return rooms.register.settle_decision(object_id, settlement(ruling.licence_uri, ruling.reason), ruling.at)


def settlement(licence_uri: str, reason: str) -> str:
    """Return how the register words a ruling."""
    return f"{licence_uri}: {reason}"


def latest_ruling(register: Register, object_id: ObjectId) -> Evidence | None:
    """Return the last ruling about an object as evidence, or None."""
    for event in register.events(EVENTS_OF_SUBJECT_MAX, subject=object_id):
        if event.what == RULED:
            facts = dict(event.facts)
            return Evidence(
                scheme=Scheme.DECISION,
                statement=str(facts["licence"]),
                source_uri="",
                declarer="curator",
                observed_at=event.at,
                raw=str(facts["reason"]).encode(),
            )
    return None
