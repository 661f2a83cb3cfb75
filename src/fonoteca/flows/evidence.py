"""Where raw evidence is kept: private to the archive, named by a salted digest that may be published."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable

from fonoteca.model.rights import Evidence
from fonoteca.ports import Blobs

_SALT_KEY = "evidence-salt"
_SALT_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")


class EvidenceVault:
    """Raw evidence in `private/`. The published digest proves what was kept without telling what it says.

    The digest is HMAC-SHA256 of the raw bytes under a secret of this archive, so that a short text that may name
    people cannot be guessed from it.
    """

    def __init__(self, blobs: Blobs, new_secret: Callable[[int], bytes]) -> None:
        blobs.create(_SALT_KEY, new_secret(_SALT_BYTES))
        self._salt = blobs.read(_SALT_KEY)
        self._blobs = blobs

    def keep_all(self, evidence: Iterable[Evidence]) -> None:
        """Make the raw bytes of evidence durable, all at one point."""
        self._blobs.create_all({_key(self.digest(each)): each.raw for each in evidence if each.raw})

    def digest(self, evidence: Evidence) -> str:
        """Return the salted digest of evidence; "" when it has no raw bytes."""
        return hmac.new(self._salt, evidence.raw, hashlib.sha256).hexdigest() if evidence.raw else ""

    def begin_of(self, digest: str, bytes_max: int) -> tuple[bytes, int] | None:
        """Return the first bytes behind a salted digest and how many there are; None where none are kept."""
        size = self._blobs.size(_key(digest)) if _DIGEST.fullmatch(digest) else None
        return None if size is None else (self._blobs.read_range(_key(digest), 0, min(size, bytes_max)), size)

    def read(self, digest: str) -> bytes:
        """Return the raw bytes behind a salted digest, for a person at this archive."""
        return self._blobs.read(_key(digest))


def _key(digest: str) -> str:
    """Return where evidence with a salted digest is."""
    return f"evidence/{digest[:2]}/{digest}"
