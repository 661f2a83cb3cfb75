"""The older snapshot's rows in the order of the newer one, file by file, in two passes of bounded memory.

First every row is spread to the file of the newer snapshot that it belongs to, then each file's rows are put in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.deltas.pairing import Places
from fonoteca.catalogue.layout import GROUP_ROWS, schema_of
from fonoteca.model.errors import StoreError

READ_GROUPS = 32
"""Row groups in memory at a time: half a million rows, some 130 MB."""
_INTO = "into"
_REMEDY = "The delta is of another snapshot, or damaged: fetch it again."


@dataclass(frozen=True, slots=True)
class Aligner:
    """Old rows on their way. places: of each new row in the old table, -1 for none. starts: of each new file, and the end."""

    table: str
    places: Places
    starts: Places
    scratch: Path

    def _path(self, number: int) -> Path:
        return self.scratch / f"{self.table}-{number:05}.arrow"

    def spread(self, old: Sequence[Path], old_rows: int) -> None:
        """Write each old row that is kept to its file's pile. Raises: StoreError when places are not those of the old table."""
        kept = np.flatnonzero(self.places >= 0)
        if len(kept) and int(self.places.max()) >= old_rows:
            raise StoreError(
                self.table, f"row {int(self.places.max())} of {old_rows} is asked for", "The delta is of another snapshot."
            )
        into = np.full(old_rows, -1, np.int64)
        into[self.places[kept]] = kept
        del kept
        options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
        writers: dict[int, pa.RecordBatchStreamWriter] = {}
        first = 0
        with ExitStack() as open_now:
            for path in old:
                with pq.ParquetFile(path) as rows:
                    for start in range(0, rows.num_row_groups, READ_GROUPS):
                        groups = list(range(start, min(start + READ_GROUPS, rows.num_row_groups)))
                        part = rows.read_row_groups(groups).cast(schema_of(self.table))
                        there = into[first : first + part.num_rows]
                        first += part.num_rows
                        for number, pile in self._piles(part, there):
                            if number not in writers:
                                made = pa.ipc.new_stream(self._path(number), pile.schema, options=options)
                                writers[number] = open_now.enter_context(made)
                            writers[number].write_table(pile, max_chunksize=4 * GROUP_ROWS)

    def _piles(self, part: pa.Table, there: Places) -> list[tuple[int, pa.Table]]:
        """Return the rows of each new file, with the places where they go."""
        numbers = np.searchsorted(self.starts, there, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        order = order[there[order] >= 0]
        if not len(order):
            return []
        bounds = np.flatnonzero(np.diff(numbers[order])) + 1
        part = part.append_column(_INTO, pa.array(there))
        return [(int(numbers[rows[0]]), part.take(pa.array(rows))) for rows in np.split(order, bounds)]

    def aligned(self, number: int) -> pa.Table:
        """Return the old rows that are in a new file, in its order, and forget them. Cost: memory for the file's rows, twice."""
        path, schema = self._path(number), schema_of(self.table)
        expected = int((self.places[self.starts[number] : self.starts[number + 1]] >= 0).sum())
        if not path.exists():
            found = schema.empty_table()
        else:
            with pa.OSFile(str(path)) as source:
                found = pa.ipc.open_stream(source).read_all()
            path.unlink()
            found = found.take(pa.array(np.argsort(found[_INTO].to_numpy()))).drop_columns([_INTO]).combine_chunks()
        if found.num_rows != expected:
            raise StoreError(
                self.table, f"{expected} rows are kept, {found.num_rows} were found", "The delta is of another snapshot."
            )
        return found
