"""The archive's search: built beside the one in use, then taken into use by one write."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable
from pathlib import Path

from fonoteca.model.catalogue import Recording
from fonoteca.model.errors import StoreError, TrustError, UsageError
from fonoteca.ports import Blobs, Staging
from fonoteca.search.adoption import prove_index
from fonoteca.search.canonical import make_canonical
from fonoteca.search.hits import Hit
from fonoteca.search.indexing import write_index
from fonoteca.search.reading import IndexReader

CURRENT = "current"
"""The blob that names the index in use."""

_OPEN_ATTEMPTS_MAX = 3

_REMEDY = "Delete the folder `search` and build the index again: fonoteca catalogue build."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SearchIndex:
    """The indexes below an archive's `search/`: `<name>/` holds one, `current` names the one in use and its snapshot.

    Another process may build while this one searches: the index that was in use is kept until the next build.
    blobs: those of the `search/` folder.
    """

    def __init__(self, blobs: Blobs, staging: Staging) -> None:
        self._blobs = blobs
        self._staging = staging
        self._lock = threading.Lock()
        self._opened: tuple[str, IndexReader] | None = None

    def build(self, recordings: Iterable[Recording], name: str) -> int:
        """Build an index and take it into use. Returns: the number of documents.

        name: of the snapshot that the recordings come from. Where there is an index of that name, the new one gets `-2`, `-3`, ...
        Raises: UsageError for a name that is no plain file name, StoreError when the disk fails; the index in use stays.
        """
        if not _NAME.fullmatch(name) or name == CURRENT:
            raise UsageError(repr(name), "not a name for an index", "Use letters, digits, dots, hyphens and underscores.")
        before, snapshot = self.current(), name
        folder = self._staging.folder(f"search-{name}")
        try:
            count = write_index(folder, recordings)
            make_canonical(folder, self._staging)
            self._take_into_use(folder, snapshot, before)
        finally:
            self._staging.discard(folder)
        return count

    def adopt(self, folder: Path, snapshot: str, recording_count: int, sample: Iterable[Recording]) -> None:
        """Take an index into use that another archive made of a snapshot; the folder, below staging, is used up.

        recording_count: of the snapshot. sample: some of its recordings, which must be found as they are. Cost: one read of it.
        Raises: TrustError when it is no such index; StoreError when this version of Tantivy cannot read it: build one then. The
        index in use stays.
        """
        if not _NAME.fullmatch(snapshot) or snapshot == CURRENT:
            raise TrustError("search index", f"{snapshot!r} is not a snapshot's name", "Follow another mirror of this archive.")
        prove_index(folder, recording_count, sample)
        for lock in folder.glob(".tantivy-*.lock"):
            self._staging.discard(lock)
        self._take_into_use(folder, snapshot, self.current())

    def _take_into_use(self, folder: Path, snapshot: str, before: str | None) -> None:
        """Move a finished index in and use it from now on. The one before stays for those who have it open."""
        there = set(self._blobs.children())
        name = next(candidate for candidate in _names(snapshot) if candidate not in there)
        self._blobs.adopt(folder, name)
        self._blobs.write(CURRENT, f"{name}\n{snapshot}\n".encode("ascii"))
        for old in there - {CURRENT, before, name}:
            self._blobs.delete(old)

    def files(self) -> tuple[tuple[str, Path], ...]:
        """Return the files of the index in use, in order of name. Raises: UsageError before the first build."""
        name = self.current()
        folder = self._folder(name) if name else None
        if folder is None:
            raise UsageError("search", "there is no index yet", "Build one: fonoteca catalogue build.")
        return tuple(sorted((path.name, path) for path in folder.iterdir() if not path.name.startswith(".")))

    def folder_with(self, names: Collection[str]) -> Path | None:
        """Return where an index with these files lies, in use or the one before, None when there is none: names tell contents."""
        places = (self._folder(child) for child in self._blobs.children() if child != CURRENT)
        return next((place for place in places if place and all((place / name).is_file() for name in names)), None)

    def current(self) -> str | None:
        """Return the name of the index in use, None before the first build. Raises: StoreError when the pointer is damaged."""
        pointer = self._pointer()
        return pointer[0] if pointer else None

    def snapshot(self) -> str | None:
        """Return the name of the snapshot that the index in use was built from, None before the first build. Raises: as above."""
        pointer = self._pointer()
        return pointer[1] if pointer else None

    def _pointer(self) -> tuple[str, str] | None:
        """Return the names of the index in use and of its snapshot."""
        if self._blobs.size(CURRENT) is None:
            return None
        lines = self._blobs.read(CURRENT).decode("utf-8", "replace").splitlines()
        if len(lines) != 2 or not all(_NAME.fullmatch(line) for line in lines):
            raise StoreError(f"search/{CURRENT}", f"expected the names of an index and a snapshot, found {lines!r}", _REMEDY)
        return lines[0], lines[1]

    def search(self, words: str, limit: int = 20) -> tuple[Hit, ...]:
        """Return the best hits first; see `IndexReader.search`. Raises: UsageError before the first build."""
        return self._reader().search(words, limit)

    def _reader(self) -> IndexReader:
        with self._lock:
            for _ in range(_OPEN_ATTEMPTS_MAX):
                name = self.current()
                if self._opened is None or self._opened[0] != name:
                    try:
                        self._opened = (name or "", self._open(name))
                    except StoreError:
                        # Where two builds passed since the name was read, its index is gone and there is a new name.
                        if self.current() == name:
                            raise
                        continue
                return self._opened[1]
        raise StoreError("search", "a new index each time it is opened", "Let the builds finish; then search again.")

    def _open(self, name: str | None) -> IndexReader:
        if name is None:
            raise UsageError("search", "there is no index yet", "Build one: fonoteca catalogue build.")
        folder = self._folder(name)
        if folder is None:
            raise StoreError(f"search/{name}", "the index in use is not there", _REMEDY)
        return IndexReader(folder)

    def _folder(self, name: str) -> Path | None:
        file = self._blobs.local_path(f"{name}/meta.json")
        return file.parent if file is not None and file.is_file() else None


def _names(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name[:56]}-{number}"
        number += 1
