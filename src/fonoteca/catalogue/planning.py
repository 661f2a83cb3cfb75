"""What to hold next in so many bytes: a snapshot's columns in, a selection and its comparisons out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.ahead import in_order
from fonoteca.catalogue.encodings import Smallest, Wanted, open_encodings
from fonoteca.catalogue.knapsack import NONE, Bytes, Choices, Selection, Shares, blocks, select, value_of
from fonoteca.catalogue.writing import UNKNOWN_DURATION_MS
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.catalogue import Encoding, Kept, Permit
from fonoteca.model.errors import StoreError, UsageError

_COLUMNS = ["licence_uri", "offer_source", "held", "share", "file_bytes", "duration_ms"]
_NAMED = ["licence_uri", "offer_source"]

Permits = Callable[[str], Permit]


@dataclass(frozen=True, slots=True)
class Found:
    """What a snapshot holds already, and what rights leave out. permits: what they said of each licence, in order of its URI."""

    held_share: float
    left_out_count: int
    left_out_share: float
    permits: tuple[tuple[str, Permit], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The selection, and what it is held against. Each Kept counts what is held too."""

    selection: Selection
    kept: Kept
    bound: Kept
    by_popularity: Kept
    by_popularity_smallest: Kept


def gather(
    files: Sequence[Path], encodings: tuple[Encoding, ...], permits: Permits, advance: Callable[[int], None]
) -> tuple[Wanted, Found]:
    """Return the columns of all recordings that are neither held nor refused, and what is said of the others.

    files: the snapshot's recordings in order of rank. permits: asked once a licence, "" for none, in order of first appearance.
    advance: told of rows as they are read.
    Cost: one read of six columns; 25 B a recording.
    """
    asked: dict[str, Permit] = {}
    with parquet_errors(files), closing(in_order(_read, files)) as tables:
        total = sum(pq.read_metadata(file).num_rows for file in files)
        columns = _Columns.of(total)
        rank, held_share, left_out_count, left_out_share = 1, 0.0, 0, 0.0
        for table in tables:
            for licence in table.licences:
                if licence not in asked:
                    asked[licence] = permits(licence)
            mask = _mask_of(table, encodings, asked)
            held_share += float(table.share.sum(where=table.held))
            left_out = ~table.held & (mask == 0)
            left_out_count += int(np.count_nonzero(left_out))
            left_out_share += float(table.share.sum(where=left_out))
            columns.add(table, mask, rank, ~table.held & (mask != 0))
            rank += len(mask)
            advance(len(mask))
    found = Found(min(1.0, held_share), left_out_count, min(1.0, left_out_share), tuple(sorted(asked.items())))
    return columns.wanted(encodings), found


def choose(wanted: Wanted, held: float, budget_bytes: int) -> Outcome:
    """Return the selection of a budget with its bounds, and plain popularity order beside it. held: of all listening, held now.

    Where popularity order has more value, which the search at the break all but excludes, it is the selection. So a plan never
    keeps less of plain listening than popularity order does of the sources' own files: its value is at least theirs, and no
    encoding keeps more than a whole listen. Raises: UsageError when nothing that can be wanted fits.
    """
    smallest = Smallest(wanted)
    _check_fits(smallest, budget_bytes)
    best = select(wanted, budget_bytes)
    plain_bound = select(smallest, budget_bytes).bound
    as_offered, small = (_popularity_order(wanted, each, budget_bytes) for each in (None, smallest))
    for rival in (as_offered, small):
        if rival.value > best.value:
            best = Selection(rival.options, rival.total_bytes, rival.value, max(best.bound, rival.value), False)
    share = max(_plain(wanted, best.options), best.value)  # which may differ in the last bits where they are equal
    return Outcome(
        best,
        _kept(held, share, best.value),
        _kept(held, max(plain_bound, share), best.bound),
        _kept(held, as_offered.value, as_offered.value),
        _kept(held, _plain(wanted, small.options), small.value),
    )


def _kept(held: float, share: float, value: float) -> Kept:
    return Kept(min(1.0, held + share), min(1.0, held + value))


def _plain(wanted: Wanted, options: Choices) -> float:
    return sum(float(wanted.share[rows].sum(where=options[rows] != NONE)) for rows in blocks(wanted.group_count))


def _check_fits(smallest: Smallest, budget_bytes: int) -> None:
    least = min((int(smallest.at(rows)[0].min()) for rows in blocks(smallest.group_count)), default=0)
    if least > budget_bytes:
        raise UsageError(
            "plan",
            f"a budget of {show_bytes(budget_bytes)}, and the smallest recording takes {show_bytes(least)}",
            "Give a larger budget, or a smaller encoding.",
        )


@dataclass(frozen=True, slots=True)
class _Ordered:
    """What popularity order takes."""

    options: Choices
    total_bytes: int
    value: float


def _popularity_order(wanted: Wanted, smallest: Smallest | None, budget_bytes: int) -> _Ordered:
    """Return what is taken, most heard first, of whatever still fits. smallest: None to take the sources' own files."""
    options = np.full(wanted.group_count, NONE, np.int8)
    left = budget_bytes
    for rows in blocks(wanted.group_count):
        sizes = wanted.file_bytes[rows] if smallest is None else smallest.at(rows)[0][0]
        taken = _first_fit(sizes, left)
        left -= int(sizes[taken].sum())
        if smallest is None:
            options[rows][taken] = 0
        elif len(taken):
            own = wanted.at(rows)[0][:, taken] == sizes[taken]
            options[rows][taken] = len(own) - 1 - own[::-1].argmax(axis=0)
    total_bytes, value = value_of(wanted, options)
    return _Ordered(options, total_bytes, value)


def _first_fit(sizes: Bytes, left: int) -> npt.NDArray[np.intp]:
    """Return the indexes of what is taken in order, each that still fits in what is left then."""
    found = []
    open_to = np.flatnonzero(sizes <= left)
    while len(open_to):
        spent = np.cumsum(sizes[open_to])
        # Everything up to the first that does not fit; it is passed over, and the rest is tried again in what is left.
        count = int(np.searchsorted(spent, left, "right"))
        found.append(open_to[:count])
        left -= int(spent[count - 1])
        rest = open_to[count + 1 :]
        open_to = rest[sizes[rest] <= left]
    return np.concatenate(found) if found else np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True)
class _Read:
    """One file's columns. licence, source: index in licences, sources, of what is on offer."""

    licences: list[str]
    sources: list[str]
    licence: npt.NDArray[np.int32]
    source: npt.NDArray[np.int32]
    held: npt.NDArray[np.bool_]
    share: Shares
    file_bytes: Bytes
    duration_ms: npt.NDArray[np.int32]


def _read(file: Path) -> _Read:
    with pq.ParquetFile(file, read_dictionary=_NAMED) as parquet:
        table = parquet.read(_COLUMNS, use_threads=False).unify_dictionaries().combine_chunks()
    named = [table.column(name).chunk(0) if table.num_rows else pa.array([], pa.string()).dictionary_encode() for name in _NAMED]
    licences, sources = (column.dictionary.to_pylist() for column in named)
    licence, source = (column.indices.to_numpy(zero_copy_only=False) for column in named)
    held, share, file_bytes, duration_ms = (table.column(name).to_numpy() for name in _COLUMNS[2:])
    return _Read(licences, sources, licence, source, held, share, file_bytes, duration_ms)


def _mask_of(table: _Read, encodings: tuple[Encoding, ...], asked: dict[str, Permit]) -> npt.NDArray[np.uint8]:
    """Return the open encodings of each row."""
    masks = [[open_encodings(encodings, asked[licence], source) for source in table.sources] for licence in table.licences]
    by_pair = np.array(masks, np.uint8).reshape(len(table.licences), len(table.sources))
    found: npt.NDArray[np.uint8] = by_pair[table.licence, table.source]
    return found


@dataclass(slots=True)
class _Columns:
    """The columns of Wanted while they are filled, made once at their largest: memory that is never touched costs nothing."""

    columns: tuple[npt.NDArray[Any], ...]
    count: int = 0

    @classmethod
    def of(cls, rows_max: int) -> _Columns:
        """Return empty columns with room for so many rows."""
        kinds = (np.uint32, np.float64, np.int64, np.int32, np.uint8)
        return cls(tuple(np.empty(rows_max, kind) for kind in kinds))

    def add(self, table: _Read, mask: npt.NDArray[np.uint8], rank: int, chosen: npt.NDArray[np.bool_]) -> None:
        """Add the chosen rows of a table whose first row has this rank."""
        rows = np.flatnonzero(chosen)
        known = np.where(table.duration_ms == 0, UNKNOWN_DURATION_MS, table.duration_ms)
        fresh = (rows + rank, table.share[rows], table.file_bytes[rows], known[rows], mask[rows])
        for column, values in zip(self.columns, fresh, strict=True):
            column[self.count : self.count + len(rows)] = values
        self.count += len(rows)

    def wanted(self, encodings: tuple[Encoding, ...]) -> Wanted:
        """Return what was added."""
        rank, share, file_bytes, duration_ms, mask = (column[: self.count] for column in self.columns)
        return Wanted(rank, share, file_bytes, duration_ms, mask, encodings)


@contextmanager
def parquet_errors(files: Sequence[Path]) -> Iterator[None]:
    """Turn pyarrow's errors about a snapshot's files into a StoreError."""
    try:
        yield
    except (pa.ArrowException, OSError, KeyError) as error:
        subject = str(files[0].parent) if files else "catalogue"
        raise StoreError(subject, f"cannot be read: {str(error).splitlines()[0]}", "Build the catalogue again.") from error
