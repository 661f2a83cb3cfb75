"""Rows to the files of a snapshot, in two passes of bounded memory: spread by rank over parts, then each part put in order.

All rows of one recording, the merged ones too, come to one part, so there what the representative lacks is filled from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fonoteca.catalogue.ahead import in_order
from fonoteca.catalogue.desk import HELD
from fonoteca.catalogue.gathering import Chunk, Rows, read_chunk
from fonoteca.catalogue.identity import BY_REDIRECT, RULES, Identity
from fonoteca.catalogue.keys import key64
from fonoteca.catalogue.layout import (
    ARTISTS,
    MERGED,
    RECORDING_COLUMNS,
    RECORDINGS,
    RELEASES,
    SHARD_ROWS,
    schema_of,
    shard_name,
    write_shard,
)
from fonoteca.catalogue.ranking import Ranking

PART_RANKS = 2 * SHARD_ROWS
"""A part is put in order in memory: some 1.2 GB with its copies, for each of two threads."""

ESTIMATED_BITRATE_BPS = 192_000
"""What a file that is not held is taken to weigh a second. The starter's files that name a constant bit rate say 192 kbit/s
in 344 of 350 cases; Ogg Vorbis at its usual quality 6 is the same."""
UNKNOWN_DURATION_MS = 240_000
"""Stands for a duration that no source gives: the starter's median is 249 s, and durations peak at whole minutes."""

_READ = (
    "id", "title", "artist", "release", "release_id", "disc", "track", "year", "duration_ms", "isrc", "licence_uri", "source_uri",
    "genre", "file_bytes",
)  # fmt: skip
_READ_SCHEMA = pa.schema([(name, pa.int64() if name == "file_bytes" else RECORDING_COLUMNS[name]) for name in _READ])
_RELEASE = ("release", "release_id", "disc", "track")
_OFFER = ("licence_uri", "source_uri", "file_bytes")
_Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Building:
    """What is written down: all rows, who is who, and how recordings rank. scratch: an empty folder below staging."""

    rows: Rows
    identity: Identity
    ranking: Ranking
    scratch: Path
    synthetic: bool

    @property
    def part_count(self) -> int:
        """How many parts the ranks fall into."""
        return -(-self.ranking.recording_count // PART_RANKS)


def write_tables(building: Building, folder: Path, advance: Callable[[int], None]) -> None:
    """Write the Parquet files of a snapshot into the folder. advance: told twice the number of rows in all.

    Cost: at 256 million rows some 10 minutes, and 60 B a row of disk below scratch until a part is written.
    """
    for table in (RECORDINGS, MERGED, RELEASES, ARTISTS):
        (folder / table).mkdir(parents=True, exist_ok=True)
    _spread(building, advance)
    with_more = (_Rolling(folder, RELEASES), _Rolling(folder, ARTISTS))
    with closing(in_order(lambda part: _settle(building, part, folder), range(building.part_count))) as parts:
        for settled in parts:
            for rolling, rows in zip(with_more, (settled.releases, settled.artists), strict=True):
                rolling.add(rows)
            advance(settled.row_count)
    for rolling in with_more:
        rolling.close()
    if not any((folder / MERGED).iterdir()):
        write_shard(folder / shard_name(MERGED, 0), schema_of(MERGED).empty_table())


# First pass: spread


def _part_path(scratch: Path, part: int) -> Path:
    return scratch / f"part-{part:05}.arrow"


def _spread(building: Building, advance: Callable[[int], None]) -> None:
    """Write every row into the file of its part, with its rank."""
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
    writers: dict[int, pa.RecordBatchFileWriter] = {}
    with ExitStack() as open_now:
        ranked = open_now.enter_context(closing(in_order(lambda chunk: _ranked(building, chunk), building.rows.chunks)))
        for table, parts in ranked:
            for part, start, stop in parts:
                if part not in writers:
                    path = _part_path(building.scratch, part)
                    writers[part] = open_now.enter_context(pa.ipc.new_stream(path, table.schema, options=options))
                writers[part].write_table(table.slice(start, stop - start))
            advance(table.num_rows)


def _ranked(building: Building, chunk: Chunk) -> tuple[pa.Table, list[tuple[int, int, int]]]:
    """Return a chunk's rows with their ranks in order of part, and where each part is in it."""
    rows, identity, ranking = building.rows, building.identity, building.ranking
    here = slice(chunk.first_row, chunk.first_row + chunk.row_count)
    into = identity.into[here]
    numbers = np.arange(chunk.first_row, chunk.first_row + chunk.row_count, dtype=np.uint32)
    rank = ranking.head_rank[into]
    # Whether a column may be NULL is the writer's affair and differs between files.
    table = read_chunk(chunk, _READ).cast(_READ_SCHEMA)
    head = into == numbers
    renamed = np.flatnonzero(head & (identity.rule[here] == BY_REDIRECT))
    if len(renamed):
        places = chunk.first_row + renamed
        table = table.set_column(0, "id", _with_ids(table["id"], renamed, rows.id_high[places], rows.id_low[places]))
    table = (
        table.append_column("rank", pa.array(rank))
        .append_column("row", pa.array(numbers))
        .append_column("head", pa.array(head))
        .append_column("rule", pa.array(identity.rule[here]))
        .append_column("source", pa.array(np.full(chunk.row_count, chunk.file.source, np.uint16)))
        .append_column("holds", pa.array(np.full(chunk.row_count, chunk.file.rows == HELD)))
    )
    part = (rank - 1) // np.uint32(PART_RANKS)
    if building.part_count == 1:
        return table, [(0, 0, chunk.row_count)]
    order = np.argsort(part, kind="stable")
    ordered = part[order]
    starts = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), ordered[1:] != ordered[:-1])))
    stops = np.append(starts[1:], chunk.row_count)
    found = [(int(ordered[a]), int(a), int(b)) for a, b in zip(starts, stops, strict=True)]
    return table.take(pa.array(order)).combine_chunks(), found


def _with_ids(ids: pa.ChunkedArray, places: _Index, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> pa.ExtensionArray:
    """Return the ids with others, by their halves, at some places."""
    storage = ids.combine_chunks().storage
    halves = np.frombuffer(storage.buffers()[1], ">u8", 2 * len(storage), 16 * storage.offset).reshape(-1, 2).copy()
    halves[places, 0], halves[places, 1] = high, low
    new = pa.Array.from_buffers(pa.binary(16), len(storage), [None, pa.py_buffer(halves.tobytes())])
    return pa.ExtensionArray.from_storage(pa.uuid(), new)


# Second pass: put each part in order


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a part adds to the tables that run over parts. row_count: how many rows it had."""

    row_count: int
    releases: pa.Table
    artists: pa.Table


def _settle(building: Building, part: int, folder: Path) -> _Settled:
    path = _part_path(building.scratch, part)
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_stream(source).read_all().combine_chunks()
    path.unlink()
    first = part * PART_RANKS
    count = min(PART_RANKS, building.ranking.recording_count - first)
    rank = np.asarray(table["rank"])
    head = np.asarray(table["head"])
    if len(rank) == count:
        order = np.empty(count, np.int64)
        order[rank.astype(np.int64) - 1 - first] = np.arange(count)
    else:
        order = np.lexsort((np.asarray(table["row"]), ~head, rank))
    recordings = _recordings(building, table, _Groups.of(order, head, rank), first)
    for number, start in enumerate(range(0, count, SHARD_ROWS), first // SHARD_ROWS):
        write_shard(folder / shard_name(RECORDINGS, number), recordings.slice(start, SHARD_ROWS))
    # What stands for a recording under another id than its own can be found by its own too.
    told = ~head | (np.asarray(table["rule"]) == BY_REDIRECT)
    if told.any():
        _write_merged(building, table, order[told[order]], folder, first)
    found = _sums(building, recordings, first)
    return _Settled(len(rank), *found)


@dataclass(frozen=True, slots=True)
class _Groups:
    """The rows of a part in order: each recording's rows together, its representative first.

    order: places in the part's table. starts: where each recording begins in `order`. group: of each row in `order`.
    """

    order: _Index
    starts: _Index
    group: _Index

    @classmethod
    def of(cls, order: _Index, head: npt.NDArray[np.bool_], rank: npt.NDArray[np.uint32]) -> _Groups:
        """Return the groups of rows in this order."""
        if len(order) and head.all():
            return cls(order, np.arange(len(order)), np.arange(len(order)))
        starts = np.flatnonzero(head[order])
        return cls(order, starts, np.cumsum(head[order]) - 1)

    @property
    def heads(self) -> _Index:
        """The representatives' places in the table."""
        return self.order[self.starts]

    def first(self, fits: npt.NDArray[np.bool_]) -> _Index:
        """Return for each recording the place of its first row that fits, else of its representative. fits: by place in table."""
        heads = self.heads
        if len(self.order) == len(heads):
            return heads
        found = fits[self.order] & ~fits[heads][self.group]
        places = np.flatnonzero(found)
        chosen = heads.copy()
        # The last to be assigned stays, so the first must come last.
        chosen[self.group[places[::-1]]] = self.order[places[::-1]]
        return chosen

    def preferred(self, wanted: npt.NDArray[np.bool_], otherwise: _Index) -> _Index:
        """Return for each recording the place of its first row that is wanted, else what is given. wanted: by place in table."""
        places = np.flatnonzero(wanted[self.order])
        chosen = otherwise.copy()
        chosen[self.group[places[::-1]]] = self.order[places[::-1]]
        return chosen


def _recordings(building: Building, table: pa.Table, groups: _Groups, first: int) -> pa.Table:
    """Return the part's recordings in order of rank, with the columns of `recordings`."""
    ranking = building.ranking
    count = len(groups.starts)
    here = slice(first, first + count)
    holds = np.asarray(table["holds"])
    duration = _numbers(table, "duration_ms")
    licensed = _given(table, "licence_uri")
    offer = groups.first(licensed)
    taken = {
        **dict.fromkeys(("id", "title", "artist", "isrc", "source"), groups.heads),
        **dict.fromkeys(_RELEASE, groups.first(np.asarray(pc.is_valid(table["release_id"])))),
        **dict.fromkeys(_OFFER, offer),
        "licence_uri": groups.preferred(holds & licensed, offer),
        "file_bytes": groups.preferred(holds, offer),
        "duration_ms": groups.preferred(holds & (duration > 0), groups.first(duration > 0)),
        "year": groups.first(np.asarray(pc.is_valid(table["year"]))),
        "genre": groups.first(_given(table, "genre")),
    }
    column = {name: table[name].take(pa.array(places)) for name, places in taken.items()}
    column["offer_source"] = table["source"].take(pa.array(offer))
    column["isrc"] = _all_isrcs(table, groups, column["isrc"])
    for name in ("source", "offer_source"):
        column[name] = pa.array(building.rows.sources, pa.string()).take(column[name])
    file_bytes, duration = np.asarray(column["file_bytes"]), np.asarray(column["duration_ms"]).astype(np.int64)
    estimated = file_bytes == 0
    guessed = np.where(duration > 0, duration, UNKNOWN_DURATION_MS) * ESTIMATED_BITRATE_BPS // 8000
    column["file_bytes"] = pa.array(np.where(estimated, guessed, file_bytes))
    held = np.zeros(count, np.bool_)
    held[groups.group[holds[groups.order]]] = True
    column |= {
        "rank": pa.array(np.arange(first + 1, first + 1 + count)),
        "file_bytes_estimated": pa.array(estimated),
        "held": pa.array(held),
        "listens": pa.array(ranking.listens[here].astype(np.int64)),
        "listeners": pa.array(ranking.listeners[here].astype(np.int64)),
        "copies": pa.array(np.diff(np.append(groups.starts, len(groups.order))).astype(np.int32)),
        "share": pa.array(ranking.share[here]),
        "share_low": pa.array(ranking.low[here]),
        "share_high": pa.array(ranking.high[here]),
        "synthetic": pa.repeat(pa.scalar(building.synthetic), count),
    }
    return _table(RECORDINGS, column)


def _table(name: str, column: dict[str, Any]) -> pa.Table:
    schema = schema_of(name)
    return pa.table([column[field.name] for field in schema], schema=schema)


def _numbers(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.asarray(pc.fill_null(table[name], 0))


def _given(table: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.not_equal(table[name], ""))


def _all_isrcs(table: pa.Table, groups: _Groups, isrcs: pa.ChunkedArray) -> pa.Array:
    """Return each recording's ISRCs, those of the rows merged into it among them."""
    isrcs = isrcs.combine_chunks() if isinstance(isrcs, pa.ChunkedArray) else isrcs
    if len(groups.order) == len(groups.starts):
        return isrcs
    own = key64(table["isrc"].combine_chunks())
    others = (own != own[groups.heads][_of_places(groups)]) & _given(table, "isrc")
    places = groups.order[others[groups.order]]
    if not len(places):
        return isrcs
    group = groups.group[others[groups.order]]
    found: dict[int, set[str]] = {}
    for number, text in zip(group.tolist(), table["isrc"].take(pa.array(places)).to_pylist(), strict=True):
        found.setdefault(number, set()).update(text.split(" "))
    numbers = np.array(sorted(found))
    before = isrcs.take(pa.array(numbers)).to_pylist()
    joined = [" ".join(sorted(found[n] | set(text.split()))) for n, text in zip(numbers.tolist(), before, strict=True)]
    mask = np.zeros(len(isrcs), np.bool_)
    mask[numbers] = True
    return pc.replace_with_mask(isrcs, pa.array(mask), pa.array(joined, pa.string()))


def _of_places(groups: _Groups) -> _Index:
    """Return the number of each row's recording, by place in the table."""
    group = np.empty(len(groups.order), np.int64)
    group[groups.order] = groups.group
    return group


def _write_merged(building: Building, table: pa.Table, places: _Index, folder: Path, first: int) -> None:
    """Write the part's rows that became part of a recording, or stand for one under another id, filed by its rank."""
    column = {name: table[name].take(pa.array(places)) for name in (*_READ[:10], "source_uri", "rank", "rule", "source")}
    heads = np.flatnonzero(np.asarray(table["head"])[places])
    if len(heads):
        rows, high, low = building.identity.renamed
        which = np.searchsorted(rows, np.asarray(table["row"])[places[heads]])
        column["id"] = _with_ids(column["id"], heads, high[which], low[which])
    column["rank"] = column["rank"].cast(pa.int64())
    column["rule"] = pa.array(RULES, pa.string()).take(column["rule"])
    column["source"] = pa.array(building.rows.sources, pa.string()).take(column["source"])
    merged = _table(MERGED, column)
    shard = (np.asarray(merged["rank"]) - 1) // SHARD_ROWS
    for number in range(first // SHARD_ROWS, (first + PART_RANKS) // SHARD_ROWS):
        start, stop = np.searchsorted(shard, (number, number + 1))
        if stop > start:
            write_shard(folder / shard_name(MERGED, number), merged.slice(start, stop - start))


def _sums(building: Building, recordings: pa.Table, first: int) -> tuple[pa.Table, pa.Table]:
    """Return the releases and the artists whose most heard recording is in this part, in order of it."""
    ranking = building.ranking
    here = slice(first, first + recordings.num_rows)
    synthetic = building.synthetic
    found = []
    for table, sums, number in (
        (RELEASES, ranking.releases, ranking.release[here]),
        (ARTISTS, ranking.artists, ranking.artist[here]),
    ):
        rank = np.arange(first + 1, first + 1 + recordings.num_rows)
        places = np.flatnonzero(number >= 0)
        places = places[sums.best_rank[number[places]] == rank[places]]
        which = number[places]
        spoken = recordings.take(pa.array(places))
        column = {
            "release_id": spoken["release_id"],
            "title": spoken["release"],
            "artist": spoken["artist"],
            "name": spoken["artist"],
            "track_count": pa.array(sums.track_count[which].astype(np.int64)),
            "held_count": pa.array(sums.held_count[which].astype(np.int64)),
            "best_rank": pa.array(rank[places]),
            "share": pa.array(sums.share[which]),
            "synthetic": pa.repeat(pa.scalar(synthetic), len(places)),
        }
        if table == RELEASES:
            column["artist_count"] = pa.array(ranking.release_artists[which].astype(np.int64))
            year = ranking.release_year[which]
            column["year"] = pa.array(year, mask=year == 0)
        found.append(_table(table, column))
    return found[0], found[1]


class _Rolling:
    """Rows that come part by part, on their way to files of SHARD_ROWS."""

    def __init__(self, folder: Path, table: str) -> None:
        self._folder = folder
        self._table = table
        self._waiting: list[pa.Table] = []
        self._number = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows; write the files that are full."""
        self._waiting.append(rows)
        for full in self._full():
            self._write(full)

    def _full(self) -> Iterator[pa.Table]:
        if sum(t.num_rows for t in self._waiting) < SHARD_ROWS:
            return
        rows = pa.concat_tables(self._waiting).combine_chunks()
        start = 0
        while rows.num_rows - start >= SHARD_ROWS:
            yield rows.slice(start, SHARD_ROWS)
            start += SHARD_ROWS
        self._waiting = [rows.slice(start)]

    def _write(self, rows: pa.Table) -> None:
        write_shard(self._folder / shard_name(self._table, self._number), rows.combine_chunks())
        self._number += 1

    def close(self) -> None:
        """Write what is left."""
        left = pa.concat_tables(self._waiting) if self._waiting else schema_of(self._table).empty_table()
        if left.num_rows or not self._number:
            self._write(left)
