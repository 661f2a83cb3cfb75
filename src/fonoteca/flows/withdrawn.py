"""Withdrawals on their way into the record: first to the event log, then to the register, which the log can always fill again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from fonoteca.flows.events import EventRooms, record_events
from fonoteca.flows.purging import PURGE_BEGUN, PURGED, texts
from fonoteca.formats.tombstones import parse_tombstone, tombstone_line
from fonoteca.model.corridor import Event
from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Answer, Authority, Tombstone, Withdrawal
from fonoteca.register import Register

WITHDRAWN, ACKNOWLEDGED, ANSWERED = "withdrawn", "withdrawal-acknowledged", "withdrawal-answered"
INHERITED = "withdrawal-inherited"
"""A statement of an archive that is followed no more is this archive's own from now on."""
_TOLD_AS = {Authority.OWN: WITHDRAWN, Authority.FOLLOWED: ACKNOWLEDGED}


def record_statements(rooms: EventRooms, authority: Authority, stated: Sequence[tuple[Event, Tombstone]]) -> None:
    """Record statements durably, each with the event that tells of it."""
    record_events(rooms, [event for event, _ in stated])
    for _, tombstone in stated:
        rooms.register.withdrawals.enter(tombstone, authority)


def hear_statements(rooms: EventRooms, stated: Sequence[Tombstone], at: datetime, origin: str) -> None:
    """Record durably what an archive said that is followed. origin: its mark, "" for the first that is."""
    record_events(rooms, [Event(at, ACKNOWLEDGED, each.object_id, _facts(each, origin)) for each in stated])
    for each in stated:
        rooms.register.withdrawals.enter(each, Authority.FOLLOWED, origin)


def inherit_statements(rooms: EventRooms, stated: Sequence[Tombstone], at: datetime, origin: str = "") -> None:
    """Make statements of the archive that was followed this archive's own: they go on masking what they mask."""
    record_events(rooms, [inheritance_event(each, at, origin) for each in stated])
    for each in stated:
        rooms.register.withdrawals.inherit(each, origin)


def inheritance_event(tombstone: Tombstone, at: datetime, origin: str = "") -> Event:
    """Return the event of a statement that is this archive's own from now on."""
    return Event(at, INHERITED, tombstone.object_id, _facts(tombstone, origin))


def statement_event(tombstone: Tombstone, authority: Authority, at: datetime) -> Event:
    """Return the event of a statement. at: when it was made here, or heard of."""
    return Event(at, _TOLD_AS[authority], tombstone.object_id, _facts(tombstone))


def _facts(tombstone: Tombstone, origin: str = "") -> tuple[tuple[str, str | int], ...]:
    told = (("number", tombstone.number), ("state", tombstone.state), ("tombstone", tombstone_line(tombstone)))
    return (*told, *origin_facts(origin))


def origin_facts(origin: str) -> tuple[tuple[str, str | int], ...]:
    """Return what an event says of whose word it follows from: nothing for this archive's, and for the first's that it follows."""
    return (("origin", origin),) if origin else ()


def replay_withdrawals(register: Register, events: Iterable[Event]) -> None:
    """Enter what the events tell of withdrawals, in whatever order they come. Again changes nothing.

    What happened to an object follows from the statements' numbers: the log says nothing of the order of segments of one moment.
    """
    told = sorted((event for event in events if event.what in _ENTER), key=lambda event: (_number(event), _place(event)))
    for event in told:
        _ENTER[event.what](register, event)


def _place(event: Event) -> int:
    """Return the place of an event among those that follow from one statement: after all else, what is done to one's own."""
    return _ORDER[event.what] + len(_ORDER) * (texts(event).get("authority") == Authority.OWN)


def _number(event: Event) -> int:
    """Return the number of the statement that an event tells of, or that it follows from."""
    return int(texts(event)["number"])


def _stated(register: Register, event: Event) -> None:
    authority = Authority.OWN if event.what == WITHDRAWN else Authority.FOLLOWED
    register.withdrawals.enter(parse_tombstone(texts(event)["tombstone"], event.subject), authority, _origin(event))


def _origin(event: Event) -> str:
    return texts(event).get("origin", "")


def _answered(register: Register, event: Event) -> None:
    facts = texts(event)
    known = _find(register, event, Authority.FOLLOWED, int(facts["number"]))
    if known is not None:
        said = replace(known, answer=Answer(facts["answer"]), answered_at=event.at, answer_ground=facts["ground"])
        register.withdrawals.answer(said)


def _inherited(register: Register, event: Event) -> None:
    register.withdrawals.inherit(parse_tombstone(texts(event)["tombstone"], event.subject), _origin(event))


def _purge_begun(register: Register, event: Event) -> None:
    facts = texts(event)
    known = _find(register, event, Authority(facts["authority"]), int(facts["number"]))
    if known is not None:
        register.withdrawals.order_purge(known, event.at)


def _purged(register: Register, event: Event) -> None:
    facts = texts(event)
    known = _find(register, event, Authority(facts["authority"]), None)
    if known is not None:
        register.withdrawals.note_purged(known, event.at)


def _find(register: Register, event: Event, authority: Authority, number: int | None) -> Withdrawal | None:
    """Return the statement that an event follows from, None when the archive says something else by now. None: whichever it is."""
    said = (s for s in register.withdrawals.of(ObjectId(event.subject)) if (s.authority, s.origin) == (authority, _origin(event)))
    return next((each for each in said if number in (None, each.tombstone.number)), None)


def own_word(register: Register, object_id: ObjectId) -> Withdrawal | None:
    """Return what this archive itself says of an object, None for nothing."""
    return next((each for each in register.withdrawals.of(object_id) if each.authority is Authority.OWN), None)


_ENTER: Mapping[str, Callable[[Register, Event], None]] = {
    WITHDRAWN: _stated,
    ACKNOWLEDGED: _stated,
    ANSWERED: _answered,
    PURGE_BEGUN: _purge_begun,
    PURGED: _purged,
    INHERITED: _inherited,
}
"""What the events of withdrawals do to the register: the log is the truth of them."""

_ORDER = {what: place for place, what in enumerate(_ENTER)}
"""What follows from one statement, in the order in which it does."""

TELLING = frozenset(_ENTER)
"""What happens to withdrawals: the events that tell of them."""
