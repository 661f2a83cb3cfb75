"""What an audit wants to know of a blob, by way of the plain reading that every `Blobs` offers."""

from __future__ import annotations

from hashlib import sha256

from fonoteca.model.errors import BlobMissing, StoreError
from fonoteca.model.fixity import GONE, Sighting
from fonoteca.ports import Blobs

_CHUNK_BYTES = 1 << 20


def sight(blobs: Blobs, key: str) -> Sighting:
    """Return a blob's stamp and digest, or why it has none. Raises: nothing for what is wrong with this blob alone."""
    try:
        stamp = blobs.stamp(key)
        if stamp is None:
            return Sighting(None, "", GONE)
        digest = sha256()
        with blobs.open(key) as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
    except BlobMissing:
        return Sighting(None, "", GONE)
    except StoreError as error:
        return Sighting(None, "", error.problem)
    return Sighting(stamp, digest.hexdigest(), "")
