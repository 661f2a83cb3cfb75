"""Several archives in one: beside the first that a mirror follows it may follow others, each with a standing of its own.

The first gives the edition that the mirror serves on, its catalogue and its search index. Of the others the drops of the store are
taken, and seeded on; what of each was seen, and its edition as far as it is held, lie in `trust/beside/<mark>/`. The mark tells
archives apart: it is the beginning of the digest of the first root.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from fonoteca.editions import Index
from fonoteca.flows.promote import followed_place
from fonoteca.model.errors import UsageError
from fonoteca.model.settings import Settings
from fonoteca.ports import Blobs, Fetch
from fonoteca.register import Register

BESIDE = "beside"
SEEN, EDITION = "seen", "edition"
_MARK_CHARACTERS = 16
_FIRST_ROOT = "metadata/1.root.json"
_ROOT_BYTES_MAX = 512_000


class SeenRooms(Protocol):
    """What is known of what is here."""

    @property
    def settings(self) -> Settings:
        """Of this archive."""
        ...

    @property
    def register(self) -> Register:
        """Which drops are held."""
        ...


def mark_of(root_sha256: str) -> str:
    """Return the mark of an archive by the digest of its first root."""
    return root_sha256[:_MARK_CHARACTERS]


def mark_at(place: str, fetch: Fetch, trust: Blobs) -> str:
    """Return the mark of the archive that is followed at a place: the one that was found there before, whoever is there now.

    So nobody at that place can pass for an archive that was never seen. trust: of the mirror. Raises: SourceError, TrustError.
    """
    for mark in marks(trust):
        if followed_place(trust, f"{BESIDE}/{mark}/{SEEN}/") == place:
            return mark
    return mark_of(sha256(fetch.read(_FIRST_ROOT, _ROOT_BYTES_MAX)).hexdigest())


def marks(trust: Blobs) -> list[str]:
    """Return the marks of the archives that are followed beside the first one. trust: of the mirror."""
    return list(trust.children(BESIDE))


def check_mirror(own_roots: Collection[str], signs_own: bool) -> None:
    """Raise UsageError where no archive can be followed beside another: only a mirror can."""
    if signs_own:
        problem = "this archive publishes editions of its own, so it follows nobody beside"
        raise UsageError("--beside", problem, "Make a mirror of both in another folder.")
    if not own_roots:
        raise UsageError("--beside", "nothing is followed here yet", "Follow the first archive without it.")


def check_other(mark: str, own_roots: Collection[str]) -> None:
    """Raise UsageError where an archive is the first one, which is followed already."""
    if mark in {mark_of(root) for root in own_roots}:
        raise UsageError("--beside", "this is the archive that is followed already", "Follow it without --beside.")


def seen_beside(rooms: SeenRooms, index: Index) -> Index:
    """Return what of an edition a mirror of another archive takes: drops of the store, but those that it holds under another name.

    Raises: UsageError for an archive with other pieces: what heals one could not heal the other.
    """
    if index.heading.piece_bytes != rooms.settings.piece_bytes:
        problem = f"its pieces have {index.heading.piece_bytes} bytes, here they have {rooms.settings.piece_bytes}"
        raise UsageError(index.heading.archive, problem, "Follow it in another folder.")
    rows = {row.id: row.infohash_v2 for row in rooms.register.drops()}
    entries = (entry for entry in index.entries if not entry.kind.is_snapshot)
    return replace(index, entries=tuple(e for e in entries if rows.get(e.id, e.infohash_v2) == e.infohash_v2))
