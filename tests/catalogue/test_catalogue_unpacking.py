"""bzip2 by block and in threads gives what the standard library gives, and fails where it does."""

from __future__ import annotations

import bz2
import io
import threading
import time
from typing import BinaryIO, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.catalogue import unpacking
from fonoteca.catalogue.unpacking import Ahead, Bz2Blocks, bits_of, marks_in

_BLOCK_MARK = 0x314159265359
_NOISE = np.random.default_rng(5).bytes(250_000)
PIECES = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.binary(min_size=1, max_size=3), st.integers(1, 200_000)).map(lambda part: part[0] * part[1]),
    st.integers(1, 250_000).map(lambda count: _NOISE[:count]),
)


def blocks_of(packed: bytes) -> bytes:
    return io.BufferedReader(Bz2Blocks(cast(BinaryIO, io.BytesIO(packed)))).read()


@given(st.lists(st.tuples(PIECES, st.integers(1, 9)), min_size=1, max_size=4), st.sampled_from([100, 4099, 1 << 20]))
def test_blocks_unpack_to_what_the_standard_library_says(pieces: list[tuple[bytes, int]], read_bytes: int) -> None:
    packed = b"".join(bz2.compress(piece, level) for piece, level in pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "_READ_BYTES", read_bytes)
        assert blocks_of(packed) == b"".join(piece for piece, _ in pieces)


@pytest.fixture(scope="module")
def packed() -> bytes:
    # Five blocks.
    return bz2.compress(_NOISE * 2, 1)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.8, 0.999])
def test_a_cut_stream_is_an_error(packed: bytes, share: float) -> None:
    with pytest.raises(EOFError, match="ended before the end-of-stream marker"):
        blocks_of(packed[: int(len(packed) * share)])


@pytest.mark.parametrize("place", [0, 2, 5, 12, 30, 20_000, -3])
def test_a_flipped_byte_is_an_error(packed: bytes, place: int) -> None:
    damaged = bytearray(packed)
    damaged[place] ^= 0x10
    with pytest.raises((OSError, EOFError)):
        blocks_of(bytes(damaged))


def test_what_follows_a_stream_and_is_none_is_passed_over_as_the_standard_library_does(packed: bytes) -> None:
    assert blocks_of(packed + b"junk") == bz2.BZ2File(io.BytesIO(packed + b"junk")).read()


def test_a_mark_that_stands_in_a_block_by_chance_does_not_cut_it(packed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_false_ones(content: bytes, start: int) -> list[tuple[int, int]]:
        # Bits with an origin far beyond a block's size, and an end whose checksum is not the stream's.
        chance = [at for at in range(start, len(content) * 8 - 200, 999) if bits_of(content, at + 81, 24) >= 900_000]
        return sorted([*marks_in(content, start), *((at, _BLOCK_MARK) for at in chance), *((at + 1, 7) for at in chance)])

    monkeypatch.setattr(unpacking, "marks_in", with_false_ones)
    assert blocks_of(packed) == bz2.decompress(packed)


@pytest.mark.parametrize("offset", range(200, 216))
def test_marks_are_found_at_every_bit(offset: int) -> None:
    length = 1000
    bits = int.from_bytes(_NOISE[: length // 8], "big")
    for at in (offset, offset + 60):
        shift = length - at - 48
        bits = bits & ~(((1 << 48) - 1) << shift) | _BLOCK_MARK << shift
    content = bits.to_bytes(length // 8, "big")
    assert marks_in(content, 0) == [(offset, _BLOCK_MARK), (offset + 60, _BLOCK_MARK)]
    assert marks_in(content, offset + 1) == [(offset + 60, _BLOCK_MARK)]


def test_reading_ahead_gives_the_same_bytes_and_hands_errors_on() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            if not found:
                raise EOFError("cut")
            return found

    content = bytes(range(256)) * 50_000
    with Ahead(cast(BinaryIO, io.BytesIO(content))) as ahead:
        assert io.BufferedReader(ahead).read() == content
    with Ahead(cast(BinaryIO, Failing(content))) as ahead, pytest.raises(EOFError, match="cut"):
        ahead.read()


def test_nobody_reads_a_stream_after_reading_ahead_was_ended() -> None:
    class Slow(io.BytesIO):
        busy = False

        def read(self, size: int | None = -1) -> bytes:
            self.busy = True
            time.sleep(0.05)
            self.busy = False
            return super().read(size)

    stream = Slow(b"x" * 100)
    with Ahead(cast(BinaryIO, stream)):
        pass
    assert not stream.busy
    assert not any(thread.name.startswith("ahead") for thread in threading.enumerate())
