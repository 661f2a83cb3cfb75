"""Many folders or files made durable at once: one wait for the disk where each alone would wait for its own.

Order, which a crash or a power cut may end anywhere:
  1. everything is written under names that nobody reads;
  2. the file system is synchronised: all bytes are on disk;
  3. names are given, each by one atomic call;
  4. the file system is synchronised again: the names are on disk too, and may be told of.
docs/decisions/acquire-speed.md has what the ways of waiting cost that lost.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fonoteca.edges.disk_calls import (
    SystemCalls,
    UnsyncedCalls,
    in_words,
    make_folders,
    new_temporary,
    prune,
    put_in_place,
    write_all,
)
from fonoteca.model.errors import StoreError, TakenError
from fonoteca.ports import DurableCalls


class SyncPoint:
    """A file system that can be waited for. Opened before anything is written, so that no failed write goes untold."""

    def __init__(self, root: Path, calls: DurableCalls) -> None:
        self.root = root
        self._calls = calls
        self._descriptor: int | None = None
        self._open()

    def wait(self) -> None:
        """Return when all that was written is on disk. Raises: OSError, also for what failed since this was made."""
        if self._descriptor is None:
            make_folders(self.root, self._calls)
            self._open()
        assert self._descriptor is not None, "the folder was made"
        self._calls.sync_all(self._descriptor)

    def _open(self) -> None:
        """Open the folder if it is there."""
        with suppress(OSError):  # what is wrong with it, whoever uses it is told
            self._descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._descriptor)


def make_durable(folder: Path, calls: DurableCalls | None = None) -> None:
    """Return when all that anyone wrote on a folder's file system is on disk. Raises: StoreError."""
    with in_words(folder):
        SyncPoint(folder, calls or SystemCalls()).wait()


def adopt_folders(moves: Sequence[tuple[Path, Path]], point: SyncPoint, calls: DurableCalls) -> None:
    """Move folders (from, to) in, none of which is there yet; all durable on return.

    Raises: StoreError, with every folder back where it was unless the disk refuses even that.
    """
    hasty = UnsyncedCalls(calls)
    for tree, target in moves:
        check_tree(tree)
        if os.path.lexists(target):
            raise TakenError(str(target), "it is already there", "Nothing was changed.")
    moved: list[tuple[Path, Path]] = []
    with in_words(moves[0][0]):
        point.wait()
        try:
            for tree, target in moves:
                make_folders(target.parent, hasty)
                calls.rename(tree, target)
                moved.append((tree, target))
            point.wait()
        except Exception:
            for tree, target in reversed(moved):
                calls.rename(target, tree)
            with suppress(OSError):  # OCFL has no empty folders
                for _, target in moves:
                    prune(target.parent, point.root, calls)
            raise


def create_files(contents: Mapping[Path, bytes], point: SyncPoint, calls: DurableCalls) -> None:
    """Put files that are not there yet; all durable on return, and each whole or not there."""
    hasty = UnsyncedCalls(calls)
    written: dict[Path, Path] = {}
    try:
        for target, content in contents.items():
            with in_words(target, len(content)):
                make_folders(target.parent, hasty)
                temporary, descriptor = new_temporary(target.parent, calls)
                written[target] = temporary
                try:
                    write_all(descriptor, content, calls)
                finally:
                    os.close(descriptor)
        with in_words(next(iter(contents))):
            point.wait()
            for target in contents:
                put_in_place(written[target], target, calls, replace=False)
                del written[target]
            point.wait()
    except BaseException:
        for temporary in written.values():
            with suppress(OSError):
                calls.unlink(temporary)
        raise


def check_tree(tree: Path) -> None:
    """Raise StoreError unless a path is a folder with nothing but files and folders in it, at any depth."""
    if not tree.is_dir() or tree.is_symlink():
        raise StoreError(str(tree), "expected a folder to move in, found none")
    pending = [str(tree)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    raise StoreError(entry.path, "neither a file nor a folder", "Only files and folders can be stored.")
