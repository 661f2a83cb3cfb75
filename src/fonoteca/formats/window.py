"""Bounded reading of a file's structure: a walk ends by a named limit, never by the patience of who waits for it."""

from __future__ import annotations

from collections.abc import Callable

from fonoteca.model.errors import FormatError

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, length)`: at most `length` bytes from `offset`, fewer or none at the end of the file."""

STEPS_MAX = 1_000_000
"""Boxes, objects, elements or frames of one file. Ten hours of MP4 in fragments of 2 s make about 150,000 boxes."""

READ_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of structure read from one file."""

DEPTH_MAX = 16
"""Nesting. The deepest real one, moov to tenc, is 10; FFmpeg gives up at 10 too (libavformat/mov.c, "too deeply nested")."""


class Window:
    """A file as `read_at` shows it, with a budget of steps and bytes.

    Raises: FormatError when the budget is spent. A file whose structure cannot be checked within it is not vouched for.
    """

    __slots__ = ("_bytes_left", "_read_at", "_steps_left", "file_bytes")

    def __init__(self, read_at: ReadAt, file_bytes: int) -> None:
        self._read_at = read_at
        self.file_bytes = file_bytes
        self._steps_left = STEPS_MAX
        self._bytes_left = READ_BYTES_MAX

    def read(self, start: int, length: int) -> bytes:
        """Return bytes from `start`, at most `length`, fewer at the end of the file."""
        length = max(0, min(length, self.file_bytes - start))
        if start < 0 or length == 0:
            return b""
        self._bytes_left -= length
        if self._bytes_left < 0:
            raise FormatError("file structure", f"takes more than {READ_BYTES_MAX} bytes to check", "Split the file.")
        return self._read_at(start, length)

    def step(self, depth: int = 0) -> None:
        """Count one box, object, element or frame at this depth."""
        self._steps_left -= 1
        if self._steps_left < 0:
            raise FormatError("file structure", f"has more than {STEPS_MAX} parts", "Split the file.")
        if depth > DEPTH_MAX:
            raise FormatError("file structure", f"nests deeper than {DEPTH_MAX} levels", "No player would read it either.")


def window_on(content: bytes) -> Window:
    """Return a window on bytes in memory."""
    return Window(lambda start, length: content[start : start + length], len(content))
