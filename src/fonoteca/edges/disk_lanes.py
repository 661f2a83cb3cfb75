"""Direct I/O: what is read or written goes past the page cache, by a thread that one file at a time has to itself."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from concurrent.futures import ThreadPoolExecutor

DIRECT_BYTES = 1 << 20
"""So many bytes go at a time: whole sectors and memory pages of every disk there is."""


class Lane:
    """A thread and two buffers: one is filled while the other is emptied."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="disk")
        self.near = _new_buffer()
        self.far = _new_buffer()

    def swap(self) -> None:
        """Exchange the buffers."""
        self.near, self.far = self.far, self.near

    def give_back(self) -> None:
        """Let another file have it. Nothing may be running in it."""
        _IDLE.append(self)


_IDLE: list[Lane] = []
"""Lanes that no file uses now: new threads and new memory for each file would cost as much as writing does."""

os.register_at_fork(after_in_child=_IDLE.clear)


def take_lane() -> Lane:
    """Return a lane, to be given back."""
    try:
        return _IDLE.pop()
    except IndexError:
        return Lane()


def set_direct(descriptor: int, *, on: bool) -> None:
    """Set whether a descriptor goes past the page cache. A file system that has no such thing refuses, and nothing changes."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _new_buffer() -> mmap.mmap:
    """Return private memory that begins on a page, as direct I/O needs it."""
    return mmap.mmap(-1, DIRECT_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
