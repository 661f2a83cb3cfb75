"""Columns of figures on their way to and from Parquet, a file's rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.deltas.nouns import ORDER_FILE
from fonoteca.catalogue.deltas.pairing import Places
from fonoteca.model.errors import StoreError

LEVEL = 9
"""Deltas are written once and fetched by many."""
BATCH_ROWS = 1 << 18
ROW, VALUE, RESIDUAL, STEP = "row", "value", "residual", "step"


class Piles:
    """Files of a delta's table that grow as the newer snapshot is gone through. Close it, or use it as a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Piles:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def put(self, name: str, rows: pa.Table) -> None:
        """Append rows to a file. Numbers of rows and residuals are laid out so that zstd finds their planes."""
        if name not in self._writers:
            self._folder.mkdir(parents=True, exist_ok=True)
            split = [column for column in (RESIDUAL, STEP) if column in rows.schema.names]
            encodings = {**dict.fromkeys(split, "BYTE_STREAM_SPLIT")}
            if ROW in rows.schema.names:
                encodings[ROW] = "DELTA_BINARY_PACKED"
            self._writers[name] = pq.ParquetWriter(
                self._folder / name,
                rows.schema,
                compression="zstd",
                compression_level=LEVEL,
                use_dictionary=[column for column in rows.schema.names if column not in encodings],
                column_encoding=encodings,
                store_schema=False,
            )
        self._writers[name].write_table(rows, row_group_size=BATCH_ROWS)


class Sequence:
    """The rows of a file in order, so many at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._rest: pa.Table | None = None
        self._file: pq.ParquetFile | None = None

    def row_count(self) -> int:
        """Return how many rows the file says that it has."""
        return int(pq.read_metadata(self._path).num_rows)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def take(self, count: int) -> pa.Table:
        """Return the next rows. Raises: StoreError when there are fewer."""
        if self._batches is None:
            self._file = pq.ParquetFile(self._path)
            self._batches = self._file.iter_batches(BATCH_ROWS)
        parts = [self._rest] if self._rest is not None else []
        found = sum(part.num_rows for part in parts)
        while found < count or not parts:
            batch = next(self._batches, None)
            if batch is None:
                break
            parts.append(pa.Table.from_batches([batch]))
            found += batch.num_rows
        if found < count or not parts:
            raise StoreError(str(self._path), f"ends after {found} of {count} rows", "Fetch the delta again.")
        rows = pa.concat_tables(parts)
        self._rest = rows.slice(count)
        return rows.slice(0, count).combine_chunks()


def write_order(piles: Piles, places: Places) -> None:
    """Write where each row was: how far from the row after the last kept one, which is where most are; NULL for added ones."""
    after = np.int64(0)
    for start in range(0, len(places), BATCH_ROWS):
        part = places[start : start + BATCH_ROWS]
        kept = part >= 0
        steps = np.zeros(len(part), np.int64)
        steps[kept] = np.diff(part[kept], prepend=after - 1) - 1
        zigzag = (steps << 1) ^ (steps >> 63)
        piles.put(ORDER_FILE, pa.table({STEP: pa.array(zigzag, mask=~kept)}))
        if kept.any():
            after = part[kept][-1] + 1


def read_order(path: Path, count: int) -> Places:
    """Return where each row was, -1 for added ones. Raises: StoreError when it is of another length, or before the first row."""
    with closing(Sequence(path)) as rows:
        if (there := rows.row_count()) != count:  # before room is made for as many as the delta says
            raise StoreError(str(path), f"has {there} rows, expected {count}", "Fetch the delta again.")
        places, after = np.full(count, -1, np.int64), np.int64(0)
        for start in range(0, count, BATCH_ROWS):
            column = _steps(rows.take(min(BATCH_ROWS, count - start)), path)
            kept = np.asarray(column.is_valid())
            zigzag = column.drop_null().to_numpy()
            found = np.cumsum(((zigzag >> 1) ^ -(zigzag & 1)) + 1) + after - 1
            places[start : start + len(kept)][kept] = found
            if len(found):
                after = found[-1] + 1
                if found.min() < 0:
                    raise StoreError(str(path), "speaks of rows before the first", "Fetch the delta again.")
        return places


def _steps(rows: pa.Table, path: Path) -> pa.Array:
    if STEP not in rows.schema.names or rows.schema.field(STEP).type != pa.int64():
        raise StoreError(str(path), f"expected a column {STEP!r} of whole numbers", "Fetch the delta again.")
    return rows[STEP].combine_chunks()


def residual_rows(residuals: npt.NDArray[np.uint64]) -> pa.Table:
    """Return residuals as rows."""
    return pa.table({RESIDUAL: pa.array(residuals.view(np.int64))})
