"""Stamps and digests of many files of a folder, with little said to the system for each: small files are many."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from fonoteca.edges.disk_calls import TEMPORARY, disk_error
from fonoteca.edges.disk_reading import read_directly
from fonoteca.model.errors import StoreError
from fonoteca.model.fixity import GONE, Sighting, Stamp

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SMALL_BYTES = 256 << 10
"""Read at once, from memory where the system has it there; what is larger is read from the disk itself."""


class Sighter:
    """Looks at files below a folder. A folder that was found to be inside is so for the rest of this object's short life."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._inside: set[str] = {root}

    def sight(self, key: str) -> Sighting:
        """Return a file's stamp and digest, or why it has none. Raises: StoreError for what is no key."""
        try:
            descriptor = os.open(self._path(key), _FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return Sighting(None, "", GONE)
        except OSError as error:
            return self._trouble(error, key)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return Sighting(None, "", GONE)
            return Sighting((found.st_size, found.st_mtime_ns), self._digest(descriptor, found.st_size), "")
        except OSError as error:
            return self._trouble(error, key)
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
        for part in read_directly(descriptor):
            digest.update(part)
        return digest.hexdigest()

    def _path(self, key: str) -> str:
        """Return the path of a key. Raises: StoreError when it is none, OSError when a link leads out of the root."""
        folder, _, name = key.rpartition("/")
        if not _is_part(name):
            raise StoreError(repr(key), "not a key: expected a relative path without empty, '.' or '..' parts")
        return f"{self._folder(folder, key)}/{name}" if folder else f"{self._root}/{name}"

    def _folder(self, folder: str, key: str) -> str:
        """Return the path of a folder that is inside. Cost: a status call for each folder on the way that was not seen before."""
        place = f"{self._root}/{folder}"
        if place not in self._inside:
            above, _, name = folder.rpartition("/")
            if not _is_part(name):
                raise StoreError(repr(key), "not a key: expected a relative path without empty, '.' or '..' parts")
            if above:
                self._folder(above, key)
            self._check_inside(place)
            self._inside.add(place)
        return place

    def _check_inside(self, place: str) -> None:
        try:
            linked = stat.S_ISLNK(os.lstat(place).st_mode)
        except OSError:
            return  # whoever opens what is below it is told
        away = os.path.realpath(place) if linked else place
        if not f"{away}/".startswith(f"{self._root}/"):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), place)

    def _trouble(self, error: OSError, key: str) -> Sighting:
        return Sighting(None, "", disk_error(error, Path(key)).problem)


def _is_part(part: str) -> bool:
    """Whether a text can be a part of a key."""
    return part not in ("", ".", "..") and "\0" not in part and not part.startswith(TEMPORARY)


def sight_files(root: str, keys: Sequence[str]) -> list[Sighting]:
    """Return the stamp and digest of each file below a folder."""
    sighter = Sighter(root)
    return [sighter.sight(key) for key in keys]


def stamp_files(root: str, keys: Sequence[str]) -> list[Stamp | None]:
    """Return the length and time of each file below a folder, None for one that is gone or cannot be asked for."""
    sighter = Sighter(root)
    return [sighter.stamp(key) for key in keys]
