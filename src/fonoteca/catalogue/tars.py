"""Members of a tar archive in the order they come, read from a stream, with every way to be cut short an error.

The standard library's tarfile takes a damaged header in the middle, or an archive that just ends, for its end.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from fonoteca.model.errors import SourceError

_BLOCK_BYTES = 512
_SIZE_DIGITS_MAX = 18
_LONG_NAME_BYTES_MAX = 1 << 16
_SKIP_BYTES = 1 << 20
_REMEDY = "Nothing was imported; fetch the archive again."
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive. stream: its bytes, to be read before the next member is asked for; the rest is skipped."""

    name: str
    member_bytes: int
    stream: BinaryIO


class _Archive:
    """The archive's stream, which knows where it is."""

    def __init__(self, stream: BinaryIO, subject: str) -> None:
        self._stream = stream
        self.subject = subject
        self.position = 0

    def read(self, length: int, within: str) -> bytes:
        """Return exactly so many bytes. within: what they belong to, for the error."""
        parts: list[bytes] = []
        left = length
        while left:
            part = self._stream.read(left)
            if not part:
                raise self.broken(f"ends {left} bytes early, in {within}")
            self.position += len(part)
            left -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_some(self, length: int) -> bytes:
        """Return at most so many bytes, none at the end."""
        part = self._stream.read(length)
        self.position += len(part)
        return part

    def broken(self, problem: str) -> SourceError:
        """Return the error that something is wrong here."""
        return SourceError(f"{self.subject}: byte {self.position} unpacked", problem, _REMEDY)


class _Inside(io.RawIOBase):
    """The bytes of one member."""

    def __init__(self, archive: _Archive, name: str, length: int) -> None:
        self._archive = archive
        self._name = name
        self.left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.left)
        found = self._archive.read(wanted, self._name) if wanted else b""
        buffer[: len(found)] = found
        self.left -= len(found)
        return len(found)


def members(stream: BinaryIO, subject: str) -> Iterator[Member]:
    """Yield the regular files of an archive (ustar, GNU, pax), whose names are `/`-separated without a leading `./`.

    Links, folders and devices are passed over. Raises: SourceError with the position for a bad header, for an archive that ends
    within a member or without its end mark, and for a stream that holds no archive.
    """
    archive = _Archive(stream, subject)
    long_name, pax = "", dict[str, str]()
    while True:
        header = _header(archive)
        if header is None:
            break
        if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE):
            if not 0 <= header.size <= _LONG_NAME_BYTES_MAX:
                raise archive.broken(f"an extended header of {header.size} bytes, expected at most {_LONG_NAME_BYTES_MAX}")
            content = archive.read(header.size, "an extended header")
            archive.read(-header.size % _BLOCK_BYTES, "an extended header")
            if header.type == tarfile.GNUTYPE_LONGNAME:
                long_name = content.split(b"\0", 1)[0].decode("utf-8", "replace")
            elif header.type == tarfile.XHDTYPE:
                pax = _pax(content, archive)
            continue
        name = pax.get("path") or long_name or header.name
        length = _length(pax, header, archive)
        long_name, pax = "", {}
        inside = _Inside(archive, name, length)
        if header.type in _FILES:
            yield Member(name.removeprefix("./"), length, cast(BinaryIO, io.BufferedReader(inside, 1 << 20)))
        elif header.type == tarfile.GNUTYPE_SPARSE:
            raise archive.broken(f"{name} is stored as a sparse file, which is not read")
        while inside.left:
            part = archive.read(min(inside.left, _SKIP_BYTES), name)
            inside.left -= len(part)
        archive.read(-length % _BLOCK_BYTES, name)
    # To the very end, for the packing's own checksum comes last.
    while archive.read_some(_SKIP_BYTES):
        pass


def _header(archive: _Archive) -> tarfile.TarInfo | None:
    """Return the next header, or None at the end mark."""
    block = archive.read_some(_BLOCK_BYTES)
    if not block:
        raise archive.broken("ends without the end mark of a tar archive" if archive.position else "is empty")
    block += archive.read(_BLOCK_BYTES - len(block), "a header") if len(block) < _BLOCK_BYTES else b""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except (tarfile.HeaderError, ValueError) as error:
        what = "is no tar archive" if archive.position == _BLOCK_BYTES else "the header of a member is damaged"
        raise archive.broken(f"{what}: {error}") from error


def _pax(content: bytes, archive: _Archive) -> dict[str, str]:
    """Return the records of a pax header: `length key=value\\n`, length in decimal of the whole record."""
    records: dict[str, str] = {}
    while content:
        digits, _, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0  # of bytes: ASCII digits alone
        key, equals, value = content[len(digits) + 1 : length - 1].partition(b"=")
        if not equals or not content[:length].endswith(b"\n"):
            raise archive.broken("the pax header of a member is damaged")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        content = content[length:]
    return records


def _length(pax: dict[str, str], header: tarfile.TarInfo, archive: _Archive) -> int:
    if header.type in (tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE):
        return 0
    given = pax.get("size", "") if header.type in (*_FILES, tarfile.GNUTYPE_SPARSE) else ""
    length = int(given) if given.isascii() and given.isdecimal() and len(given) <= _SIZE_DIGITS_MAX else header.size
    if length < 0:
        raise archive.broken(f"{header.name} has {length} bytes")
    return length
