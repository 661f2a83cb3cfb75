"""A folder of plain names for a listener: hard links where the disk lets, else symbolic ones, else copies that were asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fonoteca.edges.disk_calls import in_words
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.errors import StoreError

UNFINISHED = ".fonoteca-part"
"""The folder inside in which files are made: they are renamed to their names when they are whole."""


class DiskShelf:
    """The folder of one export. One process writes at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.realpath(folder))
        self._staging = DiskStaging(self._folder)

    def entries(self) -> list[str]:
        """Return the names directly in the folder, none where there is none."""
        with in_words(self._folder):
            return sorted(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else []

    def taken(self, name: str) -> bool:
        """Return whether there is anything of this name."""
        return os.path.lexists(self._folder / name)

    def file_bytes(self, name: str) -> int | None:
        """Return the length of a file that is no link to elsewhere, None without one."""
        path = self._folder / name
        return path.stat().st_size if path.is_file() and not path.is_symlink() else None

    def read(self, name: str) -> bytes | None:
        """Return a small file, None without one."""
        path = self._folder / name
        with in_words(path):
            return path.read_bytes() if path.is_file() else None

    def is_link(self, name: str, source: Path) -> bool:
        """Return whether a name is one more of this very file."""
        path = self._folder / name
        return path.exists() and source.exists() and path.samefile(source)

    def link(self, name: str, source: Path) -> None:
        """Give a file one more name, in place of what has it. Raises: StoreError where neither kind of link can be."""
        made = self._staging.folder(UNFINISHED) / "link"
        try:
            os.link(source, made)
        except OSError:
            try:
                os.symlink(source, made)
            except OSError as error:
                remedy = "Name a folder on another file system, or copy with --copy."
                raise StoreError(str(self._folder / name), f"neither a hard nor a symbolic link can be: {error}", remedy) from error
        self._staging.move(made, self._folder / name)

    @contextmanager
    def writer(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for writing that has its name when the context ends well, in place of what had it."""
        made = self._staging.folder(UNFINISHED) / "copy"
        with self._staging.writer(made) as stream:
            yield stream
        self._staging.move(made, self._folder / name)

    def remove(self, name: str) -> None:
        """Remove a file or link, and the folders above that are empty then. Nothing there is no error."""
        path = self._folder / name
        with in_words(path):
            path.unlink(missing_ok=True)
            above = path.parent
            while above != self._folder and above.is_dir() and not any(above.iterdir()):
                above.rmdir()
                above = above.parent

    def tidy(self) -> None:
        """Remove what an interrupted run left unfinished."""
        self._staging.discard(self._folder / UNFINISHED)
