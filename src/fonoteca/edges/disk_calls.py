"""The system calls that change a disk, the errors they give in words, and the one durable write built of them."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fonoteca.model.errors import StoreError
from fonoteca.ports import DurableCalls

TEMPORARY = ".fonoteca-tmp-"
"""How names of unfinished writes begin. They are never yielded as keys, and swept when nothing runs."""

COPY_BYTES = 1 << 20
"""Bytes a read or write: larger ones were not faster."""

_FILE_MODE = 0o644
_TEMPORARIES_MAX = 10_000
_count = itertools.count()
_LIBRARY = ctypes.CDLL(None, use_errno=True)


class SystemCalls:
    """`DurableCalls` as the operating system does them."""

    def create_file(self, path: Path) -> int:
        """Return a descriptor of a new empty file."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write at the descriptor's position."""
        return os.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        """Return when the file's bytes are on disk."""
        os.fsync(descriptor)

    def fsync_dir(self, path: Path) -> None:
        """Return when the folder's entries are on disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_all(self, descriptor: int) -> None:
        """Return when all that was written on a file system is on disk: syncfs(2), which tells of failed writes since Linux 5.8."""
        if _LIBRARY.syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def rename(self, source: Path, target: Path) -> None:
        """Move an entry."""
        os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name."""
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: Path) -> None:
        """Remove a file or link."""
        os.unlink(path)

    def mkdir(self, path: Path) -> None:
        """Make a folder."""
        os.mkdir(path)

    def rmdir(self, path: Path) -> None:
        """Remove an empty folder."""
        os.rmdir(path)


class UnsyncedCalls:
    """Calls that do not wait for the disk, for what one later `sync_all` or `sync_tree` makes durable."""

    def __init__(self, inner: DurableCalls) -> None:
        self._inner = inner

    def create_file(self, path: Path) -> int:
        """Return a descriptor of a new empty file."""
        return self._inner.create_file(path)

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write at the descriptor's position."""
        return self._inner.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        """Return at once."""

    def fsync_dir(self, path: Path) -> None:
        """Return at once."""

    def sync_all(self, descriptor: int) -> None:
        """Return at once."""

    def rename(self, source: Path, target: Path) -> None:
        """Move an entry."""
        self._inner.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name."""
        self._inner.link(source, target)

    def unlink(self, path: Path) -> None:
        """Remove a file or link."""
        self._inner.unlink(path)

    def mkdir(self, path: Path) -> None:
        """Make a folder."""
        self._inner.mkdir(path)

    def rmdir(self, path: Path) -> None:
        """Remove an empty folder."""
        self._inner.rmdir(path)


def _free_bytes(path: Path) -> int | None:
    """Return the bytes free for us on the disk that holds a path, or None where nobody can say."""
    for place in (path, *path.parents):
        try:
            found = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return found.f_bavail * found.f_frsize
    return None


def disk_error(error: OSError, path: Path, needed_bytes: int | None = None) -> StoreError:
    """Return the error in words: what the disk refused, and what to do.

    needed_bytes: how much was being written, where that is known.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = _free_bytes(path)
        needed = "" if needed_bytes is None else f", {needed_bytes:,} bytes needed"
        return StoreError(
            str(path),
            f"the disk is full{needed}" + ("" if free is None else f", {free:,} bytes free"),
            "Free space on this disk, then run the same command again; nothing that was acknowledged is lost.",
        )
    problem, remedy = {
        errno.EACCES: ("no permission to read or write here", "Run as the archive's owner, or correct the permissions."),
        errno.EPERM: ("the system does not permit this", "Run as the archive's owner, or correct the permissions."),
        errno.EROFS: ("the disk is read-only", "Mount it for writing; look into the system's log if it was writable before."),
        errno.EIO: ("the disk could not read or write (EIO)", "Look into the system's log; the disk may be failing."),
        errno.EXDEV: ("staging is on another disk than the store", "Keep both on one disk, since finished work is renamed in."),
        errno.ELOOP: ("a symbolic link is in the way; links are never followed here", "Replace it by what it points to."),
        errno.ENAMETOOLONG: ("the name is too long for this disk", "Use a shorter path for the archive."),
    }.get(error.errno or 0, (error.strerror or str(error), ""))
    return StoreError(str(path), problem, remedy)


@contextmanager
def in_words(path: Path, needed_bytes: int | None = None) -> Iterator[None]:
    """Turn an OSError inside the context into a StoreError about `path`."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path, needed_bytes) from error


def leads_out(root: str, path: str) -> str:
    """Return where a path below a root leads through a symbolic link that leaves the root, "" when it does not.

    root: a real path. Its last part is not looked at: whoever opens it does not follow links. Cost: one status call for each
    folder on the way that is there; resolving the whole path would cost one for each above the root too.
    """
    at = len(root)
    while (at := path.find("/", at + 1)) >= 0:
        try:
            mode = os.lstat(path[:at]).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if stat.S_ISLNK(mode):
            parent = os.path.realpath(os.path.dirname(path))
            return "" if f"{parent}/".startswith(f"{root}/") else parent
    return ""


def make_folders(path: Path, calls: DurableCalls) -> None:
    """Make a folder and those above it, each durable in its parent."""
    missing = []
    place = path
    while not place.is_dir():
        missing.append(place)
        place = place.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another thread made it: the is_dir of the next one tells
            calls.mkdir(folder)
        calls.fsync_dir(folder.parent)


def write_all(descriptor: int, content: bytes | memoryview, calls: DurableCalls) -> None:
    """Write every byte."""
    view = memoryview(content).cast("B")
    while len(view):
        view = view[calls.write(descriptor, view) :]


def write_durably(target: Path, fill: Callable[[int], None], calls: DurableCalls, *, replace: bool = True) -> bool:
    """Write a file so that a crash leaves the old one or the new one, and a return means it is on disk.

    A temporary file in the same folder, fsync, rename (or a link, which never replaces), fsync of the folder.
    fill: writes the content to a descriptor. replace: False leaves a file that is there.
    Returns: whether this call put the file there. Raises: OSError, and whatever `fill` raises.
    """
    make_folders(target.parent, calls)
    temporary, descriptor = new_temporary(target.parent, calls)
    try:
        try:
            fill(descriptor)
            calls.fsync(descriptor)
        finally:
            os.close(descriptor)
        made = put_in_place(temporary, target, calls, replace)
    except BaseException:
        with suppress(OSError):
            calls.unlink(temporary)
        raise
    calls.fsync_dir(target.parent)
    return made


def new_temporary(folder: Path, calls: DurableCalls) -> tuple[Path, int]:
    """Return a new temporary file and its descriptor."""
    for _ in range(_TEMPORARIES_MAX):
        temporary = folder / f"{TEMPORARY}{os.getpid()}-{next(_count)}"
        with suppress(FileExistsError):  # left by a killed process that had our number
            return temporary, calls.create_file(temporary)
    raise StoreError(str(folder), f"{_TEMPORARIES_MAX} names for a temporary file are taken", "Remove the leftovers.")


def put_in_place(temporary: Path, target: Path, calls: DurableCalls, replace: bool) -> bool:
    """Give a finished temporary file its name. Returns: False when the name was taken and may not be replaced."""
    if replace:
        calls.rename(temporary, target)
        return True
    try:
        calls.link(temporary, target)
        made = True
    except FileExistsError:
        made = False
    calls.unlink(temporary)
    return made


def sync_tree(tree: Path, calls: DurableCalls) -> None:
    """Put every file and folder of a tree on disk, folders after what they hold.

    Raises: StoreError when there is something else than files and folders in it; OSError.
    """
    with os.scandir(tree) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                sync_tree(path, calls)
            elif entry.is_file(follow_symlinks=False):
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    calls.fsync(descriptor)
                finally:
                    os.close(descriptor)
            else:
                raise StoreError(str(path), "neither a file nor a folder", "Only files and folders can be stored.")
    calls.fsync_dir(tree)


def prune(folder: Path, root: Path, calls: DurableCalls) -> int:
    """Remove a folder if it is empty, then its parent, up to the root, which stays. Returns: how many."""
    removed = 0
    while folder != root and folder.is_relative_to(root):
        if folder.is_dir():
            if os.listdir(folder):
                break
            calls.rmdir(folder)
            removed += 1
        folder = folder.parent
    if removed:
        calls.fsync_dir(folder)
    return removed


def remove_tree(path: Path, calls: DurableCalls) -> None:
    """Remove a file, a link or a folder with all in it. Nothing there is no error. Not durable until the parent is synced."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        calls.unlink(path)
        return
    for name in sorted(os.listdir(path)):
        remove_tree(path / name, calls)
    calls.rmdir(path)
