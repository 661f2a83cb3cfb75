"""Stores that lie: each wraps `Blobs`, is named for its lie, and is honest in all else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, BinaryIO

from fonoteca.formats.sightings import sight
from fonoteca.model.errors import StoreError
from fonoteca.model.fixity import Sighting
from fonoteca.ports import Blobs


class _Honest:
    """Passes everything on. `key_part`: a liar lies only about keys that contain it."""

    def __init__(self, inner: Blobs, key_part: str = "") -> None:
        self._inner = inner
        self._key_part = key_part

    def __getattr__(self, name: str) -> Any:
        """Return what the wrapped blobs have."""
        return getattr(self._inner, name)

    def sight_all(self, keys: Sequence[str]) -> list[Sighting]:
        """Return what is seen of each blob by way of this liar's own reading."""
        return [sight(self, key) for key in keys]

    def _lies_about(self, key: str) -> bool:
        return self._key_part in key


class FlipsLastByte(_Honest):
    """Gives the last byte of every blob with its lowest bit flipped."""

    def read(self, key: str) -> bytes:
        """Return the blob, nearly."""
        content = self._inner.read(key)
        return content[:-1] + bytes([content[-1] ^ 1]) if content and self._lies_about(key) else content

    def open(self, key: str) -> BinaryIO:
        """Return the blob as a stream, nearly."""
        return BytesIO(self.read(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return a range of what `read` gives."""
        return self.read(key)[start : start + length]


class Unreadable(_Honest):
    """Has blobs that are there and cannot be read, as those on a bad sector of a disk."""

    def read(self, key: str) -> bytes:
        """Return the blob, or raise StoreError as a disk does."""
        if self._lies_about(key):
            raise StoreError(key, os.strerror(errno.EIO), "Look into the system's log; the disk may be failing.")
        return self._inner.read(key)

    def open(self, key: str) -> BinaryIO:
        """Return the blob as a stream, or raise StoreError."""
        return BytesIO(self.read(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return a range of what `read` gives."""
        return self.read(key)[start : start + length]


class Truncates(_Honest):
    """Gives the first half of every blob, and says that its size is right."""

    def read(self, key: str) -> bytes:
        """Return half of the blob."""
        content = self._inner.read(key)
        return content[: len(content) // 2] if self._lies_about(key) else content

    def open(self, key: str) -> BinaryIO:
        """Return half of the blob as a stream."""
        return BytesIO(self.read(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return a range of what `read` gives."""
        return self.read(key)[start : start + length]


class FailsOnNthCall(_Honest):
    """Raises StoreError at the n-th call of any method, counted from 0; `count` tells how many calls there were."""

    def __init__(self, inner: Blobs, n: int | None) -> None:
        super().__init__(inner)
        self._n = n
        self.count = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a method that may fail before it is called."""

        def counted(*arguments: Any) -> Any:
            number = self.count
            self.count += 1
            if number == self._n:
                raise StoreError(str(arguments[0] if arguments else ""), f"the medium failed at call {number}")
            return getattr(self._inner, name)(*arguments)

        return counted


class ReplacesOnCreate(_Honest):
    """Puts what `create` is given in place of what is there, as an S3 does that knows no conditions."""

    def create(self, key: str, content: bytes) -> bool:
        """Put the blob and say that it was not there."""
        self._inner.write(key, content)
        return True


class AnswersTwice(_Honest):
    """Does every `create` twice and gives the second answer, as a retry after a lost answer does."""

    def create(self, key: str, content: bytes) -> bool:
        """Return what the second of two calls says."""
        self._inner.create(key, content)
        return self._inner.create(key, content)
