"""What kind of picture a file is."""

from __future__ import annotations

ARTWORK_TYPES: tuple[tuple[bytes, int, bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, b"", "image/png"),
    (b"\xff\xd8\xff", 0, b"", "image/jpeg"),
    (b"RIFF", 8, b"WEBP", "image/webp"),
    (b"GIF87a", 0, b"", "image/gif"),
    (b"GIF89a", 0, b"", "image/gif"),
)
"""First bytes, an offset and the bytes there, media type."""


def artwork_type(head: bytes) -> str | None:
    """Return the media type of the picture that these bytes begin: PNG, JPEG, WebP or GIF, or None. head: 12 bytes or more."""
    for first, offset, second, media_type in ARTWORK_TYPES:
        if head.startswith(first) and head[offset : offset + len(second)] == second:
            return media_type
    return None
