"""The desk at the end of an acquire: what is decided and staged is made durable, recorded and told, many candidates at a time.

A batch is what came while the batch before it was under way, within limits: a lone item is told of at once, and a flood of
small ones shares the waits for the disk. Order in a batch:
  1. all raw evidence is durable;
  2. all new objects are durable, at one point;
  3. the register has them;
  4. the event log has them in one segment, and then the register has the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType

from fonoteca.flows.analyse import ANALYSED
from fonoteca.flows.batches import Batches, Pace
from fonoteca.flows.events import record_events
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.flows.healing import heal_from_source
from fonoteca.flows.records import Entry, unrecorded
from fonoteca.flows.replay import HELD_FOR_REVIEW, REFUSED
from fonoteca.flows.rulings import EVENTS_OF_SUBJECT_MAX
from fonoteca.formats.dossiers import bounded, dossier_json, said_digest
from fonoteca.formats.objectjson import published_statement
from fonoteca.ingest import IngestContext, Staged
from fonoteca.model.corridor import Candidate, Event, LeftOut, StagedVersion, StoredVersion
from fonoteca.model.errors import FixityError, FonotecaError, SourceError
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.rights import Admission, Decision, Dossier, Evidence, Hold, Policy, PublishedEvidence, Refusal
from fonoteca.ports import Clock, Progress
from fonoteca.register import Description, Register
from fonoteca.sources import SourceContext
from fonoteca.store import Commit, Store

ACQUIRED = "acquired"
"""The event of a version that is held."""

DAMAGED_MAX = 10_000
"""Damaged files that a batch is compared with; where there are more, the register is asked about each object."""


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
    pace: Pace = field(default_factory=Pace)


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


@dataclass(frozen=True, slots=True)
class Turn:
    """A candidate on its way: what rights decided, and what staging made of it where they admitted it. reference: `KIND REF`."""

    candidate: Candidate
    decision: Decision
    staged: Staged | None = None
    reference: str = ""

    @property
    def object_id(self) -> ObjectId:
        """The id of the object that the candidate becomes."""
        return ObjectId.of(self.candidate.kind, self.candidate.item)

    @property
    def verdict(self) -> Refusal | Hold | None:
        """Why rights turned the candidate away, before staging or for what staging found; None if they did not."""
        for found in (self.decision, self.staged):
            if isinstance(found, Refusal | Hold):
                return found
        return None

    @property
    def staged_bytes(self) -> int:
        """Bytes that wait in staging."""
        return sum(f.hashes.file_bytes for f in self.staged.files) if isinstance(self.staged, StagedVersion) else 0


class Desk(Batches[Turn, Outcome]):
    """Takes turns in order and gives their outcomes in order. What is not acknowledged in the end is gone from staging."""

    def __init__(self, rooms: AcquireRooms) -> None:
        super().__init__(rooms.pace, lambda batch: settle(rooms, batch))
        self._rooms = rooms

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let the batch under way end, and give up what waits behind it."""
        super().__exit__(kind, error, trace)
        _discard(self._rooms, self.waiting)


def settle(rooms: AcquireRooms, batch: list[Turn]) -> list[Outcome]:
    """Return the outcomes of turns, all of them durable and recorded.

    Raises: StoreError when the archive's disk fails; nothing of the batch is acknowledged or left in staging then.
    """
    try:
        return _Batch(rooms, batch).settle()
    except BaseException:
        _discard(rooms, batch)
        raise


def _discard(rooms: AcquireRooms, turns: Iterable[Turn]) -> None:
    """Remove from staging what turns have there."""
    for turn in turns:
        if isinstance(turn.staged, StagedVersion):
            rooms.ingest.staging.discard(turn.staged.folder)


class _Batch:
    """Turns that share their durable points. told: events of the batch, one segment of the log."""

    def __init__(self, rooms: AcquireRooms, turns: list[Turn]) -> None:
        self._rooms = rooms
        self._turns = turns
        self._outcomes: dict[int, Outcome] = {}
        self._told: list[Event] = []
        self._verdicts: list[tuple[Refusal | Hold, ItemKey, Dossier]] = []

    def settle(self) -> list[Outcome]:
        """Return the outcomes in order of the turns."""
        rooms = self._rooms
        rooms.evidence.keep_all(evidence for turn in self._turns for evidence in _evidence(turn))
        self._store()
        for number, turn in enumerate(self._turns):
            verdict = turn.verdict
            if verdict is not None:
                self._note_verdict(turn, verdict)
                self._outcomes[number] = verdict
            elif isinstance(turn.staged, SourceError):
                self._outcomes[number] = Failed(turn.candidate.item, turn.staged)
        record_events(rooms, self._told)
        for verdict, item, dossier in self._verdicts:
            rooms.register.record_decision(verdict, item, rooms.clock.now(), dossier)
        for outcome in self._outcomes.values():
            if isinstance(outcome, Failed):  # in a segment of its own: it is told of each time, whatever its neighbours do
                record_events(rooms, [self._event("failed", outcome.item, (("reason", str(outcome.error)),))])
        return [self._outcomes[number] for number in range(len(self._turns))]

    def _store(self) -> None:
        """Store and record what is staged."""
        rooms = self._rooms
        offered = [(n, turn, turn.staged) for n, turn in enumerate(self._turns) if isinstance(turn.staged, StagedVersion)]
        damaged = {row.object_id for row in rooms.register.damaged(DAMAGED_MAX)}
        suspect = [len(damaged) == DAMAGED_MAX or turn.object_id in damaged for _, turn, _ in offered]
        sound = [one for one, ill in zip(offered, suspect, strict=True) if not ill or self._is_healed(one[0], one[2])]
        salted = [tuple(map(rooms.evidence.digest, staged.admission.evidence)) for _, _, staged in sound]
        commits = rooms.store.commit_many([(one[2], each) for one, each in zip(sound, salted, strict=True)])
        held: list[tuple[int, Turn, Commit]] = []
        entries: list[Entry] = []
        for (number, turn, _), commit in zip(sound, commits, strict=True):
            try:
                if not isinstance(commit, Commit):
                    raise commit
                entries += unrecorded(rooms.store, rooms.register, commit.version)
                entries.append((commit.version, commit.rights, self._description(turn.candidate, commit.version)))
                held.append((number, turn, commit))
            except FixityError as error:
                self._outcomes[number] = Failed(turn.candidate.item, error)
        if held:
            rooms.register.record_many(entries)
        for number, turn, commit in held:
            self._outcomes[number] = self._hold(turn, commit)

    def _description(self, candidate: Candidate, stored: StoredVersion) -> Description:
        """Return how the register describes an object. A later version may be called otherwise than its source does: corrected."""
        known = candidate if stored.version == 1 else self._rooms.store.metadata(stored.object_id)
        return Description(title=known.title, artist=known.artist, source_uri=known.source_uri)

    def _is_healed(self, number: int, staged: StagedVersion) -> bool:
        """Return whether the item's object is as it should be, healed from what is offered where it can be; else it has failed."""
        rooms = self._rooms
        try:
            heal_from_source(rooms, staged, rooms.clock)
        except FixityError as error:  # its own object is at fault, which is not its neighbours' matter
            self._outcomes[number] = Failed(staged.candidate.item, error)
            rooms.ingest.staging.discard(staged.folder)
            return False
        return True

    def _hold(self, turn: Turn, commit: Commit) -> Acquired:
        """Return the outcome of an item that is held, and note the event of it, unless it was told before."""
        stored, decision, staged = commit.version, turn.decision, turn.staged
        assert isinstance(decision, Admission), "what is stored was admitted"
        assert isinstance(staged, StagedVersion), "what is stored was staged"
        version = {"version": stored.version}
        if commit.made or not any(self._is_told(what, stored.object_id, version) for what in (ACQUIRED, ANALYSED)):
            facts = (("version", stored.version), ("licence", decision.licence.uri), ("rule", decision.rule))
            self._told.append(self._event(ACQUIRED, stored.object_id, facts))
        return Acquired(
            item=turn.candidate.item,
            object_id=stored.object_id,
            version=stored.version,
            made=commit.made,
            file_count=len(stored.files),
            acquired_bytes=sum(f.hashes.file_bytes for f in stored.files),
            left_out=staged.left_out,
        )

    def _note_verdict(self, turn: Turn, verdict: Refusal | Hold) -> None:
        """Note a refusal or a hold for the register and, the first time, for the event log.

        Audio and artwork of an item are decided apart, so the subject is the object that would have been.
        """
        rooms, candidate = self._rooms, turn.candidate
        verdict = replace(verdict, subject=turn.object_id if verdict.subject == candidate.item else verdict.subject)
        what = REFUSED if isinstance(verdict, Refusal) else HELD_FOR_REVIEW
        dossier = _dossier(turn, rooms.evidence.digest)
        # Told again when the evidence changed, so that a rebuild has what a person decides by.
        if not self._is_told(what, verdict.subject, {"rule": verdict.rule, "reason": verdict.reason, "said": said_digest(dossier)}):
            asked = verdict.remedy if isinstance(verdict, Refusal) else verdict.question
            salted = ",".join(each.salted_sha256 for each in dossier.evidence if each.salted_sha256)
            facts = (("item", candidate.item), ("rule", verdict.rule), ("reason", verdict.reason), ("next", asked))
            more = (("evidence", salted), ("said", said_digest(dossier)), ("dossier", dossier_json(dossier)))
            self._told.append(self._event(what, verdict.subject, (*facts, *more)))
        self._verdicts.append((verdict, candidate.item, dossier))

    def _is_told(self, what: str, subject: str, facts: Mapping[str, str | int]) -> bool:
        """Return whether an event about a subject that says this is known: a run that was killed before it told is made good."""
        told = self._rooms.register.events(EVENTS_OF_SUBJECT_MAX, subject=subject)
        return any(event.what == what and facts.items() <= dict(event.facts).items() for event in told)

    def _event(self, what: str, subject: str, facts: tuple[tuple[str, str | int | float], ...]) -> Event:
        """Return an event that happens now."""
        return Event(at=self._rooms.clock.now(), what=what, subject=subject, facts=facts)


def _evidence(turn: Turn) -> tuple[Evidence, ...]:
    """Return the evidence that has to be kept for a turn: what an admission rests on, or what a person will want to see."""
    if turn.verdict is not None:
        return turn.candidate.evidence
    if isinstance(turn.staged, StagedVersion):
        return turn.staged.admission.evidence
    return ()


def _dossier(turn: Turn, digest: Callable[[Evidence], str]) -> Dossier:
    """Return what is kept of a candidate that rights did not admit. digest: the salted one of a piece of evidence."""
    candidate = turn.candidate
    evidence = tuple(
        PublishedEvidence(e.scheme, published_statement(e.scheme, e.statement), e.source_uri, e.declarer, e.observed_at, digest(e))
        for e in candidate.evidence
    )
    return bounded(Dossier(candidate.title, candidate.artist, candidate.source_uri, turn.reference, evidence))
