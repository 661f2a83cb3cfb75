"""Pieces of a damaged file that are at hand, read one at a time: memory holds no file, however large it is.

Whoever writes them proves each as it is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from fonoteca.model.errors import StoreError
from fonoteca.ports import Staging


class StagedPieces(Mapping[int, bytes]):
    """Pieces by index that arrive one after the other, and wait in a folder of staging until their file can be written."""

    def __init__(self, staging: Staging, folder: Path) -> None:
        self._staging = staging
        self._folder = folder
        self._here: set[int] = set()

    def keep(self, index: int, content: bytes) -> None:
        """Put a piece that is not here yet. Raises: StoreError."""
        with self._staging.writer(self._folder / str(index)) as target:
            target.write(content)
        self._here.add(index)

    def discard(self) -> None:
        """Let all go."""
        self._here.clear()
        self._staging.discard(self._folder)

    def __getitem__(self, index: int) -> bytes:
        if index not in self._here:
            raise KeyError(index)
        return _read(self._folder / str(index), 0, -1)

    def __contains__(self, index: object) -> bool:
        return index in self._here

    def __iter__(self) -> Iterator[int]:
        return iter(self._here)

    def __len__(self) -> int:
        return len(self._here)


class PiecesOfFile(Mapping[int, bytes]):
    """Some pieces of a file that a source offers."""

    def __init__(self, path: Path, indexes: Collection[int], piece_bytes: int) -> None:
        self._path = path
        self._indexes = indexes
        self._piece_bytes = piece_bytes

    def __getitem__(self, index: int) -> bytes:
        if index not in self._indexes:
            raise KeyError(index)
        return _read(self._path, index * self._piece_bytes, self._piece_bytes)

    def __contains__(self, index: object) -> bool:
        return index in self._indexes

    def __iter__(self) -> Iterator[int]:
        return iter(self._indexes)

    def __len__(self) -> int:
        return len(self._indexes)


def _read(path: Path, start: int, length: int) -> bytes:
    """Return bytes of a file in staging."""
    try:
        with path.open("rb") as source:
            source.seek(start)
            return source.read(length)
    except OSError as error:
        raise StoreError(str(path), f"cannot be read: {error.strerror}", "Run the same command again.") from error
