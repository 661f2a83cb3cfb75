"""What a hit shows, by its place in a shard: small blocks, each read and unpacked alone.

The file: MAGIC; rows, and rows a block, as two `<u4`; the end of each block counted from the first one's start, `<u8`; the blocks.
A block, packed by Zstandard, has for its n rows: ids (16 B each, zeros where there is none), shares (`<f4`), best ranks (`<u4`,
each less the one before it), held (1 B each), and then titles, artists and releases, 3 n lines of UTF-8. Of shares and ranks the
lowest bytes of all rows come first, then the next, which packs them to a fourth.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import BinaryIO

import numpy as np
import zstandard

from fonoteca.model.errors import StoreError

MAGIC = b"FONOCRD2"
BLOCK_ROWS = 64
BLOCK_BYTES_MAX = 8 * 2**20
"""Unpacked. Real blocks have 4 KiB; one of 64 recordings with the longest titles that a catalogue takes has less than this."""

_SHARE = Struct("<f")
_NO_ID = "0" * 32
_FIXED_BYTES = 16 + 4 + 4 + 1


@dataclass(frozen=True, slots=True)
class Card:
    """One row. id: as a UUID's text, "" where rows have none. rank: its own, or that of its most heard track."""

    id: str
    title: str
    artist: str
    release: str
    share: float
    rank: int
    held: bool


@dataclass(frozen=True, slots=True)
class CardRows:
    """Rows to be written, as columns of one length. texts: titles, artists, releases."""

    ids: bytes
    shares: np.ndarray
    ranks: np.ndarray
    held: np.ndarray
    texts: tuple[list[str], ...]

    def part(self, first: int, end: int) -> CardRows:
        """Return some of the rows."""
        here = slice(first, end)
        texts = tuple(column[here] for column in self.texts)
        return CardRows(self.ids[16 * first : 16 * end], self.shares[here], self.ranks[here], self.held[here], texts)

    def joined(self, more: CardRows) -> CardRows:
        """Return these rows and more."""
        texts = tuple(one + other for one, other in zip(self.texts, more.texts, strict=True))
        shares, ranks = np.concatenate((self.shares, more.shares)), np.concatenate((self.ranks, more.ranks))
        return CardRows(self.ids + more.ids, shares, ranks, np.concatenate((self.held, more.held)), texts)


def write_cards(stream: BinaryIO, parts: Iterable[CardRows]) -> None:
    """Write the cards of a shard, whose rows come in parts. Cost: 0.6 us a row, and 50 B a row of memory."""
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
    blocks, count = [], 0
    for rows in _aligned(parts):
        count += len(rows.shares)
        blocks += [packer.compress(each) for each in _blocks(rows)]
    stream.write(MAGIC)
    stream.write(np.array([count, BLOCK_ROWS], "<u4").tobytes())
    stream.write(np.cumsum([len(block) for block in blocks], dtype="<u8").tobytes())
    for block in blocks:
        stream.write(block)


def _aligned(parts: Iterable[CardRows]) -> Iterator[CardRows]:
    """Yield the same rows in parts of whole blocks; the last may end within one."""
    left: CardRows | None = None
    for part in parts:
        rows = part if left is None else left.joined(part)
        whole = len(rows.shares) // BLOCK_ROWS * BLOCK_ROWS
        yield rows.part(0, whole)
        left = rows.part(whole, len(rows.shares))
    if left is not None and len(left.shares):
        yield left


def _blocks(rows: CardRows) -> Iterator[bytes]:
    for first in range(0, len(rows.shares), BLOCK_ROWS):
        here = rows.part(first, first + BLOCK_ROWS)
        steps = np.diff(here.ranks.astype("<u4"), prepend=np.zeros(1, "<u4"))
        lines = "\n".join([line.replace("\n", " ") for texts in here.texts for line in texts])
        fixed = (here.ids, _planes(here.shares.astype("<f4")), _planes(steps.astype("<u4")), here.held.astype("u1").tobytes())
        yield b"".join((*fixed, lines.encode("utf-8", "replace")))


def _planes(numbers: np.ndarray) -> bytes:
    """Return numbers as their lowest bytes, then the next ones, and so on."""
    return np.ascontiguousarray(numbers.view("u1").reshape(len(numbers), -1).T).tobytes()


class _Unpacker(threading.local):
    """A decompressor for each thread: they are not to be shared, and to make one takes as long as to unpack a block."""

    def __init__(self) -> None:
        self.unpack = zstandard.ZstdDecompressor().decompress


_UNPACKER = _Unpacker()


class Cards:
    """The cards of one shard, open. Safe for threads."""

    def __init__(self, path: Path) -> None:
        self._subject = str(path)
        head = len(MAGIC) + 8
        try:
            with path.open("rb") as stream:
                self._bytes = mmap(stream.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._damaged(f"cannot be read: {error}") from error
        if self._bytes[: len(MAGIC)] != MAGIC or len(self._bytes) < head:
            raise self._damaged("does not begin as cards do")
        self.count, block_rows = (int(each) for each in np.frombuffer(self._bytes, "<u4", 2, len(MAGIC)))
        blocks = -(-self.count // BLOCK_ROWS)
        self._first = head + 8 * blocks
        if block_rows != BLOCK_ROWS or self._first > len(self._bytes):
            raise self._damaged("is shorter than it says")
        self._ends = np.frombuffer(self._bytes, "<u8", blocks, head)

    def __getitem__(self, place: int) -> Card:
        """Return the card of a row, 0 to count - 1. Raises: StoreError when the file is damaged. Cost: 20 us."""
        return self.of_block(place // BLOCK_ROWS, [place % BLOCK_ROWS])[0]

    def of_block(self, block: int, places: list[int]) -> list[Card]:
        """Return cards of one block, by their places in it. Raises: as above."""
        rows = min(BLOCK_ROWS, self.count - block * BLOCK_ROWS)
        if not 0 <= block < len(self._ends) or not all(0 <= place < rows for place in places):
            raise self._damaged(f"has no row {places} in block {block}")
        start, end = self._first + (int(self._ends[block - 1]) if block else 0), self._first + int(self._ends[block])
        if not start < end <= len(self._bytes):
            raise self._damaged(f"has no block {block}")
        plain = self._unpacked(start, end)
        fixed, lines = plain[: rows * _FIXED_BYTES], plain[rows * _FIXED_BYTES :].split(b"\n")
        if len(fixed) != rows * _FIXED_BYTES or len(lines) != 3 * rows:
            raise self._damaged(f"block {block} has not its rows")
        return [self._card(fixed, lines, at) for at in places]

    def _card(self, fixed: bytes, lines: list[bytes], at: int) -> Card:
        rows = len(lines) // 3
        (share,) = _SHARE.unpack(fixed[16 * rows + at : 20 * rows : rows])
        if not 0 <= share < math.inf:
            raise self._damaged(f"has the share {share}")
        steps = (sum(fixed[plane : plane + at + 1]) << 8 * place for place, plane in enumerate(range(20 * rows, 24 * rows, rows)))
        rank = sum(steps) & 0xFFFFFFFF
        octets = fixed[16 * at : 16 * at + 16].hex()
        row_id = "-".join((octets[:8], octets[8:12], octets[12:16], octets[16:20], octets[20:])) if octets != _NO_ID else ""
        try:
            title, artist, release = (lines[place].decode() for place in (at, rows + at, 2 * rows + at))
        except UnicodeDecodeError as error:
            raise self._damaged("has a name that is no text") from error
        return Card(row_id, title, artist, release, share, rank, bool(fixed[24 * rows + at]))

    def _unpacked(self, start: int, end: int) -> bytes:
        packed = self._bytes[start:end]
        try:
            if zstandard.frame_content_size(packed) > BLOCK_BYTES_MAX:
                raise self._damaged("has a block longer than any")
            return _UNPACKER.unpack(packed, max_output_size=BLOCK_BYTES_MAX)
        except zstandard.ZstdError as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, problem: str) -> StoreError:
        return StoreError(self._subject, problem, "Build the search index again: fonoteca catalogue build.")
