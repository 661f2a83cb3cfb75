"""Files that only their owner may read: keys, durable when they are made, and databases of what others must not see."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from fonoteca.edges.disk_calls import TEMPORARY, SystemCalls, in_words, make_folders, write_all, write_durably
from fonoteca.model.errors import TakenError
from fonoteca.ports import DurableCalls

KEY_FILE_MODE, KEY_FOLDER_MODE = 0o600, 0o700


def begin_private(path: Path) -> None:
    """Make an empty file for its owner alone where there is none, for what would make it for all to read. Raises: StoreError.

    One that is there is left alone: to close a file that SQLite has open in this process would end its locks.
    """
    with in_words(path), suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_FILE_MODE))


def make_private(folder: Path, calls: DurableCalls | None = None) -> None:
    """Make a folder, where there is none, and let its owner alone look into it. Raises: StoreError."""
    with in_words(folder):
        make_folders(folder, calls or SystemCalls())
        found = folder.stat()
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            folder.chmod(KEY_FOLDER_MODE)


class KeyFolder:
    """`KeyFiles` in one folder, which is made with the first key. private: whether the folder is for keys alone."""

    def __init__(self, folder: Path, calls: DurableCalls | None = None, *, private: bool = True) -> None:
        self._private = private
        self._folder = folder
        self._calls = calls or SystemCalls()

    def names(self) -> list[str]:
        """Return the names of the files, in ascending order."""
        with in_words(self._folder):
            if not self._folder.is_dir():
                return []
            return sorted(p.name for p in self._folder.iterdir() if p.is_file() and not p.name.startswith(TEMPORARY))

    def read(self, name: str) -> bytes:
        """Return a file."""
        path = self._folder / name
        with in_words(path):
            return path.read_bytes()

    def create(self, name: str, content: bytes) -> None:
        """Put a new file, for its owner alone from its first byte on. Raises: TakenError when there is one."""

        def fill(descriptor: int) -> None:
            os.fchmod(descriptor, KEY_FILE_MODE)
            write_all(descriptor, content, self._calls)

        path = self._folder / name
        with in_words(path):
            make_folders(self._folder, self._calls)
            if self._private:
                self._folder.chmod(KEY_FOLDER_MODE)
            made = write_durably(path, fill, self._calls, replace=False)
        if not made:
            raise TakenError(str(path), "there is such a file already", "Name another one.")

    def delete(self, name: str) -> None:
        """Remove a file. Nothing there is no error."""
        path = self._folder / name
        with in_words(path):
            if path.exists():
                self._calls.unlink(path)
                self._calls.fsync_dir(self._folder)
