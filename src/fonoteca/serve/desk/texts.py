"""Text of strangers as a curator sees it: nothing of it acts on the page, and nothing of it is hidden."""

from __future__ import annotations

import unicodedata

RAW_BYTES_MAX = 20_000
"""Of a text that decides, shown on a page. The whole of it is in `private/`."""

_PLAIN = "\n\t"


def plain_text(text: str) -> str:
    """Return text with what turns or hides it made visible, such as `⟨U+202E⟩` for a change of direction."""
    return "".join(each if each in _PLAIN or not _hides(each) else f"⟨U+{ord(each):04X}⟩" for each in text)


def raw_text(content: bytes) -> str:
    """Return the bytes of a text as far as they are one: what is no UTF-8 is U+FFFD."""
    return plain_text(content.decode("utf-8", "replace").replace("\r\n", "\n"))


def _hides(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
