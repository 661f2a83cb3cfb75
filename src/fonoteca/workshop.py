"""What worker processes run to prove the bytes of a store, and the little that they build for it where they run.

Apart from wiring, which brings in every room and its libraries: that takes a worker a second and 150 MB, this a tenth of both.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from fonoteca.edges.clock import SystemClock
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.formats.settings import FILE_NAME, parse_settings
from fonoteca.model.errors import UsageError
from fonoteca.model.settings import FOLDER_STORE, Settings
from fonoteca.ports import Blobs, DurableCalls
from fonoteca.store import Batch, Frame, Look, Store


def load_settings(folder: Path) -> Settings:
    """Return the settings of the archive in a folder. Raises: UsageError when there is none, or they are wrong."""
    path = folder / FILE_NAME
    try:
        return parse_settings(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        remedy = "Make one with `fonoteca init DIR`, or name one with --archive."
        raise UsageError(str(folder), f"no archive there: {FILE_NAME} is missing", remedy) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"cannot be read: {error}", "Mend the file or its permissions.") from error


def store_blobs(folder: Path, settings: Settings, calls: DurableCalls | None = None) -> Blobs:
    """Return the storage root of the archive in a folder, as blobs, wherever its settings say that it is.

    Raises: UsageError when it is on S3 and this process has no keys, or no library for it.
    """
    if settings.store == FOLDER_STORE:
        return DiskBlobs(folder / FOLDER_STORE, calls)
    from fonoteca.edges.s3 import S3Keys, S3Place, open_s3  # here: few stores are on S3, and it is slow to import

    place = S3Place.of(settings.store, settings.s3.endpoint, settings.s3.region)
    return open_s3(place, S3Keys.of(os.environ), disk=calls)


def check_batch(archive: Path, batch: Batch) -> tuple[list[Look], list[Frame]]:
    """Return a first look at each file, and the objects whose own files are not as they should be."""
    return _store(archive).look_all(batch)


def see_stamps(archive: Path, paths: Sequence[str]) -> list[tuple[int, int] | None]:
    """Return the length and time of each file, None for one that is gone. Nothing is read."""
    return _store(archive).stamps(paths)


def strange_paths(archive: Path, item: tuple[Sequence[str], frozenset[str]]) -> list[str]:
    """Return the paths of objects below some folders of the layout that are not among those known."""
    folders, known = item
    return [path for folder in folders for path in _store(archive).object_paths(folder) if path not in known]


def see_archive(settings: tuple[Path, str], _item: None) -> None:
    """Check that this machine sees an archive, and sees it as the machine does that gives it work.

    settings: the archive's folder, and the name of a folder in its staging that was made a moment ago.
    Raises: UsageError when that is not there; StoreError when the store is not.
    """
    archive, mark = settings
    if not (archive / "staging" / mark).is_dir():
        remedy = "Share the archive's folder with every machine that works for it, at the same path."
        raise UsageError(str(archive), "the archive's folder is not seen here", remedy)
    _store(archive).check_is_there()


@lru_cache(maxsize=4)
def _store(archive: Path) -> Store:
    """Return the store of the archive in a folder, the same one for each item of a run."""
    settings = load_settings(archive)
    return Store(store_blobs(archive, settings), DiskStaging(archive / "staging"), SystemClock(), settings.piece_bytes)
