"""Chunks of WAVE and AIFF files (Multimedia Programming Interface and Data Specifications 1.0; EA IFF 85; ITU-R BS.2088)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fonoteca.formats.window import Window

FORM_BYTES = 12
UNKNOWN_BYTES = 0xFFFFFFFF
"""The length that a chunk has while it is streamed, and in RF64, which keeps the real one elsewhere."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk. start: of its content. content_bytes: as it declares, which may be more than the file has."""

    kind: bytes
    start: int
    content_bytes: int


def walk(window: Window, start: int) -> Iterator[Chunk]:
    """Yield the chunks of the form that begins at `start`, until its end or one that cannot be a chunk.

    RIFF numbers are little-endian, FORM ones big-endian. What follows the form's own declared end is not part of it.
    """
    order: Literal["little", "big"] = "big" if window.read(start, 4) == b"FORM" else "little"
    form_bytes = int.from_bytes(window.read(start + 4, 4), order)
    end = start + 8 + form_bytes if form_bytes not in (0, UNKNOWN_BYTES) else window.file_bytes
    at = start + FORM_BYTES
    while at < end and len(head := window.read(at, 8)) == 8 and head[:4].isascii() and head[:4].decode().isprintable():
        window.step()
        size = int.from_bytes(head[4:], order)
        yield Chunk(head[:4], at + 8, size)
        at += 8 + size + (size & 1)


def find_cut(window: Window, start: int) -> str:
    """Return which chunk the end of the file cuts off, "" where none is."""
    for chunk in walk(window, start):
        missing = chunk.start + chunk.content_bytes - window.file_bytes
        if missing > 0 and chunk.content_bytes != UNKNOWN_BYTES:
            return f"chunk {chunk.kind.decode().strip()!r} lacks its last {missing} bytes"
    return ""
