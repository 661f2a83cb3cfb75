"""A bag on this machine: listed, planned by `formats.bagfiles`, proved by the `bagit` library, and proved again as it is read.

What the library lets pass (`docs/decisions/bagit.md` lists it) the plan has refused before. What only this system's file names
make it refuse, the plan has put right: it is given the names that the files have here.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import bagit

from fonoteca.formats.bagfiles import DECLARATION, FETCH, INFO_NAMES, MANIFEST_NAME, BagListing, BagPlan, plan_bag
from fonoteca.model.errors import FormatError, SourceError
from fonoteca.sources.paths import received_text
from fonoteca.sources.steady import Stamp, open_steady

ENTRIES_MAX = 1_000_000
DEPTH_MAX = 100
TEXT_BYTES_MAX = 1 << 20
MANIFEST_BYTES_MAX = 256 << 20
"""A million lines of 256 bytes, in bytes; other tag files that are read are notes of a person or two."""

_REMEDY = "Ask whoever made the bag for a whole one; nothing was taken from this one"
_CHANGED = "Wait until nothing writes to it, then run the same command again"

logging.getLogger("bagit").propagate = False  # what it says there, its errors say too
logging.getLogger("bagit").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Bag:
    """A valid bag. name: of its folder, for people. info_bytes: its info file as it is, b"" without one."""

    folder: Path
    name: str
    plan: BagPlan
    info_bytes: bytes


def is_bag(folder: Path) -> bool:
    """Return whether a folder is meant as a bag: it has the declaration, or a payload and a manifest."""
    if (folder / DECLARATION).is_file():
        return True
    try:
        return (folder / "data").is_dir() and any(MANIFEST_NAME.fullmatch(entry.name) for entry in folder.iterdir())
    except OSError:
        return False


def open_bag(folder: Path) -> Bag:
    """Return a bag after every digest in it is proved. Raises: SourceError naming the file, what was expected and what was found.

    Cost: one read of every file that a manifest lists.
    """
    name = received_text(os.fsencode(folder))
    try:
        listing = _list(folder, name)
        plan = plan_bag(listing)
    except FormatError as error:
        raise SourceError(f"{name}: {received_text(os.fsencode(error.subject))}", error.problem, _REMEDY) from error
    _prove(folder, name, plan)
    info = next((listing.texts[each] for each in INFO_NAMES if each in listing.texts), b"")
    return Bag(folder, received_text(os.fsencode(folder.name)), plan, info)


def _list(folder: Path, name: str) -> BagListing:
    """Return all that is in a bag. Raises: SourceError for what is no file, FormatError for tag files too long to be some."""
    files: dict[str, int] = {}
    pending = [""]
    count = 0
    while pending:
        below = pending.pop()
        try:
            with os.scandir(folder / below) as scan:
                entries = list(scan)
        except OSError as error:
            raise SourceError(f"{name}: {below or '.'}", f"cannot be listed: {error.strerror}", "Check its permissions") from error
        count += len(entries)
        if count > ENTRIES_MAX or below.count("/") > DEPTH_MAX:
            limits = f"{ENTRIES_MAX} files and folders, {DEPTH_MAX} deep"
            raise SourceError(name, f"expected at most {limits}, found more", "Divide it into several bags")
        for entry in entries:
            path = f"{below}{entry.name}"
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                pending.append(f"{path}/")
            elif stat.S_ISREG(status.st_mode):
                files[path] = status.st_size
            else:
                found = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no regular file"
                raise SourceError(f"{name}: {received_text(os.fsencode(path))}", f"expected a file, found {found}", _REMEDY)
    wanted = [n for n in files if n in (DECLARATION, FETCH, *INFO_NAMES) or ("/" not in n and MANIFEST_NAME.fullmatch(n))]
    return BagListing(files, {each: _read(folder, each, files[each]) for each in wanted})


def _read(folder: Path, name: str, file_bytes: int) -> bytes:
    bytes_max = TEXT_BYTES_MAX if name in (DECLARATION, *INFO_NAMES) else MANIFEST_BYTES_MAX
    if file_bytes > bytes_max:
        raise FormatError(name, f"expected at most {bytes_max} bytes, found {file_bytes}")
    path = folder / name
    with open_steady(path, name, Stamp.of(os.lstat(path))) as stream:
        return stream.read()


def _prove(folder: Path, name: str, plan: BagPlan) -> None:
    """Return when the library finds the bag valid. Raises: SourceError."""
    try:
        checked = bagit.Bag(str(folder))
        # As the plan names them: under the names on this disk, and tag files of versions for which the library skips them.
        checked.entries = {path: dict(digests) for path, digests in plan.claims.items()}
        checked.normalized_manifest_names = {bagit.normalize_unicode(path): path for path in checked.entries}
        if not plan.oxum_holds:
            checked.info.pop("Payload-Oxum", None)
        checked.validate()
    except bagit.BagValidationError as error:
        wrong = error.details[0] if error.details else None
        more = f" (and {len(error.details) - 1} more files)" if len(error.details) > 1 else ""
        if isinstance(wrong, bagit.ChecksumMismatch):
            path = received_text(os.fsencode(wrong.path))
            problem = f"expected {wrong.algorithm} {wrong.expected}, found {wrong.found}{more}"
            raise SourceError(f"{name}: {path}", problem, _REMEDY) from error
        raise SourceError(name, f"is not a valid bag: {error}", _REMEDY) from error
    except bagit.BagError as error:
        raise SourceError(name, f"is not a valid bag: {error}", _REMEDY) from error
    except (OSError, ValueError) as error:
        raise SourceError(name, f"cannot be checked: {error}", _CHANGED) from error


class ClaimedFile(io.RawIOBase):
    """A file that raises SourceError at its end when it does not have the digests that its bag claims."""

    def __init__(self, stream: BinaryIO, subject: str, claims: Mapping[str, str]) -> None:
        self._stream = stream
        self._subject = subject
        self._claims = claims
        self._hashers = [hashlib.new(algorithm) for algorithm in claims]

    def readable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the file beneath."""
        return self._stream.fileno()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer and return the number of bytes; 0 only at an end that is proved. Raises: SourceError."""
        chunk = self._stream.read(len(buffer))
        buffer[: len(chunk)] = chunk
        for hasher in self._hashers:
            hasher.update(chunk)
        if not chunk:
            self._check()
        return len(chunk)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()

    def _check(self) -> None:
        for hasher, (algorithm, expected) in zip(self._hashers, self._claims.items(), strict=True):
            if hasher.hexdigest() != expected:
                problem = f"expected {algorithm} {expected} as its bag says, found {hasher.hexdigest()}"
                raise SourceError(self._subject, problem, _CHANGED)


def open_claimed(path: Path, subject: str, stamp: Stamp, claims: tuple[tuple[str, str], ...]) -> BinaryIO:
    """Return a stream over a file that fails at its end if it changed since `stamp` or has not the digests that are claimed."""
    return io.BufferedReader(ClaimedFile(open_steady(path, subject, stamp), subject, dict(claims)), 1 << 20)
