"""The ground that an archive is made on: a folder that one process at a time makes into one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_lock import ArchiveLock, holder_of
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.formats.claim import CLAIM_FILE
from fonoteca.formats.settings import FILE_NAME
from fonoteca.model.errors import UsageError
from fonoteca.ports import Blobs, DurableCalls, Staging

LOCK_FILE = ".lock"
_PARTS = {"store", "staging", "private", "catalogue", "search", "editions", "keys", "trust", LOCK_FILE, CLAIM_FILE}
_PARTS |= {f"{name}.sqlite{end}" for name in ("register", "people") for end in ("", "-wal", "-shm")}
"""What an `init` that was cut short may have left: it may be run again."""


@contextmanager
def making(folder: Path, calls: DurableCalls | None = None) -> Iterator[Blobs]:
    """Be the one who makes an archive in a folder: it is one when fonoteca.toml is written, last, into the blobs given.

    Raises: UsageError when the folder is an archive already or holds something else, BusyError when another process is at it.
    """
    _check_is_none(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(str(folder), "is a file", "Name a folder that is empty or not there yet.")
    home = DiskBlobs(folder, calls)
    strange = [name for name in home.children() if name not in _PARTS]
    if strange:
        raise UsageError(
            str(folder), f"holds other things, such as {strange[0]!r}", "Name a folder that is empty or not there yet."
        )
    home.create(LOCK_FILE, b"")
    with ArchiveLock(folder / LOCK_FILE):
        _check_is_none(folder)  # made since we looked
        home.sweep()  # what a making that was killed left half-written
        yield home


def _check_is_none(folder: Path) -> None:
    """Raise UsageError when the folder is an archive already."""
    if (folder / FILE_NAME).exists():
        raise UsageError(str(folder), "is an archive already", "Use it as it is, or name another folder.")


def uploads_in(folder: Path) -> Staging:
    """Return where uploads to an archive wait until they are held: a folder each."""
    return DiskStaging(folder / "uploads")


def writer_in(folder: Path) -> str:
    """Return who writes in the archive of a folder now, in words; "" for nobody on this machine. Takes no lock."""
    return holder_of(folder / LOCK_FILE)
