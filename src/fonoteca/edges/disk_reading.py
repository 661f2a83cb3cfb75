"""A file read past the page cache: what the disk has, not what memory remembers of it."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from concurrent.futures import Future, wait

from fonoteca.edges.disk_lanes import DIRECT_BYTES, set_direct, take_lane


def read_directly(descriptor: int) -> Iterator[memoryview]:
    """Yield the bytes of a file from its beginning, each part in memory that the one after the next takes; one is read ahead.

    By direct I/O where the file system has it; the end, which is no whole part, is read the plain way. Raises: OSError.
    """
    lane = take_lane()
    running: Future[int] | None = None
    start = 0
    set_direct(descriptor, on=True)
    try:
        running = lane.thread.submit(_read, descriptor, lane.near, start)
        while (count := running.result()) == DIRECT_BYTES:
            start += count
            running = lane.thread.submit(_read, descriptor, lane.far, start)
            yield memoryview(lane.near)
            lane.swap()
        yield memoryview(lane.near)[:count]
        start += count
        set_direct(descriptor, on=False)
        while count := os.preadv(descriptor, [lane.near], start):
            yield memoryview(lane.near)[:count]
            start += count
    finally:
        if running:
            wait([running])
        lane.give_back()


def _read(descriptor: int, buffer: mmap.mmap, start: int) -> int:
    """Return how many bytes were read into a buffer. What a file system does not read directly is read the plain way."""
    try:
        return os.preadv(descriptor, [buffer], start)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    set_direct(descriptor, on=False)
    return os.preadv(descriptor, [buffer], start)
