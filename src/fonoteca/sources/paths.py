"""Names as received become logical paths: kept as they are, made readable only where they are no text at all."""

from __future__ import annotations

import re
import unicodedata

from fonoteca.model.errors import FormatError
from fonoteca.model.ids import LogicalPath

PATH_BYTES_MAX = 2560
"""Of a path as it is written here: indexes of PostgreSQL take 2,704 bytes."""


def received_text(name: bytes) -> str:
    """Return a name as text: UTF-8 as it is, with newlines, direction marks and all.

    Bytes that are not UTF-8 are written as `%` and two hexadecimal digits, and then a `%` in the same name as `%25`, so
    that the bytes can be had back. A name that is UTF-8 is never changed.
    """
    text = name.decode("utf-8", "surrogateescape")
    if text.isascii() or not any(_is_escaped(c) for c in text):
        return text
    return "".join(f"%{ord(c) - 0xDC00:02X}" if _is_escaped(c) else "%25" if c == "%" else c for c in text)


def logical_path(name: bytes) -> LogicalPath | None:
    """Return the logical path of an archive member's or a file's relative path, None when it is not a safe relative path.

    A leading `./` is dropped, as `dpkg-deb` writes it. Refused: absolute paths, `..`, empty segments, NUL, over-long ones.
    """
    bare = name.removeprefix(b"./").rstrip(b"/")
    if not bare or b"\0" in bare:
        return None
    text = received_text(bare)
    try:
        return LogicalPath(text) if len(text.encode()) <= PATH_BYTES_MAX else None
    except FormatError:
        return None


def slug(text: str, chars_max: int = 60) -> str:
    """Return lower-case ASCII letters, digits and hyphens that recall a name; "" if nothing is left of it."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower())[:chars_max].strip("-")


def _is_escaped(char: str) -> bool:
    return 0xDC80 <= ord(char) <= 0xDCFF
