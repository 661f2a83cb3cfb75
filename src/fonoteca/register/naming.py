"""Names as people look for them: the order of lists, and keys by which one name is one artist."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

IGNORED_ARTICLES = ("The", "El", "La", "Los", "Las", "Le", "Les")
"""What a name may begin with that its place in a list does not tell."""

SORT_CHARACTERS_MAX = 120
"""Of a name's place in order: an index has it once for each release, and longer names differ before."""

_ARTICLE = re.compile(rf"^(?:{'|'.join(word.lower() for word in IGNORED_ARTICLES)}) (?=\S)")
_NAMES_KEPT = 65_536


@lru_cache(_NAMES_KEPT)
def sort_name(text: str) -> str:
    """Return a name's place in order: without case, marks and leading article. A name that is only these is its own place."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    plain = " ".join("".join(c for c in spread if not unicodedata.combining(c)).split())
    return (_ARTICLE.sub("", plain, count=1) or text)[:SORT_CHARACTERS_MAX]


@lru_cache(_NAMES_KEPT)
def name_key(text: str) -> int:
    """Return the key of an artist, the same however the name's case, spaces and Unicode form are written: -2**63 to 2**63 - 1."""
    return _key(" ".join(unicodedata.normalize("NFC", text).casefold().split()))


def object_key_of(object_id: str) -> int:
    """Return the key of an album, which its object's id alone decides: -2**63 to 2**63 - 1."""
    return _key(object_id)


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)
