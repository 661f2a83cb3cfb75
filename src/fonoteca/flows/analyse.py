"""Analyse: decode what was acquired without it, on all workers, and say in a new version what each file is.

Rules of order, kept for every object:
  1. all its files are decoded before any of it is written, so that it has one new version and never half a result;
  2. a file that does not decode is first proved to be the file that was acquired: damage of ours is for audit and repair;
  3. the store acknowledges the version, then the event is told, then the register has it and it waits no more;
  4. until then nothing of the object is published or served.
Killed between any two steps, the next run goes on: what was acknowledged is not decoded again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from fonoteca.flows.batches import Batches, Pace
from fonoteca.flows.events import record_events
from fonoteca.flows.records import Entry, entry_of, unrecorded
from fonoteca.flows.rulings import EVENTS_OF_SUBJECT_MAX
from fonoteca.model.audio import Examined, Protected
from fonoteca.model.corridor import Event, LeftOut, MemberFile
from fonoteca.model.errors import AudioError, FixityError, FonotecaError
from fonoteca.model.ids import ObjectId
from fonoteca.ports import Blobs, Clock, Progress, Staging, Workers
from fonoteca.register import FileRow, Register
from fonoteca.store import Store

ANALYSED = "analysed"
"""The event of an object whose audio was decoded after it was acquired."""

EXAMINE_TASK = "fonoteca.audio:verdict_on"
"""What says what a file is, from (path, logical path), where the workers are."""

_COPY_BYTES = 1 << 20

Verdict = Examined | Protected | AudioError


@dataclass(frozen=True, slots=True)
class AnalyseRooms:
    """What an analysis needs. blobs: of the store; where they have no files of their own, staging takes copies."""

    store: Store
    register: Register
    blobs: Blobs
    staging: Staging
    workers: Workers
    clock: Clock
    progress: Progress
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a run may do: None is no limit. No object is begun once a limit is reached, and none is left half-way."""

    files_max: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Analysed:
    """An object whose audio is known now. made: whether this run made the version that says so."""

    object_id: ObjectId
    version: int
    made: bool
    file_count: int
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Unanalysed:
    """An object that goes on waiting, and why."""

    object_id: ObjectId
    error: FonotecaError


@dataclass(slots=True)
class _Case:
    """An object under way. rows: its files that wait; verdicts: of the first of them, in order. copies: files in staging."""

    object_id: ObjectId
    rows: list[FileRow]
    verdicts: list[Verdict] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every file has its verdict."""
        return len(self.verdicts) == len(self.rows)


def analyse(rooms: AnalyseRooms, budget: Budget) -> Iterator[Analysed | Unanalysed]:
    """Yield what became of each object that waited, in order of recording, once it is durable.

    Raises: StoreError when the archive's own disk fails. Cost: a decode of each file, on all workers.
    """
    run = _Run(rooms, budget)
    yield from run.results()


class _Run:
    """One run over what waits."""

    def __init__(self, rooms: AnalyseRooms, budget: Budget) -> None:
        self._rooms = rooms
        self._budget = budget
        self._cases: deque[_Case] = deque()
        self._copy_count = 0

    def results(self) -> Iterator[Analysed | Unanalysed]:
        """Yield results as they become durable."""
        rooms = self._rooms
        answers = rooms.workers.run(EXAMINE_TASK, None, self._files())
        try:
            with (
                rooms.progress.task("analysing", self._budget.files_max, "files") as advance,
                Batches(rooms.pace, self._settle) as batches,
            ):
                for verdict in answers:
                    next(case for case in self._cases if not case.is_whole).verdicts.append(verdict)
                    advance(1)
                    while self._cases and self._cases[0].is_whole:
                        yield from batches.put(self._cases.popleft(), 0)
                yield from batches.rest()
        finally:
            close = getattr(answers, "close", None)
            if close is not None:
                close()
            for case in self._cases:
                self._forget(case)

    def _files(self) -> Iterator[tuple[Path, str]]:
        """Yield the files to decode, object by object, as far as the budget goes."""
        rooms, budget, given = self._rooms, self._budget, 0
        end = None if budget.duration_s is None else rooms.clock.now() + timedelta(seconds=budget.duration_s)
        for object_id in rooms.register.waiting():
            spent = end is not None and rooms.clock.now() >= end
            if spent or (budget.files_max is not None and given >= budget.files_max):
                return
            case = _Case(object_id, [row for row in rooms.register.files(object_id) if row.stored.probe is None])
            if case.rows:
                self._cases.append(case)
            for row in case.rows:
                given += 1
                yield self._local(case, row), row.logical_path

    def _local(self, case: _Case, row: FileRow) -> Path:
        """Return a file that holds the row's bytes: the store's own, or a copy in staging."""
        rooms = self._rooms
        path = rooms.blobs.local_path(row.path)
        if path is not None:
            return path
        self._copy_count += 1  # objects may hold the same bytes: what is under way for one is not another's
        folder = rooms.staging.folder(f"analyse-{self._copy_count:08d}")
        case.copies.append(folder)
        copy = folder / "audio"
        if rooms.blobs.size(row.path) is not None:
            with rooms.blobs.open(row.path) as source, rooms.staging.writer(copy) as target:
                while chunk := source.read(_COPY_BYTES):
                    target.write(chunk)
        return copy

    def _forget(self, case: _Case) -> None:
        """Remove what a case has in staging."""
        for folder in case.copies:
            self._rooms.staging.discard(folder)

    def _settle(self, cases: list[_Case]) -> list[Analysed | Unanalysed]:
        """Return the results of whole cases, durable, told and recorded."""
        rooms = self._rooms
        results: list[Analysed | Unanalysed] = []
        told: list[Event] = []
        entries: list[Entry] = []
        for case in cases:
            try:
                findings = {
                    row.logical_path: self._finding(case, row, said) for row, said in zip(case.rows, case.verdicts, strict=True)
                }
                commit = rooms.store.revise(case.object_id, findings, "Analyse")
                entries += unrecorded(rooms.store, rooms.register, commit.version)
                entries.append(entry_of(rooms.store, commit.version))
            except FixityError as error:  # this object is damaged, which is not its neighbours' matter
                results.append(Unanalysed(case.object_id, error))
                continue
            finally:
                self._forget(case)
            left_out = tuple(each for each in findings.values() if isinstance(each, LeftOut))
            result = Analysed(case.object_id, commit.version.version, commit.made, len(commit.version.files), left_out)
            results.append(result)
            if commit.made or not self._is_told(result):
                facts = (("version", result.version), ("files", result.file_count), ("left_out", len(left_out)))
                told.append(Event(rooms.clock.now(), ANALYSED, result.object_id, facts))
        record_events(rooms, told)  # before the register says that the object waits no more: a killed run is made good
        if entries:
            rooms.register.record_many(entries)
        return results

    def _is_told(self, result: Analysed) -> bool:
        """Return whether the event of a result is known."""
        told = self._rooms.register.events(EVENTS_OF_SUBJECT_MAX, subject=result.object_id)
        return any(event.what == ANALYSED and ("version", result.version) in event.facts for event in told)

    def _finding(self, case: _Case, row: FileRow, verdict: Verdict) -> Examined | LeftOut:
        """Return what a file is, or why it is left out. Raises: FixityError when its bytes are not those that were acquired."""
        if isinstance(verdict, Examined):
            return verdict
        damage = self._rooms.store.check_member(case.object_id, MemberFile(row.path, row.stored.hashes))
        if damage is not None:
            problem = f"its bytes are damaged here: expected {damage.expected}, found {damage.found}"
            raise FixityError(f"{case.object_id}: {row.logical_path}", problem, "Run `fonoteca audit`, then `fonoteca repair`.")
        if isinstance(verdict, Protected):
            return LeftOut(row.logical_path, "protected", f"{verdict.reason} ({verdict.marker})")
        return LeftOut(row.logical_path, verdict.code.rsplit(".", 1)[-1], verdict.problem)
