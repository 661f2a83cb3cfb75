"""One simulated archive: its disk, its object store if it has one, a source, a whole copy, and processes that come and go."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

from fonoteca.audio import judge
from fonoteca.catalogue import Catalogue
from fonoteca.edges.disk_calls import remove_tree
from fonoteca.edges.keys import KeyFolder
from fonoteca.edges.s3 import S3Blobs
from fonoteca.editions import Keyring
from fonoteca.flows.acquire import AcquireRooms, Pace
from fonoteca.formats.sightings import sight
from fonoteca.ingest import TAKE_TASK
from fonoteca.model.errors import StoreError
from fonoteca.model.fixity import Sighting
from fonoteca.model.settings import EditionSettings, Settings
from fonoteca.neighbours import Healers
from fonoteca.ports import SILENCE, Blobs
from fonoteca.register import Register
from fonoteca.search import SnapshotTables
from fonoteca.sql.engine import open_engine
from fonoteca.testing.calls import Crash
from fonoteca.testing.keys import counted_seeds
from fonoteca.testing.simulation.bucket import Bucket, FaultyBucket
from fonoteca.testing.simulation.disk import Disk
from fonoteca.testing.simulation.faults import HEALTHY, Faults, FaultyCalls
from fonoteca.testing.simulation.music import INSTANT, Music, put_file
from fonoteca.testing.simulation.truth import LawBroken, Truth
from fonoteca.wiring import Archive, acquire_rooms, create_archive, load_settings

SETTINGS = Settings("simulated", "Simulated archive", 16384, editions=EditionSettings(drop_bytes_max=60_000))
SALT = bytes(range(32))
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRUSTED = ("register.sqlite", ".lock")
"""SQLite synchronises its own files, and the lock its own: they do not go through the simulated calls."""


class SimulatedClock:
    """`Clock` that goes on by a step each time it is asked, and jumps when told to."""

    def __init__(self) -> None:
        self._at = BEGIN

    def now(self) -> datetime:
        """Return the moment, a little later than the last."""
        self._at += timedelta(milliseconds=250)
        return self._at

    def jump(self, by: timedelta) -> None:
        """Go to another time."""
        self._at += by


class NoSearch:
    """In place of the search index, which starts threads of its own.

    Nothing but the catalogue goes into it, and its drop carries a file of the catalogue; tests/flows crash the real one at every
    step.
    """

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue
        self._built: str | None = None

    def snapshot(self) -> str | None:
        """Return the snapshot of which the index is."""
        return self._built

    def files(self) -> tuple[tuple[str, Path], ...]:
        """Return what its drop carries."""
        return self._catalogue().snapshot_files()[:1]

    def is_of(self, snapshot: str) -> bool:
        """Return whether that is its snapshot."""
        return self._built == snapshot

    def build(self, tables: SnapshotTables, _progress: object) -> None:
        """Take note that an index was asked for."""
        self._built = tables.name


class InlineWorkers:
    """Workers in this process, one item after the other. The same bytes under the same name are examined once a session.

    store: of the process that asks, so that its faults reach the tasks, which would open a store of their own.
    """

    def __init__(self, archive: SimulatedArchive) -> None:
        self._archive = archive

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the task's answer for each item."""
        module, name = task.split(":")
        room = importlib.import_module(module)
        if task == TAKE_TASK:
            settings = replace(settings, examine=_examined)
        for item in items:
            if hasattr(room, "_store"):
                with _lent(room, self._archive):
                    answer = getattr(room, name)(settings, item)
            else:
                answer = getattr(room, name)(settings, item)
            yield answer


@contextmanager
def _lent(room: Any, archive: SimulatedArchive) -> Iterator[None]:
    """Let tasks that would open the archive's store have the one that is open."""
    own = room._store
    room._store = lambda _folder: archive.store
    try:
        yield
    finally:
        room._store = own


_verdicts: dict[tuple[bytes, str], Any] = {}


def _examined(path: Path, name: str) -> Any:
    """Return what audio says of a file."""
    content = path.read_bytes()
    if (content, name) not in _verdicts:
        _verdicts[content, name] = judge(path, name)
    return _verdicts[content, name]


class FailingReads:
    """`Blobs` of which one read in so many fails, as a disk's do that is about to die."""

    def __init__(self, inner: Blobs, calls: FaultyCalls) -> None:
        self._inner = inner
        self._calls = calls
        self._left = calls.faults.unreadable

    def __getattr__(self, name: str) -> Any:
        """Return what the wrapped blobs have."""
        return getattr(self._inner, name)

    def read(self, key: str) -> bytes:
        """Read, or fail."""
        self._turn(key)
        return self._inner.read(key)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read, or fail."""
        self._turn(key)
        return self._inner.read_range(key, start, length)

    def open(self, key: str) -> BinaryIO:
        """Open, or fail."""
        self._turn(key)
        return self._inner.open(key)

    def sight_all(self, keys: Sequence[str]) -> list[Sighting]:
        """Return what is seen of each blob, but for those that cannot be read."""
        return [sight(self, key) for key in keys]

    def _turn(self, key: str) -> None:
        self._left -= 1
        if self._left == 0:
            self._left = self._calls.faults.unreadable
            self._calls.harmed += 1
            raise StoreError(key, "the disk could not read or write (EIO)", "Look into the system's log; the disk may be failing.")


class SimulatedArchive(Archive):
    """The archive as one process has it open."""

    def __init__(self, world: World, calls: FaultyCalls) -> None:
        super().__init__(world.folder, load_settings(world.folder), calls, calls.before_commit)
        self._faulty = calls
        self._bucket = world.bucket
        self.clock = world.clock
        self.workers = InlineWorkers(self)
        self.search = NoSearch(lambda: self.catalogue)  # type: ignore[assignment]

    @cached_property
    def register(self) -> Register:
        """The record of what is held, in an engine that knows its statements from process to process, which saves a quarter."""
        return self._open.enter_context(open_register(self.folder / "register.sqlite", self._before_commit))

    @property
    def troubled(self) -> bool:
        """Whether a fault has struck this process."""
        return self._faulty.harmed > 0

    def blobs(self, name: str) -> Blobs:
        """Return a part of the archive's folder."""
        if name == "store" and self._bucket is not None:
            inner: Blobs = S3Blobs(FaultyBucket(self._bucket, self._faulty), at_once=1, disk=self._faulty)
        else:
            inner = super().blobs(name)
        return FailingReads(inner, self._faulty) if self._faulty.faults.unreadable and name == "store" else inner


def open_register(path: Path, before_commit: Callable[[], None] | None = None) -> Register:
    """Return the register in a file; a new one is a copy of one that was migrated once."""
    if not path.exists():
        put_file(path, _empty_register())
    return Register(_engine(str(path)), before_commit)


@cache
def _engine(path: str) -> Any:
    return open_engine(path)


@cache
def _empty_register() -> bytes:
    """Return the file of a register in which nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        Register.open(f"{folder}/register.sqlite").close()
        return (Path(folder) / "register.sqlite").read_bytes()


@dataclass(slots=True)
class World:
    """All there is.

    bucket: where the store is, None for the disk. harmed: files of the store that were damaged at rest, and the bytes that they
    were left with, None for gone. copy: files of the store as a mirror has them. known_number: of the last edition that somebody
    was told of. unfinished: names of deeds that were cut short and not done again.
    doomed: paths of objects that a process was told to purge: once the next has begun, they are gone or as before. purged: gone.
    withdrawn: objects that somebody was told are withdrawn.
    """

    base: Path
    chance: Random
    bucket: Bucket | None = None
    folder: Path = field(init=False)
    music: Music = field(init=False)
    disk: Disk = field(init=False)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    truth: Truth = field(default_factory=Truth)
    harmed: dict[str, bytes | None] = field(default_factory=dict)
    copy: dict[str, bytes] = field(default_factory=dict)
    known_number: int = 0
    unfinished: set[str] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)
    purged: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    trace: list[str] = field(default_factory=list)
    steps: int = 0
    troubled: bool = False

    def __post_init__(self) -> None:
        self.folder, self.music = self.base / "archive", Music(self.base / "music")
        put_file(self.folder / "private" / "evidence-salt", SALT)
        put_file(self.folder / "register.sqlite", _empty_register())
        Keyring(KeyFolder(self.folder / "keys", INSTANT), counted_seeds()).make_missing()
        create_archive(self.folder, SETTINGS, INSTANT)
        if self.bucket is not None:
            for path, content in files_below(self.folder / "store").items():
                self.bucket.keep(path, content)
            remove_tree(self.folder / "store", INSTANT)
        self.disk = Disk(self.folder, TRUSTED)
        self.music.begin(self.chance)
        self.truth.take_in(self.store_files())

    @contextmanager
    def running(self, faults: Faults = HEALTHY) -> Iterator[SimulatedArchive]:
        """Give the archive, open for writing in a new process; after a `Crash`, what the crash leaves is on the disk."""
        calls = FaultyCalls(self.disk, faults)
        archive = SimulatedArchive(self, calls)
        in_order = True
        try:
            archive.begin_writing()
            yield archive
        except (StoreError, OSError):  # as `open_archive` does
            in_order = False
            raise
        finally:
            with suppress(Crash):
                archive.close(in_order=in_order)
            self.trace.append(f"  {calls.count} steps, {calls.digest:08x}")
            self.steps += calls.count
            self.troubled = calls.harmed > 0
            if calls.dead:
                self._die(faults)

    def _die(self, faults: Faults) -> None:
        """Leave what a dead process leaves, and a dead machine if the power went."""
        if self.bucket is not None:
            self.bucket.all_gone(self.chance)
        if faults.fate is not None:
            self.disk.power_off(faults.fate, self.chance)
        put_file(self.folder / ".lock", b'{"pid": 1, "command": "fonoteca"}')

    def acquire_rooms(self, archive: Archive, batch: int) -> AcquireRooms:
        """Return what acquiring needs, so many items at one durable point, one after the other."""
        return replace(acquire_rooms(archive, SILENCE), pace=Pace(objects_max=batch, beside=False))

    def healers(self) -> Healers:
        """Return who has a whole copy."""
        return Healers(mirrors=(CopyMirror(self.copy),))

    # What is there --------------------------------------------------------------------------------------------------

    def store_files(self) -> dict[str, bytes]:
        """Return every file of the store by path, as it is on the disk."""
        return files_below(self.folder / "store") if self.bucket is None else self.bucket.files()

    def put_store_file(self, path: str, content: bytes | None) -> None:
        """Change a file of the store at rest."""
        if self.bucket is None:
            self.disk.rot(self.folder / "store" / path, content)
        elif content is None:
            del self.bucket.blobs[path]
        else:
            self.bucket.keep(path, content)

    def lose_register(self) -> None:
        """Take the register away."""
        for path in sorted(self.folder.glob("register.sqlite*")):
            INSTANT.unlink(path)

    def settle_harm(self) -> None:
        """Let go of damage that is no more: the file was written since."""
        files = self.store_files()
        for path, left in list(self.harmed.items()):
            if files.get(path) != left:
                del self.harmed[path]

    def settle_purges(self) -> None:
        """Take note of what became of the objects that were to go: all of it is gone, or none."""
        files = self.store_files()
        for path in sorted(self.doomed):
            if not any(each.startswith(f"{path}/") for each in files):
                self.purged.add(path)
                self.truth.forget(path)
                self.harmed = {each: left for each, left in self.harmed.items() if not each.startswith(f"{path}/")}
        self.doomed.clear()

    def check_store(self, law: str) -> None:
        """Raise LawBroken unless the store has what it must, damaged files aside, and nothing else."""
        self.settle_purges()
        self.settle_harm()
        files = self.store_files()
        self.truth.take_in({path: content for path, content in files.items() if not self._touches_harm(path)})
        self.truth.check_promises()
        wrong = {path: what for path, what in self.truth.wrong(files).items() if path not in self.harmed}
        if wrong:
            path, what = min(wrong.items())
            raise LawBroken(law if what == "unexplained" else "what-was-acknowledged-is-there", f"{path}: {what}")

    def _touches_harm(self, path: str) -> bool:
        """Whether a file lies in a version folder of which a file is damaged."""
        return any(each.split("/")[:5] == path.split("/")[:5] for each in self.harmed)


@dataclass(frozen=True, slots=True)
class CopyMirror:
    """`Mirror` that has files in memory."""

    files: dict[str, bytes]
    name: str = "copy"

    def read_range(self, path: str, start: int, length: int) -> bytes | None:
        """Return bytes of a file, None when the copy lacks it."""
        content = self.files.get(path)
        return None if content is None else content[start : start + length]


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path in it."""
    found: dict[str, bytes] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found
