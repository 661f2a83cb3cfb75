"""Lanes to hosts: how many requests are under way at once, of all threads and all processes with the same notes.

A lane is a byte of a file, locked while it is held: the system gives it back when its process is killed.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from fonoteca.model.errors import StoreError

LANES_OF_HOST = 64
_POLL_S = 0.02
_FLOCK = struct.Struct("@hhqqi4x")
"""`struct flock` of 64-bit systems: type, whence, start, length, process."""


class Lanes:
    """Lanes to hosts, so many to each. notes: beside which the file is, None for this process alone."""

    def __init__(self, notes: Path | None, count: int, sleep: Callable[[float], None] = time.sleep) -> None:
        assert count < LANES_OF_HOST, "the settings allow no more"
        self._path = notes.with_suffix(".lanes") if notes is not None else None
        self._count = count
        self._sleep = sleep
        self._own: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, host: str) -> Iterator[None]:
        """Hold one of the lanes to a host until the context ends, when one is free."""
        with self._lock:
            own = self._own.setdefault(host, threading.BoundedSemaphore(self._count))
        with own:
            if self._path is None:
                yield
                return
            descriptor = self._open(self._path)
            try:
                self._take(descriptor, int.from_bytes(sha256(host.encode()).digest()[:5], "big") * LANES_OF_HOST)
                yield
            finally:
                os.close(descriptor)  # which gives the lane back

    def _take(self, descriptor: int, first: int) -> None:
        while not any(_locks(descriptor, first + lane) for lane in range(self._count)):
            self._sleep(_POLL_S)

    @staticmethod
    def _open(path: Path) -> int:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(path.name, f"cannot be opened: {error.strerror}", "Check the disk.") from error


def _locks(descriptor: int, byte: int) -> bool:
    """Return whether a byte of a file could be locked: by this open file alone, so that threads count like processes."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except BlockingIOError:
        return False
    return True
