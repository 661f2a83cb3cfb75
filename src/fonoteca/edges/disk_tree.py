"""A folder as a tree to be read only: links are never followed, and large files are hashed on several cores at once."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from fonoteca.edges.disk_calls import disk_error
from fonoteca.formats.ocfl_digests import Digester
from fonoteca.formats.ocfl_tree import DigestAnswer, DigestQuestion, Entry, EntryKind
from fonoteca.model.errors import StoreError

_CHUNK_BYTES = 1 << 20
_THREADED_BYTES = 1 << 18
"""Shorter files are hashed at once: handing one to a thread costs more than that."""

_AHEAD_MAX = 64
"""Files asked for and not yet answered."""


class DiskTree:
    """`formats.ocfl_tree.Tree` over a folder. advance: told how many bytes were hashed. Use it as a context."""

    def __init__(self, top: Path, advance: Callable[[int], None] = lambda _: None) -> None:
        self._top = os.path.realpath(top)
        self._advance = advance
        self._telling = Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, "hash")

    def __enter__(self) -> DiskTree:
        """Return the tree."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the threads go; what they have not finished is left undone."""
        self._closed = True
        self._threads.shutdown(cancel_futures=True)

    def entries(self, folder: str) -> Sequence[Entry]:
        """Return what lies directly in a folder, in ascending order of name."""
        path = self._path(folder)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                with os.scandir(descriptor) as found:
                    return [Entry(name, kind) for name, kind in sorted((each.name, _kind(each)) for each in found)]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise disk_error(error, Path(path)) from error

    def read(self, path: str, bytes_max: int) -> bytes:
        """Return the first bytes of a regular file, at most so many."""
        where = self._path(path)
        try:
            with os.fdopen(_open_regular(where), "rb", buffering=0) as source:
                parts = []
                left = min(bytes_max, os.fstat(source.fileno()).st_size)
                while left and (part := source.read(left)):
                    parts.append(part)
                    left -= len(part)
                return b"".join(parts)
        except OSError as error:
            raise disk_error(error, Path(where)) from error

    def digest(self, questions: Iterable[DigestQuestion]) -> Iterator[DigestAnswer]:
        """Yield the answer to each question, in their order."""
        ahead: deque[DigestAnswer | Future[DigestAnswer]] = deque()
        for question in questions:
            ahead.append(self._begin(question))
            if len(ahead) >= _AHEAD_MAX:
                yield _answer(ahead.popleft())
        while ahead:
            yield _answer(ahead.popleft())

    def _begin(self, question: DigestQuestion) -> DigestAnswer | Future[DigestAnswer]:
        """Return the answer, or what will have it."""
        try:
            large = os.lstat(self._path(question.path)).st_size >= _THREADED_BYTES
        except OSError as error:
            return DigestAnswer(question.path, problem=error.strerror or str(error))
        return self._threads.submit(self._hash, question) if large else self._hash(question)

    def _hash(self, question: DigestQuestion) -> DigestAnswer:
        digester = Digester(question.algorithms)
        try:
            with os.fdopen(_open_regular(self._path(question.path)), "rb", buffering=0) as source:
                while not self._closed and (chunk := source.read(_CHUNK_BYTES)):
                    digester.update(chunk)
                    with self._telling:
                        self._advance(len(chunk))
        except OSError as error:
            return DigestAnswer(question.path, problem=error.strerror or str(error))
        return DigestAnswer(question.path, digester.digests())

    def _path(self, path: str) -> str:
        """Return where a path of the tree is. Raises: StoreError for one that leads out of it."""
        if path.startswith("/") or ("." in path and not {".", ".."}.isdisjoint(path.split("/"))):
            raise StoreError(path, f"not a path below {self._top}")
        return f"{self._top}/{path}"


def _kind(entry: os.DirEntry[str]) -> EntryKind:
    if entry.is_symlink():
        return EntryKind.LINK
    if entry.is_dir(follow_symlinks=False):
        return EntryKind.FOLDER
    return EntryKind.FILE if entry.is_file(follow_symlinks=False) else EntryKind.OTHER


def _open_regular(path: str) -> int:
    """Return a descriptor of a regular file. Raises: OSError for anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def _answer(begun: DigestAnswer | Future[DigestAnswer]) -> DigestAnswer:
    return begun.result() if isinstance(begun, Future) else begun
