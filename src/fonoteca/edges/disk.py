"""Folders on a local disk: `Blobs`, `Staging` and the lock that lets one process write in an archive at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fonoteca.edges.disk_batches import SyncPoint, adopt_folders, create_files
from fonoteca.edges.disk_calls import (
    COPY_BYTES,
    TEMPORARY,
    SystemCalls,
    in_words,
    leads_out,
    make_folders,
    prune,
    remove_tree,
    sync_tree,
    write_all,
    write_durably,
)
from fonoteca.edges.disk_lock import ArchiveLock
from fonoteca.edges.disk_sightings import sight_files, stamp_files
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.errors import BlobMissing, StoreError, TakenError
from fonoteca.model.fixity import Sighting, Stamp
from fonoteca.ports import DurableCalls

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ArchiveLock", "DiskBlobs", "DiskStaging", "SystemCalls"]


_BUFFER_BYTES = 1 << 16
"""Of an open blob. Whoever reads more at once reads past it; hundreds of listeners have one each."""


class _StoredFile(FileIO):
    """A file open for reading whose errors are StoreErrors."""

    def readinto(self, target: WriteableBuffer, /) -> int | None:
        """Read into a buffer. Raises: StoreError."""
        with in_words(Path(str(self.name))):
            return super().readinto(target)

    def readall(self) -> bytes:
        """Read to the end. Raises: StoreError."""
        with in_words(Path(str(self.name))):
            return super().readall()


class DiskBlobs:
    """`Blobs` in a folder. Keys are paths below it; symbolic links in it are never followed out of it.

    Every change goes through `calls`. Two processes must not write under one root at the same time: see `ArchiveLock`.
    """

    def __init__(self, root: Path, calls: DurableCalls | None = None) -> None:
        self._root = Path(os.path.realpath(root))
        self._calls: DurableCalls = calls or SystemCalls()
        self._point = SyncPoint(self._root, self._calls)

    def read(self, key: str) -> bytes:
        """Return the whole blob."""
        with self.open(key) as source:
            return source.read()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`, fewer at the end."""
        if start < 0 or length < 0:
            raise StoreError(key, f"not a range: {length} bytes from {start}")
        with self.open(key) as source:
            source.seek(start)
            return source.read(length)

    def open(self, key: str) -> BinaryIO:
        """Return the blob as a seekable stream, to be closed by the caller."""
        path = self._path(key)
        with in_words(path):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError):
                raise BlobMissing(key, f"there is no such file below {self._root}") from None
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise BlobMissing(key, "this is not a file")
        # FileIO has the name for messages; the descriptor is what was checked.
        return BufferedReader(_StoredFile(path, "rb", opener=lambda _name, _flags: descriptor), _BUFFER_BYTES)

    def size(self, key: str) -> int | None:
        """Return the length in bytes, or None when there is no such blob."""
        found = self.stamp(key)
        return None if found is None else found[0]

    def stamp(self, key: str) -> tuple[int, int] | None:
        """Return the length in bytes and the time of the last change in nanoseconds, None when there is no such blob."""
        path = self._path(key)
        with in_words(path):
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def sight_all(self, keys: Sequence[str]) -> list[Sighting]:
        """Return each blob's stamp and sha256."""
        return sight_files(str(self._root), keys)

    def stamp_all(self, keys: Sequence[str]) -> list[Stamp | None]:
        """Return each blob's stamp, None for one that is missing or cannot be asked for."""
        return stamp_files(str(self._root), keys)

    def write(self, key: str, content: bytes) -> None:
        """Put the blob, in place of one that may be there."""
        self._write(key, content, replace=True)

    def create(self, key: str, content: bytes) -> bool:
        """Put the blob if there is none. Returns: whether this call made it."""
        return self.size(key) is None and self._write(key, content, replace=False)

    def patch(self, key: str, parts: Mapping[int, bytes], blob_bytes: int) -> None:
        """Put the blob anew: `blob_bytes` long, these parts in place, all other bytes as they were."""
        path = self._path(key)
        gaps = _gaps(key, parts, blob_bytes)
        with in_words(path, blob_bytes):
            write_durably(path, lambda descriptor: self._splice(key, descriptor, parts, gaps), self._calls)

    def adopt(self, tree: Path, prefix: str) -> None:
        """Move a finished local folder in as `prefix`, which must not exist yet: one rename, so all or nothing."""
        target = self._path(prefix)
        if not tree.is_dir() or tree.is_symlink():
            raise StoreError(str(tree), "expected a folder to move in, found none")
        if os.path.lexists(target):
            raise TakenError(prefix, "it is already there", "Nothing was changed.")
        with in_words(target):
            sync_tree(tree, self._calls)
            self._calls.fsync_dir(tree.parent)  # by its name in staging whoever comes after a power cut finds what was made here
            try:
                make_folders(target.parent, self._calls)
                self._calls.rename(tree, target)
            except OSError:
                with suppress(OSError):  # OCFL has no empty folders
                    self._prune(target.parent)
                raise
            self._calls.fsync_dir(target.parent)

    def adopt_all(self, trees: Sequence[tuple[Path, str]]) -> None:
        """Move finished local folders in, each under its prefix: two waits for the disk, however many they are."""
        if len(trees) == 1:
            self.adopt(*trees[0])
        elif trees:
            adopt_folders([(tree, self._path(prefix)) for tree, prefix in trees], self._point, self._calls)

    def create_all(self, contents: Mapping[str, bytes]) -> None:
        """Put those blobs that are not there: two waits for the disk, however many they are."""
        missing = {key: content for key, content in contents.items() if self.size(key) is None}
        if len(missing) == 1:
            self.create(*missing.popitem())
        elif missing:
            create_files({self._path(key): content for key, content in missing.items()}, self._point, self._calls)

    def delete(self, prefix: str) -> None:
        """Remove the blob or everything below the prefix, at once to every reader; and folders that it leaves empty."""
        path = self._path(prefix)
        with in_words(path):
            if os.path.lexists(path):
                # Renamed first, so that no reader ever meets half of it; a crash leaves a leftover for `sweep`.
                doomed = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}"[:255])
                remove_tree(doomed, self._calls)
                self._calls.rename(path, doomed)
                self._calls.fsync_dir(path.parent)
                remove_tree(doomed, self._calls)
            self._prune(path.parent)

    def sweep(self, prefix: str = "") -> int:
        """Remove leftovers of interrupted writes and empty folders at and below a prefix, and above it if it left any."""
        path = self._path(prefix) if prefix else self._root
        removed = 0
        with in_words(path):
            for folder in {path.parent, path} if prefix else {path}:
                removed += self._sweep_one(folder)
            if path.is_dir() and not path.is_symlink():
                removed += self._sweep_below(path)
            removed += self._prune(path)
        return removed

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all blobs below a prefix, in ascending order."""
        # "/" sorts folders where their keys sort.
        for entry in sorted(self._entries(prefix), key=lambda e: e.name + "/" * e.is_dir(follow_symlinks=False)):
            key = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from self.keys(key)
            else:
                yield key

    def children(self, prefix: str = "") -> Iterator[str]:
        """Yield the names directly below a prefix, folders and blobs, in ascending order."""
        yield from sorted(entry.name for entry in self._entries(prefix))

    def entries(self, prefix: str, depth: int) -> Iterator[str]:
        """Yield the paths of all folders and blobs so many levels below a prefix. Cost: a look at each folder on the way."""
        for name in self.children(prefix):
            path = f"{prefix}/{name}" if prefix else name
            if depth == 1:
                yield path
            else:
                yield from self.entries(path, depth - 1)

    def local_path(self, key: str) -> Path | None:
        """Return the file that holds the blob, None when there is no such blob."""
        return None if self.size(key) is None else self._path(key)

    def _path(self, key: str) -> Path:
        """Return the path of a key. Raises: StoreError when it leads out of the root."""
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part or part.startswith(TEMPORARY) for part in parts):
            raise StoreError(repr(key), "not a key: expected a relative path without empty, '.' or '..' parts")
        path = self._root.joinpath(*parts)
        with in_words(path):
            away = leads_out(str(self._root), str(path))
        if away:
            raise StoreError(key, f"a symbolic link leads out of the store to {away}", "Remove the link.")
        return path

    def _entries(self, prefix: str) -> list[os.DirEntry[str]]:
        """Return what is directly below a prefix, leftovers left out."""
        path = self._path(prefix) if prefix else self._root
        if path.is_symlink():
            return []
        with in_words(path):
            try:
                with os.scandir(path) as entries:
                    return [e for e in entries if not e.name.startswith(TEMPORARY)]
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _write(self, key: str, content: bytes, *, replace: bool) -> bool:
        """Put a blob from memory."""
        path = self._path(key)
        with in_words(path, len(content)):
            return write_durably(path, lambda d: write_all(d, content, self._calls), self._calls, replace=replace)

    def _splice(self, key: str, descriptor: int, parts: Mapping[int, bytes], gaps: list[tuple[int, int]]) -> None:
        """Write parts and, between them, what the old blob has, in order of position."""
        end_of = dict(gaps)
        for start in sorted({*parts, *end_of}):
            if start in parts:
                write_all(descriptor, parts[start], self._calls)
            if start in end_of:  # after a part without bytes
                self._copy(key, descriptor, start, end_of[start])

    def _copy(self, key: str, descriptor: int, start: int, end: int) -> None:
        """Append the bytes from start up to end of the old blob."""
        with self.open(key) as source:
            source.seek(start)
            while start < end:
                chunk = source.read(min(COPY_BYTES, end - start))
                if not chunk:
                    raise StoreError(key, f"its bytes from {start} to {end} are needed and not there")
                write_all(descriptor, chunk, self._calls)
                start += len(chunk)

    def _sweep_below(self, folder: Path) -> int:
        """Remove leftovers and empty folders below a folder. Returns: how many."""
        removed = self._sweep_one(folder)
        for name in sorted(os.listdir(folder)):
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                removed += self._sweep_below(path)
                if not os.listdir(path):
                    self._calls.rmdir(path)
                    self._calls.fsync_dir(folder)
                    removed += 1
        return removed

    def _sweep_one(self, folder: Path) -> int:
        """Remove the leftovers directly in a folder. Returns: how many."""
        if not folder.is_dir() or not folder.is_relative_to(self._root):
            return 0
        leftovers = sorted(name for name in os.listdir(folder) if name.startswith(TEMPORARY))
        for name in leftovers:
            remove_tree(folder / name, self._calls)
        if leftovers:
            self._calls.fsync_dir(folder)
        return len(leftovers)

    def _prune(self, folder: Path) -> int:
        """Remove a folder if it is empty, then its parent, up to the root, which stays. Returns: how many."""
        return prune(folder, self._root, self._calls)


def _gaps(key: str, parts: Mapping[int, bytes], blob_bytes: int) -> list[tuple[int, int]]:
    """Return the ranges (start, end) that no part covers, in order. Raises: StoreError for parts that do not fit."""
    gaps = []
    at = 0
    for start in sorted(parts):
        part_bytes = len(parts[start])
        if start < at or start + part_bytes > blob_bytes:
            raise StoreError(key, f"a part of {part_bytes} bytes at {start} overlaps another or passes the end {blob_bytes}")
        if start > at:
            gaps.append((at, start))
        at = start + part_bytes
    return [*gaps, (at, blob_bytes)] if at < blob_bytes else gaps
