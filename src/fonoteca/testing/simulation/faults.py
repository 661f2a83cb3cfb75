"""What goes wrong in one process's life, drawn from a seed, and the calls that make it go wrong there."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from zlib import crc32

from fonoteca.testing.calls import Crash
from fonoteca.testing.objects import Mishap
from fonoteca.testing.simulation.disk import Disk, Fate


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong while one process runs. Steps are durable calls and commits of the register, counted from 0.

    crash_at: the step before which the process is gone. fate: with what the power goes too, None when the process alone dies.
    room_bytes: what fits on the disk still. errors: step to error number of a call that fails once. short: whether writes take a
    part of what they are given. unreadable: of so many reads of the store, one fails with EIO; 0 for none.
    requests: by number, requests that change the object store and the mishap that each meets.
    """

    crash_at: int | None = None
    fate: Fate | None = None
    room_bytes: int | None = None
    errors: tuple[tuple[int, int], ...] = ()
    short: bool = False
    unreadable: int = 0
    requests: tuple[tuple[int, Mishap], ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything can go wrong at all."""
        return self != Faults()

    def __str__(self) -> str:
        """Return them in words, as a trace has them."""
        said = []
        if self.crash_at is not None:
            said.append(f"{'killed' if self.fate is None else f'power cut ({self.fate})'} before step {self.crash_at}")
        if self.room_bytes is not None:
            said.append(f"disk full after {self.room_bytes} bytes")
        said += [f"{errno.errorcode[number]} at step {step}" for step, number in self.errors]
        said += ["short writes"] if self.short else []
        said += [f"one read in {self.unreadable} fails"] if self.unreadable else []
        said += [f"of write {number}: {mishap}" for number, mishap in self.requests]
        return ", ".join(said) or "no fault"


HEALTHY = Faults()


@dataclass(slots=True)
class FaultyCalls:
    """`DurableCalls` on a `Disk` that go wrong as `Faults` say. Once the process is gone, every call is a `Crash`.

    count: steps so far. digest: of all calls in their order, names of temporary files aside; two runs of a seed have the same.
    """

    disk: Disk
    faults: Faults
    count: int = 0
    digest: int = 0
    harmed: int = 0
    dead: bool = False
    _room_bytes: int | None = field(init=False)
    _errors: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._room_bytes = self.faults.room_bytes
        self._errors = dict(self.faults.errors)

    def before_commit(self) -> None:
        """Take a step at a commit of the register."""
        self._step("commit", None)

    def request(self, name: str, key: str) -> None:
        """Take a step at a request to the object store."""
        self._step(f"s3 {name} " + _LOG.sub("", key), None)

    def create_file(self, path: Path) -> int:
        """Do it, or go wrong."""
        self._step("create", path)
        return self.disk.create_file(path)

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write all or a part; a killed process has written half."""
        view = memoryview(content).cast("B")
        dead = self.dead
        try:
            self._step("write", None)
        except Crash:
            if not dead and len(view) > 1:
                self.disk.write(descriptor, view[: len(view) // 2])
            raise
        if self._room_bytes is not None:
            view = view[: self._room_bytes]
            if len(content) and not len(view):
                self.harmed += 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._room_bytes -= len(view)
        if self.faults.short and len(view) > 1:
            view = view[: len(view) // 2 + 1]
        return self.disk.write(descriptor, view)

    def fsync(self, descriptor: int) -> None:
        """Synchronise, or fail and give up the bytes."""
        self._step("fsync", None, lambda: self.disk.forsake(descriptor))
        self.disk.fsync(descriptor)

    def fsync_dir(self, path: Path) -> None:
        """Do it, or go wrong."""
        self._step("fsync folder", path)
        self.disk.fsync_dir(path)

    def sync_all(self, descriptor: int) -> None:
        """Synchronise everything, or fail and give it up."""
        self._step("sync all", None, self.disk.forsake_all)
        self.disk.sync_all(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Do it, or go wrong."""
        self._step("rename", target)
        self.disk.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Do it, or go wrong."""
        self._step("link", target)
        self.disk.link(source, target)

    def unlink(self, path: Path) -> None:
        """Do it, or go wrong."""
        self._step("unlink", path)
        self.disk.unlink(path)

    def mkdir(self, path: Path) -> None:
        """Do it, or go wrong."""
        self._step("mkdir", path)
        self.disk.mkdir(path)

    def rmdir(self, path: Path) -> None:
        """Do it, or go wrong."""
        self._step("rmdir", path)
        self.disk.rmdir(path)

    def _step(self, name: str, path: Path | None, on_error: Callable[[], None] | None = None) -> None:
        """Count a step; crash or fail where the faults say so."""
        if self.dead or self.count == self.faults.crash_at:
            self.dead = True
            raise Crash(f"before step {self.faults.crash_at}")
        place = "" if path is None else _named(path.relative_to(self.disk.root))
        self.digest = crc32(f"{name} {place}".encode(), self.digest)
        number = self._errors.get(self.count)
        self.count += 1
        if number is not None and not name.startswith(_NOT_OF_THE_DISK):
            self.harmed += 1
            if on_error is not None:
                on_error()
            raise OSError(number, os.strerror(number))


def _named(path: Path) -> str:
    """Return a path without what differs from one process to the next."""
    return "/".join(_LOG.sub("", _TEMPORARY.sub(r"\1", part)) for part in path.parts)


_TEMPORARY = re.compile(r"^(\.fonoteca-tmp-|source-)[-0-9a-f]+")
_LOG = re.compile(r"-[0-9a-f]{64}(?=\.jsonl$)")
"""The checksum in the name of a log: what is refused is told with the folder that it was in, which is the process's own."""

_NOT_OF_THE_DISK = ("commit", "s3 ")
_MISHAPS = (Mishap.REFUSED, Mishap.LOST, Mishap.TWICE, Mishap.LATE)
_ERRORS = (errno.EIO, errno.EIO, errno.ENOSPC, errno.EROFS)


def draw_faults(chance: Random, steps: int, requests: int = 0) -> Faults:
    """Return faults for a process that takes about so many steps: none, one, or at times two at once.

    requests: about how many of the steps are requests that change an object store.
    """
    faults = HEALTHY
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        if requests and chance.random() < 0.4:
            met = [(chance.randrange(requests), chance.choice(_MISHAPS)) for _ in range(chance.randint(1, 3))]
            faults = replace(faults, requests=(*faults.requests, *met))
        else:
            faults = _with_one(faults, chance, steps)
    return faults


def _with_one(faults: Faults, chance: Random, steps: int) -> Faults:
    """Return the faults and one more."""
    match chance.randrange(12):
        case 0 | 1 | 2:
            return replace(faults, crash_at=chance.randrange(steps), fate=None)
        case 3 | 4 | 5 | 6:
            return replace(faults, crash_at=chance.randrange(steps), fate=chance.choice(list(Fate)))
        case 7:
            return replace(faults, room_bytes=chance.choice((0, 100, 5_000, 20_000, 60_000)))
        case 8 | 9:
            return replace(faults, errors=(*faults.errors, (chance.randrange(steps), chance.choice(_ERRORS))))
        case 10:
            return replace(faults, unreadable=chance.choice((5, 20, 60)))
        case _:
            return replace(faults, short=True)
