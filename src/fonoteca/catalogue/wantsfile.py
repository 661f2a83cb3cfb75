"""wants.parquet: what a plan wants, in order of worth. It may have a hundred million rows, so it is written and read in pages.

Grain one want, key `place`, in ascending order of it; zstd, row groups of GROUP_ROWS:
    place, phase       from 1
    recording (UUID), rank, share    of the snapshot's recording
    encoding, file_bytes             how to have it, and what it then weighs
    cumulative_bytes, cumulative_share    of all wants up to this one; the share with what is held already

Shares are to 7 digits: with 15 they took as many bytes as all else but the UUIDs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.duck import quoted
from fonoteca.catalogue.encodings import Wanted
from fonoteca.catalogue.knapsack import NONE, Bytes, Choices, Shares, blocks
from fonoteca.catalogue.layout import SHARD_ROWS
from fonoteca.catalogue.rank_ids import ids_of_ranks
from fonoteca.model.catalogue import PlanPart
from fonoteca.model.corridor import Want
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import RecordingId

GROUP_ROWS = 1 << 17
CHUNK_ROWS = 1 << 20
PHASES_MAX = 10_000

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("place", pa.int64()),
            ("phase", pa.int32()),
            ("recording", pa.uuid()),
            ("rank", pa.int64()),
            ("encoding", pa.string()),
            ("file_bytes", pa.int64()),
            ("share", pa.float32()),
            ("cumulative_bytes", pa.int64()),
            ("cumulative_share", pa.float32()),
        )
    ]
)
_COUNTED_UP = ("place", "phase", "cumulative_bytes")
_SPLIT = ("rank", "share", "cumulative_share")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The wants as columns in order of rank, and `order`: their indexes in order of worth."""

    rank: npt.NDArray[np.uint32]
    share: Shares
    file_bytes: Bytes
    encoding: Choices
    order: npt.NDArray[np.uint64]


def chosen_of(wanted: Wanted, options: Choices) -> Chosen:
    """Return what is wanted, the most value per byte first, ties (to 1 in 10 million at the largest) by rank.

    `wanted` is used up: the wants move to the front of its columns, which saves 21 B a want where memory is shortest.
    """
    keeps = np.array([1.0, *(each.value for each in wanted.encodings)])
    count = int(np.count_nonzero(options != NONE))
    keys = np.empty(count, np.uint64)
    place_bits = np.uint64(max(1, count.bit_length()))
    at = 0
    for block in blocks(wanted.group_count):
        rows = np.flatnonzero(options[block] != NONE) + block.start
        encoding = options[rows]
        sizes, rank, share = wanted.bytes_of(rows, encoding), wanted.rank[rows], wanted.share[rows]
        here = slice(at, at := at + len(rows))
        wanted.rank[here], wanted.share[here], wanted.file_bytes[here], options[here] = rank, share, sizes, encoding
        with np.errstate(divide="ignore"):
            worth = share * keeps[encoding] / sizes
        # One sort of whole numbers does it: floats above 0 compare as their bits do; below those goes the index.
        falling = np.uint64(2**63 - 1) - worth.view(np.uint64)
        keys[here] = falling >> (place_bits - np.uint64(1)) << place_bits | np.arange(here.start, here.stop, dtype=np.uint64)
    keys.sort()
    keys &= (np.uint64(1) << place_bits) - np.uint64(1)
    return Chosen(wanted.rank[:count], wanted.share[:count], wanted.file_bytes[:count], options[:count], keys)


@dataclass(slots=True)
class Parts:
    """Phases and encodings of a plan, counted while its wants go by. phase_bytes: no phase is larger, but for one want's sake."""

    phase_bytes: int
    names: tuple[str, ...]
    begun_at: int = 0
    phases: list[tuple[int, int, float]] = field(default_factory=list)
    encodings: dict[int, tuple[int, int, float]] = field(default_factory=dict)

    def add(self, before: int, sizes: Bytes, shares: Shares, encoding: Choices) -> npt.NDArray[np.int32]:
        """Return the phase of each of the next wants, from 1. before: bytes of all wants before these."""
        for number in np.unique(encoding):
            here = encoding == number
            self.encodings[int(number)] = _more(self.encodings.get(int(number)), sizes[here], shares[here])
        found = np.empty(len(sizes), np.int32)
        spent = before + np.cumsum(sizes)
        at = 0
        while at < len(sizes):
            end = int(np.searchsorted(spent, self.begun_at + self.phase_bytes, "right"))
            if not self.phases or end <= at:  # this phase is full, and the next begins, with one want at least
                self.phases.append((0, 0, 0.0))
                self.begun_at = int(spent[at] - sizes[at])
                end = max(at + 1, int(np.searchsorted(spent, self.begun_at + self.phase_bytes, "right")))
            found[at:end] = len(self.phases)
            self.phases[-1] = _more(self.phases[-1], sizes[at:end], shares[at:end])
            at = end
        return found

    def as_phases(self) -> tuple[PlanPart, ...]:
        """Return the phases in order."""
        return tuple(PlanPart(str(number), *each) for number, each in enumerate(self.phases, start=1))

    def as_encodings(self) -> tuple[PlanPart, ...]:
        """Return the encodings that are wanted at all, in the order of the question."""
        return tuple(PlanPart(self.names[number], *each) for number, each in sorted(self.encodings.items()))


def _more(now: tuple[int, int, float] | None, sizes: Bytes, shares: Shares) -> tuple[int, int, float]:
    count, total, share = now or (0, 0, 0.0)
    return count + len(sizes), total + int(sizes.sum()), share + float(shares.sum())


def write_wants(target: Path, chosen: Chosen, base: tuple[Sequence[Path], float], parts: Parts) -> Iterator[int]:
    """Write the wants and count their parts; yield how many more are written, until all are.

    base: the snapshot's files of recordings, whose ids are read, and the share of listening that is held already.

    Cost: 16 B a want of memory besides `chosen`. The same wants give the same bytes.
    """
    recordings, held_share = base
    ids = ids_of_ranks(recordings, chosen.rank)
    names = pa.array(parts.names)
    before, share_before = 0, held_share
    with pq.ParquetWriter(
        target,
        SCHEMA,
        compression={**dict.fromkeys(SCHEMA.names, "zstd"), "recording": "none"},  # random bytes do not shrink
        compression_level=dict.fromkeys((name for name in SCHEMA.names if name != "recording"), 1),
        use_dictionary=["encoding"],
        column_encoding=dict.fromkeys(_COUNTED_UP, "DELTA_BINARY_PACKED") | dict.fromkeys(_SPLIT, "BYTE_STREAM_SPLIT"),
        write_statistics=["place", "rank"],
        store_schema=False,
    ) as writer:
        for start in range(0, len(chosen.order), CHUNK_ROWS):
            rows = chosen.order[start : start + CHUNK_ROWS].astype(np.intp)
            sizes, shares, encoding = chosen.file_bytes[rows], chosen.share[rows], chosen.encoding[rows]
            phase = parts.add(before, sizes, shares, encoding)
            spent, kept = before + np.cumsum(sizes), share_before + np.cumsum(shares)
            stored = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(rows), [None, pa.py_buffer(ids[rows])])
            columns = [
                pa.array(np.arange(start + 1, start + 1 + len(rows))),
                pa.array(phase),
                pa.ExtensionArray.from_storage(pa.uuid(), stored),
                pa.array(chosen.rank[rows].astype(np.int64)),
                names.take(pa.array(encoding)),
                pa.array(sizes),
                pa.array(shares.astype(np.float32)),
                pa.array(spent),
                pa.array(kept.astype(np.float32)),
            ]
            writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=GROUP_ROWS)
            before, share_before = int(spent[-1]), float(kept[-1])
            yield len(rows)


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of wants.parquet."""

    place: int
    phase: int
    recording: str
    rank: int
    encoding: str
    file_bytes: int
    share: float


def read_wants(duck: duckdb.DuckDBPyConnection, wants: Path, recordings: Sequence[Path], page: tuple[int, int]) -> list[Want]:
    """Return wants with what the snapshot says of each. page: the place that they come after, and how many at most.

    Cost: one row group of wants, and of each recording the row group it lies in.
    """
    lines = list(_lines(wants, *page))
    if not lines:
        return []
    shards = sorted({(line.rank - 1) // SHARD_ROWS for line in lines})
    answer = duck.execute(
        """
        SELECT rank, title, artist, release, licence_uri, source_uri FROM read_parquet($files)
        WHERE rank IN (SELECT unnest($ranks::BIGINT[]))
        """,
        {"files": [str(recordings[shard]) for shard in shards], "ranks": [line.rank for line in lines]},
    ).fetchall()
    named = {row[0]: row[1:] for row in answer}
    return [_want(line, named[line.rank]) for line in lines]


def _want(line: _Line, names: tuple[str, str, str, str, str]) -> Want:
    title, artist, release, licence, source = names
    return Want(
        recording=RecordingId(line.recording),
        title=title,
        artist=artist,
        release=release,
        licence_uri=licence,
        source_uri=source,
        file_bytes=line.file_bytes,
        share=line.share,
        encoding=line.encoding,
        place=line.place,
        phase=line.phase,
    )


def _lines(wants: Path, after_place: int, limit: int) -> Iterator[_Line]:
    with pq.ParquetFile(wants) as parquet:
        last = min(after_place + limit, parquet.metadata.num_rows)
        if after_place >= last:
            return
        groups = range(after_place // GROUP_ROWS, (last - 1) // GROUP_ROWS + 1)
        columns = [name for name in SCHEMA.names if not name.startswith("cumulative")]
        table = parquet.read_row_groups(list(groups), columns=columns)
    page = table.slice(after_place - groups.start * GROUP_ROWS, last - after_place)
    for row in page.to_pylist():
        yield _Line(**{**row, "recording": str(row["recording"])})


def wants_within(wants: Path, budget_bytes: int) -> tuple[int, int, float]:
    """Return how many of the first wants fit so many bytes, what they weigh, and the share that is held with them.

    Nothing fits: (0, 0, 0.0). Cost: some ten row groups of one column, whatever their number.
    """
    with pq.ParquetFile(wants) as parquet:

        def spent(group: int) -> npt.NDArray[np.int64]:
            found: npt.NDArray[np.int64] = parquet.read_row_group(group, ["cumulative_bytes"]).column(0).to_numpy()
            return found

        # The last group of which any want fits, and in it the last want that does.
        group = bisect_right(range(parquet.num_row_groups), budget_bytes, key=lambda each: int(spent(each)[0])) - 1
        if group < 0:
            return 0, 0, 0.0
        row = int(np.searchsorted(spent(group), budget_bytes, "right")) - 1
        table = parquet.read_row_group(group, ["place", "cumulative_bytes", "cumulative_share"]).slice(row, 1)
    (line,) = table.to_pylist()
    return line["place"], line["cumulative_bytes"], line["cumulative_share"]


EXPORTS: Mapping[str, str] = {
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
    ".csv": "FORMAT csv, HEADER",
    ".jsonl": "FORMAT json",
}
"""How a file's name says what it is to be, and how DuckDB writes it."""


def check_export(target: Path) -> None:
    """Raise UsageError for a file whose name does not say which of EXPORTS it is to be."""
    if target.suffix not in EXPORTS:
        raise UsageError(str(target), "not a kind of file that plans come in", f"End its name in {', '.join(EXPORTS)}.")


def export_wants(duck: duckdb.DuckDBPyConnection, wants: Path, recordings: Sequence[Path], target: Path) -> None:
    """Write all wants with their titles, in order, to a file of one of the kinds of EXPORTS. Cost: a join with all recordings."""
    duck.execute(
        f"""
        COPY (
            SELECT w.place, w.phase, w.recording, r.title, r.artist, r.release, r.licence_uri, r.source_uri, w.encoding,
                w.file_bytes, w.share, w.cumulative_bytes, w.cumulative_share, w.rank
            FROM read_parquet($wants) w JOIN read_parquet($files) r ON r.rank = w.rank ORDER BY w.place
        ) TO {quoted(target)} ({EXPORTS[target.suffix]})
        """,
        {"wants": str(wants), "files": [str(file) for file in recordings]},
    )
