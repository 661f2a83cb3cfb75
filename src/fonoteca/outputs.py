"""What a person asks for outside any archive: a file or a folder, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_calls import SystemCalls, in_words, sync_tree
from fonoteca.edges.disk_shelf import DiskShelf
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.errors import UsageError
from fonoteca.ports import Staging


def write_output(path: Path, content: bytes) -> None:
    """Write a file that a person asked for outside any archive, whole or not at all. Raises: StoreError when it cannot be."""
    DiskBlobs(path.resolve().parent).write(path.name, content)


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """Give a path beside the file that a person asked for outside any archive; what is written there becomes that file, whole.

    It has the same ending. Raises: StoreError when it cannot be.
    """
    wanted = path.resolve()
    staging = DiskStaging(wanted.parent)
    folder = staging.folder(_unfinished(wanted))
    try:
        yield folder / wanted.name
        _put(staging, folder / wanted.name, wanted)
    finally:
        staging.discard(folder)


@contextmanager
def output_folder(path: Path) -> Iterator[tuple[Staging, Path]]:
    """Give a new folder, and the staging it is in, to fill for a person outside any archive: it becomes `path` in the end, or goes.

    Raises: UsageError when something is at the path, StoreError when the disk fails.
    """
    target = path.resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(str(path), "there is something already", "Name a folder that is new or empty.")
    staging = DiskStaging(target.parent)
    folder = staging.folder(_unfinished(target))
    try:
        yield staging, folder
        _put(staging, folder, target)
    finally:
        staging.discard(folder)


def shelf_in(path: Path) -> DiskShelf:
    """Return the folder of plain names that a person asked for outside any archive."""
    return DiskShelf(path)


def _unfinished(target: Path) -> str:
    """Return the name of a folder for what is not finished: no two processes have the same."""
    return f".{target.name[:200]}.{os.getpid()}.part"


def _put(staging: DiskStaging, made: Path, target: Path) -> None:
    """Give what was made its name, on disk when it returns, whoever wrote it."""
    calls = SystemCalls()
    with in_words(target):
        if made.is_dir():
            sync_tree(made, calls)
        else:
            with made.open("rb") as stream:
                calls.fsync(stream.fileno())
        staging.move(made, target)
        calls.fsync_dir(target.parent)
