"""Laws of the BEP 52 trees; `test_hashing.py` compares them with the specification, `test_metainfo.py` with libtorrent."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats import merkle
from fonoteca.model.errors import FormatError
from fonoteca.model.hashes import BLOCK_BYTES


def leaves_of(count: int) -> list[bytes]:
    """Return as many different leaves."""
    return [hashlib.sha256(b"%d" % index).digest() for index in range(count)]


@given(st.integers(1, 150), st.integers(0, 4))
def test_a_layer_hashes_to_the_root_of_its_leaves(count: int, levels: int) -> None:
    leaves, piece_bytes = leaves_of(count), BLOCK_BYTES << levels
    layer = merkle.piece_layer(leaves, piece_bytes)
    if count <= 1 << levels:
        assert layer == b""
    else:
        assert merkle.root_of_layer(layer, piece_bytes) == merkle.pieces_root(leaves)


@given(st.integers(2, 60), st.data())
def test_no_other_layer_hashes_to_the_root(count: int, draw: st.DataObject) -> None:
    layer = bytearray(merkle.piece_layer(leaves_of(count), BLOCK_BYTES))
    root = merkle.root_of_layer(bytes(layer), BLOCK_BYTES)
    layer[draw.draw(st.integers(0, len(layer) - 1))] ^= 1
    assert merkle.root_of_layer(bytes(layer), BLOCK_BYTES) != root


def test_absent_blocks_are_zeros_and_not_hashes_of_zeros() -> None:
    (a, b, c) = leaves_of(3)
    left = hashlib.sha256(a + b).digest()
    right = hashlib.sha256(c + bytes(32)).digest()
    assert merkle.pieces_root([a, b, c]) == hashlib.sha256(left + right).digest()


def test_an_empty_file_has_no_root_and_a_block_is_its_own() -> None:
    assert merkle.pieces_root([]) == b""
    assert merkle.pieces_root(leaves_of(1)) == leaves_of(1)[0]


@pytest.mark.parametrize("layer", [b"", bytes(31), bytes(65)])
def test_a_layer_of_broken_length_is_refused(layer: bytes) -> None:
    with pytest.raises(FormatError):
        merkle.root_of_layer(layer, BLOCK_BYTES)
