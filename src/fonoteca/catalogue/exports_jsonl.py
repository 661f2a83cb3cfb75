"""The export in JSON lines, packed so that any one row can be read alone.

`<table>/00000.jsonl.zst`, ...: the rows of the snapshot's file of that number, one JSON object a line, in the Zstandard seekable
format: every frame but a file's last has FRAME_ROWS rows, so row k of a file is line k % FRAME_ROWS of frame k // FRAME_ROWS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import zstandard

from fonoteca.catalogue.citation import Citation
from fonoteca.catalogue.duck import DuckSettings, open_duck, quoted
from fonoteca.catalogue.layout import COLUMNS, TABLES, table_files
from fonoteca.formats.zstdseek import FOOTER_BYTES, SeekFrame, SeekTable, parse_seek_table, seek_table_bytes
from fonoteca.model.errors import SourceError
from fonoteca.ports import Staging

FRAME_ROWS = 1024
"""Some 0.5 MB of text in 60 kB: one frame unpacks in a millisecond, and larger ones pack little better."""
LEVEL = 6
CHECKSUM_BYTES = 4
TAIL_BYTES = 16 << 10
"""Holds the seek table of a full file, 1,024 frames of 12 bytes."""


def write_jsonl(snapshot: Path, _: Citation, folder: Path, staging: Staging, advance: Callable[[int], None]) -> None:
    """Write every table of a snapshot. Cost: about 8 s a million recordings on one core."""
    with open_duck(DuckSettings(), None) as duck:
        for table in TABLES:
            for path in table_files(snapshot, table):
                with staging.writer(folder / table / f"{path.stem}.jsonl.zst") as stream:
                    write_seekable(stream, _frames(duck, path, table, advance))


def write_seekable(stream: BinaryIO, frames: Iterator[bytes]) -> None:
    """Write frames of content in the Zstandard seekable format, with checksums."""
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    table = []
    for content in frames:
        packed = packer.compress(content)
        # A frame ends with the lower 32 bits of XXH64 of its content, little-endian (RFC 8878 section 3.1.1): just what the
        # seek table wants.
        table.append(SeekFrame(len(packed), len(content), int.from_bytes(packed[-CHECKSUM_BYTES:], "little")))
        stream.write(packed)
    stream.write(SeekTable(table).to_bytes())


def _frames(duck: duckdb.DuckDBPyConnection, path: Path, table: str, advance: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the lines of one file in frames. DuckDB makes the text, so no row passes through Python."""
    # A FLOAT is written as the shortest text that means it, not as the DOUBLE of the same value.
    short = ", ".join(f"{name}::VARCHAR::JSON AS {name}" for name, kind in COLUMNS[table].items() if kind == pa.float32())
    rows = f"SELECT *{f' REPLACE ({short})' if short else ''} FROM read_parquet({quoted(path)})"
    waiting = pa.array([], pa.string())
    for batch in duck.sql(f"SELECT to_json(r)::VARCHAR || chr(10) AS line FROM ({rows}) r").to_arrow_reader(16 * FRAME_ROWS):
        advance(batch.num_rows)
        waiting = pa.concat_arrays([waiting, batch.column(0).cast(pa.string())])
        whole = len(waiting) // FRAME_ROWS * FRAME_ROWS
        for start in range(0, whole, FRAME_ROWS):
            yield _text(waiting.slice(start, FRAME_ROWS))
        waiting = waiting.slice(whole)
    if len(waiting):
        yield _text(waiting)


def _text(lines: pa.StringArray) -> bytes:
    """Return lines that follow one another in a buffer as one text."""
    _, offsets, content = lines.buffers()
    bounds = memoryview(offsets).cast("i")
    return bytes(memoryview(content)[bounds[lines.offset] : bounds[lines.offset + len(lines)]])


class JsonShard:
    """A file that `write_jsonl` wrote, read frame by frame. Cost: its seek table, then a frame a block.

    Raises: FormatError when it has no seek table, SourceError when a frame is not what the table says.
    """

    block_rows = FRAME_ROWS

    def __init__(self, stream: BinaryIO, subject: str) -> None:
        self._stream = stream
        self._subject = subject
        file_bytes = stream.seek(0, os.SEEK_END)
        tail = self._from(max(0, file_bytes - TAIL_BYTES))
        length = seek_table_bytes(tail[-FOOTER_BYTES:], subject)
        if length > len(tail):
            tail = self._from(max(0, file_bytes - length))
        self._table = parse_seek_table(tail, file_bytes, subject)

    def _from(self, start: int) -> bytes:
        self._stream.seek(start)
        return self._stream.read()

    @property
    def block_count(self) -> int:
        """How many frames there are."""
        return len(self._table.frames)

    def block(self, index: int) -> list[dict[str, Any]]:
        """Return the rows of one frame, from 0. Raises: as the class says."""
        if not 0 <= index < self.block_count:
            raise SourceError(self._subject, f"has {self.block_count} frames, none numbered {index}", "Fetch the file again.")
        frame = self._table.frames[index]
        self._stream.seek(self._table.start(index))
        packed = self._stream.read(frame.packed_bytes)
        try:
            # A frame may state its own size, and that much would be made room for.
            if zstandard.frame_content_size(packed) not in (-1, frame.content_bytes):
                raise zstandard.ZstdError("it states another size than the table of frames")
            content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=frame.content_bytes)
            rows = [json.loads(line) for line in content.splitlines()]
        except (zstandard.ZstdError, ValueError) as error:
            raise SourceError(self._subject, f"frame {index} cannot be read: {error}", "Fetch the file again.") from error
        if len(content) != frame.content_bytes:
            found = f"frame {index}: expected {frame.content_bytes} bytes, found {len(content)}"
            raise SourceError(self._subject, found, "Fetch the file again.")
        return rows
