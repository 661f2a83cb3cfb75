"""Acquire: from what a source offers to what the store holds, one candidate after the other.

Rules of order, kept for every candidate:
  1. rights decide before a byte is read for keeping;
  2. bytes are staged and proved, then stored; the raw evidence is durable before that;
  3. only after the store's acknowledgement does the register say that we hold it;
  4. a refusal, a hold or a failure of one candidate is recorded, and the next one has its turn.
Killed between any two steps, the same command run again ends in the same state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fonoteca.flows.events import record_events
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.flows.healing import heal_from_source
from fonoteca.flows.replay import HELD_FOR_REVIEW, REFUSED
from fonoteca.flows.rulings import EVENTS_OF_SUBJECT_MAX, latest_ruling
from fonoteca.ingest import IngestContext, stage
from fonoteca.model.corridor import Candidate, Event, LeftOut
from fonoteca.model.errors import FixityError, FonotecaError, SourceError
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.rights import Hold, Policy, Refusal
from fonoteca.ports import Clock, Progress
from fonoteca.register import Description, Register
from fonoteca.rights import decide
from fonoteca.sources import SOURCES, SourceContext
from fonoteca.store import Store

ACQUIRED = "acquired"
"""The event of a version that is held."""


@dataclass(frozen=True, slots=True)
class AcquireRooms:
    """The rooms and settings that acquiring needs."""

    store: Store
    register: Register
    policy: Policy
    clock: Clock
    sources: SourceContext
    ingest: IngestContext
    evidence: EvidenceVault
    progress: Progress


@dataclass(frozen=True, slots=True)
class Acquired:
    """A candidate that is held. made: whether this run made a version; False when the same was held already."""

    item: ItemKey
    object_id: ObjectId
    version: int
    made: bool
    file_count: int
    acquired_bytes: int
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate that could not be taken for another reason than rights."""

    item: ItemKey
    error: FonotecaError


Outcome = Acquired | Refusal | Hold | Failed


def acquire(rooms: AcquireRooms, kind: str, ref: str) -> Iterator[Outcome]:
    """Yield the outcome of each candidate that the source of this kind offers under `ref`.

    Raises: SourceError when the source itself cannot be read; StoreError when the archive's own disk fails.
    """
    found = False
    for candidate in SOURCES[kind].candidates(ref, rooms.sources):
        found = True
        yield _acquire_one(rooms, candidate)
    if not found:
        raise SourceError(ref, f"nothing in it that a source of kind {kind} offers as music", "Check the path or the name.")


def _acquire_one(rooms: AcquireRooms, candidate: Candidate) -> Outcome:
    """Return what became of one candidate; refusals, holds and failures are recorded, not raised."""
    try:
        outcome = _take(rooms, _with_rulings(rooms, candidate))
    except (SourceError, FixityError) as error:  # the item is at fault, or its own object: neither is its neighbours' matter
        record_events(rooms, [_event(rooms, "failed", candidate.item, (("reason", str(error)),))])
        return Failed(candidate.item, error)
    if isinstance(outcome, Refusal | Hold):
        _record_decision(rooms, candidate, outcome)
    return outcome


def _with_rulings(rooms: AcquireRooms, candidate: Candidate) -> Candidate:
    """Return the candidate with what a person at this archive has ruled about it, if anyone has."""
    ruling = latest_ruling(rooms.register, _object_id(candidate))
    if ruling is None:
        return candidate
    return replace(candidate, evidence=(*candidate.evidence, ruling))


def _take(rooms: AcquireRooms, candidate: Candidate) -> Outcome:
    """Return the candidate's outcome after decision, staging, storing and recording."""
    decision = decide(candidate, rooms.policy, rooms.clock.now())
    if isinstance(decision, Refusal | Hold):
        return decision
    with rooms.progress.task(candidate.title or candidate.item, _stated_bytes(candidate), "B") as advance:
        staged = stage(candidate, decision, rooms.ingest, advance)
    if isinstance(staged, Refusal):
        return staged
    try:
        heal_from_source(rooms, staged, rooms.clock)
        salted = tuple(rooms.evidence.keep(e) for e in decision.evidence)
        commit = rooms.store.commit(staged, salted)
    finally:
        rooms.ingest.staging.discard(staged.folder)  # on a full disk above all
    stored = commit.version
    rooms.register.record(stored, rooms.store.rights(stored.object_id), _description(candidate))
    if commit.made or not _is_told(rooms, ACQUIRED, stored.object_id, {"version": stored.version}):
        facts = (("version", stored.version), ("licence", decision.licence.uri), ("rule", decision.rule))
        record_events(rooms, [_event(rooms, ACQUIRED, stored.object_id, facts)])
    return Acquired(
        item=candidate.item,
        object_id=stored.object_id,
        version=stored.version,
        made=commit.made,
        file_count=len(stored.files),
        acquired_bytes=sum(f.hashes.file_bytes for f in stored.files),
        left_out=staged.left_out,
    )


def _record_decision(rooms: AcquireRooms, candidate: Candidate, decision: Refusal | Hold) -> None:
    """Enter a refusal or a hold in the register and, the first time, in the event log; its evidence is kept for a person.

    Audio and artwork of an item are decided apart, so the subject is the object that would have been.
    """
    subject = _object_id(candidate) if decision.subject == candidate.item else decision.subject
    decision = replace(decision, subject=subject)
    salted = [digest for e in candidate.evidence if (digest := rooms.evidence.keep(e))]
    what = REFUSED if isinstance(decision, Refusal) else HELD_FOR_REVIEW
    if not _is_told(rooms, what, decision.subject, {"rule": decision.rule, "reason": decision.reason}):
        asked = decision.remedy if isinstance(decision, Refusal) else decision.question
        facts = (("item", candidate.item), ("rule", decision.rule), ("reason", decision.reason), ("next", asked))
        record_events(rooms, [_event(rooms, what, decision.subject, (*facts, ("evidence", ",".join(salted))))])
    rooms.register.record_decision(decision, candidate.item, rooms.clock.now())


def _is_told(rooms: AcquireRooms, what: str, subject: str, facts: Mapping[str, str | int]) -> bool:
    """Return whether an event about a subject that says this is known: a run that was killed before it told is made good."""
    told = rooms.register.events(EVENTS_OF_SUBJECT_MAX, subject=subject)
    return any(event.what == what and facts.items() <= dict(event.facts).items() for event in told)


def _object_id(candidate: Candidate) -> ObjectId:
    """Return the id of the object that a candidate becomes."""
    return ObjectId.of(candidate.kind, candidate.item)


def _event(rooms: AcquireRooms, what: str, subject: str, facts: tuple[tuple[str, str | int | float], ...]) -> Event:
    """Return an event that happens now."""
    return Event(at=rooms.clock.now(), what=what, subject=subject, facts=facts)


def _stated_bytes(candidate: Candidate) -> int | None:
    """Return the bytes that a source states for a candidate, None if it leaves one unstated."""
    stated = [f.file_bytes for f in candidate.files]
    return None if None in stated else sum(b for b in stated if b is not None)


def _description(candidate: Candidate) -> Description:
    """Return how the register describes the object."""
    return Description(title=candidate.title, artist=candidate.artist, source_uri=candidate.source_uri)
