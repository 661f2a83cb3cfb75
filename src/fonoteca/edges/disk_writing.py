"""A new file open for writing, past the page cache: one part is on its way to the disk while the next is made."""

from __future__ import annotations

import errno
import mmap
import os
from concurrent.futures import Future, wait
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING

from fonoteca.edges.disk_calls import in_words, write_all
from fonoteca.edges.disk_lanes import DIRECT_BYTES, Lane, set_direct, take_lane
from fonoteca.ports import DurableCalls

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class NewFile(RawIOBase):
    """A new file open for writing whose errors are StoreErrors. It holds up to 2 MiB back until `finish`.

    What comes in order goes to the disk by direct I/O in a thread, if the file system has it: the bytes are not copied into the
    page cache and written back from there, which costs more than all else that is done to them
    (docs/decisions/acquire-speed.md). The end of a file, a small file, and all that follows a `seek` is written the plain way.
    """

    def __init__(self, path: Path, descriptor: int, calls: DurableCalls) -> None:
        super().__init__()
        self._path = path
        self._descriptor = descriptor
        self._calls = calls
        self._direct: _DirectWrites | None = _DirectWrites(descriptor, calls)

    def write(self, content: ReadableBuffer, /) -> int:
        """Take every byte. Returns: how many."""
        view = memoryview(content).cast("B")
        with in_words(self._path, len(view)):
            if self._direct:
                self._direct.write(view)
            else:
                write_all(self._descriptor, view, self._calls)
        return len(view)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position."""
        self.finish()
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._direct.count if self._direct else os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def seekable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Do nothing: whoever reads the file before `finish` reads what is there of it."""

    def finish(self) -> None:
        """Return when the system has all that was written; from now on all is written the plain way. Raises: StoreError."""
        direct, self._direct = self._direct, None
        if direct:
            with in_words(self._path):
                direct.finish()

    def abandon(self) -> None:
        """Return when nothing is being written any more, whatever became of it: the descriptor may be closed then."""
        if self._direct:
            self._direct.end()


class _DirectWrites:
    """What is written to a file from its beginning, in order. count: the bytes taken."""

    def __init__(self, descriptor: int, calls: DurableCalls) -> None:
        self.count = 0
        self._descriptor = descriptor
        self._calls = calls
        self._lane: Lane | None = take_lane()
        self._direct = False
        self._running: Future[None] | None = None
        self._filled = 0

    def write(self, content: memoryview) -> None:
        """Take bytes. Raises: OSError of earlier ones."""
        assert self._lane, "what has ended takes no more"
        while len(content):
            part = content[: DIRECT_BYTES - self._filled]
            self._lane.near[self._filled : self._filled + len(part)] = part
            content = content[len(part) :]
            self._filled += len(part)
            self.count += len(part)
            if self._filled == DIRECT_BYTES:
                self._give(self._lane)

    def finish(self) -> None:
        """Return when all is written. Raises: OSError."""
        try:
            self._await()
            if self._lane and self._filled:
                if self._direct:
                    set_direct(self._descriptor, on=False)
                write_all(self._descriptor, memoryview(self._lane.near)[: self._filled], self._calls)
        finally:
            self.end()

    def end(self) -> None:
        """Return when nothing is being written any more."""
        running, self._running = self._running, None
        if running:
            wait([running])
        if self._lane:
            self._lane.give_back()
        self._lane = None

    def _give(self, lane: Lane) -> None:
        """Have the full buffer written, once the one before it is."""
        if not self._direct:
            set_direct(self._descriptor, on=True)
            self._direct = True
        self._await()
        self._running = lane.thread.submit(self._put, lane.near)
        lane.swap()
        self._filled = 0

    def _await(self) -> None:
        """Wait for what is on its way. Raises: OSError."""
        if self._running:
            self._running.result()
            self._running = None

    def _put(self, buffer: mmap.mmap) -> None:
        """Write a buffer whole. What a file system does not take directly, or took in part, goes the plain way."""
        view = memoryview(buffer)
        try:
            written = self._calls.write(self._descriptor, view)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            written = 0
        if written < len(view):
            set_direct(self._descriptor, on=False)
            write_all(self._descriptor, view[written:], self._calls)
