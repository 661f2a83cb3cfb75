"""Audit and repair: every byte held against its digest, and damaged pieces alone fetched again and proved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteca.editions import Editions
from fonoteca.flows.events import record_events
from fonoteca.flows.healing import pieces_written_anew
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.metainfo import Announce, announced_also, parse_torrent
from fonoteca.model.corridor import Damage, DropMember, Event, MemberFile
from fonoteca.model.errors import FixityError, FonotecaError, UsageError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.ports import Clock, Progress, Staging, Swarm, Workers
from fonoteca.register import Check, MemberRow, ObjectRow, Register
from fonoteca.store import Store

AUDIT_TASK = "fonoteca.cli.tasks:audit_object"
CHECK_TASK = "fonoteca.cli.tasks:check_member"
_DAMAGES_MAX = 100_000
"""Damaged files that one repair takes on; the next run takes the next ones."""

_CHECKS_AT_ONCE = 500
"""Checks recorded in one transaction: a killed audit repeats at most so many files."""


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
class Audited:
    """What an audit found. file_count and audited_bytes: of what was read. root_files: damaged ones of the storage root.

    count_by_kind: files read, by the kind of their object. unregistered: paths of objects that the register does not know, and
    that were not read for it.
    """

    file_count: int
    audited_bytes: int
    damages: tuple[Damage, ...]
    root_files: tuple[str, ...]
    count_by_kind: Mapping[str, int]
    unregistered: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.damages or self.root_files or self.unregistered)


def audit(rooms: AuditRooms) -> Audited:
    """Return what an audit of everything found; each check is dated in the register, each damage told to the event log.

    Cost: one read of every byte, on all workers.
    """
    totals = rooms.register.totals()
    damages: list[Damage] = []
    counts: Counter[str] = Counter()
    audited_bytes = 0
    with rooms.progress.task("checking every byte", totals.bytes, "B") as advance:
        answers = rooms.workers.run(AUDIT_TASK, rooms.archive, _tasks(rooms.register, _every_object(rooms.register)))
        for row, (found, sizes) in zip(_every_object(rooms.register), answers, strict=True):
            _record(rooms, row.object_id, sizes, found)
            own = next((damage.kind for damage in found if damage.member.path not in sizes), "")
            if own != row.damage:
                rooms.register.mark_object(row.object_id, own)
            damages += found
            counts[row.kind] += len(sizes)
            audited_bytes += sum(sizes.values())
            advance(row.file_bytes)
    root_files = tuple(rooms.store.check_root())
    unregistered = tuple(path for path in rooms.store.object_paths() if rooms.register.object_at(path) is None)
    _tell(rooms, damages, (("files", counts.total()), ("bytes", audited_bytes), ("root_files", len(root_files))))
    return Audited(counts.total(), audited_bytes, tuple(damages), root_files, counts, unregistered)


def audit_sample(rooms: AuditRooms, count: int) -> Audited:
    """Return what an audit of so many files found: those never checked first, then those checked the longest ago."""
    rows = rooms.register.next_to_audit(count)
    members = [(row.object_id, hashed_member(rooms.register, row)) for row in rows]
    damages: list[Damage] = []
    with rooms.progress.task("checking a sample", sum(row.file_bytes for row in rows), "B") as advance:
        for row, damage in zip(rows, rooms.workers.run(CHECK_TASK, rooms.archive, members), strict=True):
            _record(rooms, row.object_id, {row.path: row.file_bytes}, [damage] if damage else [])
            damages += [damage] if damage else []
            advance(row.file_bytes)
    audited_bytes = sum(row.file_bytes for row in rows)
    _tell(rooms, damages, (("files", len(rows)), ("bytes", audited_bytes)))
    return Audited(len(rows), audited_bytes, tuple(damages), (), Counter(row.object_id.kind for row in rows))


def seen_damages(rooms: AuditRooms) -> tuple[Damage, ...]:
    """Return what is wrong now with the files that their last check found damaged.

    Cost: one read of each such file, and of all files of an object whose own inventory, sidecar or declaration was damaged.
    """
    rows = rooms.register.damaged(_DAMAGES_MAX)
    members = ((row.object_id, hashed_member(rooms.register, row)) for row in rows)
    found = [damage for damage in rooms.workers.run(CHECK_TASK, rooms.archive, members) if damage is not None]
    objects = rooms.register.damaged_objects(_DAMAGES_MAX)
    for damages, _ in rooms.workers.run(AUDIT_TASK, rooms.archive, _tasks(rooms.register, objects)):
        found += damages
    return tuple({damage.member.path: damage for damage in found}.values())


def hashed_member(register: Register, row: MemberRow) -> MemberFile:
    """Return a file of the register with all its hashes."""
    version = register.stored_version(row.object_id, row.version)
    assert version is not None, "the register gave this row"
    return next(member for member in version.members if member.path == row.path)


def _every_object(register: Register) -> Iterator[ObjectRow]:
    """Yield all objects in order of id."""
    after = None
    while page := register.objects(after=after):
        yield from page
        after = page[-1].object_id


def _tasks(register: Register, rows: Iterable[ObjectRow]) -> Iterator[tuple[ObjectId, dict[str, FileHashes]]]:
    """Yield what is to be audited: each object with what the register knows of its files."""
    return ((row.object_id, _known_hashes(register, row.object_id)) for row in rows)


def _known_hashes(register: Register, object_id: ObjectId) -> dict[str, FileHashes]:
    """Return what the register knows of an object's files, which is held against what the store itself says."""
    versions = (register.stored_version(object_id, row.version) for row in register.versions(object_id))
    return {member.path: member.hashes for version in versions if version for member in version.members}


def _record(rooms: AuditRooms, object_id: ObjectId, sizes: Mapping[str, int], damages: Sequence[Damage]) -> None:
    """Date the checks of files that the register knows; an object's root files are not among them."""
    damaged = {damage.member.path: damage for damage in damages}
    at = rooms.clock.now()
    checks = [Check(object_id, path, at, damaged.get(path)) for path in sizes]
    for start in range(0, len(checks), _CHECKS_AT_ONCE):
        rooms.register.record_checks(checks[start : start + _CHECKS_AT_ONCE])


def _tell(rooms: AuditRooms, damages: Sequence[Damage], facts: tuple[tuple[str, str | int | float], ...]) -> None:
    """Tell the event log that an audit ended, and of each damaged file."""
    at = rooms.clock.now()
    events = [Event(at, "audited", "store", (*facts, ("damaged", len(damages))))]
    for damage in damages:
        told = (("object", damage.object_id), ("kind", damage.kind), ("expected", damage.expected), ("found", damage.found))
        events.append(Event(at, "damaged", damage.member.path, told))
    record_events(rooms, events)


@dataclass(frozen=True, slots=True)
class RepairRooms:
    """What a repair needs. whereabouts: mirrors to fetch from."""

    store: Store
    register: Register
    editions: Editions
    staging: Staging
    swarm: Swarm
    whereabouts: Whereabouts
    clock: Clock
    progress: Progress


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did. healed: paths that are proved again. left: path to the reason why it is still damaged.

    refetched_bytes: payload that came over the swarm. mended: inventories restored from what the store itself knew.
    """

    healed: tuple[str, ...]
    mended: tuple[str, ...]
    left: Mapping[str, str]
    refetched_bytes: int
    piece_count: int


def repair(rooms: RepairRooms, damages: Sequence[Damage]) -> Repaired:
    """Return what became of damaged files: each is healed from a mirror, piece by piece, or named with the reason.

    Nothing is written that its hash does not prove. Raises: StoreError when the archive's own disk fails.
    """
    objects = sorted({damage.object_id for damage in damages})
    mended = [*rooms.store.mend_root(), *(path for object_id in objects for path in rooms.store.mend(object_id))]
    healed = _write_anew(rooms, damages)
    still = [damage for damage in damages if damage.member.path not in {*mended, *healed}]
    left: dict[str, str] = {}
    refetched = pieces = 0
    for drop_id, group in _by_drop(rooms.register, still):
        try:
            fetched = _fetch(rooms, drop_id, group)
        except FonotecaError as error:
            left |= {damage.member.path: str(error) for damage in group}
            continue
        refetched += fetched.payload_bytes
        pieces += sum(len(p) for p in fetched.pieces.values())
        for damage in group:
            try:
                rooms.store.heal(damage.member, fetched.pieces[damage.member.path])
                healed.append(damage.member.path)
            except FonotecaError as error:
                left[damage.member.path] = str(error)
    # An object whose every inventory was damaged has a whole one again only now.
    mended += [path for object_id in objects if healed for path in rooms.store.mend(object_id)]
    left = {path: reason for path, reason in left.items() if path not in mended}
    left |= dict.fromkeys(rooms.store.check_root(), "nothing that is known elsewhere says what it was")
    _note_repairs(rooms, damages, [*healed, *mended])
    return Repaired(tuple(healed), tuple(mended), left, refetched, pieces)


def _write_anew(rooms: RepairRooms, damages: Sequence[Damage]) -> list[str]:
    """Return the paths of documents of drops that are whole again, from what the register knows: no drop carries them."""
    healed = []
    for damage in damages:
        pieces = pieces_written_anew(rooms.register, damage)
        if pieces is None:
            continue
        try:
            rooms.store.heal(damage.member, pieces)
        except FixityError:
            continue  # more of it is damaged than the audit saw: it is named as left
        healed.append(damage.member.path)
    return healed


@dataclass(frozen=True, slots=True)
class _Fetched:
    """Pieces by path and index in the file, and the payload that they cost."""

    pieces: Mapping[str, Mapping[int, bytes]]
    payload_bytes: int


def _by_drop(register: Register, damages: Sequence[Damage]) -> Iterator[tuple[DropId | None, list[Damage]]]:
    """Yield damaged files by the drop that carries them; None for those in no drop."""
    dropped = register.dropped_members() if damages else {}
    groups: defaultdict[DropId | None, list[Damage]] = defaultdict(list)
    for damage in damages:
        row = register.file_by_path(damage.member.path)
        member = DropMember(damage.object_id, row.version) if row else None
        groups[dropped.get(member) if member else None].append(damage)
    yield from groups.items()


def _fetch(rooms: RepairRooms, drop_id: DropId | None, damages: Sequence[Damage]) -> _Fetched:
    """Return the damaged pieces of one drop's files from the swarm."""
    if drop_id is None:
        raise UsageError(damages[0].member.path, "it is in no drop, so no mirror has it", "Acquire its item again.")
    torrent = announced_also(rooms.editions.torrent(drop_id), Announce(web_seeds=rooms.whereabouts.web_seeds))
    first_piece = {file.path: file.first_piece for file in parse_torrent(torrent).files}
    wanted = sorted({first_piece[d.member.path] + index for d in damages for index in d.pieces})
    folder = rooms.staging.folder(f"repair-{drop_id}")
    try:
        with rooms.progress.task("fetching damaged pieces", len(wanted), "pieces") as advance:
            fetched = rooms.swarm.fetch_pieces(torrent, folder, wanted, rooms.whereabouts.peers)
            advance(len(wanted))
    finally:
        rooms.staging.discard(folder)
    pieces = {d.member.path: {index: fetched.pieces[first_piece[d.member.path] + index] for index in d.pieces} for d in damages}
    return _Fetched(pieces, fetched.payload_bytes)


def _note_repairs(rooms: RepairRooms, damages: Sequence[Damage], paths: Sequence[str]) -> None:
    """Date the files that are sound again, and tell the event log."""
    at = rooms.clock.now()
    damaged = {damage.member.path: damage for damage in damages}
    sound = [damaged[path] for path in dict.fromkeys(paths) if path in damaged]
    own = {path for path, d in damaged.items() if rooms.register.file_by_path(path) is None}
    rooms.register.record_checks(Check(d.object_id, d.member.path, at, None) for d in sound if d.member.path not in own)
    for object_id in sorted({damaged[path].object_id for path in own} - {damaged[path].object_id for path in own - {*paths}}):
        rooms.register.mark_object(object_id, "")
    events = [Event(at, "healed", d.member.path, (("pieces", len(d.pieces)), ("object", d.object_id))) for d in sound]
    # An object's own inventory is not among the damages when nothing could say what it should be; nor are the root's files.
    events += [Event(at, "healed", path) for path in dict.fromkeys(paths) if path not in damaged]
    record_events(rooms, events)
