"""Repair: damaged pieces alone are fetched again, from whoever has them, and each is proved before it is written.

Rules of order:
  1. what the store itself or the register still knows is written anew;
  2. each mirror is asked, in the order given, for the pieces still missing: folders and web seeds by ranges, then the swarm;
  3. a file is written when all its damaged pieces are here and proved, and not before;
  4. an object of which something stays damaged goes into quarantine; one that is sound again comes out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fonoteca.editions import Editions
from fonoteca.flows.checks import HEALED, note_healed, quarantine, release_sound
from fonoteca.flows.events import record_events
from fonoteca.flows.healing import pieces_written_anew
from fonoteca.flows.pieces import StagedPieces
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.metainfo import Announce, announced_also, parse_torrent
from fonoteca.model.corridor import Damage, DropMember, Event
from fonoteca.model.errors import FixityError, FonotecaError, UsageError
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.ports import Clock, Mirror, Progress, Staging, Swarm
from fonoteca.register import Register
from fonoteca.store import Store

RUN_BYTES_MAX = 8 << 20
"""Neighbouring damaged pieces are asked for together, up to so many bytes."""

SWARM_BYTES_MAX = 64 << 20
"""Of pieces that are fetched from a swarm together, and so are in memory together."""

FAILURES_MAX = 3
"""A mirror that could not be reached so many times in a row is not asked again."""

LIES_MAX = 20
"""A mirror that gave so many pieces that are not what their hashes prove is not asked again: it is no copy of this store."""

WHOLE_BYTES_MAX = 64 << 20
"""Of a file that is known by its digest alone, which only documents of other programs' stores are."""


@dataclass(frozen=True, slots=True)
class RepairRooms:
    """What a repair needs. mirrors: read by ranges, in the order in which they are asked. whereabouts: peers of the swarm.

    swarm: None where no peer is to be asked.
    """

    store: Store
    register: Register
    editions: Editions
    staging: Staging
    mirrors: Sequence[Mirror]
    swarm: Swarm | None
    whereabouts: Whereabouts
    clock: Clock
    progress: Progress


@dataclass(frozen=True, slots=True)
class Asked:
    """What a mirror gave. lies: pieces that were not what their hashes prove. trouble: the last that was wrong, "" for nothing."""

    name: str
    piece_count: int
    payload_bytes: int
    lies: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did. healed: paths that are proved again. left: path to the reason why it is still damaged.

    refetched_bytes: payload that mirrors sent. mended: inventories restored from what the store itself knew. asked: mirrors, in
    order. quarantined: objects of which something is left; released: those that were in quarantine and are sound again.
    """

    healed: tuple[str, ...]
    mended: tuple[str, ...]
    left: Mapping[str, str]
    refetched_bytes: int
    piece_count: int
    asked: tuple[Asked, ...] = ()
    quarantined: tuple[ObjectId, ...] = ()
    released: tuple[ObjectId, ...] = ()


def repair(rooms: RepairRooms, damages: Sequence[Damage]) -> Repaired:
    """Return what became of damaged files: each is healed from a mirror, piece by piece, or named with the reason.

    Nothing is written that its hash does not prove. Raises: StoreError when the archive's own disk fails.
    """
    objects = sorted({damage.object_id for damage in damages})
    mended = [*rooms.store.mend_root(), *(path for object_id in objects for path in rooms.store.mend(object_id))]
    healed = _write_anew(rooms, damages)
    clinic = _Clinic(rooms, healed)
    with _admitted(rooms, [damage for damage in damages if damage.member.path not in {*mended, *healed}]) as patients:
        for patient in patients:
            clinic.heal(patient)  # bytes after a file's end are damage, and no piece of it is missing
        asked = clinic.ask_mirrors(patients)
        if rooms.swarm is not None:
            asked += clinic.ask_swarm(rooms.swarm, [patient for patient in patients if patient.missing])
        left = clinic.left
        left |= {patient.damage.member.path: patient.complaint() for patient in patients if patient.missing}
    # An object whose every inventory was damaged has a whole one again only now.
    mended += [path for object_id in objects if healed for path in rooms.store.mend(object_id)]
    left = {path: reason for path, reason in left.items() if path not in mended}
    _note_repairs(rooms, damages, [*healed, *mended])
    ill = {damage.object_id: left[damage.member.path] for damage in damages if damage.member.path in left}
    quarantine(rooms, ill, rooms.clock.now())
    left |= dict.fromkeys(rooms.store.check_root(), "nothing that is known elsewhere says what it was")
    return Repaired(
        healed=tuple(healed),
        mended=tuple(mended),
        left=left,
        refetched_bytes=sum(each.payload_bytes for each in asked),
        piece_count=sum(each.piece_count for each in asked),
        asked=tuple(asked),
        quarantined=tuple(sorted(ill)),
        released=tuple(release_sound(rooms, rooms.clock.now())),
    )


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


@dataclass(slots=True, eq=False)
class _Patient:
    """A damaged file, the pieces of it that are here and proved, and why the others are not.

    swarmless: whether its drop's swarm failed it, and is not asked for more of it.
    """

    damage: Damage
    pieces: StagedPieces
    reasons: list[str] = field(default_factory=list)
    swarmless: bool = False
    done: bool = False

    @property
    def missing(self) -> list[int]:
        """The pieces still wanted. A file known by its digest alone is one piece, and all of it is damaged."""
        if self.done:
            return []
        wanted = (0,) if self.damage.member.hashes.digest_only else self.damage.pieces
        return [index for index in wanted if index not in self.pieces]

    def runs(self) -> Iterator[tuple[int, list[int]]]:
        """Yield where to read from and which pieces that gives: neighbours together, as far as `RUN_BYTES_MAX` lets them."""
        piece_bytes = self.damage.member.hashes.piece_bytes
        run: list[int] = []
        for index in self.missing:
            if run and (index != run[-1] + 1 or (len(run) + 1) * piece_bytes > RUN_BYTES_MAX):
                yield run[0] * piece_bytes, run
                run = []
            run.append(index)
        if run:
            yield run[0] * piece_bytes, run

    def length_of(self, run: Sequence[int]) -> int:
        """Return how many bytes these neighbouring pieces have."""
        hashes = self.damage.member.hashes
        if hashes.digest_only:
            return WHOLE_BYTES_MAX
        return min(len(run) * hashes.piece_bytes, hashes.file_bytes - run[0] * hashes.piece_bytes)

    def complaint(self) -> str:
        """Return why it is not healed, with what every mirror said."""
        said = "; ".join(dict.fromkeys(self.reasons)) or "no mirror was asked"
        remedy = "Name a mirror that has it with --from, or acquire its item again."
        return f"{len(self.missing)} damaged pieces are not to be had: {said}. {remedy}"


@contextmanager
def _admitted(rooms: RepairRooms, damages: Sequence[Damage]) -> Iterator[list[_Patient]]:
    """Give the damaged files, each with a place in staging for its pieces until the context ends."""
    folder = rooms.staging.folder("repair-pieces")
    unsynced = rooms.staging.unsynced
    try:
        yield [_Patient(damage, StagedPieces(unsynced, folder / str(number))) for number, damage in enumerate(damages)]
    finally:
        rooms.staging.discard(folder)


@dataclass(slots=True)
class _Clinic:
    """Heals each file as soon as its pieces are here; until then they wait in staging, and no more than some are in memory.

    healed: paths, in order. left: path to the reason why a file whose pieces are all here is not whole.
    """

    rooms: RepairRooms
    healed: list[str]
    left: dict[str, str] = field(default_factory=dict)

    def ask_mirrors(self, patients: Sequence[_Patient]) -> list[Asked]:
        """Return what mirrors gave, each asked in turn for what is still missing of a file: what one lacks another may have."""
        askings = [_Asking(self.rooms, mirror) for mirror in self.rooms.mirrors]
        wanted = sum(len(patient.missing) for patient in patients)
        if askings:
            with self.rooms.progress.task("fetching damaged pieces", wanted, "pieces") as advance:
                for patient in patients:
                    before = len(patient.missing)
                    for asking in askings:
                        if patient.missing:
                            asking.visit(patient)
                    advance(before - len(patient.missing))
                    self.heal(patient)
        return [Asked(each.mirror.name, each.piece_count, each.payload_bytes, each.lies, each.trouble) for each in askings]

    def ask_swarm(self, swarm: Swarm, patients: Sequence[_Patient]) -> list[Asked]:
        """Return what the swarm of each drop gave of the pieces that are still missing."""
        asked = []
        for drop_id, group in _by_drop(self.rooms.register, patients):
            payload_bytes = piece_count = 0
            for batch in _in_batches(group):
                try:
                    fetched = _fetch(self.rooms, swarm, drop_id, batch)
                except FonotecaError as error:
                    for patient in dict.fromkeys(patient for patient, _ in batch):
                        patient.swarmless = True
                        patient.reasons.append(str(error))
                    continue
                payload_bytes += fetched[0]
                piece_count += fetched[1]
                for patient in dict.fromkeys(patient for patient, _ in batch):
                    self.heal(patient)
            if piece_count:
                asked.append(Asked(f"swarm of {drop_id}", piece_count, payload_bytes, 0, ""))
        return asked

    def heal(self, patient: _Patient) -> None:
        """Write a file of which nothing is missing any more; its pieces are let go."""
        if patient.missing or patient.done:
            return
        member = patient.damage.member
        try:
            self.rooms.store.heal(member, patient.pieces)
            self.healed.append(member.path)
        except FixityError as error:
            self.left[member.path] = f"{error.problem}. {error.remedy}"
        patient.done = True
        patient.pieces.discard()


def _in_batches(patients: Sequence[_Patient]) -> Iterator[list[tuple[_Patient, int]]]:
    """Yield missing pieces, each with the file that it is of, so many together as `SWARM_BYTES_MAX` lets."""
    batch: list[tuple[_Patient, int]] = []
    batch_bytes = 0
    for patient in patients:
        for index in patient.missing:
            if patient.swarmless:
                break
            piece_bytes = patient.damage.member.hashes.piece_bytes
            if batch and batch_bytes + piece_bytes > SWARM_BYTES_MAX:
                yield batch
                batch, batch_bytes = [], 0
            batch.append((patient, index))
            batch_bytes += piece_bytes
    if batch:
        yield batch


@dataclass(slots=True)
class _Asking:
    """A mirror that is asked, and what it is worth."""

    rooms: RepairRooms
    mirror: Mirror
    piece_count: int = 0
    payload_bytes: int = 0
    lies: int = 0
    failures: int = 0
    trouble: str = ""

    def visit(self, patient: _Patient) -> None:
        """Ask for what is missing of a file."""
        for start, run in list(patient.runs()):
            if self.failures >= FAILURES_MAX or self.lies >= LIES_MAX:
                patient.reasons.append(f"{self.mirror.name} was passed over: {self.trouble}")
                return
            try:
                content = self.mirror.read_range(patient.damage.member.path, start, patient.length_of(run))
                self.failures = 0
            except FonotecaError as error:
                self.failures += 1
                self._note(patient, error.problem)
                continue
            if content is None:
                patient.reasons.append(f"{self.mirror.name} does not have it")
                return
            self.payload_bytes += len(content)
            self._take(patient, run, content)

    def _take(self, patient: _Patient, run: Sequence[int], content: bytes) -> None:
        """Keep those pieces that are proved."""
        member = patient.damage.member
        for place, index in enumerate(run):
            start = place * member.hashes.piece_bytes
            piece = content if member.hashes.digest_only else content[start : start + member.hashes.piece_bytes]
            if self.rooms.store.proves(member, index, piece):
                patient.pieces.keep(index, piece)
                self.piece_count += 1
            else:
                self.lies += 1
                self._note(patient, f"its bytes for piece {index} are not what the hash proves")

    def _note(self, patient: _Patient, trouble: str) -> None:
        self.trouble = trouble
        patient.reasons.append(f"{self.mirror.name}: {trouble}")


def _by_drop(register: Register, patients: Sequence[_Patient]) -> Iterator[tuple[DropId | None, list[_Patient]]]:
    """Yield damaged files by the drop that carries them; None for those in no drop."""
    dropped = register.dropped_members() if patients else {}
    groups: defaultdict[DropId | None, list[_Patient]] = defaultdict(list)
    for patient in patients:
        row = register.file_by_path(patient.damage.member.path)
        member = DropMember(patient.damage.object_id, row.version) if row else None
        groups[dropped.get(member) if member else None].append(patient)
    yield from groups.items()


def _fetch(rooms: RepairRooms, swarm: Swarm, drop_id: DropId | None, wanted: Sequence[tuple[_Patient, int]]) -> tuple[int, int]:
    """Fetch damaged pieces of one drop's files. Returns: the payload bytes that it took, and how many pieces came."""
    if drop_id is None:
        path = wanted[0][0].damage.member.path
        raise UsageError(path, "it is in no drop, so no peer has it", "Acquire its item again, or name a folder that has it.")
    torrent = announced_also(rooms.editions.torrent(drop_id), Announce(web_seeds=rooms.whereabouts.web_seeds))
    first_piece = {file.path: file.first_piece for file in parse_torrent(torrent).files}
    pieces = [first_piece[patient.damage.member.path] + index for patient, index in wanted]
    folder = rooms.staging.folder(f"repair-{drop_id}")
    try:
        with rooms.progress.task("fetching damaged pieces from the swarm", len(pieces), "pieces") as advance:
            fetched = swarm.fetch_pieces(torrent, folder, sorted(pieces), rooms.whereabouts.peers)
            advance(len(pieces))
    finally:
        rooms.staging.discard(folder)
    for (patient, index), piece in zip(wanted, pieces, strict=True):
        patient.pieces.keep(index, fetched.pieces[piece])
    return fetched.payload_bytes, len(pieces)


def _note_repairs(rooms: RepairRooms, damages: Sequence[Damage], paths: Sequence[str]) -> None:
    """Date the files that are sound again, and tell the event log."""
    at = rooms.clock.now()
    damaged = {damage.member.path: damage for damage in damages}
    note_healed(rooms, [damaged[path] for path in dict.fromkeys(paths) if path in damaged], at)
    own = {path for path in damaged if rooms.register.file_by_path(path) is None}
    for object_id in sorted({damaged[path].object_id for path in own} - {damaged[path].object_id for path in own - {*paths}}):
        rooms.register.mark_object(object_id, "")
    # An object's own inventory is not among the damages when nothing could say what it should be; nor are the root's files.
    record_events(rooms, [Event(at, HEALED, path) for path in dict.fromkeys(paths) if path not in damaged])
