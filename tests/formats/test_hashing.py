"""Laws of the one pass over a file's bytes."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats import merkle
from fonoteca.formats.hashing import FileHasher, hash_bytes
from fonoteca.model.errors import FormatError
from fonoteca.model.hashes import BLOCK_BYTES, FileHashes
from fonoteca.model.ids import Sha256

PIECE_BYTES = st.sampled_from([BLOCK_BYTES, 2 * BLOCK_BYTES, 4 * BLOCK_BYTES])
LENGTHS = st.one_of(
    st.integers(0, 200_000),
    st.sampled_from([n * BLOCK_BYTES + d for n in range(10) for d in (-1, 0, 1) if n * BLOCK_BYTES + d >= 0]),
)


def content_of(file_bytes: int) -> bytes:
    """Return bytes without period in blocks."""
    return hashlib.shake_128(b"fonoteca").digest(file_bytes)


def plainly(content: bytes, piece_bytes: int) -> FileHashes:
    """Return the same from whole content, by the text of BEP 3, BEP 47 and BEP 52 and nothing clever."""

    def tree(nodes: list[bytes]) -> bytes:
        while len(nodes) > 1:
            nodes = [hashlib.sha256(a + b).digest() for a, b in zip(nodes[::2], nodes[1::2], strict=True)]
        return nodes[0]

    def padded(nodes: list[bytes], width: int) -> list[bytes]:
        return nodes + [bytes(32)] * (width - len(nodes))

    blocks = [hashlib.sha256(content[i : i + BLOCK_BYTES]).digest() for i in range(0, len(content), BLOCK_BYTES)]
    pieces = [content[i : i + piece_bytes] for i in range(0, len(content), piece_bytes)]
    width = piece_bytes // BLOCK_BYTES
    layer = [tree(padded(blocks[i : i + width], width)) for i in range(0, len(blocks), width)] if len(pieces) > 1 else []
    full = 1 << (len(blocks) - 1).bit_length() if blocks else 0
    return FileHashes(
        file_bytes=len(content),
        piece_bytes=piece_bytes,
        sha256=Sha256(hashlib.sha256(content).hexdigest()),
        pieces_root=tree(padded(blocks, full)) if blocks else b"",
        piece_layer=b"".join(layer),
        v1_pieces=b"".join(hashlib.sha1(piece).digest() for piece in pieces),
        v1_last_padded=hashlib.sha1(pieces[-1].ljust(piece_bytes, b"\0")).digest() if pieces else b"",
    )


@given(LENGTHS, PIECE_BYTES)
def test_one_pass_gives_what_the_specifications_give(file_bytes: int, piece_bytes: int) -> None:
    content = content_of(file_bytes)
    assert hash_bytes(content, piece_bytes) == plainly(content, piece_bytes)


@given(LENGTHS, PIECE_BYTES, st.lists(st.integers(0, 200_000), max_size=12))
def test_hashes_do_not_depend_on_how_bytes_arrive(file_bytes: int, piece_bytes: int, cuts: list[int]) -> None:
    content = memoryview(content_of(file_bytes))
    bounds = [0, *sorted(min(cut, file_bytes) for cut in cuts), file_bytes]
    hasher = FileHasher(piece_bytes)
    for start, end in pairwise(bounds):
        hasher.update(content[start:end])
    assert hasher.finish() == hash_bytes(content, piece_bytes)


def test_single_bytes_give_the_same_as_one_chunk() -> None:
    content = content_of(2 * BLOCK_BYTES + 3)
    hasher = FileHasher(BLOCK_BYTES)
    for byte in content:
        hasher.update(bytes([byte]))
    assert hasher.finish() == hash_bytes(content, BLOCK_BYTES)


def test_chunks_of_wider_items_count_as_bytes() -> None:
    content = content_of(4 * BLOCK_BYTES)
    hasher = FileHasher(BLOCK_BYTES)
    hasher.update(memoryview(content).cast("Q"))
    assert hasher.finish() == hash_bytes(content, BLOCK_BYTES)


@given(LENGTHS.filter(bool), PIECE_BYTES)
def test_every_piece_is_proved_by_its_hash_and_no_other(file_bytes: int, piece_bytes: int) -> None:
    content = content_of(file_bytes)
    hashes = hash_bytes(content, piece_bytes)
    for index in range(hashes.piece_count):
        piece = content[index * piece_bytes : (index + 1) * piece_bytes]
        assert merkle.piece_hash(piece, piece_bytes, file_bytes) == hashes.v2_piece_hash(index)
        damaged = bytes([piece[0] ^ 1]) + piece[1:]
        assert merkle.piece_hash(damaged, piece_bytes, file_bytes) != hashes.v2_piece_hash(index)


@pytest.mark.parametrize("piece_bytes", [0, 1, 8192, 16383, 24576, -16384])
def test_piece_lengths_that_bep_52_forbids_are_refused(piece_bytes: int) -> None:
    with pytest.raises(FormatError):
        FileHasher(piece_bytes)
