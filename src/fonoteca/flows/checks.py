"""Checks on their way to the record: first to the event log, then to the register, a batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from fonoteca.flows.events import EventRooms, record_events
from fonoteca.formats.checklists import Checklist, checked_event
from fonoteca.model.corridor import Damage, Event
from fonoteca.model.ids import ObjectId
from fonoteca.ports import Clock
from fonoteca.register import Check, DueRow, Verdict

FILES_AT_ONCE = 5000
BYTES_AT_ONCE = 2 * 10**9
"""A batch of checks is recorded when it has so many files or bytes: what a killed audit repeats, beside what was being read."""

DAMAGED, HEALED = "damaged", "healed"
QUARANTINED, RELEASED = "quarantined", "released"


class CheckRooms(EventRooms, Protocol):
    """What has a store, a register and a clock."""

    @property
    def clock(self) -> Clock:
        """The time, for the record."""
        ...


class Ledger:
    """What an audit has checked so far. Batches are recorded beside the work, one at a time and in order: the disk is waited for
    while others read. A context: what was handed over is recorded when it ends, however it ends.

    began: no check is dated before it, whatever the clock does meanwhile.
    """

    def __init__(self, rooms: CheckRooms, began: datetime) -> None:
        self._rooms = rooms
        self._began = began
        self._writer = ThreadPoolExecutor(1, "ledger")
        self._writing: Future[None] | None = None
        self._waiting: list[tuple[DueRow, Verdict]] = []
        self._waiting_bytes = 0
        self._strange: list[Damage] = []
        self.counts: Counter[str] = Counter()
        self.damages: list[Damage] = []
        self.checked_bytes = 0

    def __enter__(self) -> Self:
        """Return the ledger."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait until what was handed over is recorded."""
        self._writer.shutdown()
        if kind is None:
            self._settle()

    def enter(self, row: DueRow, verdict: Verdict) -> None:
        """Take a check; it is recorded with its batch."""
        self._waiting.append((row, verdict))
        self.counts[row.object_id.kind] += 1
        self.checked_bytes += row.file_bytes
        self._waiting_bytes += row.file_bytes
        if verdict.damage:
            self.damages.append(verdict.damage)

    def enter_other(self, damages: Sequence[Damage]) -> None:
        """Take damage of files that have no row: an object's own, and content that the register does not know."""
        self.damages += damages
        self._strange += damages

    def record_full(self) -> None:
        """Record the batch if it is large enough."""
        if len(self._waiting) >= FILES_AT_ONCE or self._waiting_bytes >= BYTES_AT_ONCE:
            self.record()

    def record(self) -> None:
        """Hand over all that waits. It is durable once the next batch is handed over, or the context has ended.

        Raises: StoreError when the batch before could not be recorded.
        """
        self._settle()
        if self._waiting or self._strange:
            at = max(self._began, self._rooms.clock.now())
            batch = _Batch(at, self._waiting, self._strange, self._waiting_bytes)
            self._waiting, self._strange, self._waiting_bytes = [], [], 0
            self._writing = self._writer.submit(_record, self._rooms, batch)

    def _settle(self) -> None:
        """Wait until the batch that was handed over last is recorded. Raises: what hindered it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Checks of one moment. strange: damage of files without a row."""

    at: datetime
    checks: Sequence[tuple[DueRow, Verdict]]
    strange: Sequence[Damage]
    checked_bytes: int


def _record(rooms: CheckRooms, batch: _Batch) -> None:
    """Record a batch durably: first in the event log, then in the register."""
    damages = [verdict.damage for _, verdict in batch.checks if verdict.damage] + [*batch.strange]
    events = [checked_event(_checklist(rooms, batch))] if batch.checks else []
    events += [damaged_event(batch.at, damage) for damage in damages]
    rooms.store.append_events(events)
    rooms.register.auditing.record(batch.at, [verdict for _, verdict in batch.checks], events)


def _checklist(rooms: CheckRooms, batch: _Batch) -> Checklist:
    """Return the batch as the log keeps it."""
    sound = [row for row, verdict in batch.checks if verdict.damage is None]
    found = Counter(row.version_key for row in sound)
    held = rooms.register.auditing.member_counts(found)
    whole = {(row.object_id, row.version) for row in sound if found[row.version_key] == held[row.version_key]}
    return Checklist(
        at=batch.at,
        versions=tuple(sorted(whole)),
        paths=tuple(row.path for row in sound if (row.object_id, row.version) not in whole),
        file_count=len(batch.checks),
        checked_bytes=batch.checked_bytes,
        damaged_count=len(batch.checks) - len(sound),
    )


def damaged_event(at: datetime, damage: Damage) -> Event:
    """Return the event of a file that was found damaged."""
    facts = (
        ("object", damage.object_id),
        ("kind", damage.kind),
        ("expected", damage.expected),
        ("found", damage.found),
        ("pieces", " ".join(map(str, damage.pieces))),
    )
    return Event(at, DAMAGED, damage.member.path, facts)


def note_healed(rooms: EventRooms, damages: Sequence[Damage], at: datetime) -> None:
    """Date files that are sound again, whatever dates their earlier checks had, and tell the event log of each."""
    facts = [(("pieces", len(damage.pieces)), ("object", damage.object_id)) for damage in damages]
    record_events(rooms, [Event(at, HEALED, d.member.path, told) for d, told in zip(damages, facts, strict=True)])
    of_files = [damage for damage in damages if rooms.register.file_by_path(damage.member.path) is not None]
    rooms.register.record_checks(Check(damage.object_id, damage.member.path, at, None) for damage in of_files)
    stamps = rooms.store.stamps([damage.member.path for damage in of_files])
    for damage, stamp in zip(of_files, stamps, strict=True):
        rooms.register.auditing.enter_check(at, damage.member.path, "", stamp)


def quarantine(rooms: EventRooms, reasons: Mapping[ObjectId, str], at: datetime) -> None:
    """Put objects in quarantine, each with its reason: from now on they are neither served nor published."""
    known = {each.object_id for each in rooms.register.auditing.quarantined()}
    fresh = {object_id: reason for object_id, reason in sorted(reasons.items()) if object_id not in known}
    record_events(rooms, [Event(at, QUARANTINED, object_id, (("reason", reason),)) for object_id, reason in fresh.items()])
    for object_id, reason in fresh.items():
        rooms.register.auditing.quarantine(object_id, at, reason)


def release_sound(rooms: EventRooms, at: datetime) -> list[ObjectId]:
    """Let objects out of quarantine of which no damage is known any more. Returns: their ids."""
    auditing = rooms.register.auditing
    sound = [each.object_id for each in auditing.quarantined() if auditing.is_sound(each.object_id)]
    record_events(rooms, [Event(at, RELEASED, object_id) for object_id in sound])
    for object_id in sound:
        auditing.release(object_id)
    return sound
