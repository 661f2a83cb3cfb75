"""MP4 and QuickTime boxes: a bounded walk of the structure, and a small writer (ISO/IEC 14496-12).

The walk never enters payload (`mdat`, `free`, `skip`, `wide`) nor the boxes that only look like protection: `rinf` (a
restricted scheme, 14496-12 section 8.15, such as stereo video) and `pinf` (what iTunes leaves of a purchase in clear files).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fonoteca.formats.window import Window
from fonoteca.model.errors import FormatError

CONTAINERS: Mapping[bytes, tuple[int, ...]] = {
    b"moov": (0,),
    b"trak": (0,),
    b"mdia": (0,),
    b"minf": (0,),
    b"stbl": (0,),
    b"stsd": (8,),
    b"mvex": (0,),
    b"moof": (0,),
    b"traf": (0,),
    b"meta": (4, 0),
    b"meco": (0,),
    b"ipro": (6,),
    b"sinf": (0,),
    b"schi": (0,),
    b"wave": (0,),
}
"""Boxes with boxes inside, and how many bytes may come before the first one (`meta` is a full box in MP4, a plain one in
QuickTime)."""

SAMPLE_ENTRY_OFFSETS = (28, 44, 64, 78, 8, 16)
"""Bytes before the boxes in a sample entry: sound, sound of QuickTime version 1 and 2, picture, others (14496-12 section 8.5.2;
QuickTime File Format, "Sound sample descriptions")."""

ENTRIES = b"stsd"


@dataclass(frozen=True, slots=True)
class Box:
    """A box found. path: kinds of the boxes around it, outermost first. start, end: its content, end exclusive."""

    path: tuple[bytes, ...]
    kind: bytes
    start: int
    end: int

    @property
    def is_sample_entry(self) -> bool:
        """Whether it describes the coding of a track's samples."""
        return self.path[-1:] == (ENTRIES,)


def walk(window: Window, start: int = 0) -> Iterator[Box]:
    """Yield the boxes of a file's structure from `start` on, each before those inside it.

    Raises: FormatError at a limit of the window, or at a compressed header (`cmov`), which cannot be looked into.
    """
    pending = list(reversed(_children(window, (), start, window.file_bytes)[0]))
    while pending:
        box = pending.pop()
        if box.kind == b"cmov":
            raise FormatError("moov/cmov", "a compressed header cannot be checked for protection", "Rewrap the file uncompressed.")
        yield box
        offsets = SAMPLE_ENTRY_OFFSETS if box.is_sample_entry else CONTAINERS.get(box.kind, ())
        if offsets:
            pending.extend(reversed(_inside(window, box, offsets)))


def _inside(window: Window, box: Box, offsets: tuple[int, ...]) -> list[Box]:
    """Return the boxes inside one, at the first offset where they fill it exactly; where none does, all that can be read."""
    path = (*box.path, box.kind)
    readings = [_children(window, path, box.start + offset, box.end) for offset in offsets]
    for found, whole in readings:
        if found and whole:
            return found
    return [child for found, _ in readings for child in found]


def _children(window: Window, path: tuple[bytes, ...], start: int, end: int) -> tuple[list[Box], bool]:
    """Return the boxes from `start` to `end`, and whether they fill that span (a QuickTime terminator of zeros may follow)."""
    found: list[Box] = []
    while start + 8 <= end:
        window.step(len(path))
        header = window.read(start, 16)
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        content = start + 8
        if size == 1:
            size, content = int.from_bytes(header[8:16], "big"), start + 16
        elif size == 0:
            size = end - start
        if start + size < content or not _is_kind(kind):
            return found, False
        found.append(Box(path, kind, content, min(start + size, end)))
        start += size
    rest = window.read(start, end - start) if start < end else b""
    return found, start <= end and not rest.strip(b"\0")


def _is_kind(kind: bytes) -> bool:
    """Return whether four bytes can name a box: printable, or Apple's copyright sign first."""
    return len(kind) == 4 and all(0x20 <= c <= 0x7E for c in kind[1:]) and (0x20 <= kind[0] <= 0x7E or kind[0] == 0xA9)


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of this kind with the parts as its content."""
    content = b"".join(parts)
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box whose content begins with a version and flags (14496-12 section 4.2)."""
    return box(kind, bytes([version]), flags.to_bytes(3, "big"), *parts)


def audio_entry(kind: bytes, *parts: bytes) -> bytes:
    """Return a sound sample entry, stereo, 16 bit, 44.1 kHz, with the parts after its fixed fields (14496-12 section 12.2.3)."""
    fixed = bytes(6) + b"\0\1" + bytes(8) + b"\0\2\0\x10" + bytes(4) + (44100 << 16).to_bytes(4, "big")
    return box(kind, fixed, *parts)


def movie(entry: bytes, *more: bytes) -> bytes:
    """Return a `moov` with one sound track that has this sample entry and no samples; `more` comes after the track."""
    table = box(b"stbl", full_box(ENTRIES, (1).to_bytes(4, "big"), entry))
    handler = full_box(b"hdlr", bytes(4), b"soun", bytes(13))
    return box(b"moov", box(b"trak", box(b"mdia", handler, box(b"minf", table))), *more)


def protected_sample() -> bytes:
    """Return a file that is a header under Common Encryption and nothing else: no sound, no key, nobody's work."""
    scheme = box(
        b"sinf",
        box(b"frma", b"mp4a"),
        full_box(b"schm", b"cenc", (0x10000).to_bytes(4, "big")),
        box(b"schi", full_box(b"tenc", b"\0\0\1\x08", bytes(16))),
    )
    common = bytes.fromhex("1077EFECC0B24D02ACE33C1E52E2FB4B")
    return box(b"ftyp", b"isom", bytes(4), b"isom", b"mp42") + movie(
        audio_entry(b"enca", scheme), full_box(b"pssh", common, bytes(4), version=0)
    )
