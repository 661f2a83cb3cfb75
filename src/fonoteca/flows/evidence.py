"""Where raw evidence is kept: private to the archive, named by a salted digest that may be published."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from fonoteca.model.rights import Evidence
from fonoteca.ports import Blobs

_SALT_KEY = "evidence-salt"
_SALT_BYTES = 32


class EvidenceVault:
    """Raw evidence in `private/`. The published digest proves what was kept without telling what it says.

    The digest is HMAC-SHA256 of the raw bytes under a secret of this archive, so that a short text that may name
    people cannot be guessed from it.
    """

    def __init__(self, blobs: Blobs, new_secret: Callable[[int], bytes]) -> None:
        blobs.create(_SALT_KEY, new_secret(_SALT_BYTES))
        self._salt = blobs.read(_SALT_KEY)
        self._blobs = blobs

    def keep(self, evidence: Evidence) -> str:
        """Return the salted digest of the evidence after its raw bytes are durable; "" when it has none."""
        if not evidence.raw:
            return ""
        digest = hmac.new(self._salt, evidence.raw, hashlib.sha256).hexdigest()
        self._blobs.create(f"evidence/{digest[:2]}/{digest}", evidence.raw)
        return digest

    def read(self, digest: str) -> bytes:
        """Return the raw bytes behind a salted digest, for a person at this archive."""
        return self._blobs.read(f"evidence/{digest[:2]}/{digest}")
