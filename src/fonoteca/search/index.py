"""The archive's search: built beside the one in use, then taken into use by one write."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fonoteca.model.catalogue import Recording
from fonoteca.model.errors import FormatError, StoreError, TrustError, UsageError
from fonoteca.ports import SILENCE, Blobs, Progress, Staging, Workers
from fonoteca.search.adoption import prove_index
from fonoteca.search.building import Before, Building, SnapshotTables
from fonoteca.search.canonical import LOCKS
from fonoteca.search.hits import Answer, Facets, Hit, HitKind
from fonoteca.search.manifest import MANIFEST, WORDS, read_manifest
from fonoteca.search.query import Asked, read_query
from fonoteca.search.reading import IndexReader
from fonoteca.search.words import indexed

CURRENT = "current"
"""The blob that names the index in use."""

_OPEN_ATTEMPTS_MAX = 3

_REMEDY = "Delete the folder `search` and build the index again: fonoteca catalogue build."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SearchIndex:
    """The indexes below an archive's `search/`: `<name>/` holds one, `current` names the one in use and its snapshot.

    Another process may build while this one searches: the index that was in use is kept until the next build.
    blobs: those of the `search/` folder. workers: give those that build a large index; without them this process does.
    by_isrc: gives the catalogue's recordings of an ISRC, which are not in the index: one is asked for now and then.
    """

    def __init__(
        self,
        blobs: Blobs,
        staging: Staging,
        workers: Callable[[], Workers] | None = None,
        by_isrc: Callable[[str], Sequence[Recording]] = lambda _: (),
    ) -> None:
        self._blobs = blobs
        self._staging = staging
        self._workers = workers
        self._by_isrc = by_isrc
        self._lock = threading.Lock()
        self._opened: tuple[str, IndexReader] | None = None

    def build(self, tables: SnapshotTables, progress: Progress = SILENCE) -> int:
        """Build an index of a snapshot and take it into use. Returns: the number of tracks, artists and releases in it.

        Shards whose files are as they were in the index before are taken over. Where there is an index of the snapshot's name,
        the new one gets `-2`, `-3`, ...
        Raises: UsageError for a name that is no plain file name, StoreError when the disk fails; the index in use stays.
        """
        if not _NAME.fullmatch(tables.name) or tables.name == CURRENT:
            raise UsageError(repr(tables.name), "not a name for an index", "Use letters, digits, dots, hyphens and underscores.")
        before = self.current()
        staging = self._staging.unsynced  # taking it in makes all of it durable
        folder = staging.folder(f"search-{tables.name}")
        try:
            total = sum(len(files) for files in tables.files.values())
            with progress.task("indexing for search", total, "files") as made:
                workers = self._workers() if self._workers and total > len(tables.files) else None
                manifest = Building(folder, staging, self._before(before), made, workers).run(tables)
            self._take_into_use(folder, tables.name, before)
        finally:
            for name in list(staging.left()):
                if name == folder.name or name.startswith(f"{folder.name}-"):
                    staging.discard(folder.with_name(name))
        return sum(shard.rows for shard in manifest.shards if shard.kind != WORDS)

    def _before(self, name: str | None) -> Before | None:
        """Return the index in use as far as it can be built on, None for none, or one that is of another format or damaged."""
        folder = self._folder(name) if name else None
        with suppress(FormatError, OSError):
            return Before(folder, read_manifest(folder)) if folder else None
        return None

    def adopt(self, folder: Path, tables: SnapshotTables, sample: Iterable[Recording]) -> None:
        """Take an index into use that another archive made of a snapshot; the folder, below staging, is used up.

        tables: of the snapshot, as it is here. sample: some of its recordings, which must be found as they are. Cost: one read.
        Raises: TrustError when it is no such index; StoreError when this version cannot read it: build one then. The index in use
        stays.
        """
        if not _NAME.fullmatch(tables.name) or tables.name == CURRENT:
            raise TrustError("search index", f"{tables.name!r} is not a snapshot's name", "Follow another mirror of this archive.")
        prove_index(folder, tables, sample)
        for lock in [path for path in folder.rglob(".tantivy-*") if path.name in LOCKS]:
            self._staging.discard(lock)
        self._take_into_use(folder, tables.name, self.current())

    def _take_into_use(self, folder: Path, snapshot: str, before: str | None) -> None:
        """Move a finished index in and use it from now on. The one before stays for those who have it open."""
        there = set(self._blobs.children())
        name = next(candidate for candidate in _names(snapshot) if candidate not in there)
        self._blobs.adopt(folder, name)
        self._blobs.write(CURRENT, f"{name}\n{snapshot}\n".encode("ascii"))
        for old in there - {CURRENT, before, name}:
            self._blobs.delete(old)

    def files(self) -> tuple[tuple[str, Path], ...]:
        """Return the files of the index in use with their paths in it, in order. Raises: UsageError before the first build."""
        name = self.current()
        folder = self._folder(name) if name else None
        if folder is None:
            raise UsageError("search", "there is no index yet", "Build one: fonoteca catalogue build.")
        found = (path for path in folder.rglob("*") if not path.name.startswith(".") and path.is_file())
        return tuple(sorted((path.relative_to(folder).as_posix(), path) for path in found))

    def folder_with(self, snapshot: str, sizes: Mapping[str, int]) -> Path | None:
        """Return where an index of a snapshot with these files lies, in use or the one before, None when there is none.

        sizes: bytes of each file by its path. Whoever gives the files out proves each before.
        """
        for place in [self._folder(child) for child in self._blobs.children() if child != CURRENT]:
            if place is not None and self._is(place, snapshot, sizes):
                return place
        return None

    def _is(self, place: Path, snapshot: str, sizes: Mapping[str, int]) -> bool:
        with suppress(FormatError, OSError):
            same = read_manifest(place).snapshot == snapshot
            return same and all((place / path).stat().st_size == file_bytes for path, file_bytes in sizes.items())
        return False

    def current(self) -> str | None:
        """Return the name of the index in use, None before the first build. Raises: StoreError when the pointer is damaged."""
        pointer = self._pointer()
        return pointer[0] if pointer else None

    def snapshot(self) -> str | None:
        """Return the name of the snapshot that the index in use was built from, None before the first build. Raises: as above."""
        pointer = self._pointer()
        return pointer[1] if pointer else None

    def is_of(self, snapshot: str) -> bool:
        """Return whether an index of a snapshot is in use that this version can read."""
        name = self.current() if self.snapshot() == snapshot else None
        folder = self._folder(name) if name else None
        with suppress(FormatError, OSError):
            return folder is not None and read_manifest(folder).snapshot == snapshot
        return False

    def _pointer(self) -> tuple[str, str] | None:
        """Return the names of the index in use and of its snapshot."""
        if self._blobs.size(CURRENT) is None:
            return None
        lines = self._blobs.read(CURRENT).decode("utf-8", "replace").splitlines()
        if len(lines) != 2 or not all(_NAME.fullmatch(line) for line in lines):
            raise StoreError(f"search/{CURRENT}", f"expected the names of an index and a snapshot, found {lines!r}", _REMEDY)
        return lines[0], lines[1]

    def search(self, words: str, limit: int = 20) -> tuple[Hit, ...]:
        """Return the best hits first; see `page`."""
        return self.page(words, limit).hits

    def page(self, words: str, limit: int = 20, after: str = "") -> Answer:
        """Return a page of hits; see `IndexReader.page`. Raises: UsageError before the first build.

        With an ISRC all that have it and the other words come on one page, and the catalogue says so: one scan of a column.
        """
        reader = self._reader()
        asked = read_query(words)
        return Answer(self._of_isrc(asked)[:limit], "") if asked.filters.isrc else reader.page(words, limit, after)

    def facets(self, words: str) -> Facets:
        """Return how many match; see `IndexReader.facets`. Raises: UsageError before the first build."""
        reader = self._reader()
        asked = read_query(words)
        if not asked.filters.isrc:
            return reader.facets(words)
        hits = self._of_isrc(asked)
        held = sum(hit.held for hit in hits)
        return Facets({HitKind.TRACK.value: len(hits)}, {}, {}, {"yes": held, "no": len(hits) - held}, whole=True)

    def _of_isrc(self, asked: Asked) -> tuple[Hit, ...]:
        """Return the recordings of an ISRC that have the words asked for besides, the most heard first."""
        filters, words = asked.filters, set(asked.words)
        if filters.kind not in (None, HitKind.TRACK):
            return ()
        return tuple(
            Hit(HitKind.TRACK, each.id, each.title, each.artist, each.release, each.held, each.popularity.share, 1.0)
            for each in self._by_isrc(filters.isrc)
            if filters.held in (None, each.held) and words <= set(indexed(f"{each.title} {each.artist} {each.release}").split())
        )

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
            raise StoreError(f"search/{name}", "the index in use is not there, or of an older version", _REMEDY)
        return IndexReader(folder)

    def _folder(self, name: str) -> Path | None:
        file = self._blobs.local_path(f"{name}/{MANIFEST}")
        return file.parent if file is not None and file.is_file() else None


def _names(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name[:56]}-{number}"
        number += 1
