"""Audit: every byte held against its digest, what is due first, and nothing verified read again before its time.

Rules of order:
  1. files that are known to be damaged, and those whose length or time changed since their last check, come first;
  2. then those never checked, then the longest unchecked;
  3. checks are recorded a batch at a time, so that a killed audit goes on where it stopped;
  4. a check that is dated in the future says nothing of when it was: see `flows.doubts`;
  5. an audit that is taken up again reads anew what no row keeps the length and time of, to tell of a change: objects' own
     files, and files whose last check a register that was made anew knows the date of alone.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from fonoteca.flows.checks import CheckRooms, Ledger, release_sound
from fonoteca.flows.doubts import FUTURE_SLACK, future_checks_are_due
from fonoteca.flows.events import record_events
from fonoteca.model.corridor import Damage, DamageKind, Event, MemberFile
from fonoteca.model.errors import UsageError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ObjectId
from fonoteca.ports import Clock, Progress, Workers
from fonoteca.register import DueRow, MemberRow, Quarantined, Register, SeenRow, Verdict
from fonoteca.store import Batch, Frame, Store

CHECK_TASK = "fonoteca.workshop:check_batch"
STAMP_TASK = "fonoteca.workshop:see_stamps"
STRANGE_TASK = "fonoteca.workshop:strange_paths"

BATCH_FILES, BATCH_BYTES = 500, 64 << 20
"""Of files that a worker is given at once: its way there and back costs a millisecond, and all workers should end together."""

STAMPS_AT_ONCE = 2000
FOLDERS_AT_ONCE = 64
"""Of the layout's 4,096 first folders: a question to the register and a task are for so many."""

DAMAGES_MAX = 100_000
"""Damaged files that one run takes on; the next run takes the next ones."""

CHANGED_MAX = 10_000
"""Changed files that one run names. A store that was copied elsewhere has a new time on every file."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGUN, _AUDITED, _STORE = "audit-begun", "audited", "store"
_EVENTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class AuditRooms:
    """What an audit needs. archive: the folder, from which the tasks build their own store where they run."""

    store: Store
    register: Register
    workers: Workers
    clock: Clock
    progress: Progress
    archive: Path


@dataclass(frozen=True, slots=True)
class Scope:
    """What an audit is to read. older_than: what was verified more lately is not due; None: everything is, whatever its date.

    bytes_max, time_max: an end to the run, after which the rest waits for the next one. files_max: a sample of so many files,
    the longest unchecked, whatever is due.
    """

    older_than: timedelta | None = None
    bytes_max: int | None = None
    time_max: timedelta | None = None
    files_max: int | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing but what is due ends it."""
        return self.bytes_max is None and self.time_max is None and self.files_max is None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit found. file_count and audited_bytes: of what was read. root_files: damaged ones of the storage root.

    count_by_kind: files read, by the kind of their object. unregistered: paths of objects that the register does not know, or
    knows less of than the store. changed: paths of files whose length or time is not as at their last check, `CHANGED_MAX` of them
    at most; all of them, changed_count, were read first.
    stamp_count: files whose length and time were looked at. mistaken: files whose bytes are right and whose rows in the register
    are not. quarantined: objects that nothing could heal so far. cut_short: whether the budget ended before what was due.
    """

    file_count: int
    audited_bytes: int
    damages: tuple[Damage, ...]
    root_files: tuple[str, ...]
    count_by_kind: Mapping[str, int]
    unregistered: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    changed_count: int = 0
    stamp_count: int = 0
    mistaken: tuple[str, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    cut_short: bool = False

    @property
    def sound(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.damages or self.root_files or self.unregistered or self.mistaken or self.quarantined)


def audit(rooms: AuditRooms, scope: Scope = EVERYTHING) -> Audited:
    """Return what an audit found; each check is dated in the register and told to the event log, and so is each damage.

    A whole audit also reads the storage root's own files and the event log, and looks for objects that the register does not know.
    Cost: one read of what is due, on all workers; a look at the length and time of all that was checked before, but for samples.
    """
    run = _Run(rooms, scope, rooms.clock.now())
    run.begin()
    total = _total_bytes(rooms.register, scope)
    with rooms.progress.task("checking every byte" if scope.whole else "checking what is due", total, "B") as advance:
        run.check(advance)
    root_files: tuple[str, ...] = ()
    if scope.whole:
        root_files = tuple(rooms.store.check_root())
        run.unregistered += _strange_objects(rooms)
    released = release_sound(rooms, max(run.began, rooms.clock.now()))
    return run.end(root_files, len(released))


def audit_sample(rooms: AuditRooms, count: int) -> Audited:
    """Return what an audit of so many files found: those never checked first, then those checked the longest ago."""
    return audit(rooms, Scope(files_max=count))


def _total_bytes(register: Register, scope: Scope) -> int | None:
    """Return how many bytes will be read, as far as that is known."""
    if scope.bytes_max is not None:
        return scope.bytes_max
    return register.totals().bytes if scope.whole and scope.older_than is None else None


class _Patience:
    """How much of a budget is left. A clock that is set back gives no time away, and one set ahead only ends the run."""

    def __init__(self, scope: Scope, clock: Clock) -> None:
        self._clock = clock
        self._scope = scope
        self._last = clock.now()
        self._gone = timedelta()
        self._files = self._bytes = 0
        self.ended = False

    def lets(self, file_bytes: int) -> bool:
        """Take note of a file to read. Returns: False when the budget has no room for it; the first file always has."""
        scope = self._scope
        if scope.time_max is not None:
            now = self._clock.now()
            self._gone += max(timedelta(), now - self._last)
            self._last = now
        over = scope.bytes_max is not None and self._bytes + file_bytes > scope.bytes_max and self._files > 0
        over = over or (scope.time_max is not None and self._gone > scope.time_max)
        over = over or (scope.files_max is not None and self._files >= scope.files_max)
        self.ended = self.ended or over
        self._files += 1
        self._bytes += file_bytes
        return not over


@dataclass(slots=True)
class _Run:
    """One audit under way."""

    rooms: AuditRooms
    scope: Scope
    began: datetime
    changed: list[str] = field(default_factory=list)
    changed_count: int = 0
    unregistered: list[str] = field(default_factory=list)
    mistaken: list[str] = field(default_factory=list)
    stamp_count: int = 0
    goes_on_from: datetime | None = None
    _patience: _Patience = field(init=False)
    _ledger: Ledger = field(init=False)
    _under_way: set[int] = field(default_factory=set)
    _batches: deque[list[DueRow]] = field(default_factory=deque)
    _ill_objects: set[ObjectId] = field(default_factory=set)
    _fallen_objects: set[ObjectId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._patience = _Patience(self.scope, self.rooms.clock)
        self._ledger = Ledger(self.rooms, self.began)

    def begin(self) -> None:
        """Take up an audit of everything that was killed, or tell the log of a new one, so that it can be taken up."""
        self._ill_objects = {row.object_id for row in self.rooms.register.damaged_objects(DAMAGES_MAX)}
        if self.scope == EVERYTHING:
            self.goes_on_from = unfinished_since(self.rooms.register)
            if self.goes_on_from is None:
                record_events(self.rooms, [Event(self.began, _BEGUN, _STORE, (("scope", "everything"),))])

    def check(self, advance: Callable[[int], None]) -> None:
        """Check what is due, as far as the budget goes."""
        answers = self.rooms.workers.run(CHECK_TASK, self.rooms.archive, self._items())
        with self._ledger:
            try:
                self._look_again_at_own_files()
                for looks, fallen in answers:
                    rows = self._batches.popleft()
                    for row, (stamp, problem) in zip(rows, looks, strict=True):
                        self._judge(row, stamp, problem)
                    self._judge_frames(rows, fallen)
                    self._ledger.record_full()
                    advance(sum(row.file_bytes for row in rows))
                if self.scope.files_max is None:
                    self._judge_ill()
            except KeyboardInterrupt:
                self._ledger.record()
                raise
            self._ledger.record()

    def end(self, root_files: tuple[str, ...], released_count: int) -> Audited:
        """Tell the event log that the audit ended, and return what it found."""
        ledger = self._ledger
        scope = "everything" if self.scope == EVERYTHING else "due" if self.scope.files_max is None else "sample"
        facts: list[tuple[str, str | int | float]] = [("files", ledger.counts.total()), ("bytes", ledger.checked_bytes)]
        facts += [("root_files", len(root_files)), ("damaged", len(ledger.damages)), ("scope", scope)]
        facts += [("changed", self.changed_count), ("released", released_count)]
        record_events(self.rooms, [Event(max(self.began, self.rooms.clock.now()), _AUDITED, _STORE, tuple(facts))])
        return Audited(
            file_count=ledger.counts.total(),
            audited_bytes=ledger.checked_bytes,
            damages=tuple(sorted(ledger.damages, key=lambda damage: damage.member.path)),
            root_files=root_files,
            count_by_kind=ledger.counts,
            unregistered=tuple(sorted(set(self.unregistered))),
            changed=tuple(self.changed),
            changed_count=self.changed_count,
            stamp_count=self.stamp_count,
            mistaken=tuple(self.mistaken),
            quarantined=tuple(self.rooms.register.auditing.quarantined()),
            cut_short=self._patience.ended and self.scope.files_max is None,
        )

    # What is due ----------------------------------------------------------------------------------------------------

    def _items(self) -> Iterator[Batch]:
        """Yield what workers are to check, a batch at a time."""
        rows: list[DueRow] = []
        batch_bytes = 0
        for row in self._due():
            if row.key in self._under_way:
                continue
            if not self._patience.lets(row.file_bytes):
                break
            self._under_way.add(row.key)
            rows.append(row)
            batch_bytes += row.file_bytes
            if len(rows) >= BATCH_FILES or batch_bytes >= BATCH_BYTES:
                yield self._batch(rows)
                rows, batch_bytes = [], 0
        if rows:
            yield self._batch(rows)

    def _batch(self, rows: list[DueRow]) -> Batch:
        self._batches.append(rows)
        return Batch(tuple((row.path, row.sha256) for row in rows), _frames(rows))

    def _due(self) -> Iterator[DueRow]:
        """Yield the files to check, the most urgent first."""
        auditing, older_than = self.rooms.register.auditing, self.scope.older_than
        if self.scope.files_max is not None:
            yield from auditing.never_checked()
            yield from auditing.checked_between(EPOCH, None)
        elif self.scope == EVERYTHING and self.goes_on_from is None:
            yield from auditing.every_file()
        else:
            yield from auditing.damaged_files()
            yield from self._changed()
            yield from auditing.never_checked()
            yield from auditing.checked_between(EPOCH, self._due_before())
            if older_than is None or future_checks_are_due(self.rooms, self.began, older_than):
                yield from auditing.checked_between(self.began + FUTURE_SLACK, None)

    def _due_before(self) -> datetime:
        """Return the date before which a file's last check makes it due."""
        if self.scope.older_than is None:
            return self.goes_on_from or self.began
        return max(EPOCH, self.began - self.scope.older_than)

    def _changed(self) -> Iterator[DueRow]:
        """Yield the files whose length or time is not what their last check saw. Cost: a look at each, nothing is read.

        An audit that is taken up again: then those of which nobody knows what it saw.
        """
        asked: deque[list[SeenRow]] = deque()

        def items() -> Iterator[list[str]]:
            page: list[SeenRow] = []
            for row in self.rooms.register.auditing.seen():
                page.append(row)
                if len(page) == STAMPS_AT_ONCE:
                    asked.append(page)
                    yield [each.path for each in page]
                    page = []
            if page:
                asked.append(page)
                yield [each.path for each in page]

        keys, unknown = array("q"), array("q")  # of 8 bytes each: all files may have changed
        for stamps in self.rooms.workers.run(STAMP_TASK, self.rooms.archive, items()):
            rows = asked.popleft()
            self.stamp_count += len(rows)
            for row, stamp in zip(rows, stamps, strict=True):
                if _has_changed(row, stamp):
                    keys.append(row.key)
                    if len(self.changed) < CHANGED_MAX:
                        self.changed.append(row.path)
                elif row.seen is None and self.goes_on_from is not None:
                    unknown.append(row.key)
        self.changed_count = len(keys)
        keys += unknown
        for start in range(0, len(keys), STAMPS_AT_ONCE):
            yield from self.rooms.register.auditing.files(keys[start : start + STAMPS_AT_ONCE])

    def _look_again_at_own_files(self) -> None:
        """Read again the own files of objects that the killed audit had verified. Cost: three small reads of each."""
        if self.goes_on_from is None:
            return
        verified = self.rooms.register.auditing.checked_between(self.goes_on_from, self.began + FUTURE_SLACK)
        heads = (row for row in verified if row.is_head_inventory)
        asked: deque[list[DueRow]] = deque()

        def items() -> Iterator[Batch]:
            while rows := list(islice(heads, BATCH_FILES)):
                asked.append(rows)
                yield Batch((), _frames(rows))

        for _, fallen in self.rooms.workers.run(CHECK_TASK, self.rooms.archive, items()):
            self._judge_frames(asked.popleft(), fallen)

    # What came of it ------------------------------------------------------------------------------------------------

    def _judge(self, row: DueRow, stamp: tuple[int, int] | None, problem: str) -> None:
        """Enter the check of a file; one that does not look sound is looked at closely, down to its pieces."""
        if self.scope.files_max is None:  # else its new date would bring it into the same sample again
            self._under_way.discard(row.key)
        damage = None
        if problem:
            member = hashed_member(self.rooms.register, row)
            damage = self.rooms.store.check_member(row.object_id, member) if member else None
            if member is None or (damage is not None and _is_row_wrong(damage)):
                self.mistaken.append(row.path)
                return
        self._ledger.enter(row, Verdict(row.key, stamp, damage, row.damage))

    def _judge_frames(self, rows: Sequence[DueRow], fallen: Sequence[Frame]) -> None:
        """Note what is wrong with objects' own files, and forget what was wrong with those that stand again."""
        paths = {frame.object_path for frame in fallen}
        for row in rows:
            if not row.is_head_inventory:
                continue
            ill = row.object_id in self._ill_objects
            self._ill_objects.discard(row.object_id)
            if row.object_path in paths:
                self._judge_frame(row)
            elif ill:
                self.rooms.register.mark_object(row.object_id, "")

    def _judge_ill(self) -> None:
        """Look again at the own files of objects that were ill before and of which nothing was due."""
        for object_id in sorted(self._ill_objects):
            self._look_at_frame(object_id)

    def _look_at_frame(self, object_id: ObjectId) -> list[Damage]:
        """Return what is wrong with an object's own files, after it is noted."""
        known = known_hashes(self.rooms.register, object_id)
        found = list(self.rooms.store.audit(object_id, known, known))
        self._ledger.enter_other(found)
        self.rooms.register.mark_object(object_id, found[0].kind if found else "")
        return found

    def _judge_frame(self, row: DueRow) -> None:
        """Note what is wrong with an object's own files; where nothing is, the register knows less of it than the store."""
        if row.object_id in self._fallen_objects:
            return
        self._fallen_objects.add(row.object_id)
        found = self._look_at_frame(row.object_id)
        if not found and not self._ledger_knows_damage(row.object_id):
            self.unregistered.append(row.object_path)

    def _ledger_knows_damage(self, object_id: ObjectId) -> bool:
        return any(damage.object_id == object_id for damage in self._ledger.damages)


def _frames(rows: Sequence[DueRow]) -> tuple[Frame, ...]:
    """Return the objects whose own files are to be checked with these rows."""
    return tuple(Frame(row.object_path, row.sha256) for row in rows if row.is_head_inventory)


def _is_row_wrong(damage: Damage) -> bool:
    """Whether every piece is right and only the digest in the register is not: then the row is damaged, and not the file."""
    return damage.kind is DamageKind.DIGEST and not damage.pieces and not damage.member.hashes.digest_only


def _has_changed(row: SeenRow, stamp: tuple[int, int] | None) -> bool:
    """Whether a file was written since its last check, as far as its length and time tell.

    Where a rebuild has forgotten what that check saw: whether it was written later than it was checked.
    """
    if stamp is None or row.seen is not None:
        return stamp != row.seen
    changed_at = EPOCH + timedelta(microseconds=stamp[1] // 1000)
    return stamp[0] != row.file_bytes or changed_at > row.checked_at


def unfinished_since(register: Register) -> datetime | None:
    """Return when the audit of everything began that was the last to begin and has not ended, None when it has."""
    for event in register.events(_EVENTS_MAX, subject=_STORE):
        if dict(event.facts).get("scope") == "everything":
            return event.at if event.what == _BEGUN else None
    return None


def seen_damages(rooms: CheckRooms) -> tuple[Damage, ...]:
    """Return what is wrong now with the files that their last check found damaged.

    Cost: one read of each such file, and of an object's own files where they were damaged.
    """
    register, store = rooms.register, rooms.store
    found: dict[str, Damage] = {}
    for row in register.damaged(DAMAGES_MAX):
        member = hashed_member(register, row)
        damage = store.check_member(row.object_id, member) if member else None
        found |= {row.path: damage} if damage else {}
    for ill in register.damaged_objects(DAMAGES_MAX):
        known = known_hashes(register, ill.object_id)
        found |= {damage.member.path: damage for damage in store.audit(ill.object_id, known, known)}
    return tuple(found.values())


def hashed_member(register: Register, row: MemberRow | DueRow) -> MemberFile | None:
    """Return a file of the register with all its hashes, None when the register has lost them."""
    version = register.stored_version(row.object_id, row.version)
    if version is None:
        raise UsageError(row.path, "the register knows the file and not its version", "Run `fonoteca rebuild`.")
    return next((member for member in version.members if member.path == row.path), None)


def known_hashes(register: Register, object_id: ObjectId) -> dict[str, FileHashes]:
    """Return what the register knows of an object's files, which is held against what the store itself says."""
    versions = (register.stored_version(object_id, row.version) for row in register.versions(object_id))
    return {member.path: member.hashes for version in versions if version for member in version.members}


def _strange_objects(rooms: AuditRooms) -> list[str]:
    """Return the paths of objects that the register does not know, or of which it has lost rows."""
    folders = rooms.store.object_folders()
    groups = (folders[start : start + FOLDERS_AT_ONCE] for start in range(0, len(folders), FOLDERS_AT_ONCE))
    items = ((group, frozenset(rooms.register.auditing.object_paths(group[0], group[-1]))) for group in groups)
    strange = [path for paths in rooms.workers.run(STRANGE_TASK, rooms.archive, items) for path in paths]
    return strange + rooms.register.auditing.objects_with_lost_rows(DAMAGES_MAX)
