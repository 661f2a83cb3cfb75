"""Rulings: what a person at this archive decided about what rights held for review.

A ruling is an event in the store's log, so a rebuild keeps it; acquiring the item again takes it as evidence. One that is taken
back is an event too: the item waits again, and what was taken in on the ruling's word alone is withdrawn, dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fonoteca.flows.actions import Action, DeskRooms, text_of
from fonoteca.flows.events import EventRooms, record_events
from fonoteca.flows.withdraw import Order as WithdrawOrder
from fonoteca.flows.withdraw import reinstate, withdraw
from fonoteca.flows.withdrawn import own_word
from fonoteca.model.corridor import Event
from fonoteca.model.desk import Entry, Order
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Evidence, Refusal, Scheme
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.register import Register
from fonoteca.rights import Basis, find_licence

RULED, RULED_OUT, TAKEN_BACK = "ruled", "ruled-out", "ruling-taken-back"
STAYS_OUT = "stays-out"
"""The rule that refuses what a person decided against."""

EVENTS_OF_SUBJECT_MAX = 10_000
"""Of one subject's events the newest so many are looked at: some thousand runs."""

REASON_LETTERS_MOST = 2000
UNDONE_GROUND = "the decision that it was taken in by was taken back"
RULED_OUT_GROUND = "it was decided that it is not to be held"
RULED_AGAIN_GROUND = "it was decided anew that it may be held"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decided about an object, and why. licence_uri: what it comes under, "" where it stays out.

    entry: its number in the docket, 0 for none.
    """

    licence_uri: str
    reason: str
    at: datetime
    entry: int = 0


def check_ruling(subject: str, licence_uri: str, reason: str) -> None:
    """Raise UsageError when the licence is not one of the table's, or nobody gave a reason. licence_uri: "" for stays out."""
    if licence_uri and find_licence(licence_uri, Scheme.DECISION) is None:
        raise UsageError(licence_uri, "not a licence of the table", "Give its address as docs/rights.md lists it.")
    if not reason.strip():
        raise UsageError(subject, "a ruling without a reason", "Say why with --reason: others will want to know.")
    if len(reason) > REASON_LETTERS_MOST:
        problem = f"expected a reason of at most {REASON_LETTERS_MOST:,} characters, found {len(reason):,}"
        raise UsageError(subject, problem, "Make it shorter.")


def rule(rooms: EventRooms, object_ids: Sequence[ObjectId], ruling: Ruling) -> int:
    """Return how many open decisions about objects this ruling settles, after it is recorded. Twice is as once.

    Raises: UsageError as `check_ruling`, or when nothing is to be decided about one of them.
    """
    for object_id in object_ids:
        check_ruling(object_id, ruling.licence_uri, ruling.reason)
        if not any(row.subject == object_id for row in rooms.register.decisions_about(object_id.key)):
            raise UsageError(object_id, "nothing was refused or held for review under this id", "See `fonoteca rights review`.")
    licence = (("licence", ruling.licence_uri),) if ruling.licence_uri else ()
    facts = (*licence, ("reason", ruling.reason), *((("entry", ruling.entry),) if ruling.entry else ()))
    what = RULED if ruling.licence_uri else RULED_OUT
    events = [Event(at=ruling.at, what=what, subject=object_id, facts=facts) for object_id in object_ids]
    record_events(rooms, rooms.register.unknown_events(events))
    said = settlement(ruling.licence_uri, ruling.reason)
    return sum(rooms.register.settle_decision(object_id, said, ruling.at) for object_id in object_ids)


def settlement(licence_uri: str, reason: str) -> str:
    """Return how the register words a ruling."""
    return f"{licence_uri or 'stays out'}: {reason}"


def last_word(register: Register, object_id: ObjectId) -> Event | None:
    """Return the last ruling about an object, None where there is none or it was taken back."""
    for event in register.events(EVENTS_OF_SUBJECT_MAX, subject=object_id):
        if event.what in (RULED, RULED_OUT, TAKEN_BACK):
            return event if event.what != TAKEN_BACK else None
    return None


def evidence_of(ruling: Event) -> Evidence | None:
    """Return a ruling as evidence, None for one that names no licence."""
    facts = dict(ruling.facts)
    if ruling.what != RULED:
        return None
    return Evidence(
        scheme=Scheme.DECISION,
        statement=str(facts["licence"]),
        source_uri="",
        declarer="curator",
        observed_at=ruling.at,
        raw=str(facts["reason"]).encode(),
    )


def refusal_of(ruling: Event) -> Refusal | None:
    """Return the refusal that a ruling is, None for one that names a licence."""
    if ruling.what != RULED_OUT:
        return None
    reason = f"a curator decided on {ruling.at:%Y-%m-%d} that it stays out"
    return Refusal(ruling.subject, STAYS_OUT, reason, "Take that decision back at the curator's desk, or decide anew.")


# At the desk -----------------------------------------------------------------------------------------------------------


def ruling_order(object_ids: Sequence[str], licence_uri: str, reason: str, shown: Mapping[str, str] | None = None) -> Order:
    """Return the order to rule on some objects alike. licence_uri: "" where they stay out.

    shown: by object, the token of the decision that whoever decides had before them; one that is another by then is left out.
    """
    first, *others = object_ids
    facts = {"licence": licence_uri, "reason": reason, **({"shown": dict(shown)} if shown else {})}
    return Order("rule", first, facts, tuple(others))


def as_shown(rooms: DeskRooms, entry: Entry) -> tuple[list[ObjectId], list[ObjectId]]:
    """Return the objects of an entry that are as they were shown, or were not shown at all, and those that changed since.

    What this very entry settled already is as it was shown: a run may have been killed after that.
    """
    object_ids, shown = _objects(entry.order), entry.order.facts.get("shown", {})
    waiting = rooms.register.review.waiting([each for each in object_ids if each in shown])
    same: list[ObjectId] = []
    changed: list[ObjectId] = []
    for each in object_ids:
        now = waiting.get(each)
        word = last_word(rooms.register, each) if now is None and each in shown else None
        settled = word is not None and dict(word.facts).get("entry") == entry.number
        is_same = each not in shown or settled or (now is not None and now.token == shown[each])
        (same if is_same else changed).append(each)
    return same, changed


def _check(order: Order) -> None:
    check_ruling(order.subject, text_of(order.facts, "licence"), text_of(order.facts, "reason"))
    shown = order.facts.get("shown", {})
    if not isinstance(shown, Mapping) or not all(isinstance(each, str) for each in shown.values()):
        raise UsageError(order.subject, "what was shown is not told by object", "Load the page again.")
    _objects(order)


def _objects(order: Order) -> list[ObjectId]:
    """Return the objects that an order is about. Raises: UsageError."""
    try:
        return [ObjectId(each) for each in order.subjects]
    except FormatError as error:
        raise UsageError(repr(error.subject), "not the id of an object", "`fonoteca rights review` lists them.") from error


def _rule(rooms: DeskRooms, entry: Entry) -> str:
    """Rule as an entry says. Returns: what comes next."""
    licence_uri, reason = text_of(entry.order.facts, "licence"), text_of(entry.order.facts, "reason")
    object_ids, changed = as_shown(rooms, entry)
    if not object_ids:
        raise UsageError(entry.order.subject, "it is not as it was shown any more", "Look at it again, and decide anew.")
    rule(rooms, object_ids, Ruling(licence_uri, reason, entry.put_at, entry.number))
    again = [each for each in object_ids if licence_uri and _let_out_again(rooms, each, licence_uri)]
    dark = sum(_make_dark(rooms, each, RULED_OUT_GROUND) for each in object_ids if not licence_uri)
    several = len(object_ids) + len(changed) > 1
    many = f"{len(object_ids)} items" if several else "it"
    what = f"{many} may come under {licence_uri}" if licence_uri else f"{many} {'stay' if several else 'stays'} out"
    given = [f"{len(again)} given out again"] if again else []
    given += [f"{dark} withdrawn, dark"] if dark else []
    left = [f"{len(changed)} left out, as changed since they were shown: {listed(changed)}"] if changed else []
    return "; ".join([what, *given, *left])


def listed(names: Sequence[str]) -> str:
    """Return some names as a line of words, the first ten of them."""
    return f"{', '.join(names[:10])}{f' and {len(names) - 10} more' if len(names) > 10 else ''}"


def _let_out_again(rooms: DeskRooms, object_id: ObjectId, licence_uri: str = "") -> bool:
    """Reinstate what a ruling or its undoing made dark. licence_uri: what it has to be held under, "" for whatever it is."""
    row = rooms.register.object(object_id)
    if row is None or not _dark_by_us(rooms, object_id) or (licence_uri and row.licence_uri != licence_uri):
        return False
    reinstate(rooms.withdrawing(), object_id, RULED_AGAIN_GROUND)
    return True


def _dark_by_us(rooms: DeskRooms, object_id: ObjectId) -> bool:
    """Return whether an object is dark by a ruling or its undoing, and by nothing else."""
    said = own_word(rooms.register, object_id)
    grounds = (UNDONE_GROUND, RULED_OUT_GROUND)
    return said is not None and said.tombstone.state is WithdrawalState.DARK and said.tombstone.ground in grounds


def _make_dark(rooms: DeskRooms, object_id: ObjectId, ground: str) -> bool:
    """Withdraw an object, if it is held and not withdrawn already. Returns: whether it is dark by us now."""
    if rooms.register.object(object_id) is None:
        return False
    said = own_word(rooms.register, object_id)
    if said is None or not said.tombstone.masks():
        withdraw(rooms.withdrawing(), object_id, WithdrawOrder(WithdrawalState.DARK, Reason.LICENCE_MISTAKEN, ground))
    return _dark_by_us(rooms, object_id)


def _unrule(rooms: DeskRooms, undone: Entry, entry: Entry) -> str:
    """Take a ruling back, of each object that nobody ruled on since. Returns: what became of them."""
    facts = (("ruling", undone.number), ("reason", text_of(entry.order.facts, "reason")), ("entry", entry.number))
    into_archive = text_of(undone.order.facts, "licence") != ""
    taken: list[Event] = []
    later: list[ObjectId] = []
    dark = light = 0
    for object_id in _objects(undone.order):
        told = Event(entry.put_at, TAKEN_BACK, object_id, facts)
        word = last_word(rooms.register, object_id)
        by_this = word is not None and dict(word.facts).get("entry") == undone.number
        if not by_this and rooms.register.unknown_events([told]):
            later.append(object_id)
            continue
        if not into_archive:
            light += _let_out_again(rooms, object_id)
        elif by_this:
            dark += _by_decision(rooms, object_id) and _make_dark(rooms, object_id, UNDONE_GROUND)
        else:  # a run that was killed told of it
            dark += _dark_by_us(rooms, object_id)
        taken.append(told)
    record_events(rooms, rooms.register.unknown_events(taken))
    for each in taken:
        rooms.register.reopen_decisions(each.subject)
    if not taken:
        raise UsageError(f"entry {undone.number}", "all of it was decided anew since", "Undo the newer decision.")
    waits = "it waits" if len(taken) == 1 else f"{len(taken)} items wait"
    more = [f"{dark} withdrawn, dark"] if dark else []
    more += [f"{light} given out again"] if light else []
    more += [f"left as decided anew since: {listed(later)}"] if later else []
    return "; ".join([f"{waits} for a decision again", *more])


def _by_decision(rooms: DeskRooms, object_id: ObjectId) -> bool:
    """Return whether an object is held on a ruling's word alone."""
    versions = rooms.register.versions(object_id)
    return bool(versions) and versions[-1].rule == Basis.DECISION


RULE = Action(
    "rule",
    "Ruling",
    _check,
    _rule,
    _unrule,
    "It waits for a decision again. What was taken in on the word of this decision alone is withdrawn: kept, and given to nobody.",
)
