"""Mirrors that are read by ranges, as `fonoteca.ports.Mirror`: a copy of a store in a folder or on S3, and a web seed."""

from __future__ import annotations

from collections.abc import Sequence

from fonoteca.edges.http import HttpFetch, HttpLimits
from fonoteca.model.errors import BlobMissing, SourceMissing
from fonoteca.ports import Blobs


class BlobsMirror:
    """A copy of a store that is read directly, without a swarm."""

    def __init__(self, name: str, blobs: Blobs) -> None:
        self.name = name
        self._blobs = blobs

    def read_range(self, path: str, start: int, length: int) -> bytes | None:
        """Return bytes of a file, None when it is not there. Raises: StoreError."""
        try:
            return self._blobs.read_range(path, start, length)
        except BlobMissing:
            return None


class WebSeedMirror:
    """Files over http or https by ranges. bases: the addresses below which paths may lie; the first that has one is kept to."""

    def __init__(self, name: str, bases: Sequence[str], limits: HttpLimits | None = None) -> None:
        self.name = name
        self._fetches = [HttpFetch(base, limits) for base in bases]

    def read_range(self, path: str, start: int, length: int) -> bytes | None:
        """Return bytes of a file, None when no base has it. Raises: SourceError, TrustError."""
        for fetch in self._fetches:
            try:
                content = fetch.read_range(path, start, length).content
            except SourceMissing:
                continue
            self._fetches = [fetch]
            return content
        return None

    def close(self) -> None:
        """Close connections that are kept open."""
        for fetch in self._fetches:
            fetch.close()
