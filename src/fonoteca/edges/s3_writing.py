"""Puts that can lose their answer: each blob is stamped with the id of its write, which tells our own from another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fonoteca.model.errors import StoreError, TakenError, UnsureError
from fonoteca.ports import ObjectCalls, ObjectFound

PART_BYTES = 8 << 20
"""Larger blobs go in parts of this size. S3 wants 5 MiB at least; a put of 8 MiB needs no more memory than its bytes."""

_PARTS_MAX = 9000
"""S3 takes 10,000 parts at most: beyond 75 GB a blob's parts are larger."""

_CREATES_MAX = 5
"""Tries of one conditional put: each but the first comes after a lost answer, or one that says "in conflict, try again"."""


def part_bytes_of(blob_bytes: int) -> int:
    """Return the length of the parts that a blob of this length goes in."""
    return max(PART_BYTES, -(-blob_bytes // _PARTS_MAX))


class Writer:
    """Puts of whole blobs. write_id: gives a new id each time."""

    def __init__(self, calls: ObjectCalls, write_id: Callable[[], str]) -> None:
        self._calls = calls
        self._write_id = write_id

    def replace(self, key: str, content: bytes) -> None:
        """Put a blob in place of one that may be there."""
        if len(content) <= PART_BYTES:
            self._calls.put(key, content, self._write_id())
        else:
            self.replace_in_parts(key, content, len(content))

    def replace_in_parts(self, key: str, parts: Path | bytes | Iterator[bytes], blob_bytes: int) -> None:
        """Put a large blob in place of one that may be there; that one stays until this one is whole."""
        own = self._write_id()
        lost: UnsureError | None = None
        try:
            self._calls.put_parts(key, parts, own, part_bytes_of(blob_bytes))
        except UnsureError as error:
            lost = error
        found = self._calls.head(key)
        if found is not None and found.blob_bytes == blob_bytes and (lost is None or found.write_id == own):
            return
        if lost is not None:
            raise lost
        problem = f"expected {blob_bytes} bytes after the upload, found {'none' if found is None else found.blob_bytes}"
        raise StoreError(key, problem, "Look for who else writes in this store, and run the same command again.")

    def create(self, key: str, content: bytes) -> bool:
        """Put a blob if there is none. Returns: whether this call made it.

        A key that is taken may have been taken by this very call: its answer was lost, or the request was repeated on the way.
        The write id says. Where a store keeps none, the same bytes count as our own.
        """
        if len(content) > PART_BYTES:
            if self._calls.head(key) is not None:
                return False
            self.replace(key, content)
            return True
        own = self._write_id()
        lost: UnsureError | None = None
        for _ in range(_CREATES_MAX):
            try:
                if self._calls.create(key, content, own):
                    return True
            except UnsureError as error:
                lost = error
            found = self._calls.head(key)
            if found is not None:
                return found.write_id == own if found.write_id else self._calls.read(key) == content
        raise lost or StoreError(key, f"neither put nor there after {_CREATES_MAX} tries", "Run the same command again.")

    def create_file(self, key: str, path: Path) -> bool:
        """Put a file as a new blob. Returns: whether this call made it; False when one with the same bytes is there.

        Raises: TakenError when another one is there.
        """
        file_bytes = path.stat().st_size
        if file_bytes <= PART_BYTES:
            content = path.read_bytes()
            if self.create(key, content):
                return True
            same = self._calls.read(key) == content
        else:
            found = self._calls.head(key)
            if found is None:
                self.replace_in_parts(key, path, file_bytes)
                return True
            same = self._is_file(key, path, found, file_bytes)
        if not same:
            raise TakenError(key, "another blob is there already", "Nothing was changed.")
        return False

    def take_back(self, made: Sequence[str], unsure: Sequence[str], write_id: str) -> None:
        """Remove blobs that were made here, and those of which nobody knows but that have the id of our write."""
        found = ((key, self._calls.head(key)) for key in unsure)
        self._calls.delete([*made, *(key for key, one in found if one is not None and one.write_id == write_id)])

    def _is_file(self, key: str, path: Path, found: ObjectFound, file_bytes: int) -> bool:
        """Whether a blob has the bytes of a file."""
        if found.blob_bytes != file_bytes:
            return False
        with path.open("rb") as source:
            for start in range(0, file_bytes, PART_BYTES):
                if self._calls.get(key, start, PART_BYTES, found.e_tag)[0] != source.read(PART_BYTES):
                    return False
        return True
