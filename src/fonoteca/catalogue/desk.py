"""The desk that a kind of import works at: files come off it as counted streams, raw rows are laid on it.

A kind says what its source's format says; whether a row is sound is for `checks`, one table of rules for all kinds.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from fonoteca.catalogue.rows import BadRow, shown
from fonoteca.catalogue.unpacking import Ahead, Bz2Blocks
from fonoteca.model.errors import SourceError, UsageError
from fonoteca.ports import Progress

RECORDINGS = "recordings"
LISTENING = "listening"
REDIRECTS = "redirects"
HELD = "held"

RAW_BATCH_ROWS = 65_536
INFLATED_RATIO_MAX = 1000
"""gzip cannot reach 1,032 to 1, and no real dump comes near 100: what inflates beyond this is a bomb."""
INFLATED_FREE_BYTES = 64 << 20
"""A small file may inflate this far whatever its ratio."""
HEAD_BYTES = 1 << 16
"""What a kind may look at to tell which of its files it was given."""
LINE_BYTES_MAX = 64 << 20
"""The longest lines known, whole entities as JSON, stay below a tenth of this."""

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Heading:
    """What a kind says of the files it read. name: of the source; importing under the same name replaces its rows.

    date: of the data, "" when the files do not say. key_source: whose keys a listening table speaks of, "" for its own.
    """

    name: str
    date: str
    licence: str
    attribution: str
    synthetic: bool = False
    key_source: str = ""


@dataclass(frozen=True, slots=True)
class RawTable:
    """Rows as a source has them, in Parquet. columns: field to column. line_column: "" to count rows from 1.

    file: what the rows were read from, for people.
    """

    rows: str
    path: Path
    columns: Mapping[str, str]
    file: str
    line_column: str = ""


class RawRows:
    """Rows of one file on their way to Parquet: every value as text, judged later."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, reject: Callable[[BadRow], None], file: str) -> None:
        self._writer = writer
        self._schema = schema
        self._reject = reject
        self._file = file
        self._rows: list[tuple[Any, ...]] = []

    def put(self, line: int, values: Sequence[Cell]) -> None:
        """Lay down one row. line: where it begins, from 1. values: in order of the fields."""
        if len(values) != len(self._schema) - 1:
            reason = f"expected {len(self._schema) - 1} columns, found {len(values)}"
            self._reject(BadRow(line, reason, shown(repr(values)), self._file))
            return
        self._rows.append((line, *values))
        if len(self._rows) >= RAW_BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was laid down so far. Rows with text that is no Unicode are set aside."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            batch = _batch(rows, self._schema)
        except UnicodeEncodeError:
            for row in rows:
                if not all(_is_unicode(value) for value in row):
                    self._reject(BadRow(row[0], "not UTF-8", shown(repr(row[1:])), self._file))
            batch = _batch([row for row in rows if all(_is_unicode(value) for value in row)], self._schema)
        self._writer.write_batch(batch)


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as a batch: the line as it is, every value as text."""
    lines, *columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    texts = ([v if v is None or v.__class__ is str else str(v) for v in column] for column in columns)
    return pa.RecordBatch.from_arrays([pa.array(lines, pa.int64()), *(pa.array(t, pa.string()) for t in texts)], schema=schema)


def _is_unicode(value: Any) -> bool:
    return not isinstance(value, str) or value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


@dataclass(slots=True)
class Desk:
    """Where a kind lays what it reads. scratch: a folder below staging, gone after the import.

    today: the date of the import, beyond which nothing can have been heard; "" when it is not known.
    """

    scratch: Path
    progress: Progress
    on_reject: Callable[[BadRow], None]
    tables: list[RawTable] = field(default_factory=list)
    facts: dict[str, str | int] = field(default_factory=dict)
    today: str = ""

    @contextmanager
    def table(self, rows: str, fields: Sequence[str], file: str) -> Iterator[RawRows]:
        """Give a place for rows of one kind with these fields, read from this file; kept when the context ends well."""
        path = self.scratch / f"raw-{len(self.tables):05}.parquet"
        schema = pa.schema([("line", pa.int64()), *((name, pa.string()) for name in fields)])
        table = RawTable(rows, path, {name: name for name in fields}, file, "line")
        self.tables.append(table)
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
            raw = RawRows(writer, schema, self.on_reject, file)
            yield raw
            raw.flush()

    def parquet(self, table: RawTable) -> None:
        """Lay down a whole Parquet file as it is, without a copy."""
        self.tables.append(table)

    def reject(self, file: str, line: int, reason: str, row: str) -> None:
        """Set a row aside that cannot even be split into fields."""
        self.on_reject(BadRow(line, reason, shown(row), file))

    def note(self, fact: str, value: str | int) -> None:
        """Keep a fact about the source beside its rows, such as a dump's schema sequence."""
        self.facts[fact] = value

    @contextmanager
    def reading(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file that a person named; progress goes by its bytes. Raises: UsageError when it cannot be opened."""
        try:
            stream = path.open("rb")
        except OSError as error:
            raise UsageError(str(path), f"cannot be read: {error.strerror}", "Name a file that is there.") from error
        with stream, self.progress.task(f"reading {path.name}", path.stat().st_size, "B") as advance:
            yield cast(BinaryIO, io.BufferedReader(_Counted(stream, advance), 1 << 20))

    @contextmanager
    def unpacked(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file that a person named, unpacked if its first bytes say so. Raises: as `reading` and `inflated`."""
        with self.reading(path) as stream:
            packing = _packing(stream)
            content = self.inflated(stream, packing, str(path))
            if not packing:
                yield content
                return
            with Ahead(content) as ahead:
                yield cast(BinaryIO, io.BufferedReader(ahead, 1 << 20))

    def head(self, path: Path) -> bytes:
        """Return the first HEAD_BYTES of a file, unpacked, and leave progress alone. Raises: as `unpacked`."""
        with Desk(self.scratch, _NoProgress(), self.on_reject).unpacked(path) as stream:
            return stream.read(HEAD_BYTES)

    def inflated(self, stream: BinaryIO, packing: str, subject: str) -> BinaryIO:
        """Return the stream unpacked. packing: gz, bz2, xz, zst, or "" for none. A bomb ends in a SourceError as it is read."""
        counted = _Counted(stream, None)
        packed = cast(BinaryIO, io.BufferedReader(counted, 1 << 20))
        if not packing:
            return packed
        return cast(BinaryIO, io.BufferedReader(_Inflated(_UNPACKERS[packing](packed), counted, subject), 1 << 20))


_UNPACKERS: Mapping[str, Callable[[BinaryIO], Any]] = {
    "gz": lambda packed: gzip.GzipFile(fileobj=packed),
    "bz2": Bz2Blocks,
    "xz": lzma.LZMAFile,
    "zst": lambda packed: _ZstdFrames(packed),
}
_MAGIC: Mapping[bytes, str] = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zst"}


def _packing(stream: BinaryIO) -> str:
    first = cast(io.BufferedReader, stream).peek(8)
    return next((packing for magic, packing in _MAGIC.items() if first.startswith(magic)), "")


def files_of(paths: Sequence[Path], *patterns: str) -> list[Path]:
    """Return the files, and for each folder those below it whose name fits a pattern, in order of path.

    Raises: UsageError for a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        within = (
            sorted(f for f in path.rglob("*") if f.is_file() and any(fnmatch(f.name, p) for p in patterns))
            if path.is_dir()
            else [path]
        )
        if not within:
            raise UsageError(
                str(path), f"a folder without a file named {' or '.join(patterns)}", "Name the files, or their folder."
            )
        found += within
    return found


def numbered_lines(stream: BinaryIO, subject: str) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, from 1, as it is, with its end. Raises: SourceError for one above LINE_BYTES_MAX."""
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise SourceError(f"{subject}:{number}", f"a line of more than {LINE_BYTES_MAX} bytes", "Nothing was imported.")
        yield number, line


class _NoProgress:
    """For a look at a file that is read again."""

    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
        yield lambda units: None

    def note(self, text: str) -> None:
        """Say nothing."""


class _ZstdFrames:
    """Zstandard frames one after the other, unpacked. Unlike `ZstdDecompressor.stream_reader`, one that is cut off is an error."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._frame: Any = None
        self._rest = b""
        self._ready = memoryview(b"")

    def read(self, byte_count: int) -> bytes:
        """Return up to so many bytes, none at the end. Raises: EOFError when the last frame is cut off; ZstdError."""
        while not self._ready:
            # A block of 4 bytes can stand for 128 KiB: what is fed at once bounds what comes out, here to 128 MiB.
            chunk = self._rest or self._packed.read(4096)
            if not chunk and self._frame:
                raise EOFError("the last frame ends early")
            if not chunk:
                return b""
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(chunk))
            self._rest = self._frame.unused_data
            if self._frame.eof:
                self._frame = None
        found, self._ready = self._ready[:byte_count], self._ready[byte_count:]
        return bytes(found)


class _Counted(io.RawIOBase):
    """A stream that counts what is read of it."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int], None] | None) -> None:
        self._stream = stream
        self._advance = advance
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        self.bytes_read += len(found)
        if self._advance:
            self._advance(len(found))
        return len(found)


class _Inflated(io.RawIOBase):
    """What a packed stream unpacks to, until it is a bomb or broken."""

    def __init__(self, opened: BinaryIO, packed: _Counted, subject: str) -> None:
        self._opened = opened
        self._packed = packed
        self._subject = subject
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            found = self._opened.read(len(buffer))
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            problem = f"cannot be unpacked: {error}"
            raise SourceError(self._place(), problem, "Nothing was imported; fetch the file again.") from error
        self._bytes += len(found)
        if self._bytes > max(INFLATED_FREE_BYTES, INFLATED_RATIO_MAX * self._packed.bytes_read):
            problem = f"unpacks to more than {INFLATED_RATIO_MAX} times its size"
            raise SourceError(self._place(), problem, "Nothing was imported; this is no dump.")
        buffer[: len(found)] = found
        return len(found)

    def _place(self) -> str:
        return f"{self._subject}: byte {self._packed.bytes_read} packed, {self._bytes} unpacked"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of import. name: on the command line. about: what its files are, for --help.

    read: lays the rows of these files on the desk. Raises: UsageError for files of another kind, SourceError for broken ones.
    """

    name: str
    about: str
    read: Callable[[Sequence[Path], Desk], Heading]
