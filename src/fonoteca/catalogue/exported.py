"""Reading an export a row or a page at a time, from a folder or from far away: only the blocks that hold the rows are fetched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote
from uuid import UUID

from fonoteca.catalogue.exports import EXPORT_FILE, JSONL, PARQUET, SQLITE, Export, parse_export
from fonoteca.catalogue.exports_jsonl import JsonShard
from fonoteca.catalogue.exports_parquet import ParquetShard
from fonoteca.catalogue.exports_sqlite import SQLITE_FILE
from fonoteca.catalogue.layout import COLUMNS, IDS_FILE, MERGED, RECORDINGS, SHARD_ROWS
from fonoteca.catalogue.lookup import IdsIndex
from fonoteca.model.errors import SourceError, UsageError

ROWS_MAX = 10_000
"""The most rows in one answer."""
EXPORT_JSON_BYTES_MAX = 16 << 20
"""A hundred thousand files."""

Row = dict[str, Any]


class Shard(Protocol):
    """A file of a table, in blocks of block_rows rows, the last one smaller."""

    @property
    def block_rows(self) -> int:
        """How many rows a block has."""

    @property
    def block_count(self) -> int:
        """How many blocks there are."""

    def block(self, index: int) -> list[Row]:
        """Return the rows of a block, from 0."""


_SHARDS: Mapping[str, tuple[str, Callable[[BinaryIO, str], Shard]]] = {
    PARQUET: ("parquet", ParquetShard),
    JSONL: ("jsonl.zst", JsonShard),
}
"""Format to the ending of its files and what reads them."""


@dataclass(slots=True)
class ExportReader:
    """An export that is read where it is. open_file: a file below it as a seekable stream, by path; reads of it may be requests.

    Raises from any question: SourceError when files cannot be had or are not an export's; UsageError for wrong questions.
    """

    export: Export
    open_file: Callable[[str], BinaryIO]
    _opened: dict[str, tuple[BinaryIO, Shard]] = field(default_factory=dict)

    @classmethod
    def at(cls, open_file: Callable[[str], BinaryIO]) -> ExportReader:
        """Return the reader of the export that these files are."""
        with closing(open_file(EXPORT_FILE)) as stream:
            return cls(parse_export(stream.read(EXPORT_JSON_BYTES_MAX), EXPORT_FILE), open_file)

    def close(self) -> None:
        """Close the files that are open."""
        for stream, _ in self._opened.values():
            stream.close()
        self._opened.clear()

    def rows(self, first_rank: int, count: int) -> list[Row]:
        """Return recordings from a rank on, 1 the most heard, fewer at the end."""
        if first_rank < 1 or not 1 <= count <= ROWS_MAX:
            raise UsageError("export", f"{count} rows from {first_rank}", f"Ask for 1 to {ROWS_MAX} rows from 1 on.")
        if self.export.form == SQLITE:
            return self._ask_sqlite("rank BETWEEN ? AND ? ORDER BY rank", (first_rank, first_rank + count - 1))
        found: list[Row] = []
        last = min(first_rank + count - 1, self.export.recording_count)
        while (rank := first_rank + len(found)) <= last:
            shard = self._shard(RECORDINGS, rank)
            row = (rank - 1) % SHARD_ROWS
            block = shard.block(row // shard.block_rows)
            part = block[row % shard.block_rows :][: last - rank + 1]
            if not part or part[0]["rank"] != rank:
                raise SourceError(self.export.id, f"has no recording of rank {rank} where it should be", "Fetch it again.")
            found += part
        return found

    def row_of(self, row_id: str) -> Row | None:
        """Return the recording that has this id or into which the row of this id was merged; None when there is none."""
        try:
            wanted = UUID(row_id)
        except ValueError:
            raise UsageError(row_id, "not a UUID", "Give one as in 8f3471b5-7e6a-48da-86a9-c1c07a0f47ae.") from None
        if self.export.form == SQLITE:
            query = "id = ?1 OR rank = (SELECT rank FROM merged WHERE id = ?1)"
            return next(iter(self._ask_sqlite(query, (str(wanted),))), None)
        if all(file.path != IDS_FILE for file in self.export.files):
            raise UsageError(self.export.id, f"has no {IDS_FILE}", "Ask by rank, or export the catalogue again.")
        with closing(self.open_file(IDS_FILE)) as stream:

            def read(start: int, length: int) -> bytes:
                stream.seek(start)
                return stream.read(length)

            try:
                ranks = IdsIndex(read).ranks(wanted)
            except ValueError as error:
                raise SourceError(IDS_FILE, str(error), "Fetch the export again.") from error
        for rank in ranks:
            row = next(iter(self.rows(rank, 1)), None)
            if row is None:
                raise SourceError(IDS_FILE, f"names rank {rank} of {self.export.recording_count}", "Fetch the export again.")
            if row["id"] == str(wanted) or self._is_merged(rank, str(wanted)):
                return row
        return None

    def _is_merged(self, rank: int, row_id: str) -> bool:
        """Whether a row of this id became part of the recording of this rank: its block is found by halving."""
        shard = self._shard(MERGED, rank)
        low, high = 0, shard.block_count
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if shard.block(middle)[0]["rank"] < rank else (low, middle)
        for index in range(low, shard.block_count):
            block = shard.block(index)
            if any(row["rank"] == rank and row["id"] == row_id for row in block):
                return True
            if block[-1]["rank"] > rank:
                break
        return False

    def _shard(self, table: str, rank: int) -> Shard:
        ending, read = _SHARDS[self.export.form]
        path = f"{table}/{(rank - 1) // SHARD_ROWS:05}.{ending}"
        if path not in self._opened:
            stream = self.open_file(path)
            self._opened[path] = (stream, read(stream, path))
        return self._opened[path][1]

    def _ask_sqlite(self, condition: str, values: tuple[object, ...]) -> list[Row]:
        """Return the recordings that meet a condition. SQLite has no ranges: the file must be here."""
        with closing(self.open_file(SQLITE_FILE)) as stream:
            path = getattr(stream, "name", None)
        if not isinstance(path, str | Path):
            raise UsageError(self.export.id, "SQLite cannot be read from far away", "Fetch catalogue.sqlite, or use the Parquet.")
        columns = ", ".join(COLUMNS[RECORDINGS])
        try:
            with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as opened:
                opened.row_factory = sqlite3.Row
                found = opened.execute(f"SELECT {columns} FROM recordings WHERE {condition}", values).fetchall()
        except sqlite3.Error as error:
            raise SourceError(str(path), f"cannot be read: {error}", "Export the catalogue again.") from error
        truths = {name for name, kind in COLUMNS[RECORDINGS].items() if str(kind) == "bool"}
        return [{name: bool(row[name]) if name in truths else row[name] for name in row.keys()} for row in found]  # noqa: SIM118
