"""Terms that a person sets: from when, until when and where what is held, or will be, may be shared.

Rules of order:
  1. the word is an event in the store's log, of the object and of the list of all such words, so that a rebuild keeps it;
  2. what is held gets a version with its new rights.json: that alone decides, here and wherever it travels;
  3. acquiring the item again takes the last such word, whatever its source says.
Killed in between, the same again does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fonoteca.flows.actions import Action, DeskRooms, text_of
from fonoteca.flows.events import record_events
from fonoteca.flows.records import record_stored
from fonoteca.flows.rulings import REASON_LETTERS_MOST
from fonoteca.formats.terms import SET_TERM as NAME
from fonoteca.formats.terms import parse_term_text, term_text
from fonoteca.model.corridor import DropMember, Event
from fonoteca.model.desk import Entry, Order
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.terms import ALWAYS, ANYWHERE, Term
from fonoteca.register import Register
from fonoteca.rights import describe_term

TERMED, TERMS = "termed", "terms"
"""The event of a term that was set, and the subject under which all of them are listed."""

WORDS_MAX = 100_000
"""Terms that people set, as far back as they are looked for."""

ALWAYS_WORDS = "always and everywhere"


def termed_by_people(register: Register) -> frozenset[str]:
    """Return the objects that somebody set a term for. Cost: one question."""
    return frozenset(str(dict(event.facts)["object"]) for event in register.events(WORDS_MAX, subject=TERMS))


def term_set(register: Register, object_id: ObjectId) -> Term | None:
    """Return the term that a person set last for an object, None where nobody did."""
    for event in register.events(WORDS_MAX, subject=object_id):
        if event.what == TERMED:
            return _term_in(dict(event.facts), object_id)
    return None


def objects_meant(register: Register, subject: str) -> list[ObjectId]:
    """Return what an id or the key of an item means: that object, or all that is held of the item. Raises: UsageError."""
    try:
        return [ObjectId(subject)]
    except FormatError:
        pass
    try:
        found = [row.object_id for row in register.objects_of(ItemKey(subject))]
    except FormatError:
        found = []
    if not found:
        raise UsageError(repr(subject), "neither an object's id nor the key of an item that is held", "See `fonoteca search`.")
    return sorted(found)


def _check(order: Order) -> None:
    reason = text_of(order.facts, "reason")
    if not reason.strip() or len(reason) > REASON_LETTERS_MOST:
        problem = f"expected a reason of at most {REASON_LETTERS_MOST:,} characters"
        raise UsageError(order.subject, problem, "Say why with --reason: others will want to know.")
    for subject in order.subjects:
        try:
            ObjectId(subject)
            _term_in(order.facts, subject)
        except FormatError as error:
            raise UsageError(subject, error.problem, "Give the id of an object, and a term.") from error


def _term_in(facts: Mapping[str, object], subject: str) -> Term:
    text = text_of(facts, "term")
    return parse_term_text(text, subject) if text else ALWAYS


def _carry_out(rooms: DeskRooms, entry: Entry) -> str:
    """Set the term that an entry says. Returns: what it comes to."""
    term, reason = _term_in(entry.order.facts, entry.order.subject), text_of(entry.order.facts, "reason")
    object_ids = [ObjectId(each) for each in entry.order.subjects]
    for object_id in object_ids:
        held = rooms.register.object(object_id) is not None
        if not held and not any(row.subject == object_id for row in rooms.register.decisions_about(object_id.key)):
            raise UsageError(object_id, "nothing is held or waits for a decision under this id", "See `fonoteca search`.")
    words = describe_term(term) or ALWAYS_WORDS
    facts = (("term", term_text(term) or ""), ("shared", words), ("reason", reason), ("entry", entry.number))
    events = [Event(entry.put_at, TERMED, object_id, facts) for object_id in object_ids]
    events += [Event(entry.put_at, TERMED, TERMS, (("object", object_id), ("entry", entry.number))) for object_id in object_ids]
    record_events(rooms, rooms.register.unknown_events(events))
    out = [object_id for object_id in object_ids if _restate(rooms, object_id, term)]
    if not out:
        return f"it may be shared {words}"
    tell = f"`fonoteca withdraw {out[0]} --state restricted` tells them"
    return f"it may be shared {words}; an edition has it already, and mirrors do not hear of this term by themselves: {tell}"


def _restate(rooms: DeskRooms, object_id: ObjectId, term: Term) -> bool:
    """Write the term into what is held. Returns: whether mirrors have it otherwise, and will not get this version now."""
    row = rooms.register.object(object_id)
    if row is None:
        return False
    record = rooms.store.rights(object_id)
    if record.term != term:
        commit = rooms.store.restate(object_id, replace(record, term=term), "Set a term")
        record_stored(rooms.store, rooms.register, commit.version)
    else:
        record_stored(rooms.store, rooms.register, rooms.store.read(object_id))
    if term.closed(rooms.clock.now(), ANYWHERE) is None:
        return False
    versions = range(1, rooms.store.head(object_id) + 1)
    return any(rooms.register.publishing.carrier(DropMember(object_id, number)) for number in versions)


SET_TERM = Action(NAME, "Term", _check, _carry_out)
