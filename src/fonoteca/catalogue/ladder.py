"""How far down the ranks a budget of bytes reaches: sums at every step of so many ranks, and one step read for the exact place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fonoteca.catalogue.layout import GROUP_ROWS
from fonoteca.model.catalogue import Head
from fonoteca.model.errors import StoreError

STEP_ROWS = GROUP_ROWS
"""A step is a row group: the exact place costs its read, and 256 million recordings have 15,626 steps of 48 B."""

_COLUMNS = ["share", "file_bytes", "held"]
_AGAIN = "Build the catalogue again."

Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Share, file_bytes and held of some recordings, in order of rank."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Heads of a snapshot, each at the end of a step, the first at no recording. Steps end where files do, too.

    sums: shape (steps + 1, 6): count, bytes, share, held count, held bytes, held share. places: (file, row in it) of each step.
    """

    sums: NDArray[np.float64]
    places: tuple[tuple[int, int], ...]

    def at(self, step: int) -> Head:
        """Return the head that ends where this step begins."""
        return _head(self.sums[step])

    @property
    def whole(self) -> Head:
        """All recordings. Their shares add up to 1 but for the last bits of floating point."""
        return replace(self.at(len(self.sums) - 1), share=1.0)

    def within(self, files: Sequence[Path | str], budget_bytes: int) -> Head:
        """Return the most heard recordings that fit so many bytes, up to the first that does not.

        Cost: a read of one step. Raises: StoreError for files that cannot be read.
        """
        step = int(np.searchsorted(self.sums[:, 1], budget_bytes, "right")) - 1
        if step >= len(self.places):
            return self.whole
        file, row = self.places[step]
        share, file_bytes, held = read_rows(files[file], row, STEP_ROWS)
        before = self.sums[step]
        count = int(np.searchsorted(before[1] + np.cumsum(file_bytes), budget_bytes, "right"))
        return _head(before + _sum_of((share[:count], file_bytes[:count], held[:count])))


class LadderMaking:
    """A ladder while its files go by, in order."""

    def __init__(self) -> None:
        self._steps: list[NDArray[np.float64]] = []
        self._places: list[tuple[int, int]] = []
        self._files = 0

    def add(self, columns: Columns) -> None:
        """Add the next file's recordings."""
        share, file_bytes, held = columns
        starts = range(0, len(share), STEP_ROWS)
        for start in starts:
            step = slice(start, start + STEP_ROWS)
            self._steps.append(_sum_of((share[step], file_bytes[step], held[step])))
        self._places += [(self._files, start) for start in starts]
        self._files += 1

    def made(self) -> Ladder:
        """Return the ladder of all that was added."""
        return Ladder(np.cumsum([np.zeros(6), *self._steps], axis=0), tuple(self._places))


def read_rows(file: Path | str, first: int = 0, count: int | None = None) -> Columns:
    """Return share, file_bytes and held of some rows of a file of recordings, all of them without a count. Raises: StoreError."""
    try:
        with pq.ParquetFile(file) as parquet:
            if count is None:
                table = parquet.read(_COLUMNS)
            else:
                groups, before = _groups_of(parquet, first, count)
                table = parquet.read_row_groups(groups, _COLUMNS).slice(first - before, count)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(str(file), f"cannot be read: {str(error).splitlines()[0]}", _AGAIN) from error
    share, file_bytes, held = (table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in _COLUMNS)
    return share, file_bytes, held


def _groups_of(parquet: pq.ParquetFile, first: int, count: int) -> tuple[list[int], int]:
    """Return the row groups that have these rows, and how many rows come before them."""
    sizes = [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]
    begins = np.cumsum([0, *sizes])
    groups = [number for number in range(len(sizes)) if begins[number] < first + count and begins[number + 1] > first]
    return groups, int(begins[groups[0]]) if groups else first


def _sum_of(columns: Columns) -> NDArray[np.float64]:
    share, file_bytes, held = columns
    held_sums = (np.count_nonzero(held), file_bytes[held].sum(), share[held].sum())
    return np.array([len(share), file_bytes.sum(), share.sum(), *held_sums], np.float64)


def _head(sums: NDArray[np.float64]) -> Head:
    count, file_bytes, share, held_count, held_bytes, held_share = sums.tolist()
    return Head(int(count), int(file_bytes), min(1.0, share), int(held_count), int(held_bytes), min(1.0, held_share))
