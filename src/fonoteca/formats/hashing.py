"""All that is ever asked of a file's bytes, in one pass over them: sha256, the BEP 52 tree and SHA-1 pieces."""

from __future__ import annotations

from hashlib import sha1, sha256
from typing import BinaryIO

from fonoteca.formats import merkle
from fonoteca.model.hashes import BLOCK_BYTES, FileHashes
from fonoteca.model.ids import Sha256

_CHUNK_BYTES = 1 << 20
"""Whole blocks and pieces, and still in the cache when the third hash reads it."""

_ZEROS = memoryview(bytes(1 << 20))
"""What BEP 47 pad files are made of."""


class FileHasher:
    """Takes a file's bytes in order, in chunks of any length, and gives its `FileHashes`.

    Nothing is copied: a partial block or piece lives on in its running hash. Memory: 52 B a finished piece and 32 B for
    each block of the piece under way. Cost: 0.98 of `hashlib` alone for the same three hashes (bench/hashing.py) when
    chunks are whole blocks; each chunk is taken piece by piece, so that all three hashes meet it in the cache.
    """

    __slots__ = (
        "_block",
        "_block_filled",
        "_file_bytes",
        "_finished",
        "_layer",
        "_leaves",
        "_piece",
        "_piece_bytes",
        "_sha256",
        "_v1",
    )

    def __init__(self, piece_bytes: int) -> None:
        merkle.piece_levels(piece_bytes)
        self._piece_bytes = piece_bytes
        self._file_bytes = 0
        self._finished = False
        self._sha256 = sha256()
        self._piece = sha1()
        self._block = sha256()
        self._block_filled = 0
        self._leaves: list[bytes] = []
        self._layer: list[bytes] = []
        self._v1: list[bytes] = []

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the file."""
        assert not self._finished, "a finished hasher takes no more bytes"
        view = memoryview(chunk).cast("B")
        start = 0
        while start < len(view):
            room = self._piece_bytes - self._file_bytes % self._piece_bytes
            segment = view[start : start + room]
            self._take(segment)
            start += len(segment)
            self._file_bytes += len(segment)
            if len(segment) == room:
                self._close_piece()

    def finish(self) -> FileHashes:
        """Return what was proved of all bytes taken. The hasher takes no more."""
        assert not self._finished, "a hasher finishes once"
        self._finished = True
        last_padded = self._v1[-1] if self._v1 else b""
        filled = self._file_bytes % self._piece_bytes
        if filled:
            if self._block_filled:
                self._leaves.append(self._block.digest())
            self._v1.append(self._piece.digest())
            last_padded = self._padded_piece(self._piece_bytes - filled)
            if self._layer:
                self._layer.append(merkle.piece_node(self._leaves, self._piece_bytes))
        layer = b"".join(self._layer)
        return FileHashes(
            file_bytes=self._file_bytes,
            piece_bytes=self._piece_bytes,
            sha256=Sha256(self._sha256.hexdigest()),
            pieces_root=merkle.root_of_layer(layer, self._piece_bytes) if layer else merkle.pieces_root(self._leaves),
            piece_layer=layer if len(self._layer) > 1 else b"",
            v1_pieces=b"".join(self._v1),
            v1_last_padded=last_padded,
        )

    def _take(self, segment: memoryview) -> None:
        """Take bytes that end in the piece under way."""
        self._sha256.update(segment)
        self._piece.update(segment)
        start = 0
        if self._block_filled:
            start = min(BLOCK_BYTES - self._block_filled, len(segment))
            self._block.update(segment[:start])
            self._block_filled += start
            if self._block_filled == BLOCK_BYTES:
                self._leaves.append(self._block.digest())
                self._block_filled = 0
        whole = start + (len(segment) - start) // BLOCK_BYTES * BLOCK_BYTES
        self._leaves += [sha256(segment[at : at + BLOCK_BYTES]).digest() for at in range(start, whole, BLOCK_BYTES)]
        if whole < len(segment):
            self._block = sha256(segment[whole:])
            self._block_filled = len(segment) - whole

    def _close_piece(self) -> None:
        """Fold a full piece into one hash of each kind."""
        self._layer.append(merkle.piece_node(self._leaves, self._piece_bytes))
        self._v1.append(self._piece.digest())
        self._leaves = []
        self._piece = sha1()

    def _padded_piece(self, pad_bytes: int) -> bytes:
        """Return the SHA-1 of the piece under way, followed by zeros."""
        padded = self._piece.copy()
        while pad_bytes:
            zeros = _ZEROS[: min(pad_bytes, len(_ZEROS))]
            padded.update(zeros)
            pad_bytes -= len(zeros)
        return padded.digest()


def hash_stream(stream: BinaryIO, piece_bytes: int) -> FileHashes:
    """Return what is proved of the bytes from where a stream is to its end. Raises: what reading raises."""
    hasher = FileHasher(piece_bytes)
    while chunk := stream.read(_CHUNK_BYTES):
        hasher.update(chunk)
    return hasher.finish()


def hash_bytes(content: bytes | bytearray | memoryview, piece_bytes: int) -> FileHashes:
    """Return what is proved of a file with this content. piece_bytes: a power of two, at least 16384."""
    hasher = FileHasher(piece_bytes)
    hasher.update(content)
    return hasher.finish()
