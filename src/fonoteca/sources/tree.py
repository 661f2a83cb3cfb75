"""Walking a folder: every file with its role and its stamp, nothing followed out of it, nothing opened but to sniff."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from fonoteca.model.errors import SourceError, UsageError
from fonoteca.sources.paths import received_text
from fonoteca.sources.rightsfile import RIGHTS_FILE
from fonoteca.sources.roles import HEAD_BYTES, Role, role_of, starts_like_audio
from fonoteca.sources.steady import Stamp

ENTRIES_MAX = 1_000_000
DEPTH_MAX = 100
"""Deeper trees are loops of some kind, and their paths near PATH_MAX."""

Parts = tuple[str, ...]
"""A path below the folder as its names, with undecodable bytes as Python's surrogate escapes."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file below the folder."""

    parts: Parts
    path: Path
    role: Role
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An entry that is not taken. rule and reason: as in `LeftOut`."""

    parts: Parts
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tree:
    """All of a folder in order of path, the bytes of the names deciding. root: without symbolic links."""

    root: Path
    files: tuple[FoundFile, ...]
    passed_over: tuple[PassedOver, ...]


def walk(ref: str) -> Tree:
    """Return all files below a folder. Raises: UsageError when it is missing or no folder, SourceError when it is unreadable.

    Links are not followed, except when `ref` itself is one. Cost: one status call an entry; files whose name says nothing are
    opened for their first 16 bytes.
    """
    try:
        root = Path(ref).resolve(strict=True)
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(received_text(os.fsencode(ref)), f"no such folder: {_reason(error)}", "Check the path") from error
    if not is_folder:
        raise UsageError(received_text(os.fsencode(ref)), "is not a folder", "Name the folder that holds the files")
    files: list[FoundFile] = []
    passed_over: list[PassedOver] = []
    pending: list[Parts] = [()]
    count = 0
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root.joinpath(*folder)) as scan:
                entries = sorted(scan, key=lambda e: os.fsencode(e.name))
        except OSError as error:
            if not folder:
                raise SourceError(str(root), f"cannot be listed: {_reason(error)}", "Check its permissions") from error
            passed_over.append(PassedOver(folder, "unreadable", f"the folder cannot be listed: {_reason(error)}"))
            continue
        count += len(entries)
        if count > ENTRIES_MAX:
            raise SourceError(str(root), f"more than {ENTRIES_MAX} files and folders", "Name a smaller folder")
        for entry in entries:
            found = _look(entry, (*folder, entry.name))
            if isinstance(found, FoundFile):
                files.append(found)
            elif isinstance(found, PassedOver):
                passed_over.append(found)
            elif found is not None:
                pending.append(found)
    return Tree(root, tuple(sorted(files, key=_order)), tuple(sorted(passed_over, key=_order)))


def _look(entry: os.DirEntry[str], parts: Parts) -> FoundFile | PassedOver | Parts | None:
    """Return what an entry is: a file, something passed over, a folder to walk, or None for what is of no interest."""
    role = Role.LEGAL if entry.name == RIGHTS_FILE else role_of(entry.name)
    try:
        status = entry.stat(follow_symlinks=False)
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            if len(parts) > DEPTH_MAX:
                return PassedOver(parts, "unreadable", f"more than {DEPTH_MAX} folders deep")
            return parts
        if stat.S_ISLNK(mode):
            of_interest = role is not Role.UNKNOWN or Path(entry.path).is_dir()
            return PassedOver(parts, "link", "a symbolic link: links are not followed") if of_interest else None
        if not stat.S_ISREG(mode):
            return PassedOver(parts, "special", "not a regular file") if role is not Role.UNKNOWN else None
        if role is Role.UNKNOWN and status.st_size:
            role = Role.AUDIO if starts_like_audio(_head(entry.path)) else role
        return FoundFile(parts, Path(entry.path), role, Stamp.of(status)) if role is not Role.UNKNOWN else None
    except OSError as error:
        return PassedOver(parts, "unreadable", f"cannot be read: {_reason(error)}")


def _head(path: str) -> bytes:
    """Return a file's first bytes. NONBLOCK: a pipe may have taken its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def _order(entry: FoundFile | PassedOver) -> list[bytes]:
    return [os.fsencode(part) for part in entry.parts]


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
