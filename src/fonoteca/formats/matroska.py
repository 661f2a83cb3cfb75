"""Matroska and WebM elements: a bounded walk to the tracks (RFC 8794 for EBML, RFC 9559 for Matroska)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fonoteca.formats.window import Window

EBML = 0x1A45DFA3
SEGMENT = 0x18538067
CLUSTER = 0x1F43B675
TRACKS = 0x1654AE6B
TRACK_ENTRY = 0xAE
CONTENT_ENCODINGS = 0x6D80
CONTENT_ENCODING = 0x6240
CONTENT_ENCRYPTION = 0x5035

MASTERS = frozenset({SEGMENT, TRACKS, TRACK_ENTRY, CONTENT_ENCODINGS, CONTENT_ENCODING})
"""Elements that are entered. A cluster is entered only where its size is unknown, because nothing else says where it ends."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element. path: ids of those around it. start, end: its content, end exclusive."""

    path: tuple[int, ...]
    id: int
    start: int
    end: int


def walk(window: Window, start: int = 0) -> Iterator[Element]:
    """Yield the elements from `start` on, each before those inside it."""
    pending: list[tuple[tuple[int, ...], int, int]] = [((), start, window.file_bytes)]
    while pending:
        path, at, end = pending.pop()
        while at < end:
            window.step(len(path))
            head = window.read(at, 12)
            id_length = _length(head, 0)
            size_length = _length(head, id_length)
            if not 1 <= id_length <= 4 or not size_length or len(head) < id_length + size_length:
                break
            id = int.from_bytes(head[:id_length], "big")
            raw = int.from_bytes(head[id_length : id_length + size_length], "big") & ((1 << 7 * size_length) - 1)
            content = at + id_length + size_length
            if raw == (1 << 7 * size_length) - 1:
                # RFC 8794 section 6.2: unknown size. What follows is read as if beside it, which finds the same elements.
                yield Element(path, id, content, end)
                at = content
                continue
            stop = min(content + raw, end)
            yield Element(path, id, content, stop)
            at = content + raw
            if id in MASTERS:
                pending.append((path, at, end))
                path, at, end = (*path, id), content, stop


def _length(head: bytes, at: int) -> int:
    """Return the length of the variable-size integer at this place, 0 where there is none."""
    return 9 - head[at].bit_length() if at < len(head) and head[at] else 0
