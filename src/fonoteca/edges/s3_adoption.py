"""Folders moved in as blobs, in an order that a kill at any moment leaves in a state that recovery can tell.

S3 renames nothing, so what makes an object be there is its last blob. All folders together go up in five steps, each begun
when the one before has ended:
    1. content, declarations and all else
    2. `vN/inventory.json`        3. its sidecar: from now on the version proves itself whole
    4. `inventory.json`           5. its sidecar: from now on it is acknowledged
The folders are synchronised first, and stay in staging until the last blob is up. What an error leaves is taken back; what a
kill leaves is finished by the next run, for which a blob that is there with the very same bytes is as good as put.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from fonoteca.edges.disk_batches import SyncPoint
from fonoteca.edges.disk_calls import in_words, remove_tree
from fonoteca.edges.s3_writing import PART_BYTES, Writer
from fonoteca.formats.ocfl import INVENTORY, SIDECAR
from fonoteca.model.errors import StoreError
from fonoteca.ports import DurableCalls, ObjectCalls

Together = Callable[[Sequence[Callable[[], object]]], None]
"""Does many things, some at once, and raises the first error when all have ended."""

_LARGE_AT_ONCE = 2
"""Files in parts under way together: each holds some parts in memory."""


class Adoption:
    """One adoption of many folders. write_id: of all its writes. disk: removes the folders in the end."""

    def __init__(self, calls: ObjectCalls, write_id: str, together: Together, disk: DurableCalls) -> None:
        self._writer = Writer(calls, lambda: write_id)
        self._write_id = write_id
        self._together = together
        self._disk = disk
        self._made: list[str] = []
        self._unsure: set[str] = set()
        self._lock = threading.Lock()
        self._large = threading.Semaphore(_LARGE_AT_ONCE)

    def run(self, trees: Sequence[tuple[Path, str]]) -> None:
        """Put all files of some folders under their prefixes, then remove the folders.

        Raises: StoreError, after taking back what was put, as far as the store still answers.
        """
        steps = _steps(trees)
        if not steps:
            return
        with in_words(trees[0][0]):
            # A power cut must not leave blobs in the store of which staging knows nothing any more.
            SyncPoint(trees[0][0].parent, self._disk).wait()
        try:
            for step in sorted(steps):
                self._together([partial(self._put, key, path) for key, path in steps[step]])
        except Exception:
            self._take_back()
            raise
        for tree, _ in trees:
            with in_words(tree):
                remove_tree(tree, self._disk)

    def _put(self, key: str, path: Path) -> None:
        """Put one file, and remember it if this made it."""
        with self._lock:
            self._unsure.add(key)
        with in_words(path):
            if path.stat().st_size <= PART_BYTES:
                made = self._writer.create_file(key, path)
            else:
                with self._large:
                    made = self._writer.create_file(key, path)
        with self._lock:
            self._unsure.remove(key)
            self._made += [key] if made else []

    def _take_back(self) -> None:
        """Remove what was put, last things first. Raises: StoreError when the store refuses; recovery goes on from there."""
        if self._made or self._unsure:
            self._writer.take_back(self._made[::-1], sorted(self._unsure), self._write_id)


def _steps(trees: Sequence[tuple[Path, str]]) -> dict[tuple[int, int, bool], list[tuple[str, Path]]]:
    """Return all files with their keys, by the step that they go up in. Raises: StoreError for what cannot be stored."""
    steps: defaultdict[tuple[int, int, bool], list[tuple[str, Path]]] = defaultdict(list)
    for tree, prefix in trees:
        if not tree.is_dir() or tree.is_symlink():
            raise StoreError(str(tree), "expected a folder to move in, found none")
        for path in _files(tree):
            place = path.relative_to(tree)
            frames = place.name in (INVENTORY, SIDECAR)
            step = (1, -len(place.parts), place.name == SIDECAR) if frames else (0, 0, False)
            steps[step].append((f"{prefix}/{place.as_posix()}", path))
    return steps


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, in order. Raises: StoreError when something else than files and folders is in it."""
    with in_words(folder), os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise StoreError(entry.path, "neither a file nor a folder", "Only files and folders can be stored.")
