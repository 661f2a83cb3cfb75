"""What HLS and DASH playlists say of encryption (RFC 8216 section 4.3.2.4; ISO/IEC 23009-1 section 5.8.4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from fonoteca.model.errors import FormatError

PLAYLIST_BYTES_MAX = 4 * 1024 * 1024
"""A playlist longer than this is not read."""

_KEY = re.compile(r"#EXT-X-(?:SESSION-)?KEY:(.*)")
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


def hls_keys(text: str) -> Iterator[tuple[str, str]]:
    """Yield the METHOD and KEYFORMAT of each key tag; `identity` is the key format where none is named."""
    for line in text.splitlines():
        if key := _KEY.match(line.strip()):
            attributes = {name: value.strip('"') for name, value in _ATTRIBUTE.findall(key[1])}
            yield attributes.get("METHOD", ""), attributes.get("KEYFORMAT", "identity")


def dash_protections(content: bytes) -> list[str]:
    """Return the schemeIdUri of each ContentProtection element, "" where it has none.

    Raises: FormatError for a document that declares entities, which no manifest needs. Reads as far as the XML is well formed.
    """
    found: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "ContentProtection":
            found.append(attributes.get("schemeIdUri", ""))

    def refuse(*_: object) -> None:
        raise FormatError("DASH manifest", "declares a document type, which can name entities", "Manifests need none: remove it.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError):
        # A manifest that breaks off, or names an encoding nobody has, still said what it said before.
        return found
    return found
