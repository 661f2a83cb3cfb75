"""The hash trees of BEP 52: blocks to pieces, pieces to the pieces root of a file."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from fonoteca.model.errors import FormatError
from fonoteca.model.hashes import BLOCK_BYTES

HASH_BYTES = 32

_LEVELS_MAX = 64
"""Levels of the highest tree met: 2**63 bytes are 2**49 blocks."""


def _zero_hashes() -> tuple[bytes, ...]:
    """Return the root of a tree of absent blocks for each height, from 0 up."""
    roots = [bytes(HASH_BYTES)]
    for _ in range(_LEVELS_MAX):
        roots.append(sha256(roots[-1] + roots[-1]).digest())
    return tuple(roots)


_ZERO = _zero_hashes()
"""BEP 52: "the remaining leaf hashes beyond the end of the file [...] are set to zero"."""


def block_hashes(content: bytes | memoryview) -> list[bytes]:
    """Return the SHA-256 of each 16 KiB block in order, the last block as short as it is. Empty content has none."""
    view = memoryview(content)
    return [sha256(view[start : start + BLOCK_BYTES]).digest() for start in range(0, len(view), BLOCK_BYTES)]


def pieces_root(leaves: Sequence[bytes]) -> bytes:
    """Return the pieces root of a file with these block hashes: 32 B, or b"" for an empty file, which has none.

    leaves: SHA-256 of each 16 KiB block in order, shape (n_blocks, 32 B).
    Cost: n_blocks - 1 hashes of 64 B.
    Source: BEP 52, "pieces root".
    """
    return _fold(leaves, 0, _levels_over(len(leaves))) if leaves else b""


def piece_layer(leaves: Sequence[bytes], piece_bytes: int) -> bytes:
    """Return the concatenated piece-layer hashes of one file, or b"" when it is not longer than a piece.

    leaves: SHA-256 of each 16 KiB block in order, shape (n_blocks, 32 B).
    piece_bytes: a power of two, at least 16384.
    Returns: shape (ceil(file_bytes / piece_bytes), 32 B).
    Raises: FormatError if piece_bytes breaks the rule above.
    Cost: O(n_blocks) time, 32 B a block.
    Source: BEP 52, "piece layers".
    """
    width = 1 << piece_levels(piece_bytes)
    if len(leaves) <= width:
        return b""
    return b"".join(piece_node(leaves[start : start + width], piece_bytes) for start in range(0, len(leaves), width))


def piece_node(leaves: Sequence[bytes], piece_bytes: int) -> bytes:
    """Return the piece-layer hash of one piece of a file longer than a piece: a full tree, absent blocks as zeros.

    leaves: 1 to piece_bytes / 16384 block hashes.
    """
    return _fold(leaves, 0, piece_levels(piece_bytes))


def root_of_layer(layer: bytes, piece_bytes: int) -> bytes:
    """Return the pieces root above a piece layer: what proves that the layer belongs to the file.

    layer: shape (n_pieces, 32 B) concatenated, at least one.
    Raises: FormatError when the length is not a multiple of 32, or piece_bytes is no piece length.
    Cost: n_pieces - 1 hashes of 64 B.
    """
    level = piece_levels(piece_bytes)
    if not layer or len(layer) % HASH_BYTES:
        raise FormatError("piece layer", f"expected a multiple of {HASH_BYTES} bytes, found {len(layer)}")
    hashes = [layer[start : start + HASH_BYTES] for start in range(0, len(layer), HASH_BYTES)]
    return _fold(hashes, level, level + _levels_over(len(hashes)))


def piece_hash(content: bytes | memoryview, piece_bytes: int, file_bytes: int) -> bytes:
    """Return the 32 B hash that proves one piece: compare with `FileHashes.v2_piece_hash`.

    content: the piece without padding. file_bytes: of the whole file, since a file of one piece is proved by its root.
    """
    leaves = block_hashes(content)
    return pieces_root(leaves) if file_bytes <= piece_bytes else piece_node(leaves, piece_bytes)


def _fold(hashes: Sequence[bytes], level: int, top: int) -> bytes:
    """Return the root at height `top` of hashes at height `level`, absent ones on the right taken from `_ZERO`."""
    row = list(hashes)
    for height in range(level, top):
        if len(row) % 2:
            row.append(_ZERO[height])
        row = [sha256(row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)]
    return row[0]


def _levels_over(count: int) -> int:
    """Return the height of the smallest full binary tree with `count` leaves, at least 1."""
    return (count - 1).bit_length()


def piece_levels(piece_bytes: int) -> int:
    """Return the height of a piece above its blocks. Raises: FormatError for a length that BEP 52 does not allow."""
    if piece_bytes < BLOCK_BYTES or piece_bytes & (piece_bytes - 1):
        raise FormatError("piece length", f"expected a power of two from {BLOCK_BYTES} up, found {piece_bytes}")
    return (piece_bytes // BLOCK_BYTES).bit_length() - 1
