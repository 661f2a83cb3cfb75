"""What a file is, by its bytes: known, refused by name, or unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.audio.allowlist import CONTAINERS, REFUSED
from fonoteca.formats import mpeg
from fonoteca.formats.identity import CHUNKED, MAGIC, TEXT_STARTS, identify
from fonoteca.formats.window import window_on

FRAME = b"\xff\xfb\x90\x00" + bytes(413)
TAG = b"ID3\x04\0\0\0\0\0\x10" + bytes(16)
NAMES = (
    {name for _, _, name in MAGIC}
    | set(CHUNKED.values())
    | {name for _, name in TEXT_STARTS}
    | {"mp4", "dsdiff", "mp3", "aac", "ac3", "eac3", "text"}
)


def test_every_name_is_accepted_or_refused_in_words() -> None:
    assert NAMES - {"audible"} <= set(CONTAINERS) | set(REFUSED)
    assert not set(CONTAINERS) & set(REFUSED)


@pytest.mark.parametrize(("offset", "magic", "name"), MAGIC)
def test_each_magic_is_known_bare_and_after_a_tag(offset: int, magic: bytes, name: str) -> None:
    content = b"\x01" * offset + magic + b"\x01" * 64
    assert identify(content) == name
    assert identify(TAG + content) == name


def test_two_frames_that_agree_are_mpeg_audio_and_one_in_noise_is_not() -> None:
    assert identify(FRAME * 2) == "mp3"
    assert identify(FRAME) == "mp3"
    assert identify(bytes(100) + FRAME * 2) == "mp3"
    assert identify(FRAME + b"\x55" * 500) is None
    assert identify(FRAME + b"\xff\xf3\x90\x00" + bytes(413)) is None
    assert identify(b"\xff\xe0\x00\x00" + bytes(100)) is None


def test_a_picture_in_a_box_is_no_mp4() -> None:
    assert identify(b"\0\0\0\x18ftypM4A ") == "mp4"
    assert identify(b"\0\0\0\x03ftypM4A ") is None
    assert identify(b"\0\0\0\x18abcdM4A ") is None


def test_text_is_utf8_even_when_its_end_is_cut() -> None:
    text = ("é" * 3000).encode()
    assert identify(text[:4095]) == "text"
    assert identify(text[:4096]) == "text"
    assert identify("été".encode("latin-1") * 50) is None
    assert identify(b"") is None
    assert identify(b"   \n") is None


@given(st.binary(max_size=300))
def test_any_bytes_have_a_name_of_ours_or_none(head: bytes) -> None:
    assert identify(head) in NAMES | {None}


@given(st.binary(max_size=400))
def test_any_bytes_can_be_asked_for_frames(content: bytes) -> None:
    window = window_on(content)
    mpeg.promise(window, 0)
    mpeg.find_cut(window, 0)


def test_the_end_of_the_sound_is_found_before_any_tag() -> None:
    ape = b"APETAGEX" + bytes([0xD0, 7, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0]) + bytes(3) + b"\x80" + bytes(8)
    footer = bytes(10) + b"APETAGEX" + bytes([0xD0, 7, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0]) + bytes(3) + b"\x80" + bytes(8)
    id3v1 = b"TAG" + bytes(125)
    trailing = b"ID3\x04\0\x10\0\0\0\x05" + bytes(5) + b"3DI\x04\0\x10\0\0\0\x05"
    for end in (b"", id3v1, ape + footer, ape + footer + id3v1, trailing, bytes(100)):
        assert mpeg.find_cut(window_on(FRAME * 40 + end), 0) == ""
        assert "cut off" in mpeg.find_cut(window_on(FRAME * 40 + FRAME[:300] + end), 0) or end == bytes(100)


@pytest.mark.parametrize(
    ("head", "frame_bytes", "samples"),
    [
        ("fffb9000", 417, 1152),
        ("fffb9200", 418, 1152),
        ("fff39000", 261, 576),
        ("ffe39000", 522, 576),
        ("fffd9000", 522, 1152),
        ("ffff9000", 312, 384),
    ],
)
def test_frame_lengths_are_as_the_standard_has_them(head: str, frame_bytes: int, samples: int) -> None:
    """ISO/IEC 11172-3 section 2.4.3.1: 144 x bitrate / rate and padding (layer I: 12 x bitrate / rate, of 4 bytes each)."""
    frame = mpeg.frame_header(bytes.fromhex(head))
    assert frame is not None
    assert (frame.frame_bytes, frame.samples) == (frame_bytes, samples)
