"""Stamps and digests of many files of a folder, with little said to the system for each: small files are many."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from hashlib import sha256
from io import FileIO
from pathlib import Path

from fonoteca.edges.disk_calls import COPY_BYTES, TEMPORARY, disk_error, leads_out
from fonoteca.model.errors import StoreError
from fonoteca.model.fixity import GONE, Sighting, Stamp

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SMALL_BYTES = 256 << 10
"""Read at once into memory of its own: a buffer that is kept is quicker only beyond."""


class Sighter:
    """Looks at files below a folder. A folder that was found to be inside is so for the rest of this object's short life."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._inside: set[str] = {root}
        self._buffer = bytearray()

    def sight(self, key: str) -> Sighting:
        """Return a file's stamp and digest, or why it has none. Raises: StoreError for what is no key."""
        path = self._path(key)
        try:
            descriptor = os.open(path, _FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return Sighting(None, "", GONE)
        except OSError as error:
            return self._trouble(error, path)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return Sighting(None, "", GONE)
            return Sighting((found.st_size, found.st_mtime_ns), self._digest(descriptor, found.st_size), "")
        except OSError as error:
            return self._trouble(error, path)
        finally:
            os.close(descriptor)

    def stamp(self, key: str) -> Stamp | None:
        """Return a file's length and time, None when it is gone or cannot be asked for."""
        try:
            found = os.lstat(self._path(key))
        except OSError:
            return None
        return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def _digest(self, descriptor: int, file_bytes: int) -> str:
        """Return the digest of all bytes that there are, whatever the length says."""
        digest = sha256()
        if file_bytes < _SMALL_BYTES:
            while chunk := os.read(descriptor, _SMALL_BYTES):
                digest.update(chunk)
                if len(chunk) == file_bytes:
                    break
            return digest.hexdigest()
        self._buffer = self._buffer or bytearray(COPY_BYTES)
        view = memoryview(self._buffer)
        with FileIO(descriptor, "rb", closefd=False) as source:
            while count := source.readinto(view):
                digest.update(view[:count])
        return digest.hexdigest()

    def _path(self, key: str) -> str:
        folder, _, name = key.rpartition("/")
        place = f"{self._root}/{folder}" if folder else self._root
        if place not in self._inside:
            self._check(folder)
            away = leads_out(self._root, f"{place}/")
            if away:
                raise StoreError(key, f"a symbolic link leads out of the store to {away}", "Remove the link.")
            self._inside.add(place)
        self._check(name)
        return f"{place}/{name}"

    def _check(self, key: str) -> None:
        for part in key.split("/"):
            if part in ("", ".", "..") or "\0" in part or part.startswith(TEMPORARY):
                raise StoreError(repr(key), "not a key: expected a relative path without empty, '.' or '..' parts")

    def _trouble(self, error: OSError, path: str) -> Sighting:
        return Sighting(None, "", disk_error(error, Path(path)).problem)


def sight_files(root: str, keys: Sequence[str]) -> list[Sighting]:
    """Return the stamp and digest of each file below a folder."""
    sighter = Sighter(root)
    return [sighter.sight(key) for key in keys]


def stamp_files(root: str, keys: Sequence[str]) -> list[Stamp | None]:
    """Return the length and time of each file below a folder, None for one that is gone or cannot be asked for."""
    sighter = Sighter(root)
    return [sighter.stamp(key) for key in keys]
