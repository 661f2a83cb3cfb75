"""Withdraw: an operator's word that an object is given out no more, in part or at all, for a while or for good.

Rules of order:
  1. the notice is kept in `private/`, and the tombstone has its salted digest: no claimant's personal data is public;
  2. the statement is in the event log before the register masks the object; the same statement again is not made again;
  3. mirrors hear of it with the next `publish`, and what is purged is replaced by a successor drop then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fonoteca.flows.events import record_events
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.flows.purging import SplitRooms, keep_part, order_purge
from fonoteca.flows.withdrawn import ANSWERED, origin_facts, own_word, record_statements, statement_event
from fonoteca.model.corridor import Event
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import ItemKey, LogicalPath, ObjectId, Sha256
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.model.withdrawal import (
    Answer,
    Authority,
    Dates,
    Decider,
    Reason,
    Scope,
    Tombstone,
    Withdrawal,
    WithdrawalState,
)

NOTICE_BYTES_MAX = 64 << 20
"""A scan of many pages; what is longer goes with the operator's own files."""


REVIEW_NOTICE = timedelta(days=14)
"""So long before a review is due, `doctor` speaks of it."""

EVERYTHING = Scope()
"""No limit."""


@dataclass(frozen=True, slots=True)
class WithdrawRooms(SplitRooms):
    """What withdrawing needs. evidence: keeps notices. contact: whom to appeal to."""

    evidence: EvidenceVault
    contact: str


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator decided. files: logical paths, none for the whole object. notice: its bytes, b"" for none.

    noticed_at: None for now. as_before: what was meant by the last statement about the object is meant again.
    """

    state: WithdrawalState
    reason: Reason
    ground: str
    notice: bytes = b""
    noticed_at: datetime | None = None
    scope: Scope = EVERYTHING
    review_at: datetime | None = None
    decider: Decider = Decider.OPERATOR
    files: tuple[LogicalPath, ...] = ()
    as_before: bool = False


@dataclass(frozen=True, slots=True)
class Stated:
    """What came of an order for one object. made: False when the same was said before. kept: the object that holds the rest of it.

    elsewhere: other objects that hold bytes of it.
    """

    withdrawal: Withdrawal
    made: bool
    kept: ObjectId | None = None
    elsewhere: tuple[ObjectId, ...] = ()


def withdraw(rooms: WithdrawRooms, subject: str, order: Order) -> list[Stated]:
    """Return what was said of each object of a subject, after it is recorded. subject: an object's id, or an item's key.

    `removed` purges the bytes too. Raises: UsageError for a subject of which nothing is held or was withdrawn.
    """
    if not order.ground.strip():
        raise UsageError(subject, "a withdrawal without a ground", "Say on what ground with --ground: everybody may read it.")
    object_ids = held_by(rooms, subject)
    if order.files and len(object_ids) > 1:
        raise UsageError(subject, "files of several objects", "Name the one object that they are in.")
    return [_state(rooms, object_id, order) for object_id in object_ids]


def reinstate(rooms: WithdrawRooms, subject: str, ground: str) -> list[Stated]:
    """Return what was said of each object of a subject that is given out again. What was purged stays gone."""
    if not ground.strip():
        raise UsageError(subject, "a reinstatement without a ground", "Say on what ground with --ground: everybody may read it.")
    own = [_own(rooms, object_id) for object_id in held_by(rooms, subject)]
    withdrawn = [each for each in own if each is not None and each.tombstone.masks()]
    if not withdrawn:
        raise UsageError(subject, "nothing of it is withdrawn", "`fonoteca withdraw --list` shows what is.")
    stated = []
    for each in withdrawn:
        noticed_at = each.tombstone.dates.notice_at
        order = Order(WithdrawalState.REINSTATED, each.tombstone.reason, ground, noticed_at=noticed_at, as_before=True)
        stated.append(_state(rooms, each.tombstone.object_id, order))
    return stated


def purge(rooms: WithdrawRooms, subject: str) -> list[Stated]:
    """Return what was said of each withdrawn object of a subject, after its bytes are gone from here."""
    own = [_own(rooms, object_id) for object_id in held_by(rooms, subject)]
    withdrawn = [each for each in own if each is not None and each.tombstone.masks()]
    if not withdrawn:
        remedy = "Withdraw it first, with --reason and --ground; what a mirror's origin withdrew, `--decide purge` lets go."
        raise UsageError(subject, "nothing of it is withdrawn by this archive", remedy)
    stated = []
    for each in withdrawn:
        said = each.tombstone
        order = Order(WithdrawalState.REMOVED, said.reason, said.ground, noticed_at=said.dates.notice_at, as_before=True)
        order = replace(order, decider=said.decider)
        stated.append(_state(rooms, said.object_id, order))
    return stated


def decide(rooms: WithdrawRooms, subject: str, answer: Answer, ground: str = "") -> list[Withdrawal]:
    """Return what a mirror's operator decided about objects that the archive which it follows withdrew.

    Raises: UsageError when that withdrew nothing of the subject, or when something is given out all the same without a ground.
    """
    if answer is Answer.DISMISS and not ground.strip():
        raise UsageError(subject, "dismissed without a ground", "Say on what ground with --ground: everybody may read it.")
    answered = []
    for object_id in held_by(rooms, subject):
        for known in rooms.register.withdrawals.of(object_id):
            if known.authority is Authority.FOLLOWED and known.tombstone.masks():
                answered.append(_answer(rooms, known, answer, ground))
    if not answered:
        raise UsageError(
            subject, "the archive that is followed withdrew nothing of it", "`fonoteca withdraw --list` shows what it did."
        )
    return answered


def _answer(rooms: WithdrawRooms, known: Withdrawal, answer: Answer, ground: str) -> Withdrawal:
    """Return a statement of an archive that is followed with what the operator decided about it, after that is so."""
    object_id = known.tombstone.object_id
    if known.purged_at is not None:
        if answer is not Answer.PURGE:
            raise UsageError(object_id, "its bytes were purged here", "Nothing is left to decide.")
        return known
    at = rooms.clock.now()
    said = replace(known, answer=answer, answered_at=at, answer_ground=ground)
    if (known.answer, known.answer_ground) != (answer, ground):
        facts = (("number", known.tombstone.number), ("answer", answer), ("ground", ground))
        record_events(rooms, [Event(at, ANSWERED, object_id, (*facts, *origin_facts(known.origin)))])
        rooms.register.withdrawals.answer(said)
    if answer is Answer.PURGE:
        order_purge(rooms, said)
    return said


def counts(withdrawals: Sequence[Withdrawal]) -> Mapping[str, Mapping[str, int]]:
    """Return how many objects are in each state and for each reason: what anyone may know."""
    newest = [each.tombstone for each in withdrawals]
    return {
        "state": dict(sorted(Counter(str(each.state) for each in newest).items())),
        "reason": dict(sorted(Counter(str(each.reason) for each in newest).items())),
    }


def held_by(rooms: WithdrawRooms, subject: str) -> list[ObjectId]:
    """Return the objects that a subject means, held or withdrawn. Raises: UsageError when nothing is known of it."""
    known = {each.tombstone.object_id for each in rooms.register.withdrawals.all()}
    try:
        object_id = ObjectId(subject)
    except FormatError:
        pass
    else:
        if object_id.kind not in frozenset(Kind) or (rooms.register.object(object_id) is None and object_id not in known):
            raise UsageError(subject, "no music or artwork is held under this id", "Find it with `fonoteca search WORDS`.")
        return [object_id]
    try:
        item = ItemKey(subject)
    except FormatError as error:
        remedy = "Name an object, as urn:fonoteca:audio:folder:name, or an item, as folder:name."
        raise UsageError(repr(subject), "neither the id of an object nor the key of an item", remedy) from error
    found = {row.object_id for row in rooms.register.objects_of(item)}
    found |= {each for each in known if each.key == item or each.key.startswith(f"{item}#")}
    if not found:
        raise UsageError(subject, "nothing of this item is held", "Find it with `fonoteca search WORDS`.")
    return sorted(found)


def _own(rooms: WithdrawRooms, object_id: ObjectId) -> Withdrawal | None:
    return own_word(rooms.register, object_id)


def _state(rooms: WithdrawRooms, object_id: ObjectId, order: Order) -> Stated:
    """Return what was said of one object; what the last statement said already is not said again, and its purge is gone on with."""
    before = _own(rooms, object_id)
    try:
        tombstone = _tombstone(rooms, object_id, order, before)
    except FormatError as error:
        raise UsageError(object_id, error.problem, "See `fonoteca withdraw --help`.") from error
    made = before is None or not _says_the_same(before.tombstone, tombstone)
    if made:
        if order.notice:
            rooms.evidence.keep_all([_notice(order, tombstone.dates.notice_at)])
        at = tombstone.dates.effective_at
        record_statements(rooms, Authority.OWN, [(statement_event(tombstone, Authority.OWN, at), tombstone)])
    said = _own(rooms, object_id)
    assert said is not None, "it was recorded"
    kept = None
    elsewhere = _elsewhere(rooms, said.tombstone)
    if said.tombstone.state is WithdrawalState.REMOVED and said.purged_at is None:
        kept = keep_part(rooms, said)
        order_purge(rooms, said)
        said = _own(rooms, object_id) or said
    return Stated(said, made, kept, tuple(each for each in elsewhere if each != kept))


def _says_the_same(before: Tombstone, after: Tombstone) -> bool:
    """Whether two statements differ in nothing but number, time and what follows from them."""
    said = [
        (each.state, each.reason, each.ground, each.decider, each.scope, each.whole, each.sha256s, each.notice_digest)
        for each in (before, after)
    ]
    return said[0] == said[1] and before.dates.review_at == after.dates.review_at


def _tombstone(rooms: WithdrawRooms, object_id: ObjectId, order: Order, before: Withdrawal | None) -> Tombstone:
    """Return the statement that an order makes about an object. What the order leaves open is as it was said before."""
    at = rooms.clock.now()
    old = before.tombstone if before else None
    if old is not None and (order.as_before or rooms.register.object(object_id) is None):
        whole, digests = old.whole, old.sha256s
    else:
        whole, digests = not order.files, _digests(rooms, object_id, order.files)
    notice = _notice(order, at)
    decided_at = None if order.state is WithdrawalState.DISPUTED else at
    noticed_at = min(order.noticed_at or (old.dates.notice_at if old and old.masks() else at), at)
    digest = rooms.evidence.digest(notice) or (old.notice_digest if old else "")
    return Tombstone(
        object_id=object_id,
        number=rooms.register.withdrawals.newest_number(Authority.OWN) + 1,
        prior=old.number if old else 0,
        state=order.state,
        reason=order.reason,
        ground=order.ground,
        dates=Dates(noticed_at, decided_at, max(at, noticed_at), order.review_at),
        decider=order.decider,
        scope=order.scope,
        whole=whole,
        sha256s=digests,
        infohashes=tuple(rooms.register.withdrawals.drops_with(object_id)),
        notice_digest=digest,
        contact=rooms.contact,
    )


def _digests(rooms: WithdrawRooms, object_id: ObjectId, paths: Sequence[LogicalPath]) -> tuple[Sha256, ...]:
    """Return the digests of an object's files, of every version where all are meant. Raises: UsageError for a path it has not."""
    if paths:
        held = {file.logical_path: file.stored.hashes.sha256 for file in rooms.register.files(object_id)}
        missing = [path for path in paths if path not in held]
        if missing:
            raise UsageError(object_id, f"it has no file {missing[0]!r}", f"`fonoteca show {object_id}` lists them.")
        return tuple(sorted({held[path] for path in paths}))
    versions = [rooms.register.stored_version(object_id, row.version) for row in rooms.register.versions(object_id)]
    return tuple(sorted({file.hashes.sha256 for version in versions if version for file in version.files}))


def _notice(order: Order, at: datetime) -> Evidence:
    """Return a notice as the vault keeps evidence."""
    if len(order.notice) > NOTICE_BYTES_MAX:
        raise UsageError("notice", f"{len(order.notice)} bytes, expected at most {NOTICE_BYTES_MAX}", "Keep it elsewhere.")
    return Evidence(Scheme.FREE_TEXT, "a notice", "", "claimant", at, order.notice)


def _elsewhere(rooms: WithdrawRooms, tombstone: Tombstone) -> list[ObjectId]:
    """Return other objects that hold some of the same bytes: they are not meant, and the operator may want to know."""
    found = {row.object_id for digest in tombstone.sha256s for row in rooms.register.files_by_digest(digest)}
    return sorted(found - {tombstone.object_id})
