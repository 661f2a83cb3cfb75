"""Scratch folders on the archive's own disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from fonoteca.edges.disk_calls import SystemCalls, UnsyncedCalls, in_words, leads_out, make_folders, remove_tree
from fonoteca.edges.disk_writing import NewFile
from fonoteca.model.errors import StoreError
from fonoteca.ports import DurableCalls, Staging

_NO_LINKS = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP}
"""Another disk, too many names, or a file system that has no second names."""


class DiskStaging:
    """`Staging` in a folder, on the same disk as the store, since finished folders are renamed in."""

    def __init__(self, root: Path, calls: DurableCalls | None = None) -> None:
        self._root = Path(os.path.realpath(root))
        self._calls: DurableCalls = calls or SystemCalls()

    @property
    def unsynced(self) -> Staging:
        """The same folder, where nothing is synchronised but the folder itself: names in it tell what a kill interrupted."""
        with in_words(self._root):
            make_folders(self._root, self._calls)
        return DiskStaging(self._root, UnsyncedCalls(self._calls))

    def folder(self, name: str) -> Path:
        """Return a new empty folder with this name, durable, in place of one that may be there."""
        path = self._named(name)
        with in_words(path):
            remove_tree(path, self._calls)
        return self.kept_folder(name)

    def kept_folder(self, name: str) -> Path:
        """Return the folder with this name, durable, with what an earlier run left in it."""
        path = self._named(name)
        with in_words(path):
            make_folders(path, self._calls)
        return path

    @contextmanager
    def writer(self, path: Path) -> Iterator[BinaryIO]:
        """Open a new file below a staging folder for writing; on disk when the context ends well, gone when it does not."""
        self._check_inside(path)
        with in_words(path):
            make_folders(path.parent, self._calls)
            descriptor = self._calls.create_file(path)
        try:
            try:
                file = NewFile(path, descriptor, self._calls)
                try:
                    yield cast(BinaryIO, file)
                    file.finish()
                finally:
                    file.abandon()
                with in_words(path):
                    self._calls.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            with suppress(OSError):
                self._calls.unlink(path)
            raise

    def move(self, source: Path, target: Path) -> None:
        """Move a file or folder inside staging, making the target's folders."""
        self._check_inside(source)
        self._check_inside(target)
        with in_words(target):
            make_folders(target.parent, self._calls)
            self._calls.rename(source, target)

    def link(self, source: Path, target: Path) -> bool:
        """Give a file a second name below a staging folder. Returns: False where the disk does not let us."""
        self._check_inside(target)
        with in_words(target):
            make_folders(target.parent, self._calls)
            try:
                self._calls.link(source, target)
            except OSError as error:
                if error.errno in _NO_LINKS:
                    return False
                raise
        return True

    def left(self) -> Iterator[str]:
        """Yield the names of the folders in staging, in ascending order."""
        if self._root.is_dir():
            with in_words(self._root):
                yield from sorted(path.name for path in self._root.iterdir() if path.is_dir() and not path.is_symlink())

    def discard(self, folder: Path) -> None:
        """Remove a staging folder and all in it. Nothing there is no error."""
        self._check_inside(folder)
        with in_words(folder):
            remove_tree(folder, self._calls)

    def _named(self, name: str) -> Path:
        """Return where a folder with this name is. Raises: StoreError for what is no name."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise StoreError(repr(name), "not a name for a staging folder: expected one path segment")
        return self._root / name

    def _check_inside(self, path: Path) -> None:
        """Raise StoreError when a path, links followed, is not below the root."""
        text = str(path)
        below = text.startswith(f"{self._root}/") and ".." not in path.parts
        if below:
            with in_words(path):
                below = not leads_out(str(self._root), text)
        else:
            below = ".." not in path.parts and Path(os.path.realpath(path.parent) + "/" + path.name).is_relative_to(self._root)
        if not below:
            raise StoreError(str(path), f"not below the staging folder {self._root}")
