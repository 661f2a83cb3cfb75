"""The seek table of the Zstandard seekable format, 0.1.0: where each frame of a file lies, so that one can be read alone.

The table is a skippable frame at the end of the file, which a plain `zstd -d` passes over. Bytes in, verdict out.
Source: facebook/zstd contrib/seekable_format/zstd_seekable_compression_format.md. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from fonoteca.model.errors import FormatError

SKIPPABLE_MAGIC = 0x184D2A5E
SEEKABLE_MAGIC = 0x8F92EAB1
FRAMES_MAX = 0x8000000
FRAME_CONTENT_BYTES_MAX = 0x40000000
"""Both as zstd's own reader limits them (contrib/seekable_format/zstd_seekable.h)."""

_CHECKSUM_FLAG, _RESERVED_BITS = 0x80, 0x7C
_HEAD = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
FOOTER_BYTES = _FOOTER.size
_ENTRY, _SUMMED_ENTRY = struct.Struct("<II"), struct.Struct("<III")
_U32_MAX = 0xFFFFFFFF
_REMEDY = "Fetch the file again, or unpack the whole of it with `zstd -d`."


@dataclass(frozen=True, slots=True)
class SeekFrame:
    """One frame. content_bytes: unpacked. checksum: lower 32 bits of XXH64 of what is unpacked, None where none is kept."""

    packed_bytes: int
    content_bytes: int
    checksum: int | None = None

    def __post_init__(self) -> None:
        """Raise FormatError for sizes that the format has no room for."""
        if not 0 < self.packed_bytes <= _U32_MAX or not 0 <= self.content_bytes <= FRAME_CONTENT_BYTES_MAX:
            raise FormatError("seek table", f"a frame of {self.packed_bytes} bytes cannot hold {self.content_bytes}", _REMEDY)


class SeekTable:
    """The frames of a file in order."""

    __slots__ = ("_starts", "frames")

    def __init__(self, frames: Sequence[SeekFrame]) -> None:
        if len(frames) > FRAMES_MAX:
            raise FormatError("seek table", f"expected at most {FRAMES_MAX} frames, found {len(frames)}", _REMEDY)
        if len({frame.checksum is None for frame in frames}) > 1:
            raise FormatError("seek table", "expected a checksum for every frame or for none", _REMEDY)
        self.frames = tuple(frames)
        self._starts = [0, *accumulate(frame.packed_bytes for frame in frames)]

    @property
    def packed_bytes(self) -> int:
        """How long all frames are, without the table."""
        return self._starts[-1]

    def start(self, index: int) -> int:
        """Return where a frame begins in the file. index: from 0; the number of frames for where the table begins."""
        return self._starts[index]

    def to_bytes(self) -> bytes:
        """Return the skippable frame that ends the file."""
        summed = any(frame.checksum is not None for frame in self.frames)
        entries = (
            _ENTRY.pack(f.packed_bytes, f.content_bytes)
            if f.checksum is None
            else _SUMMED_ENTRY.pack(f.packed_bytes, f.content_bytes, f.checksum)
            for f in self.frames
        )
        body = b"".join(entries) + _FOOTER.pack(len(self.frames), _CHECKSUM_FLAG if summed else 0, SEEKABLE_MAGIC)
        return _HEAD.pack(SKIPPABLE_MAGIC, len(body)) + body


def seek_table_bytes(tail: bytes, subject: str) -> int:
    """Return how many bytes at the end of a file are its seek table. tail: the file's last FOOTER_BYTES or more.

    Raises: FormatError when no seek table ends there.
    """
    if len(tail) < FOOTER_BYTES:
        raise FormatError(subject, f"expected a seek table, found a file of {len(tail)} bytes", _REMEDY)
    count: int
    count, descriptor, magic = _FOOTER.unpack(tail[-FOOTER_BYTES:])
    if magic != SEEKABLE_MAGIC:
        raise FormatError(subject, "does not end in a seek table", _REMEDY)
    if descriptor & _RESERVED_BITS:
        raise FormatError(subject, f"has a seek table of a later kind, descriptor {descriptor:#04x}", _REMEDY)
    if count > FRAMES_MAX:
        raise FormatError(subject, f"expected at most {FRAMES_MAX} frames, found {count}", _REMEDY)
    entry = _SUMMED_ENTRY if descriptor & _CHECKSUM_FLAG else _ENTRY
    return _HEAD.size + count * entry.size + FOOTER_BYTES


def parse_seek_table(tail: bytes, file_bytes: int, subject: str) -> SeekTable:
    """Return the seek table that ends a file. tail: the last bytes of the file, `seek_table_bytes` of them or more.

    Raises: FormatError when it is none, or speaks of another file: its frames must fill the file to the byte.
    """
    length = seek_table_bytes(tail, subject)
    if len(tail) < length:
        raise FormatError(subject, f"expected a seek table of {length} bytes, found {len(tail)}", _REMEDY)
    content = tail[-length:]
    magic, body_bytes = _HEAD.unpack(content[: _HEAD.size])
    if magic != SKIPPABLE_MAGIC or body_bytes != length - _HEAD.size:
        raise FormatError(subject, "has a seek table that is no skippable frame of its length", _REMEDY)
    summed = bool(content[-5] & _CHECKSUM_FLAG)
    entries = (_SUMMED_ENTRY if summed else _ENTRY).iter_unpack(content[_HEAD.size : -FOOTER_BYTES])
    table = SeekTable([SeekFrame(*entry) for entry in entries])
    if table.packed_bytes + length != file_bytes:
        found = f"expected frames of {file_bytes - length} bytes, found {table.packed_bytes}"
        raise FormatError(subject, found, _REMEDY)
    return table
