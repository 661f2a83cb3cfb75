"""Disks that end the world: wrappers of `DurableCalls`."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from fonoteca.ports import DurableCalls


class Crash(BaseException):
    """The process is gone. Not an Exception, so that no handler mends what a killed process could not."""


class CrashingCalls:
    """Raises `Crash` before the n-th call, counted from 0, and at every call after it; counts the calls.

    n: None never crashes, to learn how many steps there are. What was done before stays, as after `kill -9`.
    names: what was called, in order. paths: of what; a call on an open file has that of the call before.
    """

    def __init__(self, inner: DurableCalls, n: int | None = None) -> None:
        self._inner = inner
        self._n = n
        self.names: list[str] = []
        self.paths: list[str] = []

    @property
    def count(self) -> int:
        """How many calls were let through."""
        return len(self.names)

    def _step(self, name: str, path: Path | None = None) -> None:
        if self._n is not None and self.count >= self._n:
            raise Crash(f"before durable call {self._n}")
        self.names.append(name)
        self.paths.append(str(path) if path is not None else self.paths[-1] if self.paths else "")

    def create_file(self, path: Path) -> int:
        """Crash or pass on."""
        self._step("create_file", path)
        return self._inner.create_file(path)

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Crash after half of the bytes, or pass on: a killed write is not whole."""
        try:
            self._step("write")
        except Crash:
            if self.count == self._n and len(content) > 1:
                self._inner.write(descriptor, memoryview(content).cast("B")[: len(content) // 2])
            raise
        return self._inner.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        """Crash or pass on."""
        self._step("fsync")
        self._inner.fsync(descriptor)

    def fsync_dir(self, path: Path) -> None:
        """Crash or pass on."""
        self._step("fsync_dir", path)
        self._inner.fsync_dir(path)

    def sync_all(self, descriptor: int) -> None:
        """Crash or pass on."""
        self._step("sync_all")
        self._inner.sync_all(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Crash or pass on."""
        self._step("rename", source)
        self._inner.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Crash or pass on."""
        self._step("link", source)
        self._inner.link(source, target)

    def unlink(self, path: Path) -> None:
        """Crash or pass on."""
        self._step("unlink", path)
        self._inner.unlink(path)

    def mkdir(self, path: Path) -> None:
        """Crash or pass on."""
        self._step("mkdir", path)
        self._inner.mkdir(path)

    def rmdir(self, path: Path) -> None:
        """Crash or pass on."""
        self._step("rmdir", path)
        self._inner.rmdir(path)


class FullDiskCalls(CrashingCalls):
    """Raises ENOSPC once this many bytes are written; what needs no space goes on working. Deleting frees nothing."""

    def __init__(self, inner: DurableCalls, room_bytes: int) -> None:
        super().__init__(inner)
        self._room_bytes = room_bytes

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write what fits, as the system does, and fail when nothing does."""
        fits = memoryview(content).cast("B")[: self._room_bytes]
        if len(content) and not len(fits):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._room_bytes -= len(fits)
        return super().write(descriptor, fits)
