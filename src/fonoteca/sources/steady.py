"""Reading a file that must not change under our hands."""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fonoteca.model.errors import SourceError

_REMEDY = "Wait until nothing writes to it, then run the same command again"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of a file from another. modified_ns: the later of its two times of change."""

    device: int
    inode: int
    file_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file's status."""
        return cls(status.st_dev, status.st_ino, status.st_size, max(status.st_mtime_ns, status.st_ctime_ns))


class SteadyFile(io.RawIOBase):
    """A file that raises SourceError instead of giving its last bytes when it is not as it was listed."""

    def __init__(self, path: Path, subject: str, stamp: Stamp) -> None:
        self._subject = subject
        self._stamp = stamp
        self._given_bytes = 0
        self._descriptor = -1
        try:
            # NOFOLLOW and NONBLOCK: a link or a pipe may have taken the file's place since it was listed.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(subject, f"was listed, but cannot be opened: {error.strerror}", _REMEDY) from error
        try:
            self._check()
        except SourceError:
            self.close()
            raise

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer and return the number of bytes; 0 only at an unchanged end. Raises: SourceError."""
        try:
            count = os.readv(self._descriptor, [buffer])
        except OSError as error:
            raise SourceError(self._subject, f"cannot be read: {error.strerror}", "Check the disk it is on") from error
        self._given_bytes += count
        if count == 0 or self._given_bytes >= self._stamp.file_bytes:
            self._check()
            if self._given_bytes != self._stamp.file_bytes:
                raise self._changed(f"{self._given_bytes} bytes were read")
        return count

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        super().close()

    def _check(self) -> None:
        status = os.fstat(self._descriptor)
        found = Stamp.of(status)
        if not stat.S_ISREG(status.st_mode):
            raise self._changed("it is no longer a regular file")
        if found != self._stamp:
            raise self._changed(f"it now has {found.file_bytes} bytes and another time or place")

    def _changed(self, found: str) -> SourceError:
        problem = f"changed while it was read: it was listed with {self._stamp.file_bytes} bytes, and {found}"
        return SourceError(self._subject, problem, _REMEDY)


def open_steady(path: Path, subject: str, stamp: Stamp) -> BinaryIO:
    """Return a stream over a file that fails at its end, before the last bytes are given, if the file changed since `stamp`.

    Raises: SourceError, here and from `read`. Cost: two status calls a file.
    """
    return io.BufferedReader(SteadyFile(path, subject, stamp), 1 << 20)
