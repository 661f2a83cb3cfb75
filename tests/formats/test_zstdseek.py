from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from shutil import which

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.zstdseek import (
    FOOTER_BYTES,
    FRAME_CONTENT_BYTES_MAX,
    SeekFrame,
    SeekTable,
    parse_seek_table,
    seek_table_bytes,
)
from fonoteca.model.errors import FormatError

SIZES = st.tuples(st.integers(1, 0xFFFFFFFF), st.integers(0, FRAME_CONTENT_BYTES_MAX))
PLAIN = st.lists(SIZES.map(lambda s: SeekFrame(*s)), max_size=40)
SUMMED = st.lists(st.tuples(SIZES, st.integers(0, 0xFFFFFFFF)).map(lambda s: SeekFrame(*s[0], s[1])), max_size=40)


def golden() -> bytes:
    """Two frames with checksums, written out by hand from the specification."""
    entries = struct.pack("<III", 20, 100, 0xDEADBEEF) + struct.pack("<III", 30, 50, 1)
    body = entries + struct.pack("<I", 2) + b"\x80" + struct.pack("<I", 0x8F92EAB1)
    return struct.pack("<II", 0x184D2A5E, len(body)) + body


@given(PLAIN | SUMMED)
def test_a_seek_table_comes_back_as_it_was_written(frames: list[SeekFrame]) -> None:
    table = SeekTable(frames)
    content = table.to_bytes()
    assert seek_table_bytes(content[-FOOTER_BYTES:], "x") == len(content)
    found = parse_seek_table(b"anything" + content, table.packed_bytes + len(content), "x")
    assert found.frames == table.frames
    assert found.to_bytes() == content


def test_the_bytes_are_those_of_the_specification() -> None:
    assert SeekTable([SeekFrame(20, 100, 0xDEADBEEF), SeekFrame(30, 50, 1)]).to_bytes() == golden()


def test_bits_that_may_be_used_one_day_are_passed_over() -> None:
    content = golden()[:-5] + b"\x83" + golden()[-4:]
    assert len(parse_seek_table(content, 50 + len(content), "x").frames) == 2


MALFORMED = {
    "empty": b"",
    "cut short": golden()[10:],
    "another magic at the end": golden()[:-1] + b"\0",
    "another magic at the start": b"\0" + golden()[1:],
    "another length": golden()[:4] + b"\xff" + golden()[5:],
    "reserved bits": golden()[:-5] + b"\x84" + golden()[-4:],
    "too many frames": golden()[:-9] + b"\xff\xff\xff\xff" + golden()[-5:],
    "a frame of no bytes": golden()[:8] + bytes(4) + golden()[12:],
    "a frame that unpacks to too much": golden()[:12] + b"\xff\xff\xff\xff" + golden()[16:],
    "frames that do not fill the file": golden()[:8] + b"\x15" + golden()[9:],
}


@pytest.mark.parametrize("law", MALFORMED)
def test_what_breaks_the_format_is_refused(law: str) -> None:
    with pytest.raises(FormatError):
        parse_seek_table(MALFORMED[law], 50 + len(golden()), "x")


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_be_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        parse_seek_table(content, len(content), "x")


def test_checksums_for_some_frames_are_no_table() -> None:
    with pytest.raises(FormatError):
        SeekTable([SeekFrame(1, 1, 7), SeekFrame(1, 1)])


def test_other_readers_pass_over_the_table(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor()
    parts = [b"one\n" * 100, b"two\n" * 50]
    frames = [packer.compress(part) for part in parts]
    table = SeekTable([SeekFrame(len(f), len(p)) for f, p in zip(frames, parts, strict=True)])
    content = b"".join(frames) + table.to_bytes()
    with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
        assert reader.read() == b"".join(parts)
    if which("zstd"):
        (tmp_path / "x.zst").write_bytes(content)
        done = subprocess.run(["zstd", "-dc", str(tmp_path / "x.zst")], capture_output=True, check=True)
        assert done.stdout == b"".join(parts)
