"""Seeking: the wants of the plan in force, in order, from the places that the settings name, into the store.

Rules of order, kept for every want:
  1. places are looked through in the order of the settings; the first that has it is asked for it;
  2. rights decide before a byte is fetched, and again when it is here (`fonoteca.flows.acquire`);
  3. what became of it is in the register before its files leave staging, so that a run that is killed is gone on with;
  4. a place that wants to be left alone is left alone for the rest of the run, and its wants stay as they were.
An item that several wants are in is taken once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from fonoteca.catalogue import Catalogue
from fonoteca.flows.acquire import Acquired, AcquireRooms, Failed, Outcome, acquire_offers
from fonoteca.flows.fetching import Watch, sweep_fetched
from fonoteca.flows.places import Place, has_want, places_of
from fonoteca.model.corridor import Candidate, Want
from fonoteca.model.errors import FonotecaError, SourceBusy, SourceError, SourceMissing, SourceRefused, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Hold, Kind, Refusal
from fonoteca.model.wants import WantRow, WantState
from fonoteca.register import DecisionState
from fonoteca.sources import SOURCES, Found

PAGE_WANTS = 500
TRIES_MAX = 6
RETRY_FIRST = timedelta(hours=1)
RETRY_MAX = timedelta(days=7)
FOUND_MAX = 5
"""References of one place that are looked at for one want."""
_FINAL = frozenset({WantState.HELD, WantState.REFUSED, WantState.NOT_FOUND})
_WORTH = (WantState.HELD, WantState.REVIEW, WantState.REFUSED, WantState.FAILED, WantState.NOT_FOUND)
"""What is said of a want that several places gave different answers for: the first of these."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run begins nothing new: bytes fetched, requests sent, seconds passed; None for no limit. again: ask for all anew."""

    fetched_bytes: int | None = None
    requests: int | None = None
    seconds: float | None = None
    again: bool = False


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class SeekRooms:
    """The rooms and settings that seeking needs. places: as the settings have them."""

    acquire: AcquireRooms
    catalogue: Catalogue
    places: Sequence[str]


@dataclass(slots=True)
class _Answer:
    """What one reference came to for a want."""

    state: WantState
    subject: str = ""
    reference: str = ""
    reason: str = ""
    next_at: datetime | None = None
    tried: bool = True


@dataclass(slots=True)
class _Search:
    """A want that is looked for: where else it may be, and what the places said so far."""

    want: Want
    before: WantRow | None
    rest: Iterator[tuple[Place, Found]] | None = None
    answers: list[_Answer] = field(default_factory=list)
    put_off: bool = False


@dataclass(slots=True)
class _Item:
    """A reference that is under way, with who waits for it. promised: bytes and requests that it may still take."""

    place: Place
    reference: str
    candidates: tuple[Candidate, ...]
    waiting: list[tuple[_Search, Found]]
    promised: tuple[int, int]
    outcomes: list[Outcome] = field(default_factory=list)


class Seeker:
    """One run over the plan in force. stopped: why it began nothing new before the end of the plan, "" where it did not."""

    def __init__(self, rooms: SeekRooms, limits: Limits = NO_LIMITS) -> None:
        plan = rooms.catalogue.current_plan()
        if plan is None:
            raise UsageError("plan", "there is none", "Run `fonoteca plan --budget BYTES` first.")
        self.plan = plan
        self.stopped = ""
        self.settled = 0
        self.fetched_bytes = 0
        self._rooms = rooms
        self._desk = rooms.acquire
        self._context = rooms.acquire.sources
        self._limits = limits
        self._places = places_of(rooms.places)
        self._begun = self._desk.clock.now()
        self._sent_before = self._context.web.sent
        self._after_place = 0
        self._queue: deque[_Search] = deque()
        self._open: dict[str, _Item] = {}
        self._line: deque[_Item] = deque()
        self._told: deque[WantRow] = deque()
        self._busy: dict[Place, datetime | None] = {}

    @property
    def requests(self) -> int:
        """How many requests this run sent."""
        return self._context.web.sent - self._sent_before

    @property
    def left(self) -> int:
        """How many wants come after those that this run has looked for, as far as the plan goes."""
        return (
            max(0, self.plan.want_count - self._after_place) + len(self._queue) + sum(len(i.waiting) for i in self._open.values())
        )

    def rows(self) -> Iterator[WantRow]:
        """Yield what became of each want that was looked for, once the register has it.

        Raises: UsageError for places that cannot be searched; StoreError when the archive's own disk fails.
        """
        sweep_fetched(self._context.staging, lambda object_id: self._desk.register.object(object_id) is not None)
        more = True
        while more:
            before = (self._after_place, self.settled)
            watch = Watch(self._came, self._arrived)
            for _, outcome in acquire_offers(self._desk, self._offers(), f"plan {self.plan.id}", watch):
                self._take(outcome)
                yield from self._said()
            yield from self._said()
            more = bool(self._queue) and not self.stopped and before != (self._after_place, self.settled)

    def seconds(self) -> float:
        """Return how long the run has gone on."""
        return (self._desk.clock.now() - self._begun).total_seconds()

    def _said(self) -> Iterator[WantRow]:
        while self._told:
            self.settled += 1
            yield self._told.popleft()

    # Looking ----------------------------------------------------------------------------------------------------------

    def _offers(self) -> Iterator[Candidate]:
        """Yield the candidates of the next wants, as long as the limits let us."""
        while not self.stopped:
            search = self._next()
            if search is None:
                return
            item = self._look(search)
            if item is None:
                continue
            self._open[item.reference] = item
            for candidate in item.candidates:
                self._line.append(item)
                yield candidate

    def _next(self) -> _Search | None:
        """Return the want that comes next, None at the end of the plan or of what a run may do."""
        if self._is_spent(0, 1):
            return None
        while not self._queue:
            page = self._rooms.catalogue.wants(self._after_place, PAGE_WANTS)
            if not page:
                return None
            self._after_place = page[-1].place
            known = self._desk.register.wants.of([want.recording for want in page])
            settled = [known[w.recording] for w in page if w.recording in known and not self._is_due(known[w.recording])]
            stale = [replace(row, plan=self.plan.id) for row in settled if row.plan != self.plan.id]
            self._desk.register.wants.record(stale)
            done = {row.recording for row in settled}
            self._queue.extend(_Search(w, known.get(w.recording)) for w in page if w.recording not in done)
        return self._queue.popleft()

    def _is_due(self, row: WantRow) -> bool:
        """Return whether a want is worth looking for again."""
        if self._limits.again or row.state is WantState.FETCHED:
            return row.state is not WantState.HELD
        if row.state is WantState.REVIEW:
            return any(each.state == DecisionState.SETTLED for each in self._desk.register.decisions_about(row.subject))
        if row.state in _FINAL:
            return False
        return row.tries < TRIES_MAX and (row.next_at is None or row.next_at <= self._desk.clock.now())

    def _founds(self, search: _Search) -> Iterator[tuple[Place, Found]]:
        """Yield where a want may be, place by place; asks a place only once the one before it had nothing."""
        for place in self._places:
            if place in self._busy:
                search.put_off = True
                continue
            try:
                for found in islice(place.finder.find(search.want, place.address, self._context), FOUND_MAX):
                    yield place, found
            except SourceError as error:
                self._stumbled(search, error, place)

    def _look(self, search: _Search) -> _Item | None:
        """Return the item to take for a want, None where there is none, it is under way, or the run is over."""
        while True:
            if all(place in self._busy for place in self._places):
                until = [str(at) for at in self._busy.values() if at is not None]
                self.stopped = f"every place wants to be left alone{f' until {min(until)}' if until else ''}"
                return None
            try:
                if search.rest is None:
                    search.rest = self._founds(search)
                place, found = next(search.rest)
            except StopIteration:
                self._settle(search)
                return None
            reference = f"{place.kind} {found.ref}"
            under_way = self._open.get(reference)
            if under_way is not None:
                under_way.waiting.append((search, found))
                return None
            item = self._opened(search, place, found)
            if item is not None:
                return item
            if self.stopped:
                self._queue.appendleft(search)
                return None

    def _opened(self, search: _Search, place: Place, found: Found) -> _Item | None:
        """Return an item with its candidates, None where it has not what is wanted; what that means is noted."""
        reference = f"{place.kind} {found.ref}"
        try:
            candidates = tuple(SOURCES[place.kind].candidates(found.ref, self._context))
        except SourceError as error:
            self._stumbled(search, error, place, reference)
            return None
        if not has_want(search.want, found, candidates):
            search.answers.append(_Answer(WantState.NOT_FOUND, "", reference, "the item that it should be in has it not"))
            return None
        files = [file for candidate in candidates for file in candidate.files]
        promised = (sum(file.file_bytes or 0 for file in files) or search.want.file_bytes, len(files) + len(candidates))
        if self._is_spent(*promised):
            search.rest = iter([(place, found)])
            return None
        return _Item(place, reference, candidates, [(search, found)], promised)

    def _stumbled(self, search: _Search, error: SourceError, place: Place, reference: str = "") -> None:
        """Note what a place said in place of an item."""
        if isinstance(error, SourceBusy):
            self._busy[place] = self._context.web.free_at(place.address.split()[0])
            search.put_off = True
        else:
            search.answers.append(_Answer(_state_of(error), "", reference, str(error)))

    def _is_spent(self, more_bytes: int, more_requests: int) -> bool:
        """Return whether nothing new may be begun, and note why."""
        limits = self._limits
        promised_bytes, promised_requests = (sum(item.promised[i] for item in self._open.values()) for i in (0, 1))
        over_bytes = limits.fetched_bytes is not None and self.fetched_bytes + promised_bytes + more_bytes > limits.fetched_bytes
        over_requests = limits.requests is not None and self.requests + promised_requests + more_requests > limits.requests
        over_time = limits.seconds is not None and self.seconds() >= limits.seconds
        for over, what in ((over_bytes, "bytes"), (over_requests, "requests"), (over_time, "time")):
            if over:
                self.stopped = f"the {what} that this run may take are spent" if what != "time" else "the time of this run is over"
        return bool(self.stopped)

    # What comes back --------------------------------------------------------------------------------------------------

    def _came(self, count: int) -> None:
        self.fetched_bytes += count

    def _arrived(self, candidate: Candidate) -> None:
        """Note that the files of wants are here. Called from the threads that fetch."""
        if candidate.kind is not Kind.AUDIO:
            return
        items = [item for item in list(self._open.values()) if candidate.item in {each.item for each in item.candidates}]
        answers = [
            self._row(search, _Answer(WantState.FETCHED, candidate.item, item.reference, "", tried=False))
            for item in items
            for search, found in list(item.waiting)
            if has_want(search.want, found, [candidate])
        ]
        self._desk.register.wants.record(answers)

    def _take(self, outcome: Outcome) -> None:
        """Note the outcome of the candidate that was offered longest ago, and settle its item with its last one."""
        item = self._line.popleft()
        item.outcomes.append(outcome)
        if len(item.outcomes) < len(item.candidates):
            return
        del self._open[item.reference]
        for search, found in item.waiting:
            of_want = [
                (candidate, outcome)
                for candidate, outcome in zip(item.candidates, item.outcomes, strict=True)
                if has_want(search.want, found, [candidate])
            ] or list(zip(item.candidates, item.outcomes, strict=True))
            search.answers += [self._answer(item, candidate, outcome) for candidate, outcome in of_want]
            busy = any(isinstance(o, Failed) and isinstance(o.error, SourceBusy) for _, o in of_want)
            if busy:
                self._busy.setdefault(item.place, self._context.web.free_at(item.place.address.split()[0]))
            if any(answer.state is WantState.HELD for answer in search.answers) or busy:
                self._settle(search)
            else:
                self._queue.appendleft(search)

    def _answer(self, item: _Item, candidate: Candidate, outcome: Outcome) -> _Answer:
        object_id = ObjectId.of(candidate.kind, candidate.item)
        match outcome:
            case Acquired():
                return _Answer(WantState.HELD, outcome.object_id, item.reference)
            case Hold():
                return _Answer(WantState.REVIEW, candidate.item, item.reference, f"{outcome.rule}: {outcome.reason}")
            case Refusal():
                return _Answer(WantState.REFUSED, object_id, item.reference, f"{outcome.rule}: {outcome.reason}")
            case Failed():
                error = outcome.error
                if isinstance(error, SourceBusy):
                    at = self._context.web.free_at(item.place.address.split()[0])
                    return _Answer(WantState.FAILED, object_id, item.reference, str(error), at, tried=False)
                return _Answer(_state_of(error), object_id, item.reference, str(error))

    def _settle(self, search: _Search) -> None:
        """Write down what became of a want, unless a place that could not be asked may still have it."""
        if search.put_off and not any(answer.state is WantState.HELD for answer in search.answers):
            return
        nothing = _Answer(WantState.NOT_FOUND, reason=f"none of {len(self._places)} places has it")
        ranked = sorted(search.answers, key=lambda each: _WORTH.index(each.state))
        row = self._row(search, ranked[0] if ranked else nothing)
        self._desk.register.wants.record([row])
        self._told.append(row)

    def _row(self, search: _Search, answer: _Answer) -> WantRow:
        want, now = search.want, self._desk.clock.now()
        tries = search.before.tries if search.before is not None else 0
        next_at = answer.next_at
        if answer.state is WantState.FAILED and answer.tried:
            tries += 1
            next_at = now + min(RETRY_FIRST * 4 ** (tries - 1), RETRY_MAX) if tries < TRIES_MAX else None
        return WantRow(
            want.recording,
            self.plan.id,
            want.place,
            want.title,
            want.artist,
            answer.state,
            answer.subject,
            answer.reference,
            answer.reason,
            tries,
            next_at,
            now,
        )


def _state_of(error: FonotecaError) -> WantState:
    if isinstance(error, SourceMissing):
        return WantState.NOT_FOUND
    return WantState.REFUSED if isinstance(error, SourceRefused) else WantState.FAILED


def estimate(done: int, seconds: float, left: int) -> tuple[float, float] | None:
    """Return between how many seconds and how many the rest takes, at the pace so far; None while it is too early to say.

    Two standard errors of a count, and never closer than a tenth: what comes is not what went.
    """
    if done < 10 or seconds <= 0:
        return None
    spread = max(0.1, 2 / done**0.5)
    pace = seconds / done
    return left * pace * (1 - spread if spread < 1 else 0), left * pace * (1 + spread)
