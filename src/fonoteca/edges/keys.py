"""The folder of private keys: files that only their owner may read, durable when they are made."""

from __future__ import annotations

import os
from pathlib import Path

from fonoteca.edges.disk_calls import TEMPORARY, SystemCalls, in_words, make_folders, write_all, write_durably
from fonoteca.model.errors import TakenError
from fonoteca.ports import DurableCalls

KEY_FILE_MODE, KEY_FOLDER_MODE = 0o600, 0o700


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
