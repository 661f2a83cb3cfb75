"""Building an index from the files of a snapshot: shard by shard, on several cores, then the words of the most heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fonoteca.ports import Staging, Workers
from fonoteca.search.canonical import move_shard, shard_files
from fonoteca.search.folding import distinct_words
from fonoteca.search.manifest import KINDS, MANIFEST, WORDS, Manifest, ShardOf, origin_of
from fonoteca.search.shards import META, TABLES, WHOLE_FILES, Rows, Table, files_of, read_rows, tier_meta, write_shard

WORD_SHARD_ROWS = 1 << 21

SHARD_TASK = "fonoteca.search:make_shard"
"""One takes 2.5 GB of memory for four million rows and, with Tantivy's own thread, a core and a half."""


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A file of a snapshot's table. digest: its sha256."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class SnapshotTables:
    """The files of a snapshot that an index is built from: those of recordings, artists and releases, each in order of rank."""

    name: str
    files: Mapping[str, Sequence[SnapshotFile]]


@dataclass(frozen=True, slots=True)
class Before:
    """The index in use: shards whose files are unchanged are taken from it."""

    folder: Path
    manifest: Manifest

    def shard(self, name: str, origin: str) -> ShardOf | None:
        """Return the shard of this name if it is of files with these digests."""
        found = next((shard for shard in self.manifest.shards if shard.name == name), None)
        return found if found and found.origin == origin else None


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard to make, perhaps in a process of its own. folder: of the index."""

    table: Table
    number: int
    files: tuple[SnapshotFile, ...]
    folder: Path
    staging: Staging

    def __str__(self) -> str:
        return f"search index, {self.name}"

    @property
    def name(self) -> str:
        """The shard's name."""
        return f"{self.table.name}-{self.number:05}"

    @property
    def origin(self) -> str:
        """What stands for its files."""
        return origin_of(file.digest for file in self.files)

    @property
    def whole(self) -> bool:
        """Whether its rows are among the most heard, of which all words are taken."""
        return files_of(self.number)[0] < WHOLE_FILES


@dataclass(frozen=True, slots=True)
class Building:
    """One build into an empty folder below staging. made: is told after each shard. workers: None for none but this process."""

    folder: Path
    staging: Staging
    before: Before | None = None
    made: Callable[[int], None] = lambda _: None
    workers: Workers | None = None

    def run(self, tables: SnapshotTables) -> Manifest:
        """Write all shards and the manifest. Returns: the manifest. Cost: 14 us a recording, on two cores half of that."""
        tasks = [
            ShardTask(table, number, files, self.folder, self.staging)
            for table in TABLES
            for number, files in enumerate(_by_shard(tables.files.get(table.name, ())))
        ]
        shards = []
        for task, shard in zip(tasks, self._shards(tasks), strict=True):
            shards += [shard] if shard is not None else []
            self.made(len(task.files))
        manifest = Manifest(tables.name, (*shards, *self._word_shards(tasks)))
        for kind in KINDS:
            for tier, there in manifest.tiers(kind).items():
                with self.staging.writer(self.folder / tier / META) as stream:
                    stream.write(tier_meta([(shard.number, shard.rows) for shard in there]))
        with self.staging.writer(self.folder / MANIFEST) as stream:
            stream.write(manifest.write())
        return manifest

    def _shards(self, tasks: Sequence[ShardTask]) -> Iterator[ShardOf | None]:
        """Yield the shard of each task in order: those of the index before that are still right, and new ones."""
        known = [self._kept(task.name, task.origin) for task in tasks]
        left = [task for task, shard in zip(tasks, known, strict=True) if shard is None]
        made = (
            (make_shard(None, task) for task in left)
            if self.workers is None or len(left) <= len(TABLES)
            else self.workers.run(SHARD_TASK, None, left)
        )
        yield from (shard or next(made) for shard in known)

    def _kept(self, name: str, origin: str) -> ShardOf | None:
        """Return a shard of the index before that is still right, after giving its files second names in the new one."""
        known = self.before.shard(name, origin) if self.before else None
        if known is None or self.before is None:
            return None
        files = [f"{known.tier}/{file}" for file in shard_files(known.number).values()]
        if all(self.staging.link(self.before.folder / file, self.folder / file) for file in files):
            return known
        for file in files:
            self.staging.discard(self.folder / file)  # the disk has no second names
        return None

    def _word_shards(self, tasks: Sequence[ShardTask]) -> Iterator[ShardOf]:
        """Write the words of the most heard recordings, each once, in order of popularity."""
        files = [file for task in tasks if task.whole and task.table is TABLES[0] for file in task.files]
        origin = origin_of(file.digest for file in files)
        kept = self._kept(f"{WORDS}-{0:05}", origin)
        if kept is not None and kept.rows < WORD_SHARD_ROWS:
            yield kept
            return
        known = pa.array([], pa.string())
        for file in files:
            rows = read_rows(file.path, TABLES[0], whole=True)
            known = pc.unique(pa.chunked_array([known, distinct_words([column for column in rows.folded if column])]))
        for number, start in enumerate(range(0, len(known), WORD_SHARD_ROWS)):
            rows = _as_rows(known[start : start + WORD_SHARD_ROWS])
            place = _Place(self.folder, f"{WORDS}-{number:05}", self.staging)
            yield _write(place, [rows], rows.count, origin)


def _by_shard(files: Sequence[SnapshotFile]) -> Iterator[tuple[SnapshotFile, ...]]:
    """Yield the files of each shard, in order, of a table whose files have rows."""
    number = 0
    while files_of(number)[0] < len(files):
        yield tuple(files[place] for place in files_of(number) if place < len(files))
        number += 1


def make_shard(_settings: None, task: ShardTask) -> ShardOf | None:
    """Return the shard of a task once it is written, None for files without rows: what workers run."""
    row_count = sum(pq.read_metadata(file.path).num_rows for file in task.files)
    parts = (read_rows(file.path, task.table, whole=task.whole) for file in task.files)
    return _write(_Place(task.folder, task.name, task.staging), parts, row_count, task.origin) if row_count else None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a shard of a name goes: its tier, in the folder of an index."""

    folder: Path
    name: str
    staging: Staging


def _write(place: _Place, parts: Iterable[Rows], row_count: int, origin: str) -> ShardOf:
    made = place.staging.folder(f"{place.folder.name}-{place.name}")
    write_shard(made, parts, row_count, place.staging)
    shard = ShardOf(place.name, row_count, origin, origin)
    return replace(shard, digest=move_shard(made, shard.number, place.folder / shard.tier, place.staging))


def _as_rows(words: pa.Array) -> Rows:
    """Return words as rows that have a title and nothing else."""
    texts: tuple[list[str], ...] = (words.to_pylist(), [], [])
    zeros = np.zeros(len(words), np.int64)
    return Rows(len(words), texts, texts, zeros, zeros, zeros, bytes(16 * len(words)), zeros, zeros)
