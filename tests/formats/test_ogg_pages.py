"""Ogg pages: what is written is read whole, and one changed bit is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.ogg import OggPage

from fonoteca.formats.ogg import page_checksum, read_pages


def page(serial: int, number: int, flags: int, content: bytes) -> bytes:
    segments = bytes([255] * (len(content) // 255) + [len(content) % 255])
    header = b"OggS\0" + bytes([flags]) + bytes(8) + serial.to_bytes(4, "little") + number.to_bytes(4, "little")
    blank = header + bytes(4) + bytes([len(segments)]) + segments + content
    return blank[:22] + page_checksum(blank).to_bytes(4, "little") + blank[26:]


def stream(serial: int, contents: list[bytes]) -> list[bytes]:
    last = len(contents) - 1
    return [page(serial, n, 2 * (n == 0) + 4 * (n == last), content) for n, content in enumerate(contents)]


def damage(content: bytes) -> str:
    return read_pages(lambda start, length: content[start : start + length], 0, len(content)).damage


contents = st.lists(st.binary(max_size=700), min_size=1, max_size=6)


@given(contents, contents)
def test_whole_streams_are_whole_one_in_another_or_one_after_another(first: list[bytes], second: list[bytes]) -> None:
    one, two = stream(1, first), stream(2, second)
    nested = b"".join(one[:1] + two + one[1:])
    assert damage(b"".join(one)) == ""
    if len(one) > 1:
        assert damage(nested) == ""
    chained = b"".join(one + two)
    assert read_pages(lambda start, length: chained[start : start + length], 0, len(chained)).links == 2
    assert damage(chained + bytes(50)) == damage(chained + b"TAG" + bytes(125)) == ""


@given(contents, st.data())
def test_one_changed_bit_is_damage(parts: list[bytes], data: st.DataObject) -> None:
    content = bytearray(b"".join(stream(7, parts)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert damage(bytes(content))


@given(contents, st.data())
def test_a_cut_anywhere_is_damage(parts: list[bytes], data: st.DataObject) -> None:
    content = b"".join(stream(7, parts))
    cut = content[: data.draw(st.integers(1, len(content) - 1))]
    assert damage(cut)


@given(st.binary(max_size=400))
def test_any_bytes_get_an_answer(content: bytes) -> None:
    damage(content)
    damage(b"OggS" + content)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_mutagen_writes_the_same_checksums(packets: list[bytes]) -> None:
    theirs = OggPage()
    theirs.packets, theirs.serial, theirs.sequence, theirs.first, theirs.last = packets, 5, 0, True, True
    assert damage(theirs.write()) == ""


def test_every_ogg_of_the_fixtures_is_whole_or_known_to_be_cut(fixtures: Path) -> None:
    found = {}
    for path in sorted((fixtures / "audio").glob("*/*")):
        content = path.read_bytes()
        if content[:4] == b"OggS":
            found[path.name] = damage(content)
    assert len(found) > 15
    assert {name for name, wrong in found.items() if wrong} == {"sample_bitrate.oggtheora", "sample_length.oggtheora"}


def test_more_than_a_chunk_is_read_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"".join(stream(1, [bytes([n]) * 60_000 for n in range(40)]))
    reads: list[int] = []

    def read_at(start: int, length: int) -> bytes:
        reads.append(length)
        return content[start : start + length]

    assert read_pages(read_at, 0, len(content)).damage == ""
    assert len(reads) <= 4
    assert read_pages(lambda start, length: content[start : start + length][:1_000_000], 0, len(content)).damage == ""
    assert "read to its end" in read_pages(lambda start, length: b"", 0, len(content)).damage
