"""One writer in an archive at a time."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from fonoteca.edges.disk_calls import disk_error, in_words
from fonoteca.model.errors import BusyError

_HOLDER_BYTES_MAX = 4096


class ArchiveLock:
    """Held from `with` to its end by one process; given back by the system however that process ends.

    path: the lock's file, made if it is missing; it stays, and says who holds the lock.
    after_kill: whether a holder was killed or failed, and so may have left unfinished writes; known once the lock is taken, and
        told to every later holder until one says that it has `cleared_up`.
    Raises: BusyError at `with`, naming the process and command that hold it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.after_kill = False

    def __enter__(self) -> Self:
        """Take the lock at once or raise BusyError."""
        with in_words(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, _HOLDER_BYTES_MAX, 0)
            os.close(descriptor)
            raise BusyError(
                str(self._path.parent),
                f"{_in_words(holder)} is writing in this archive",
                "Wait until it has ended, then run the same command again.",
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise disk_error(error, self._path) from error
        self._descriptor = descriptor
        with in_words(self._path):
            # Who gives the lock back in order empties the file. While held it is not empty, and synced: a power cut counts.
            self.after_kill = bool(os.pread(descriptor, 1, 0))
            holder = json.dumps({"pid": os.getpid(), "command": shlex.join(sys.argv)}).encode()
            os.pwrite(descriptor, holder, 0)
            os.ftruncate(descriptor, len(holder))
            os.fsync(descriptor)
        # A child made by fork would hold the lock on after its parent's death.
        os.register_at_fork(after_in_child=self._forget)
        return self

    def cleared_up(self) -> None:
        """Say that nothing is left of a holder that was killed."""
        self.after_kill = False

    def ended_badly(self) -> None:
        """Say that an error ended this holder's work: the next one is told as of a holder that was killed."""
        self.after_kill = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the lock back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            if not self.after_kill:
                os.ftruncate(descriptor, 0)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _forget(self) -> None:
        """In a forked child: close our copy without giving the lock back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def left_by_a_kill(path: Path) -> bool:
    """Return whether the last holder of a lock was killed and nobody has cleared up since. Takes nothing."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # somebody is writing
        return True


def holder_of(path: Path) -> str:
    """Return who holds a lock, in words; "" for nobody who runs on this machine. Takes nothing, so it is in nobody's way.

    A process that was killed, and whose number another one has by now, is taken for that one.
    """
    try:
        holder = path.read_bytes()[:_HOLDER_BYTES_MAX]
        pid = int(json.loads(holder)["pid"])
        if pid <= 0:
            return ""
        os.kill(pid, 0)
    except PermissionError:
        return _in_words(holder)  # it runs, and is another user's
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return _in_words(holder)


def _in_words(holder: bytes) -> str:
    """Return who holds the lock, as far as its file says."""
    try:
        found = json.loads(holder)
        return f"process {int(found['pid'])} (`{found['command']}`)"
    except (ValueError, KeyError, TypeError):
        return "another process"
