"""A blob on S3 as a seekable stream: read by ranges, each proved to be as long as it was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, BinaryIO, cast

from fonoteca.ports import ObjectCalls, ObjectFound

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FIRST_BYTES = 256 << 10
"""What is asked for when a blob is opened: small ones are whole then, after one request."""

AHEAD_BYTES = 4 << 20
"""The most that one request asks for; twice this is held in memory while a stream is read from start to end."""

_BUFFER_BYTES = 128 << 10


def open_stream(calls: ObjectCalls, key: str, executor: Callable[[], Executor] | None) -> BinaryIO:
    """Return a blob as a stream after its first bytes have arrived.

    executor: what asks for the next range while the last one is used, made when first needed; None asks for nothing ahead.
    Raises: BlobMissing, and what the requests raise; the stream raises the same later, and StoreError when the
    blob is another one meanwhile.
    """
    first, found = calls.get(key, 0, FIRST_BYTES, "")
    return cast(BinaryIO, BufferedReader(_Ranges(_Source(calls, key, executor), first, found), _BUFFER_BYTES))


class _Source:
    """Where the ranges of one blob come from."""

    def __init__(self, calls: ObjectCalls, key: str, executor: Callable[[], Executor] | None) -> None:
        self._calls = calls
        self._key = key
        self._executor = executor

    def get(self, start: int, length: int, e_tag: str) -> bytes:
        """Return a range."""
        return self._calls.get(self._key, start, length, e_tag)[0]

    def ask(self, start: int, length: int, e_tag: str) -> Future[bytes] | None:
        """Return a range that is on its way, None when nothing is asked for ahead."""
        return None if self._executor is None else self._executor().submit(self.get, start, length, e_tag)


class _Ranges(RawIOBase):
    """The raw stream. Who reads on where the last range ended is read ahead for; who jumps is not."""

    def __init__(self, source: _Source, first: bytes, found: ObjectFound) -> None:
        super().__init__()
        self._source = source
        self._found = found
        self._at = 0
        self._start, self._held = 0, first
        self._next: tuple[int, Future[bytes]] | None = None

    def readinto(self, target: WriteableBuffer, /) -> int:
        """Read into a buffer: at least a byte, unless the blob has ended."""
        view = memoryview(target).cast("B")
        if self._at >= self._found.blob_bytes or not len(view):
            return 0
        if not self._start <= self._at < self._start + len(self._held):
            self._fetch()
        offset = self._at - self._start
        some = self._held[offset : offset + len(view)]
        view[: len(some)] = some
        self._at += len(some)
        return len(some)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position. Nothing is asked for."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._found.blob_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Let go of what was read ahead."""
        self._held, self._next = b"", None
        super().close()

    def _fetch(self) -> None:
        """Hold the range that begins where we are, and ask for the one after it if we came here by reading on."""
        end = self._start + len(self._held)
        goes_on = self._at == end
        length = min(AHEAD_BYTES, 4 * len(self._held)) if goes_on else FIRST_BYTES
        asked, self._next = self._next, None
        if asked is not None and asked[0] == self._at:
            self._held = asked[1].result()
        else:
            self._held = self._source.get(self._at, max(length, FIRST_BYTES), self._found.e_tag)
        self._start = self._at
        after = self._start + len(self._held)
        if goes_on and after < self._found.blob_bytes:
            ahead = min(AHEAD_BYTES, max(4 * len(self._held), FIRST_BYTES))
            coming = self._source.ask(after, ahead, self._found.e_tag)
            self._next = None if coming is None else (after, coming)
