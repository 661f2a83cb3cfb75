"""Unpacking that keeps a second core busy: bzip2 block by block, and any packing read ahead of whoever parses it.

bzip2 unpacks 15 MB in a second of one core (measured on a busy machine), a tenth of what parsing COPY text does, so it is what
reading a dump of MusicBrainz takes. Its blocks do not depend on each other and begin with a mark, though at any bit: cut out and
moved to a byte's edge, each is a stream of its own, which the standard library unpacks without holding the interpreter's lock.
Cutting costs 5 % of unpacking.
Source: "BZIP2: Format Specification" (github.com/dsnet/compress, doc/bzip2-format.pdf); bzip2recover.c of bzip2 1.0.8.
"""

from __future__ import annotations

import bz2
import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

AHEAD_BYTES = 4 << 20
_READ_BYTES = 1 << 20
_THREADS = 2
_BLOCKS_AHEAD = 4
"""A block unpacks to 900 kB, or to 46 MB of one and the same byte: this bounds what waits to be read."""
_BLOCK_MARK = 0x314159265359
_END_MARK = 0x177245385090
_MARK_BITS, _CRC_BITS, _HEADER_BYTES = 48, 32, 4
_ORIGIN_MAX = 900_000
_BLOCK_BYTES_MAX = 4 << 20
"""A block of 900 kB that cannot be packed stays below 1.2 MB; more without a mark is no bzip2."""
_INVALID = "Invalid data stream"
_CUT = "Compressed file ended before the end-of-stream marker was reached"
"""Both as the standard library says it."""


def bits_of(content: bytes | bytearray, start: int, count: int) -> int:
    """Return `count` bits from bit `start` on, the highest of a byte first, as a number."""
    first, last = start // 8, (start + count + 7) // 8
    return (int.from_bytes(content[first:last], "big") >> (last * 8 - start - count)) & ((1 << count) - 1)


def unpacked_block(bits: int, count: int) -> bytes:
    """Return what a block unpacks to. bits: the block from its mark on, as a number of `count` bits.

    Raises: OSError, EOFError when it is damaged.
    """
    crc = (bits >> (count - _MARK_BITS - _CRC_BITS)) & 0xFFFFFFFF
    # A stream of one block: header, block, end mark, and the stream's checksum, which is then the block's.
    whole = (((bits << _MARK_BITS) | _END_MARK) << _CRC_BITS) | crc
    spare = -(count + _MARK_BITS + _CRC_BITS) % 8
    unpacker = bz2.BZ2Decompressor()
    content = unpacker.decompress(b"BZh9" + (whole << spare).to_bytes((count + _MARK_BITS + _CRC_BITS + spare) // 8, "big"))
    if not unpacker.eof:
        raise EOFError(_CUT)
    return content


def _patterns(mark: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the mark for each of 8 bit offsets: it, how many of its bits come before the five bytes that it fills, and these."""
    for lead in range(8):
        middle = (mark >> (_MARK_BITS - lead - 40)) & ((1 << 40) - 1)
        yield mark, lead, middle.to_bytes(5, "big")


_PATTERNS = [*_patterns(_BLOCK_MARK), *_patterns(_END_MARK)]


def marks_in(content: bytes | bytearray, start: int) -> list[tuple[int, int]]:
    """Return the marks that begin at or after bit `start` and are there whole: where each begins, and which it is, in order."""
    found = []
    for mark, lead, middle in _PATTERNS:
        at = content.find(middle, start // 8)
        while at >= 0:
            begin = at * 8 - lead
            if start <= begin <= len(content) * 8 - _MARK_BITS and bits_of(content, begin, _MARK_BITS) == mark:
                found.append((begin, mark))
            at = content.find(middle, at + 1)
    return sorted(found)


class _Cut:
    """Packed bytes, cut at the marks. Bits are counted from the first that is at hand."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._content = bytearray()
        self._marks: deque[tuple[int, int]] = deque()
        self._at = 0

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield each block as bits and their count. Raises: OSError, EOFError."""
        first = True
        while self._header(first):
            first, crc = False, 0
            while self._mark(crc) == _BLOCK_MARK:
                block_crc = bits_of(self._content, self._at + _MARK_BITS, _CRC_BITS)
                crc = ((crc << 1 | crc >> 31) & 0xFFFFFFFF) ^ block_crc
                end = self._next_mark(crc)
                yield bits_of(self._content, self._at, end - self._at), end - self._at
                self._at = end
                self._forget()
            self._at += _MARK_BITS + _CRC_BITS

    def _header(self, first: bool) -> bool:
        """Pass over a stream's header. What else comes after a stream ends it all, as it does for `bz2.BZ2File`."""
        self._at += -self._at % 8
        if not self._read_to(self._at + _HEADER_BYTES * 8) and first:
            raise EOFError(_CUT)
        found = bytes(self._content[self._at // 8 : self._at // 8 + _HEADER_BYTES])
        if len(found) == _HEADER_BYTES and found.startswith(b"BZh") and found[3:] in b"123456789":
            self._at += _HEADER_BYTES * 8
            return True
        if first:
            raise OSError(_INVALID)
        return False

    def _mark(self, crc: int) -> int:
        """Return the mark that is here. crc: what a stream's end must say. Raises: OSError when there is none."""
        if not self._read_to(self._at + _MARK_BITS + _CRC_BITS):
            raise EOFError(_CUT)
        mark = bits_of(self._content, self._at, _MARK_BITS)
        if mark == _BLOCK_MARK or (mark == _END_MARK and bits_of(self._content, self._at + _MARK_BITS, _CRC_BITS) == crc):
            return mark
        raise OSError(_INVALID)

    def _next_mark(self, crc: int) -> int:
        """Return where the block at hand ends.

        A mark may stand in a block by chance, once in 2**48 bits; that it is one is told by what must follow it.
        """
        while True:
            while self._marks:
                begin, mark = self._marks[0]
                if not self._read_to(begin + _MARK_BITS + _CRC_BITS + 25):
                    # Not enough for a block to begin, but perhaps for a stream to end.
                    if mark == _END_MARK and bits_of(self._content, begin + _MARK_BITS, _CRC_BITS) == crc:
                        return begin
                    raise EOFError(_CUT)
                self._marks.popleft()
                after = begin + _MARK_BITS
                origin = bits_of(self._content, after + _CRC_BITS + 1, 24)
                fits = origin < _ORIGIN_MAX if mark == _BLOCK_MARK else bits_of(self._content, after, _CRC_BITS) == crc
                if begin > self._at and fits:
                    return begin
            if len(self._content) - self._at // 8 > _BLOCK_BYTES_MAX:
                raise OSError(_INVALID)
            if not self._read_to(len(self._content) * 8 + 1):
                raise EOFError(_CUT)

    def _read_to(self, bit: int) -> bool:
        """Read until bits up to this one are at hand. Returns: whether they are."""
        while len(self._content) * 8 < bit:
            part = self._packed.read(_READ_BYTES)
            if not part:
                return False
            searched = max(0, len(self._content) * 8 - _MARK_BITS + 1)
            self._content += part
            self._marks += marks_in(self._content, searched)
        return True

    def _forget(self) -> None:
        """Drop the bytes before the bit at hand."""
        gone = self._at // 8
        del self._content[:gone]
        self._at -= gone * 8
        self._marks = deque((begin - gone * 8, mark) for begin, mark in self._marks)


class _Read(io.RawIOBase):
    """What hands out parts as they are asked for."""

    def __init__(self) -> None:
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ready:
            self._ready = memoryview(self._next())
        found, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)

    def _next(self) -> bytes:
        """Return the next part, empty at the end."""
        raise io.UnsupportedOperation


class Bz2Blocks(_Read):
    """What bzip2 streams, one after the other, unpack to. Raises while read: OSError, EOFError, with the words of `bz2.BZ2File`."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__()
        self._blocks = _Cut(packed).blocks()
        self._pool = ThreadPoolExecutor(_THREADS, "bzip2")
        self._waiting: deque[Future[bytes]] = deque()

    def _next(self) -> bytes:
        content = b""
        while not content:
            while len(self._waiting) < _BLOCKS_AHEAD and (block := next(self._blocks, None)):
                self._waiting.append(self._pool.submit(unpacked_block, *block))
            if not self._waiting:
                return b""
            content = self._waiting.popleft().result()
        return content


class Ahead(_Read):
    """A stream that is read one part ahead, in a thread, until it is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._pool = ThreadPoolExecutor(1, "ahead")
        self._coming = self._pool.submit(stream.read, AHEAD_BYTES)

    def _next(self) -> bytes:
        part = self._coming.result()
        if part:
            self._coming = self._pool.submit(self._stream.read, AHEAD_BYTES)
        return part

    def close(self) -> None:
        """Wait for the part that is being read, so that nobody reads the stream afterwards."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        super().close()
