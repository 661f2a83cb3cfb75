"""Opening a .deb: its control fields and its files in one pass, within limits that no music package comes near.

python-debian finds the parts; the tar streams are read here, since its own reader takes whole parts into memory, runs an
outside program for zstd, and follows what the headers claim.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

import zstandard
from debian.arfile import ArError
from debian.deb822 import Deb822
from debian.debfile import DebFile

from fonoteca.model.errors import SourceError, UsageError

CONTROL_BYTES_MAX = 1 << 20
READ_BYTES_MAX = 64 << 20
"""One read. A pax header may claim gigabytes, which tarfile would read at once."""
MEMBERS_MAX = 300_000
UNPACKED_BYTES_MAX = 32 << 30
UNPACKED_SLACK_BYTES = 64 << 20
UNPACKED_RATIO_MAX = 200
"""Data and text pack 10:1, music hardly at all; a stream of zeros packs 7,000:1."""
XZ_MEMORY_BYTES_MAX = 256 << 20
"""`xz -9` needs 65 MiB; the format allows a claim of 4 GiB."""
ZSTD_WINDOW_BYTES_MAX = 128 << 20
_AR_PARTS_MAX = 16
_CHUNK_BYTES = 1 << 18
_REMEDY = "Fetch the package again; if it is the same, tell who made it"

BROKEN = (
    *(ArError, tarfile.TarError, lzma.LZMAError, zlib.error, zstandard.ZstdError, EOFError, OSError),
    *(ValueError, KeyError, IndexError, OverflowError, RecursionError, TypeError, StopIteration),
)
"""What the libraries raise on damaged packages. Each place that calls them turns these into a SourceError."""


@dataclass(frozen=True, slots=True)
class Control:
    """The fields of a package that are used here. summary: the first line of its description."""

    package: str
    version: str
    homepage: str
    summary: str


class MemberStream:
    """The bytes of one member, to be read before the next member. What tarfile raises here becomes a SourceError."""

    def __init__(self, stream: io.BufferedReader, subject: str) -> None:
        self._stream = stream
        self._subject = subject

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer only at the end; all for -1. Raises: SourceError."""
        try:
            return self._stream.read(size)
        except BROKEN as error:
            raise _broken(self._subject, error) from error

    def peek(self, size: int) -> bytes:
        """Return the first bytes of what is left, and leave them there. Raises: SourceError."""
        try:
            return self._stream.peek(size)[:size]
        except BROKEN as error:
            raise _broken(self._subject, error) from error


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member of data.tar. name: as received. content: None if it is not a regular file."""

    name: bytes
    link_target: bytes
    is_folder: bool
    file_bytes: int
    content: MemberStream | None


class Deb:
    """An open .deb. Use `control` first, then `members`, each once."""

    def __init__(self, stream: BinaryIO, subject: str) -> None:
        """Find the parts. Raises: SourceError."""
        self._subject = subject
        self._deb_bytes = os.fstat(stream.fileno()).st_size
        _check_ar(stream, self._deb_bytes, subject)
        try:
            stream.seek(0)
            self._parts = DebFile(fileobj=stream)
            names = self._parts.getnames()
            self._control_name = next(n for n in names if n.startswith("control.tar"))
            self._data_name = next(n for n in names if n.startswith("data.tar"))
        except BROKEN as error:
            raise _broken(subject, error) from error

    def control(self) -> Control:
        """Return the control fields. Raises: SourceError."""
        try:
            for member in _tar_members(_Forward(self._chunks(self._control_name), CONTROL_BYTES_MAX * 8), self._subject):
                if member.name in (b"./control", b"control") and member.content is not None:
                    # As text: of bytes that are not UTF-8 python-debian would make what other packages installed here make of them.
                    fields = Deb822(member.content.read(CONTROL_BYTES_MAX).decode("utf-8", "replace"))
                    return Control(
                        package=str(fields.get("Package", "")),
                        version=str(fields.get("Version", "")),
                        homepage=str(fields.get("Homepage", "")),
                        summary=str(fields.get("Description", "")).partition("\n")[0].strip(),
                    )
        except BROKEN as error:
            raise _broken(self._subject, error) from error
        raise SourceError(self._subject, "has no control file: expected ./control in its control.tar", _REMEDY)

    def members(self) -> Iterator[TarMember]:
        """Yield the members of data.tar in one pass. Raises: SourceError on damage and on limits, also from their streams."""
        bytes_max = min(UNPACKED_BYTES_MAX, UNPACKED_SLACK_BYTES + UNPACKED_RATIO_MAX * self._deb_bytes)
        try:
            yield from _tar_members(_Forward(self._chunks(self._data_name), bytes_max), self._subject)
        except BROKEN as error:
            raise _broken(self._subject, error) from error

    def _chunks(self, name: str) -> Iterator[bytes]:
        """Return a part's unpacked bytes, piece by piece."""
        member = cast(BinaryIO, self._parts.getmember(name))
        extension = name.partition(".tar")[2]
        if extension in (".xz", ".lzma"):
            return _unpacked(member, lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY_BYTES_MAX))
        if extension == ".bz2":
            return _unpacked(member, bz2.BZ2Decompressor)
        if extension == ".gz":
            zipped = gzip.GzipFile(fileobj=member)
            return iter(lambda: zipped.read(_CHUNK_BYTES), b"")
        if extension == ".zst":
            zstd = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
            reader = zstd.stream_reader(member, read_across_frames=True, closefd=False)
            return iter(lambda: reader.read(_CHUNK_BYTES), b"")
        # ArMember reads to its end when asked for nothing: always ask for a positive number of bytes.
        return iter(lambda: member.read(_CHUNK_BYTES), b"")


@contextmanager
def open_deb(path: Path, subject: str) -> Iterator[Deb]:
    """Open a .deb for the length of a context. subject: how to name it in errors. Raises: UsageError, SourceError."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(subject, f"cannot be opened: {error.strerror}", "Check the path") from error
    with stream:
        yield Deb(stream, subject)


class _Forward:
    """A stream that only goes forward, which is all that tarfile needs, and knows its limits."""

    def __init__(self, chunks: Iterator[bytes], bytes_max: int) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._position = 0
        self._received_bytes = 0
        self._bytes_max = bytes_max
        self.last_read = b""

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer only at the end."""
        if size < 0 or size > READ_BYTES_MAX:
            raise ValueError(f"{size} bytes at once, expected at most {READ_BYTES_MAX}")
        taken = []
        while size > 0:
            piece = self._buffer[:size] or self._more()
            if not piece:
                break
            if len(piece) > size:
                self._buffer, piece = piece, piece[:size]
            self._buffer = self._buffer[len(piece) :]
            size -= len(piece)
            taken.append(piece)
        self.last_read = b"".join(taken)
        self._position += len(self.last_read)
        return self.last_read

    def seek(self, offset: int, whence: int = 0) -> int:
        """Skip forward to an offset from the start."""
        if whence or offset < self._position:
            raise ValueError("a header that points backwards")
        while self._position < offset and self.read(min(offset - self._position, _CHUNK_BYTES)):
            pass
        return self._position

    def seekable(self) -> bool:
        """Return False, so that nothing relies on going back."""
        return False

    def tell(self) -> int:
        """Return the offset from the start."""
        return self._position

    def drain(self) -> None:
        """Read to the end, so that the packed stream's own checksum is checked."""
        while self.read(_CHUNK_BYTES):
            pass

    def _more(self) -> bytes:
        piece = next(self._chunks, b"")
        self._received_bytes += len(piece)
        if self._received_bytes > self._bytes_max:
            raise ValueError(f"it unpacks to more than {self._bytes_max} bytes")
        return piece


def _tar_members(stream: _Forward, subject: str) -> Iterator[TarMember]:
    """Yield the members of a tar stream. Raises: what tarfile raises, and ValueError where it would go on in silence."""
    with tarfile.TarFile(fileobj=cast(IO[bytes], stream), mode="r", encoding="utf-8", errors="surrogateescape") as tar:
        for count, info in enumerate(iter(tar.next, None)):
            if count >= MEMBERS_MAX or info.size < 0:
                raise ValueError(f"more than {MEMBERS_MAX} files, or a file of negative length")
            is_plain = info.isreg() and not info.issparse()
            yield TarMember(
                name=info.name.encode("utf-8", "surrogateescape"),
                link_target=info.linkname.encode("utf-8", "surrogateescape") if info.issym() or info.islnk() else b"",
                is_folder=info.isdir(),
                file_bytes=info.size,
                content=MemberStream(cast(io.BufferedReader, tar.extractfile(info)), subject) if is_plain else None,
            )
            tar.members = []  # type: ignore[attr-defined]  # or a package with many files would fill the memory with their headers
    # tarfile takes a damaged header, and the end of a truncated stream, for the end of the archive.
    if len(stream.last_read) != tarfile.BLOCKSIZE or stream.last_read.strip(b"\0"):
        raise ValueError("the list of files breaks off")
    stream.drain()


def _unpacked(stream: BinaryIO, make: Callable[[], lzma.LZMADecompressor | bz2.BZ2Decompressor]) -> Iterator[bytes]:
    """Yield the bytes of one packed stream or of several, one after the other. Raises: EOFError when it is truncated."""
    packed = stream.read(_CHUNK_BYTES)
    while packed:
        unpacker = make()
        while not unpacker.eof:
            if unpacker.needs_input and not packed:
                packed = stream.read(_CHUNK_BYTES)
                if not packed:
                    raise EOFError("the packed data breaks off")
            piece = unpacker.decompress(packed, _CHUNK_BYTES)
            packed = b""
            if piece:
                yield piece
        packed = unpacker.unused_data.lstrip(b"\0") or stream.read(_CHUNK_BYTES)


def _check_ar(stream: BinaryIO, deb_bytes: int, subject: str) -> None:
    """Check the ar headers. python-debian believes their lengths: a negative one would keep it reading for ever."""
    offset = 8
    for _ in range(_AR_PARTS_MAX):
        stream.seek(offset)
        header = stream.read(60)
        if not header and offset > 8:
            return
        length = header[48:58].strip()
        if len(header) != 60 or header[58:] != b"`\n" or not length.isdigit() or offset + 60 + int(length) > deb_bytes:
            raise SourceError(subject, f"is not a whole Debian package: damaged part header at byte {offset}", _REMEDY)
        offset += 60 + int(length) + int(length) % 2
    raise SourceError(subject, f"is not a Debian package: more than {_AR_PARTS_MAX} parts", _REMEDY)


def _broken(subject: str, error: BaseException) -> SourceError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return SourceError(subject, f"is not a whole Debian package: {reason}", _REMEDY)
