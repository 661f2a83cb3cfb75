"""`Blobs` in memory: the plainest thing that obeys the port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from fonoteca.formats.sightings import sight
from fonoteca.model.errors import BlobMissing, StoreError, TakenError
from fonoteca.model.fixity import Sighting, Stamp


class MemoryBlobs:
    """`Blobs` in a dictionary. As durable as the process."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._stamps: dict[str, tuple[bytes, int]] = {}

    def read(self, key: str) -> bytes:
        """Return the whole blob."""
        _check(key)
        try:
            return self._blobs[key]
        except KeyError:
            raise BlobMissing(key, "there is no such blob in memory") from None

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`, fewer at the end."""
        if start < 0 or length < 0:
            raise StoreError(key, f"not a range: {length} bytes from {start}")
        return self.read(key)[start : start + length]

    def open(self, key: str) -> BinaryIO:
        """Return the blob as a seekable stream."""
        return BytesIO(self.read(key))

    def size(self, key: str) -> int | None:
        """Return the length in bytes, or None when there is no such blob."""
        _check(key)
        return len(self._blobs[key]) if key in self._blobs else None

    def stamp(self, key: str) -> tuple[int, int] | None:
        """Return the length in bytes and a count of writes in place of a time, None when there is no such blob."""
        _check(key)
        if key not in self._blobs:
            return None
        content = self._blobs[key]
        # Every write puts a new object; it is kept here, so that no later one can have its identity.
        if key not in self._stamps or self._stamps[key][0] is not content:
            self._stamps[key] = (content, self._stamps.get(key, (b"", 0))[1] + 1)
        return len(content), self._stamps[key][1]

    def sight_all(self, keys: Sequence[str]) -> list[Sighting]:
        """Return each blob's stamp and sha256."""
        return [sight(self, key) for key in keys]

    def stamp_all(self, keys: Sequence[str]) -> list[Stamp | None]:
        """Return each blob's stamp."""
        return [self.stamp(key) for key in keys]

    def write(self, key: str, content: bytes) -> None:
        """Put the blob, in place of one that may be there."""
        _check(key)
        self._blobs[key] = bytes(content)

    def create(self, key: str, content: bytes) -> bool:
        """Put the blob if there is none. Returns: whether this call made it."""
        _check(key)
        if key in self._blobs:
            return False
        self._blobs[key] = bytes(content)
        return True

    def create_all(self, contents: Mapping[str, bytes]) -> None:
        """Put those blobs that are not there yet."""
        for key, content in contents.items():
            self.create(key, content)

    def patch(self, key: str, parts: Mapping[int, bytes], blob_bytes: int) -> None:
        """Put the blob anew: `blob_bytes` long, these parts in place, all other bytes as they were."""
        _check(key)
        old = self._blobs.get(key, b"")
        new, at = b"", 0
        for start, content in [*sorted(parts.items()), (blob_bytes, b"")]:
            if start < at or start + len(content) > blob_bytes:
                raise StoreError(key, f"a part of {len(content)} bytes at {start} overlaps another or passes the end {blob_bytes}")
            if len(old[at:start]) < start - at:
                raise StoreError(key, f"its bytes from {at} to {start} are needed and not there")
            new += old[at:start] + content
            at = len(new)
        self._blobs[key] = new

    def adopt_all(self, trees: Sequence[tuple[Path, str]]) -> None:
        """Take local folders in, all or none."""
        before = dict(self._blobs)
        try:
            for tree, prefix in trees:
                self.adopt(tree, prefix)
        except StoreError:
            self._blobs = before
            raise

    def adopt(self, tree: Path, prefix: str) -> None:
        """Take a local folder in as `prefix`, which must not exist yet, and empty it."""
        _check(prefix)
        if not tree.is_dir() or tree.is_symlink():
            raise StoreError(str(tree), "expected a folder to move in, found none")
        if prefix in self._blobs or any(True for _ in self.keys(prefix)):
            raise TakenError(prefix, "it is already there", "Nothing was changed.")
        paths = sorted(tree.rglob("*"))
        if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in paths):
            raise StoreError(str(tree), "neither a file nor a folder is in it", "Only files and folders can be stored.")
        self._blobs |= {f"{prefix}/{p.relative_to(tree).as_posix()}": p.read_bytes() for p in paths if p.is_file()}

    def delete(self, prefix: str) -> None:
        """Remove the blob or everything below the prefix. Nothing there is no error."""
        _check(prefix)
        for key in [prefix, *self.keys(prefix)]:
            self._blobs.pop(key, None)

    def sweep(self, prefix: str = "") -> int:
        """Return 0: a write to memory is never half."""
        return 0

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all blobs below a prefix, in ascending order."""
        start = f"{prefix}/" if prefix else ""
        yield from sorted(key for key in self._blobs if key.startswith(start))

    def children(self, prefix: str = "") -> Iterator[str]:
        """Yield the names directly below a prefix, in ascending order."""
        start = len(prefix) + 1 if prefix else 0
        yield from sorted({key[start:].split("/", 1)[0] for key in self.keys(prefix)})

    def entries(self, prefix: str, depth: int) -> Iterator[str]:
        """Yield the paths of all folders and blobs so many levels below a prefix."""
        level = depth + (len(prefix.split("/")) if prefix else 0)
        paths = (tuple(key.split("/")) for key in self.keys(prefix))
        yield from ("/".join(path) for path in sorted({path[:level] for path in paths if len(path) >= level}))

    def local_path(self, key: str) -> Path | None:
        """Return None: there is no file."""
        return None


def _check(key: str) -> None:
    if any(part in ("", ".", "..") or "\0" in part for part in key.split("/")):
        raise StoreError(repr(key), "not a key: expected a relative path without empty, '.' or '..' parts")
