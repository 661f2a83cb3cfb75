"""ID3v2 tags as spans of a file, and the frames in them (ID3v2.2, v2.3 and v2.4 informal standards)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fonoteca.formats.window import Window, window_on
from fonoteca.model.errors import FormatError

HEADER_BYTES = 10
TAGS_MAX = 8
"""Tags one after another at the start of a file; taggers that do not see each other's leave two or three."""

UNSYNCHRONISED_BYTES_MAX = 16 * 1024 * 1024
"""Of a v2.2 or v2.3 tag that must be read whole, because its sizes count bytes before unsynchronisation."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag in a file. version: 2, 3 or 4. start: of its header. end: after its padding and footer, exclusive."""

    version: int
    flags: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a tag. frame_bytes: as stored, without its header. compressed: with zlib."""

    id: bytes
    frame_bytes: int
    compressed: bool


def synchsafe(raw: bytes) -> int:
    """Return the number in bytes that use seven bits each."""
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
    return value


def tag_at(window: Window, start: int, magic: bytes = b"ID3") -> Tag | None:
    """Return the tag that begins here, or None. magic: `ea3` for Sony's, which is the same but for its name."""
    head = window.read(start, HEADER_BYTES)
    if len(head) < HEADER_BYTES or head[:3] != magic or head[3] not in (2, 3, 4) or max(head[6:10]) > 0x7F:
        return None
    footer = HEADER_BYTES if head[3] == 4 and head[5] & 0x10 else 0
    return Tag(head[3], head[5], start, start + HEADER_BYTES + synchsafe(head[6:10]) + footer)


def leading_tags(window: Window) -> list[Tag]:
    """Return the tags at the start of a file, in order."""
    tags: list[Tag] = []
    start = 0
    while len(tags) < TAGS_MAX and (tag := tag_at(window, start)) is not None:
        window.step()
        tags.append(tag)
        start = tag.end
    return tags


def content_start(window: Window) -> int:
    """Return where the file's own content begins, after its leading tags."""
    tags = leading_tags(window)
    return tags[-1].end if tags else 0


def trailing_tag(window: Window) -> Tag | None:
    """Return the v2.4 tag that a footer at the end of the file points back to, before an ID3v1 tag or not (v2.4 section 3.4)."""
    for end in (window.file_bytes, window.file_bytes - 128):
        foot = window.read(end - HEADER_BYTES, HEADER_BYTES)
        if foot[:3] == b"3DI" and len(foot) == HEADER_BYTES and max(foot[6:10]) <= 0x7F:
            return tag_at(window, end - 2 * HEADER_BYTES - synchsafe(foot[6:10]))
    return None


def frames(window: Window, tag: Tag) -> Iterator[Frame]:
    """Yield the frames of a tag until its padding or its damage begins.

    Raises: FormatError for an unsynchronised tag longer than UNSYNCHRONISED_BYTES_MAX.
    """
    start, end = tag.start + HEADER_BYTES, min(tag.end, window.file_bytes)
    if tag.flags & 0x80 and tag.version < 4:
        if end - start > UNSYNCHRONISED_BYTES_MAX:
            raise FormatError("ID3v2 tag", f"unsynchronised and longer than {UNSYNCHRONISED_BYTES_MAX} bytes", "Retag the file.")
        # v2.3 section 5: every 0xFF 0x00 was 0xFF before.
        window = window_on(window.read(start, end - start).replace(b"\xff\x00", b"\xff"))
        start, end = 0, window.file_bytes
    if tag.flags & 0x40 and tag.version > 2:
        head = window.read(start, 4)
        start += synchsafe(head) if tag.version == 4 else 4 + int.from_bytes(head, "big")
    yield from _frames(window, tag.version, start, end)


def _frames(window: Window, version: int, start: int, end: int) -> Iterator[Frame]:
    """Yield the frames from `start` to `end`."""
    name_bytes, head_bytes = (3, 6) if version == 2 else (4, 10)
    while start + head_bytes <= end:
        window.step()
        head = window.read(start, head_bytes)
        name = head[:name_bytes]
        if not _is_name(name):
            return
        size = int.from_bytes(head[name_bytes : 2 * name_bytes], "big")
        if version == 4:
            size = _size_v24(window, start + head_bytes, head[4:8], end)
        flags = head[9] if version > 2 else 0
        yield Frame(name, size, bool(flags & (0x08 if version == 4 else 0x80)))
        start += head_bytes + size


def _size_v24(window: Window, content: int, raw: bytes, end: int) -> int:
    """Return a v2.4 frame's size: synchsafe, unless only the plain number leads to another frame (old iTunes wrote those)."""
    safe, plain = synchsafe(raw), int.from_bytes(raw, "big")
    if safe == plain:
        return safe
    if max(raw) > 0x7F:
        return plain
    for size in (safe, plain):
        following = window.read(content + size, 4) if content + size < end else b"\0"
        if content + size <= end and (_is_name(following) or not following.strip(b"\0")):
            return size
    return safe


def _is_name(name: bytes) -> bool:
    """Return whether bytes can name a frame: capital letters and digits."""
    return len(name) in (3, 4) and all(0x30 <= c <= 0x39 or 0x41 <= c <= 0x5A for c in name)
