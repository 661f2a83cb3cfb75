"""The one pass over a source's bytes: to staging and into every hash at once."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fonoteca.formats.hashing import FileHasher
from fonoteca.model.corridor import CandidateFile
from fonoteca.model.errors import SourceError
from fonoteca.model.hashes import FileHashes
from fonoteca.ports import Staging

CHUNK_BYTES = 1 << 18
"""Whole blocks and pieces, and still in the cache when the third hash reads it."""


def copy_once(file: CandidateFile, path: Path, staging: Staging, piece_bytes: int) -> tuple[FileHashes, bytes]:
    """Return the hashes of a source's file, now at `path`, and its first chunk. It is as durable as staging's writer makes it.

    Raises: SourceError when it cannot be read, is not as long as stated, or changed while it was read.
    """
    hasher = FileHasher(piece_bytes)
    head = b""
    with _opened(file) as source, staging.writer(path) as target:
        before = _stamp(source)
        for chunk in _chunks(file, source):
            head = head or bytes(chunk)
            hasher.update(chunk)
            target.write(chunk)
        after = _stamp(source)
        hashes = hasher.finish()
        _check_unchanged(file, hashes.file_bytes, before == after)
    return hashes, head


@contextmanager
def _opened(file: CandidateFile) -> Iterator[BinaryIO]:
    """Open a candidate's file, to be closed at the end of the context."""
    with _named(file):
        source = file.open()
    try:
        yield source
    finally:
        source.close()


def _chunks(file: CandidateFile, source: BinaryIO) -> Iterator[memoryview]:
    """Yield the source's bytes in chunks, each in the memory of the one before."""
    memory = memoryview(bytearray(CHUNK_BYTES))
    while True:
        with _named(file):
            count = source.readinto(memory)  # type: ignore[attr-defined]
        if not count:
            return
        yield memory[:count]


@contextmanager
def _named(file: CandidateFile) -> Iterator[None]:
    """Turn what reading a file, or a member of a zip, raises into a SourceError about it."""
    try:
        yield
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SourceError(file.logical_path, f"cannot be read: {reason}", "Check the source, then try again.") from error


def _stamp(source: BinaryIO) -> tuple[int, int, int] | None:
    """Return size and times of the open file behind a stream, None when there is no such file."""
    try:
        found = os.fstat(source.fileno())
    except (OSError, AttributeError):  # io.UnsupportedOperation is an OSError
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _check_unchanged(file: CandidateFile, read_bytes: int, same_stamp: bool) -> None:
    """Raise SourceError when the bytes read cannot be those that were on offer."""
    if file.file_bytes is not None and read_bytes != file.file_bytes:
        problem = f"{file.file_bytes:,} bytes were stated, {read_bytes:,} were read: cut short, or changed while it was read"
    elif not same_stamp:
        problem = "it changed while it was read"
    else:
        return
    raise SourceError(file.logical_path, problem, "Try again when nothing writes to it.")
