"""Files read by ranges, so that a page of a large remote file costs a page: over http and https, or in a folder."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from fonoteca.edges.http import HttpFetch, HttpLimits
from fonoteca.model.errors import SourceError

READ_BYTES_MAX = 64 << 20
"""The most bytes that one request asks for; a row group of a snapshot's widest column is not a tenth of it."""
TAIL_BYTES = 64 << 10
"""Fetched when a file is opened, since readers begin at the end: pyarrow reads so much for the footer, and a seek table fits."""


class RangedFile(io.RawIOBase):
    """A remote file as a seekable stream: each read is one request for just those bytes.

    Raises: SourceError from any read when it cannot be had, or is another file than the one that was opened.
    """

    def __init__(self, fetch: HttpFetch, path: str) -> None:
        super().__init__()
        self._fetch = fetch
        self._path = path
        self._position = 0
        tail = fetch.read_range(path, -TAIL_BYTES, TAIL_BYTES)
        self.file_bytes = tail.file_bytes
        self._version = tail.version
        self._tail = tail.content

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position, without a request."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.file_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes from the position on, all to the end when it is negative or None."""
        left = max(0, self.file_bytes - self._position)
        length = left if size is None or size < 0 else min(size, left)
        parts = []
        while length > 0:
            part = self._read_at(self._position, min(length, READ_BYTES_MAX))
            parts.append(part)
            self._position += len(part)
            length -= len(part)
        return b"".join(parts)

    def readall(self) -> bytes:
        """Return all bytes from the position on."""
        return self.read()

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer. Returns: bytes read."""
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def _read_at(self, start: int, length: int) -> bytes:
        tail_start = self.file_bytes - len(self._tail)
        if start >= tail_start:
            return self._tail[start - tail_start : start - tail_start + length]
        part = self._fetch.read_range(self._path, start, length)
        if (part.file_bytes, part.version) != (self.file_bytes, self._version):
            raise SourceError(self._path, "changed while it was read", "Read it again from the start.")
        return part.content


def open_ranged(location: str, limits: HttpLimits | None = None) -> Callable[[str], BinaryIO]:
    """Return what opens files below a location as seekable streams: `open_ranged("https://host/export/")("export.json")`.

    location: an http or https address, or a folder's path. Raises: UsageError for an address of another kind; what is returned
    raises SourceError for files that cannot be had.
    """
    parts = urlsplit(location)
    if "://" in location and parts.scheme != "file":
        fetch = HttpFetch(location, limits)
        return lambda path: cast(BinaryIO, RangedFile(fetch, path))
    folder = Path(unquote(parts.path)) if "://" in location else Path(location)

    def open_local(path: str) -> BinaryIO:
        try:
            return (folder / path).open("rb")
        except OSError as error:
            raise SourceError(str(folder / path), f"cannot be read: {error.strerror}", "Check the path.") from error

    return open_local
