"""Corrections of what is held: a new version that says what a curator knows better. The old version stays, and no music is touched.

Rules of order, as everywhere: the store acknowledges the version, then the event is told, then the register has it. Killed between
any two, the same again does the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fonoteca.flows.actions import Action, DeskRooms, text_of
from fonoteca.flows.events import EventRooms, record_events
from fonoteca.flows.records import entry_of, unrecorded
from fonoteca.formats.corrections import CORRECT_ACTION, changes_from, check_correction, corrections_in, values
from fonoteca.model.corridor import Correction, Event, StoredVersion
from fonoteca.model.desk import Entry, Order
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.store import Store

CORRECTED = "corrected"
REASON_LETTERS_MOST = 2000


@dataclass(frozen=True, slots=True)
class Correcting:
    """What is put right in one object, and why. entry: its number in the docket."""

    object_id: ObjectId
    changes: tuple[Correction, ...]
    reason: str
    at: datetime
    entry: int


def changes_to(store: Store, object_id: ObjectId, right: Mapping[tuple[str, str], str]) -> tuple[Correction, ...]:
    """Return the corrections that give fields their right values. right: by (file or "", field).

    Raises: UsageError for an object that is not held, a file that it has not, a field or value that there cannot be, or nothing
    to change.
    """
    metadata = store.metadata(object_id)
    return changes_from(object_id, values(metadata.title, metadata.artist, metadata.files), right)


def correct(rooms: EventRooms, asked: Correcting) -> StoredVersion:
    """Return the version in which corrections are made. Twice is as once.

    Raises: UsageError when a field was changed since by somebody else; then nothing is. Cost: one small file, whatever the music.
    """
    metadata = rooms.store.metadata(asked.object_id)
    known = values(metadata.title, metadata.artist, metadata.files)
    for each in asked.changes:
        now = known.get((each.of, each.field))
        if now not in (each.was, each.says):
            where = f"{asked.object_id}: {each.of + ': ' if each.of else ''}{each.field}"
            problem = f"expected {each.was!r}, found {'no such file' if now is None else repr(now)}: it was changed since"
            raise UsageError(where, problem, "Look at it again, and decide in knowledge of that.")
    commit = rooms.store.correct(asked.object_id, asked.changes, "Correct")
    told = json.dumps([[each.of, each.field, each.was, each.says] for each in asked.changes], ensure_ascii=False)
    facts = (("changes", told), ("reason", asked.reason), ("entry", asked.entry))
    event = Event(asked.at, CORRECTED, asked.object_id, facts)
    record_events(rooms, rooms.register.unknown_events([event]))
    entries = [*unrecorded(rooms.store, rooms.register, commit.version), entry_of(rooms.store, commit.version)]
    rooms.register.record_many(entries)
    return commit.version


# At the desk -----------------------------------------------------------------------------------------------------------


def _check(order: Order) -> None:
    for each in corrections_in(order.subject, order.facts):
        check_correction(each)
    reason = text_of(order.facts, "reason")
    if not reason.strip() or len(reason) > REASON_LETTERS_MOST:
        problem = f"expected a reason of 1 to {REASON_LETTERS_MOST:,} letters, found {len(reason):,}"
        raise UsageError(order.subject, problem, "Say how you know: others will want to.")
    _object(order)


def _object(order: Order) -> ObjectId:
    try:
        return ObjectId(order.subject)
    except FormatError as error:
        raise UsageError(repr(order.subject), "not the id of an object", "`fonoteca search WORDS` shows them.") from error


def _correct(rooms: DeskRooms, entry: Entry) -> str:
    changes = corrections_in(entry.order.subject, entry.order.facts)
    asked = Correcting(_object(entry.order), changes, text_of(entry.order.facts, "reason"), entry.put_at, entry.number)
    return _outcome(correct(rooms, asked), len(changes))


def _take_back(rooms: DeskRooms, undone: Entry, entry: Entry) -> str:
    made = corrections_in(undone.order.subject, undone.order.facts)
    changes = tuple(Correction(each.of, each.field, was=each.says, says=each.was) for each in made)
    asked = Correcting(_object(undone.order), changes, text_of(entry.order.facts, "reason"), entry.put_at, entry.number)
    return _outcome(correct(rooms, asked), len(changes))


def _outcome(version: StoredVersion, count: int) -> str:
    fields = "1 field" if count == 1 else f"{count} fields"
    return f"{fields} corrected in version {version.version}; mirrors have it with the next edition"


CORRECT = Action(CORRECT_ACTION, "Correction", _check, _correct, _take_back)
