"""Listens and counts in Parquet: the dump for Spark (`N.parquet`), and popularity per recording.

Source: listenbrainz-server `listenbrainz/listenstore/dump_listenstore.py` (SPARK_LISTENS_SCHEMA: listened_at in milliseconds,
user_id, artist_name, recording_name, recording_mbid, ...) and `listenbrainz_spark/popularity/common.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fonoteca.catalogue.desk import LISTENING, Desk, RawTable
from fonoteca.catalogue.listening_files.ledger import Ledger
from fonoteca.catalogue.listening_files.pieces import Piece
from fonoteca.model.errors import SourceError, StoreError

MAGIC = b"PAR1"
LISTENS = ("listened_at", "user_id", "artist_name", "recording_name", "recording_mbid")
POPULARITY = ("recording_mbid", "total_listen_count", "total_user_count")
_TEXTS = ("artist_name", "recording_name", "recording_mbid")
_ROWS = 131_072
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_PLAYS = """
SELECT line, listener, CAST(NULL AS VARCHAR) AS moment, artist_name AS artist, recording_name AS title, recording_mbid AS mbid,
    CAST(NULL AS VARCHAR) AS mapped, wrong, seconds FROM page"""


class Columns:
    """A Parquet file. Everything that PyArrow finds wrong with it is a SourceError."""

    def __init__(self, stream: BinaryIO, subject: str) -> None:
        self._subject = subject
        with self._sound():
            self._file = pq.ParquetFile(stream)
            self.names = frozenset(self._file.schema_arrow.names)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as error:
            what = str(error).splitlines()[0][:200]
            raise SourceError(self._subject, f"not sound Parquet: {what}", "Nothing was imported; fetch the file again.") from error

    def batches(self, names: tuple[str, ...]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the number of the first row, from 1, and rows with those of the columns that are there."""
        first = 1
        with self._sound():
            found = self._file.iter_batches(_ROWS, columns=[name for name in names if name in self.names])
        while True:
            with self._sound():
                batch = next(found, None)
            if batch is None:
                return
            yield first, batch
            first += len(batch)

    def texts(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        """Return a column as text. Raises: SourceError for a column of another kind."""
        if name not in batch.schema.names:
            return pa.nulls(len(batch), pa.string())
        with self._sound():
            return batch.column(name).cast(pa.string())


def read_plays(columns: Columns, ledger: Ledger, label: str) -> None:
    """Enter the listens of a Parquet file of the Spark dump."""
    for first, batch in columns.batches(LISTENS):
        cells = {name: columns.texts(batch, name) for name in _TEXTS}
        wrong = _not_unicode(cells, len(batch))
        cells |= {
            "line": pa.array(np.arange(first, first + len(batch))),
            "listener": columns.texts(batch, "user_id"),
            "seconds": _seconds(batch.column("listened_at"), columns),
            "wrong": wrong,
        }
        ledger.take(pa.table(cells), _PLAYS, label)


def _seconds(times: pa.Array, columns: Columns) -> pa.Array:
    """Return Unix seconds as DOUBLE: timestamps by their unit, numbers as they are."""
    per_second = _PER_SECOND[times.type.unit] if pa.types.is_timestamp(times.type) else 1
    with columns._sound():
        numbers = times.cast(pa.int64()) if per_second > 1 or pa.types.is_timestamp(times.type) else times
        return pc.divide(numbers.cast(pa.float64(), safe=False), float(per_second))


def _not_unicode(cells: dict[str, Any], rows: int) -> pa.Array:
    """Return why rows are bad whose texts are no UTF-8, and empty those texts."""
    wrong: list[str | None] = [None] * rows
    for name, texts in list(cells.items()):
        try:
            texts.validate(full=True)
        except pa.ArrowInvalid:
            sound: list[str | None] = []
            for index, raw in enumerate(texts.cast(pa.binary()).to_pylist()):
                try:
                    sound.append(None if raw is None else raw.decode())
                except UnicodeDecodeError:
                    sound.append(None)
                    wrong[index] = "not UTF-8"
            cells[name] = pa.array(sound, pa.string())
    return pa.array(wrong, pa.string())


def read_counts(columns: Columns, desk: Desk, label: str) -> int:
    """Lay listens and listeners of each recording on the desk, and return how many recordings have no counts.

    The web interface answers null for recordings that it has no listens of. Rows that are no UTF-8 are set aside.
    """
    path = desk.scratch / f"popularity-{len(desk.tables):05}.parquet"
    schema = pa.schema([("line", pa.int64()), ("id", pa.string()), ("listens", pa.string()), ("listeners", pa.string())])
    unknown = 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for first, batch in columns.batches(POPULARITY):
            texts = [columns.texts(batch, name) for name in POPULARITY]
            wrong = _not_unicode(dict(zip(POPULARITY, texts, strict=True)), len(batch))
            lines = pa.array(np.arange(first, first + len(batch)))
            table = pa.Table.from_arrays([lines, *texts], schema=schema)
            for index in np.flatnonzero(np.asarray(pc.is_valid(wrong))).tolist():
                desk.reject(label, first + index, wrong[index].as_py(), "")
            sound = table.filter(pc.is_null(wrong))
            known = sound.filter(pc.is_valid(sound["listens"]))
            unknown += len(sound) - len(known)
            writer.write_table(known)
    desk.parquet(RawTable(LISTENING, path, {name: name for name in schema.names[1:]}, label, "line"))
    return unknown


@contextmanager
def columns_of(piece: Piece, desk: Desk) -> Iterator[Columns]:
    """Give the Parquet file that a piece is, by way of a nameless file in scratch, for Parquet is read from its end."""
    with tempfile.TemporaryFile(dir=desk.scratch) as spool:
        try:
            shutil.copyfileobj(piece.stream, spool, 1 << 20)
            spool.flush()
        except OSError as error:
            raise StoreError(piece.subject, f"cannot be unpacked: {error.strerror}", "Free some disk; nothing changed.") from error
        spool.seek(0)
        yield Columns(cast(BinaryIO, spool), piece.subject)
