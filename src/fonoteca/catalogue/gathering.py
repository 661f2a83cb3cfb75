"""All imports as columns of numbers, one entry a row, in order of precedence: what identity and popularity are worked out from.

The numbers lie in files below staging and are mapped, so that the memory they need is the system's to give and take.
Text is read once here, for its keys, and once more when the snapshot is written.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fonoteca.catalogue.ahead import in_order
from fonoteca.catalogue.desk import HELD
from fonoteca.catalogue.keys import artist_words, key64, title_words
from fonoteca.catalogue.lookup import id_keys
from fonoteca.catalogue.rank_ids import uuid_halves

SET_DOWN_ROWS = 1 << 24
"""So many rows are gathered before they are left to the disk: 1.2 GB."""
COLUMN_NAMES = (
    "id_high", "id_low", "live", "name_key", "isrc_key", "release_key", "artist_key", "year", "duration_ms", "listens", "listeners",
)  # fmt: skip
KEY_COLUMNS = ("id", "live", "title", "artist", "release_id", "year", "duration_ms", "isrc", "listens", "listeners")
U64, U32, I64, I32, I16 = np.uint64, np.uint32, np.int64, np.int32, np.int16


@dataclass(frozen=True, slots=True)
class ImportFile:
    """One Parquet file of an import. source: index among the sources. rows: its kind of rows. first_row: of its rows among all."""

    path: Path
    source: int
    rows: str
    first_row: int
    row_count: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A row group of a file: rows first_row and on."""

    file: ImportFile
    group: int
    first_row: int
    row_count: int


@dataclass(slots=True)
class Rows:
    """The rows of all imports with recordings, by number from 0. Arrays have one entry a row.

    id_high, id_low: the halves of the id. live: whether it is an MBID. name_key: of artist and title; isrc_key: of ISRC and title;
    release_key, artist_key: of the release's id and of the credit as written; 0 stands for none. duration_ms: 0 when unknown.
    listens, listeners: -1 where the source does not say. more_isrcs: (row, isrc_key) of ISRCs after a row's first.
    """

    row_count: int
    files: list[ImportFile]
    sources: tuple[str, ...]
    id_high: npt.NDArray[np.uint64]
    id_low: npt.NDArray[np.uint64]
    live: npt.NDArray[np.bool_]
    name_key: npt.NDArray[np.uint64]
    isrc_key: npt.NDArray[np.uint64]
    release_key: npt.NDArray[np.uint64]
    artist_key: npt.NDArray[np.uint64]
    year: npt.NDArray[np.int16]
    duration_ms: npt.NDArray[np.int32]
    listens: npt.NDArray[np.int64]
    listeners: npt.NDArray[np.int32]
    more_isrcs: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]] = field(
        default_factory=lambda: (np.empty(0, U32), np.empty(0, U64))
    )

    def forget(self, *names: str) -> None:
        """Give back the memory and the disk of columns that are no more needed."""
        for name in names:
            column = getattr(self, name)
            setattr(self, name, column[:0].copy())
            if isinstance(column, np.memmap):
                Path(str(column.filename)).unlink()

    def set_down(self, *names: str) -> None:
        """Leave columns to the disk until they are asked for again; they cost memory only while they are used."""
        for name in names or COLUMN_NAMES:
            mapped = getattr(self, name).base
            if isinstance(mapped, mmap.mmap):
                # The mapping is shared: what was written stays with the system, and comes back when it is read.
                mapped.madvise(mmap.MADV_DONTNEED)

    def id_keys(self) -> npt.NDArray[np.uint64]:
        """Return the key of each row's id (`lookup.id_keys`). Its halves are set down on the way. Memory: 8 B a row."""
        keys = np.empty(self.row_count, U64)
        for first in range(0, self.row_count, SET_DOWN_ROWS):
            here = slice(first, first + SET_DOWN_ROWS)
            keys[here] = id_keys(self.id_high[here], self.id_low[here])
            self.set_down("id_high", "id_low")
        return keys

    @property
    def chunks(self) -> Iterator[Chunk]:
        """The row groups of all files, in order."""
        for file in self.files:
            yield from chunks_of(file)


def chunks_of(file: ImportFile) -> Iterator[Chunk]:
    """Yield the row groups of a file."""
    first = file.first_row
    with pq.ParquetFile(file.path) as parquet:
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            yield Chunk(file, group, first, count)
            first += count


def read_chunk(chunk: Chunk, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a row group as a table without chunks inside."""
    with pq.ParquetFile(chunk.file.path) as parquet:
        return parquet.read_row_group(chunk.group, columns=columns, use_threads=False).combine_chunks()


def numbered(paths: Sequence[tuple[int, str, Path]]) -> list[ImportFile]:
    """Return the files of (source, kind of rows, path) with the numbers of their rows."""
    files, first = [], 0
    for source, rows, path in paths:
        count = pq.read_metadata(path).num_rows
        files.append(ImportFile(path, source, rows, first, count))
        first += count
    return files


def gather_rows(files: list[ImportFile], sources: tuple[str, ...], scratch: Path, advance: Callable[[int], None]) -> Rows:
    """Return the columns of all rows. scratch: an empty folder below staging for them, some 70 B a row.

    Cost: about 1.3 us a row on one core, most of it for the words of titles.
    """
    count = files[-1].first_row + files[-1].row_count if files else 0

    def column(name: str, kind: Any) -> Any:
        if not count:
            return np.empty(0, kind)
        mapped = np.lib.format.open_memmap(scratch / f"{name}.npy", mode="w+", dtype=kind, shape=(count,))
        _reserve(scratch / f"{name}.npy")
        return mapped

    rows = Rows(
        count, files, sources,
        column("id_high", U64), column("id_low", U64), column("live", np.bool_), column("name_key", U64), column("isrc_key", U64),
        column("release_key", U64), column("artist_key", U64), column("year", I16), column("duration_ms", I32),
        column("listens", I64), column("listeners", I32),
    )  # fmt: skip
    more_rows: list[npt.NDArray[np.uint32]] = []
    more_keys: list[npt.NDArray[np.uint64]] = []
    with closing(in_order(_keys_of, rows.chunks)) as found:
        for chunk, keys in found:
            here = slice(chunk.first_row, chunk.first_row + chunk.row_count)
            for name, values in keys.columns.items():
                getattr(rows, name)[here] = values
            if chunk.first_row // SET_DOWN_ROWS != (chunk.first_row + chunk.row_count) // SET_DOWN_ROWS:
                rows.set_down()
            more_rows.append((keys.more_rows + chunk.first_row).astype(U32))
            more_keys.append(keys.more_keys)
            advance(chunk.row_count)
    rows.set_down()
    if more_rows:
        rows.more_isrcs = (np.concatenate(more_rows), np.concatenate(more_keys))
    return rows


def _reserve(path: Path) -> None:
    """Take from the disk all that a file is long: a full disk is an error here, and ends the process where a mapping meets it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Keys:
    columns: dict[str, npt.NDArray[Any]]
    more_rows: npt.NDArray[np.int64]
    more_keys: npt.NDArray[np.uint64]


def _keys_of(chunk: Chunk) -> tuple[Chunk, _Keys]:
    table = read_chunk(chunk, KEY_COLUMNS)
    column = {name: _whole(table[name]) for name in KEY_COLUMNS}
    id_high, id_low = uuid_halves(column["id"])
    name_key, title_key = name_keys(column["artist"], column["title"])
    isrc_key, more_rows, more_keys = _isrc_keys(column["isrc"], title_key)
    release_high, release_low = uuid_halves(column["release_id"])
    artist_key = key64(column["artist"])
    artist_key[_empty(column["artist"])] = 0
    return chunk, _Keys(
        {
            "id_high": id_high,
            "id_low": id_low,
            "live": np.asarray(column["live"]),
            "name_key": name_key,
            "isrc_key": isrc_key,
            "release_key": mixed(release_high, release_low),
            "artist_key": artist_key,
            "year": _filled(column["year"], 0),
            "duration_ms": _filled(column["duration_ms"], 0),
            "listens": _filled(column["listens"], -1),
            "listeners": np.minimum(_filled(column["listeners"], -1), np.iinfo(I32).max),
        },
        more_rows,
        more_keys,
    )


def name_keys(artists: pa.Array, titles: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the key of each artist and title together, 0 where there is no name, and the key of the title alone."""
    title = title_words(titles)
    # Neighbours are by one artist as a rule, so each credit is taken apart once.
    credited = artists.dictionary_encode()
    words, places = artist_words(credited.dictionary), np.asarray(credited.indices)
    title_key = key64(title)
    name_key = mixed(key64(words)[places], title_key)
    # A track without a name, or by nobody, is like no other.
    name_key[_empty(title) | _empty(words)[places]] = 0
    return name_key, title_key


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _filled(column: pa.Array, nothing: int) -> npt.NDArray[Any]:
    return np.asarray(pc.fill_null(column, nothing))


def _empty(texts: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.equal(texts, ""))


def mixed(one: npt.NDArray[np.uint64], two: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return one 64-bit key of two; of two zeros zero. The multiplier is that of splitmix64."""
    return (one * U64(0x9E3779B97F4A7C15)) ^ (two + (two << U64(17)))


def _isrc_keys(
    isrcs: pa.Array, title_key: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Return the key of each row's first ISRC with its title, and rows and keys of the ISRCs after the first."""
    several = np.flatnonzero(np.asarray(pc.greater(pc.binary_length(isrcs), 12)))
    first = isrcs if not len(several) else pc.utf8_slice_codeunits(isrcs, 0, 12)
    keys = mixed(key64(first), title_key)
    keys[_empty(isrcs)] = 0
    if not len(several):
        return keys, several, np.empty(0, U64)
    rest = pc.split_pattern(pc.utf8_slice_codeunits(isrcs.take(several), 13), " ")
    more_rows = several[np.asarray(pc.list_parent_indices(rest))]
    return keys, more_rows, mixed(key64(pc.list_flatten(rest)), title_key[more_rows])


def dense(keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int32], int]:
    """Return a number from 0 for each different key, -1 for key 0, and how many there are.

    Neighbours with one key are taken together first: a release's rows stand together in most sources. Cost: a sort of the runs.
    """
    if not len(keys):
        return np.empty(0, I32), 0
    starts = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), keys[1:] != keys[:-1])))
    found, numbers = np.unique(keys[starts], return_inverse=True)
    numbers = numbers.astype(I32)
    if found[0] == 0:
        numbers -= 1
    lengths = np.diff(np.append(starts, len(keys)))
    return np.repeat(numbers, lengths), len(found) - int(found[0] == 0)


def is_held(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return for each row whether it says what the archive holds."""
    held = np.zeros(rows.row_count, np.bool_)
    for file in rows.files:
        if file.rows == HELD:
            held[file.first_row : file.first_row + file.row_count] = True
    return held
