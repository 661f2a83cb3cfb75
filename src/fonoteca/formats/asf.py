"""ASF and WMA objects: a bounded walk of the header (Advanced Systems Format specification 01.20.05, sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fonoteca.formats.window import Window

HEADER = bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C")
HEADER_EXTENSION = bytes.fromhex("B503BF5F2EA9CF118EE300C00C205365")
STREAM_PROPERTIES = bytes.fromhex("9107DCB7B7A9CF118EE600C00C205365")
EXTENDED_STREAM_PROPERTIES = bytes.fromhex("CBA5E61472C632438399A96952065B5A")

_OBJECT_BYTES = 24
_HEADER_BYTES = 30
_EXTENSION_BYTES = 46
_FLAGS_OFFSET = 48
"""Of the 16-bit flags in a stream properties object, after its header: type, error correction, time offset, two lengths."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object of the header. guid: 16 bytes as stored. start, end: its content, end exclusive."""

    guid: bytes
    start: int
    end: int


def walk(window: Window, start: int = 0) -> Iterator[Object]:
    """Yield the objects of the header that begins at `start`, and those inside the header extension."""
    if window.read(start, 16) != HEADER:
        return
    size = int.from_bytes(window.read(start + 16, 8), "little")
    pending = list(_objects(window, start + _HEADER_BYTES, min(start + size, window.file_bytes), 1))
    while pending:
        found = pending.pop(0)
        yield found
        if found.guid == HEADER_EXTENSION:
            inside = found.start - _OBJECT_BYTES + _EXTENSION_BYTES
            pending.extend(_objects(window, inside, found.end, 2))
        elif found.guid == EXTENDED_STREAM_PROPERTIES:
            pending.extend(_embedded_stream(window, found))


def stream_flags(window: Window, stream: Object) -> int:
    """Return the flags of a stream properties object: bits 0 to 6 its number, bit 15 set where it is encrypted."""
    return int.from_bytes(window.read(stream.start + _FLAGS_OFFSET, 2), "little")


def _objects(window: Window, start: int, end: int, depth: int) -> Iterator[Object]:
    """Yield the objects from `start` to `end`, until one does not make sense."""
    while start + _OBJECT_BYTES <= end:
        window.step(depth)
        head = window.read(start, _OBJECT_BYTES)
        size = int.from_bytes(head[16:24], "little")
        if size < _OBJECT_BYTES:
            return
        yield Object(head[:16], start + _OBJECT_BYTES, min(start + size, end))
        start += size


def _embedded_stream(window: Window, extended: Object) -> Iterator[Object]:
    """Yield the stream properties object that may end an extended one (specification section 4.1): a hidden stream."""
    fixed = window.read(extended.start, 64)
    names, systems = int.from_bytes(fixed[60:62], "little"), int.from_bytes(fixed[62:64], "little")
    at = extended.start + 64
    for _ in range(names):
        window.step()
        at += 4 + int.from_bytes(window.read(at + 2, 2), "little")
    for _ in range(systems):
        window.step()
        at += 22 + int.from_bytes(window.read(at + 18, 4), "little")
    yield from _objects(window, at, extended.end, 3)
