"""Ids of artists, albums and songs: made of what the store says, so that a register made anew has the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from fonoteca.people.personal import Song
from fonoteca.serve.subsonic.answers import CallError, Code

_ID = re.compile(r"(ar|al)-([0-9a-f]{16})|tr-([0-9a-f]{16})-([0-9a-f]{12})")
_MASK = (1 << 64) - 1
_HALF = 1 << 63
_PATH_DIGEST_BYTES = 6
"""Of the files of one album: among 10,000 two share a digest with probability 2e-7."""


@dataclass(frozen=True, slots=True)
class Ref:
    """What an id names. kind: `ar`, `al` or `tr`. key: of the artist, or of the album. path: digest of a song's path, or ""."""

    kind: str
    key: int
    path: str = ""


def artist_id(key: int) -> str:
    """Return the id of an artist."""
    return f"ar-{key & _MASK:016x}"


def album_id(key: int) -> str:
    """Return the id of an album."""
    return f"al-{key & _MASK:016x}"


def song_id(album_key: int, logical_path: str) -> str:
    """Return the id of a song."""
    return f"tr-{album_key & _MASK:016x}-{path_digest(logical_path)}"


@lru_cache(1 << 16)
def path_digest(logical_path: str) -> str:
    """Return what tells a file from the others of its album."""
    return blake2b(logical_path.encode("utf-8", "surrogatepass"), digest_size=_PATH_DIGEST_BYTES).hexdigest()


def ref_of(text: str) -> Ref | None:
    """Return what an id names, None for what is no id of ours. Some players put `pl-` and the like before cover art: not known."""
    match = _ID.fullmatch(text)
    if match is None:
        return None
    if match[1]:
        return Ref(match[1], _signed(match[2]))
    return Ref("tr", _signed(match[3]), match[4])


def song_named(ref: Ref | None) -> Song | None:
    """Return the name that a song is kept by, None for what is no song."""
    return Song(ref.key, ref.path) if ref is not None and ref.kind == "tr" else None


def needed_ref(text: str, kinds: str, what: Callable[[], CallError] | None = None) -> Ref:
    """Return what an id names. kinds: those that it may be of. Raises: CallError, not found, for any other."""
    ref = ref_of(text)
    if ref is None or ref.kind not in kinds.split():
        raise what() if what else CallError(Code.NOT_FOUND, "There is nothing with this id.")
    return ref


def _signed(digits: str) -> int:
    value = int(digits, 16)
    return value - (1 << 64) if value >= _HALF else value
