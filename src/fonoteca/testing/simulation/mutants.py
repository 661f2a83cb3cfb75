"""Archives that are broken on purpose: the simulation is worth what it finds in them.

Each mutant takes away one promise that the code keeps. `first_found` says how many seeds it takes to see that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from fonoteca.edges import disk
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_calls import make_folders
from fonoteca.edges.disk_lock import ArchiveLock
from fonoteca.edges.s3_writing import Writer
from fonoteca.model.errors import UnsureError
from fonoteca.ports import DurableCalls
from fonoteca.register import Register
from fonoteca.store import Store, fixity, recovery
from fonoteca.testing.simulation.disk import Disk
from fonoteca.testing.simulation.run import Outcome, simulate


@contextmanager
def _instead(place: Any, name: str, other: Any) -> Iterator[None]:
    """Let a name mean something else until the context ends."""
    own = getattr(place, name)
    setattr(place, name, other)
    try:
        yield
    finally:
        setattr(place, name, own)


def _nothing(*_given: Any, **_named: Any) -> None:
    """Do nothing."""


def _in_place(target: Path, fill: Callable[[int], None], calls: DurableCalls, *, replace: bool = True) -> bool:
    """Write a file under its own name."""
    make_folders(target.parent, calls)
    if target.exists():
        if not replace:
            return False
        calls.unlink(target)
    descriptor = calls.create_file(target)
    fill(descriptor)
    calls.fsync(descriptor)
    calls.fsync_dir(target.parent)
    return True


@contextmanager
def _registered_first() -> Iterator[None]:
    """Let new objects wait outside of the store until the register has them."""
    waiting: list[tuple[DiskBlobs, Sequence[tuple[Path, str]]]] = []
    adopt_all, record_many = DiskBlobs.adopt_all, Register.record_many

    def wait(blobs: DiskBlobs, trees: Sequence[tuple[Path, str]]) -> None:
        waiting.append((blobs, list(trees)))

    def record(register: Register, batch: Any) -> None:
        record_many(register, batch)
        while waiting:
            adopt_all(*waiting.pop(0))

    with _instead(DiskBlobs, "adopt_all", wait), _instead(Register, "record_many", record):
        yield


def _believing(own: Callable[..., bool]) -> Callable[..., bool]:
    """Take a put that got no answer for done."""

    def create(writer: Writer, key: str, content: bytes) -> bool:
        try:
            return writer._calls.create(key, content, "own")
        except UnsureError:
            return True

    return create


def _unnoticed(own: Callable[[ArchiveLock], ArchiveLock]) -> Callable[[ArchiveLock], ArchiveLock]:
    """Take the lock as from a holder who gave it back in order."""

    def enter(lock: ArchiveLock) -> ArchiveLock:
        own(lock).cleared_up()
        return lock

    return enter


MUTANTS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "fsync of a file does nothing": lambda: _instead(Disk, "fsync", _nothing),
    "fsync of a folder does nothing": lambda: _instead(Disk, "fsync_dir", _nothing),
    "waiting for the file system does nothing": lambda: _instead(Disk, "sync_all", _nothing),
    "files are written in place": lambda: _instead(disk, "write_durably", _in_place),
    "the register hears before the store has it": _registered_first,
    "events are told to the register alone": lambda: _instead(Store, "append_events", _nothing),
    "a kill is not noticed": lambda: _instead(ArchiveLock, "__enter__", _unnoticed(ArchiveLock.__enter__)),
    "recovery does nothing": lambda: _instead(recovery, "recover", lambda _root, **_named: []),
    "a repair is not marked": lambda: _instead(fixity, "marked", lambda _root, _path: nullcontext()),
    "an audit looks at lengths alone": lambda: _instead(fixity, "_sha256", _nothing),
    "a lost answer is taken for done": lambda: _instead(Writer, "create", _believing(Writer.create)),
}
"""By name: what makes the archive so, as long as the context lasts."""


def first_found(name: str, seeds: range, folder: Path | None = None) -> Outcome | None:
    """Return what became of the first of these seeds that shows that a mutant is broken, None when none does."""
    with MUTANTS[name]():
        for seed in seeds:
            outcome = simulate(seed, folder)
            if outcome.broken:
                return outcome
    return None
