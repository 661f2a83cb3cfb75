"""Acquire: from what a source offers to what the store holds, many candidates under way at once.

Rules of order, kept for every candidate:
  1. rights decide before a byte is read for keeping;
  2. bytes are staged and proved, then stored; the raw evidence is durable before that;
  3. only after the store's acknowledgement does the register say that we hold it;
  4. a refusal, a hold or a failure of one candidate is recorded, and the next one has its turn;
  5. outcomes come in the order of the source.
Killed between any two steps, the same command run again ends in the same state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from fonoteca.flows.acquire_desk import Acquired, AcquireRooms, Desk, Failed, Outcome, Turn
from fonoteca.flows.batches import Pace
from fonoteca.flows.fetching import NOBODY, Fetching, FetchRooms, Spoilt, Watch, is_wanted_again, sweep_old
from fonoteca.flows.rechecking import narrower
from fonoteca.flows.replay import SOURCE_CHANGED
from fonoteca.flows.rulings import evidence_of, last_word, refusal_of
from fonoteca.flows.terming import term_set, termed_by_people
from fonoteca.ingest import stage_all
from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import FonotecaError, SourceError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Admission, Decision, Hold, Refusal, Scheme
from fonoteca.model.withdrawal import Withdrawal
from fonoteca.register import DecisionState
from fonoteca.rights import decide
from fonoteca.sources import SOURCES

__all__ = ["AcquireRooms", "Acquired", "Failed", "Outcome", "Pace", "acquire"]

TURNED_AWAY_MAX = 1000
"""Candidates in a row that rights turn away before staging is let run empty, so that they are recorded and forgotten."""

WITHDRAWN = "withdrawn"
"""The rule that refuses what was withdrawn."""

RULED_MAX = 100_000
"""Rulings kept in memory for a run; where there are more, the register is asked about each candidate."""


def acquire(rooms: AcquireRooms, kind: str, ref: str) -> Iterator[Outcome]:
    """Yield the outcome of each candidate that the source of this kind offers under `ref`, in order, once it is durable.

    Raises: SourceError when the source itself cannot be read; StoreError when the archive's own disk fails.
    """
    found = False
    offers = SOURCES[kind].candidates(ref, rooms.sources)
    here = Path(ref)  # what is on this machine is found again from any folder
    reference = f"{kind} {here.resolve() if here.exists() else ref}"
    for _, outcome in acquire_offers(rooms, offers, ref, reference=reference):
        found = True
        yield outcome
    if not found:
        raise SourceError(ref, f"nothing in it that a source of kind {kind} offers as music", "Check the path or the name.")


def acquire_offers(
    rooms: AcquireRooms, offers: Iterable[Candidate], label: str, watch: Watch = NOBODY, reference: str = ""
) -> Iterator[tuple[Candidate, Outcome]]:
    """Yield each candidate with its outcome, in the order of the offers, once it is durable.

    reference: `KIND REF` of all of them, "" where each has its own.
    What was fetched for a candidate is removed once the caller asks for the next one: by then the caller knows of it for good. Of
    one that failed it waits for another try, no longer than `fetching.KEPT_FOR`.
    Raises: what `offers` raises, after the outcomes of what came before; StoreError when the archive's own disk fails.
    """
    sweep_old(rooms.sources.staging, rooms.clock.now())
    run = _Run(rooms, offers, label, reference)
    with Fetching(FetchRooms(rooms.sources.web, rooms.sources.staging, rooms.policy, rooms.clock, watch)) as fetching:
        for outcome in run.outcomes(fetching):
            candidate = run.told.popleft()
            yield candidate, outcome
            if not isinstance(outcome, Failed) or not is_wanted_again(outcome.error):
                fetching.discard(candidate)
    if run.trouble is not None:
        raise run.trouble


@dataclass(slots=True)
class _Seat:
    """A candidate's place in the order of the source, and what is known of it so far."""

    turn: Turn


class _Run:
    """One run over a source. trouble: why it ended before the source did; what it gave until then is seen to first."""

    def __init__(self, rooms: AcquireRooms, offers: Iterable[Candidate], label: str, reference: str) -> None:
        self._rooms = rooms
        self._label, self._reference = label, reference
        self._offers = iter(offers)
        self._decided: deque[_Seat] = deque()
        self.told: deque[Candidate] = deque()
        self.trouble: FonotecaError | None = None
        self._over = False

    def outcomes(self, fetching: Fetching) -> Iterator[Outcome]:
        """Yield outcomes as they become durable."""
        rooms = self._rooms
        with rooms.progress.task(f"acquiring {self._label}", None, "B") as advance, Desk(rooms) as desk:
            while not self._over:
                for staged in stage_all(self._at_hand(fetching), rooms.ingest, advance):
                    yield from self._turned_away(desk)
                    turn = replace(self._decided.popleft().turn, staged=staged)
                    yield from desk.put(turn, turn.staged_bytes)
                yield from self._turned_away(desk)
                yield from desk.rest()

    def _turned_away(self, desk: Desk) -> Iterator[Outcome]:
        """Hand on those at the head of the line whom rights have turned away."""
        while self._decided and (
            not isinstance(self._decided[0].turn.decision, Admission) or self._decided[0].turn.staged is not None
        ):
            yield from desk.put(self._decided.popleft().turn, 0)

    def _at_hand(self, fetching: Fetching) -> Iterator[tuple[Candidate, Admission]]:
        """Yield admitted candidates once their files are here; those that cannot be had keep their place in the order."""
        waiting: deque[_Seat] = deque()
        for fetched in fetching.fetched(self._admitted(waiting)):
            seat = waiting.popleft()
            if not isinstance(fetched, Spoilt):
                yield fetched
            elif isinstance(fetched.reason, SourceError):
                seat.turn = replace(seat.turn, staged=fetched.reason)
            else:
                seat.turn = Turn(fetched.candidate, fetched.reason, reference=self._reference)

    def _admitted(self, waiting: deque[_Seat]) -> Iterator[tuple[Candidate, Admission]]:
        """Yield the candidates that may be held, each after rights have decided; all are noted in the order of the source.

        waiting: those that are yielded, until they are here.
        """
        rooms = self._rooms
        turned_away = 0
        try:
            for offered in self._offers:
                candidate, stays_out = self._with_ruling(offered)
                decision = self._withdrawn(candidate) or stays_out or decide(candidate, rooms.policy, rooms.clock.now())
                decision = self._narrowed(candidate, decision) or decision
                seat = _Seat(Turn(candidate, decision, reference=self._reference))
                self._decided.append(seat)
                self.told.append(candidate)
                if isinstance(decision, Admission):
                    turned_away = 0
                    waiting.append(seat)
                    yield candidate, decision
                else:
                    turned_away += 1
                    if turned_away == TURNED_AWAY_MAX:
                        return
        except FonotecaError as error:
            self.trouble = error
        self._over = True

    def _withdrawn(self, candidate: Candidate) -> Refusal | None:
        """Return why a candidate is not taken in again: what was withdrawn stays so until it is reinstated."""
        object_id = ObjectId.of(candidate.kind, candidate.item)
        mask = self._masked.get(object_id)
        if mask is not None:
            reason = f"it was withdrawn: {mask.tombstone.reason.words} ({mask.tombstone.ground})"
            return Refusal(object_id, WITHDRAWN, reason, f"`fonoteca withdraw --reinstate {object_id}` lifts it.")
        if object_id in self._purged:
            reason = "its bytes were purged here, and its id is that of the drops that carried them"
            return Refusal(object_id, WITHDRAWN, reason, "Offer it under another id, or another folder's name.")
        return None

    def _narrowed(self, candidate: Candidate, decision: Decision) -> Hold | None:
        """Return the question for a person where a source says less now than when its item was taken in."""
        rooms = self._rooms
        ruled = any(each.scheme is Scheme.DECISION for each in candidate.evidence)
        if not isinstance(decision, Admission) or ruled or not any(file.elsewhere for file in candidate.files):
            return None  # nobody else's word: what is at hand is the operator's own
        object_id = ObjectId.of(candidate.kind, candidate.item)
        if rooms.register.object(object_id) is None:
            return None
        record = rooms.store.rights(object_id)
        less = narrower(record, decision)
        said = f"it is held under {record.licence_uri}, and what its source says now, {decision.licence.uri}, {less}"
        return Hold(object_id, SOURCE_CHANGED, said, "Under which licence is it held from now on?") if less else None

    @cached_property
    def _masked(self) -> Mapping[ObjectId, Withdrawal]:
        """What is withdrawn, in one query."""
        return {each.tombstone.object_id: each for each in self._rooms.register.withdrawals.all() if each.masks()}

    @cached_property
    def _purged(self) -> Set[ObjectId]:
        """What was purged, in one query."""
        return self._rooms.register.withdrawals.purged()

    def _with_ruling(self, candidate: Candidate) -> tuple[Candidate, Refusal | None]:
        """Return the candidate with what a person at this archive has ruled about it, and the refusal if it is to stay out."""
        object_id = ObjectId.of(candidate.kind, candidate.item)
        term = term_set(self._rooms.register, object_id) if object_id in self._termed else None
        candidate = candidate if term is None else replace(candidate, term=term)
        if object_id not in self._ruled and len(self._ruled) < RULED_MAX:
            return candidate, None
        ruling = last_word(self._rooms.register, object_id)
        if ruling is None:
            return candidate, None
        evidence = evidence_of(ruling)
        return replace(candidate, evidence=(*candidate.evidence, *((evidence,) if evidence else ()))), refusal_of(ruling)

    @cached_property
    def _termed(self) -> frozenset[str]:
        """What people have set terms for, in one query."""
        return termed_by_people(self._rooms.register)

    @cached_property
    def _ruled(self) -> frozenset[str]:
        """What people have ruled about, in one query instead of one a candidate: while this run writes, nobody rules."""
        return frozenset(row.subject for row in self._rooms.register.decisions(DecisionState.SETTLED, RULED_MAX))
