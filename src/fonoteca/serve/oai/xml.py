"""XML as text: elements made from text that strangers wrote, well-formed whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 section 2.2 leaves out: most control characters, halves of surrogate pairs, U+FFFE and U+FFFF."""

_NO_ATTRIBUTES: Mapping[str, str] = {}


class Xml(str):
    """Text that is XML already."""

    __slots__ = ()


def plain(text: str) -> str:
    """Return a text without the characters that XML cannot hold, each replaced by U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)


def element(name: str, content: str | Iterable[Xml] = "", attributes: Mapping[str, str] = _NO_ATTRIBUTES) -> Xml:
    """Return an element. content: text, which is escaped, or elements. Attributes keep their order."""
    if isinstance(content, Xml):
        inside = str(content)
    elif isinstance(content, str):
        # A carriage return as it is would be read as a newline (XML 1.0 section 2.11).
        inside = escape(plain(content), quote=False).replace("\r", "&#13;")
    else:
        inside = "".join(content)
    told = "".join(f' {key}="{_attribute(value)}"' for key, value in attributes.items())
    return Xml(f"<{name}{told}>{inside}</{name}>" if inside else f"<{name}{told}/>")


def _attribute(value: str) -> str:
    escaped = escape(plain(value))
    return escaped.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")
