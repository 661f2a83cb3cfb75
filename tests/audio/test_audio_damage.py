"""Sound that is cut off, flipped, joined or torn is refused, also where a decoder would play over it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fonoteca.audio import decoding, examine
from fonoteca.formats import ogg
from fonoteca.model.errors import DamagedAudioError, UnsupportedAudioError

Encode = Callable[..., Path]

WHOLE = (
    *("beets/full.aiff", "beets/full.alac.m4a", "beets/full.ape", "beets/full.dsf", "beets/whitenoise.flac", "beets/full.m4a"),
    *("beets/whitenoise.mp3", "beets/full.mpc", "beets/full.ogg", "beets/full.opus", "beets/full.wv", "mutagen/empty.aac"),
    *("mutagen/silence-44-s.ac3", "mutagen/silence-44-s.eac3", "mutagen/silence-44-s.tak", "mutagen/empty.tta"),
    *("mutagen/silence-1.wma", "mutagen/silence-2s-PCM-44100-16-ID3v23.wav", "mutagen/silence-44-s.mp3", "mutagen/empty.oggflac"),
)


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_off_is_damaged(name: str, share: float, fixtures: Path, tmp_path: Path) -> None:
    content = (fixtures / "audio" / name).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DamagedAudioError, match="damaged"):
        examine(path, name)


CHECKED = (
    *("beets/whitenoise.flac", "beets/full.ogg", "beets/whitenoise.opus", "beets/full.wv", "mutagen/silence-44-s.tak"),
    *("mutagen/empty.tta", "mutagen/silence-44-s.ac3", "mutagen/empty.oggflac"),
)
"""Formats with checksums over all of their sound."""


@pytest.mark.parametrize("name", CHECKED)
def test_a_flipped_bit_is_damage_where_the_format_has_checksums(name: str, fixtures: Path, tmp_path: Path) -> None:
    content = (fixtures / "audio" / name).read_bytes()
    chance = random.Random(7)
    path = tmp_path / "flipped"
    for _ in range(4):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content) // 2, len(content) * 9 // 10)] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(DamagedAudioError):
            examine(path, name)


@pytest.mark.parametrize("sample_format", ["s16", "s32"])
def test_flac_whose_sound_is_not_what_was_encoded_is_damaged(sample_format: str, encode: Encode) -> None:
    """The frames are sound, their checksums right: only the MD5 in STREAMINFO tells (RFC 9639 section 8.2)."""
    path = encode("a.flac", "flac", -20.0, 0.5, sample_format=sample_format)
    examine(path, "a.flac")
    content = bytearray(path.read_bytes())
    content[8 + 18] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedAudioError, match="MD5"):
        examine(path, "a.flac")


def pages(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        segments = content[at + 27 : at + 27 + content[at + 26]]
        length = 27 + len(segments) + sum(segments)
        yield content[at : at + length]
        at += length


def test_an_ogg_page_that_is_left_out_is_damage(fixtures: Path, tmp_path: Path) -> None:
    whole = list(pages((fixtures / "audio" / "beets" / "whitenoise.opus").read_bytes()))
    assert len(whole) > 3
    path = tmp_path / "a.opus"
    path.write_bytes(b"".join(whole[:2] + whole[3:]))
    with pytest.raises(DamagedAudioError, match="expected page 2"):
        examine(path, "a.opus")
    path.write_bytes(b"".join(whole[:-1]))
    with pytest.raises(DamagedAudioError, match="last page is missing"):
        examine(path, "a.opus")


def test_an_encoder_that_marks_many_last_pages_is_put_up_with(fixtures: Path, tmp_path: Path) -> None:
    whole = list(pages((fixtures / "audio" / "beets" / "whitenoise.opus").read_bytes()))
    marked = bytearray(whole[-2])
    marked[5] |= 0x04
    marked[22:26] = bytes(4)
    marked[22:26] = ogg.page_checksum(bytes(marked)).to_bytes(4, "little")
    path = tmp_path / "a.opus"
    path.write_bytes(b"".join([*whole[:-2], bytes(marked), whole[-1]]))
    examine(path, "a.opus")


def test_two_oggs_end_to_end_are_two_recordings(fixtures: Path, tmp_path: Path) -> None:
    path = tmp_path / "chain.ogg"
    path.write_bytes(b"".join((fixtures / "audio" / "beets" / name).read_bytes() for name in ("full.opus", "whitenoise.opus")))
    with pytest.raises(UnsupportedAudioError, match="chain of 2 streams"):
        examine(path, "chain.ogg")


def test_sound_that_changes_shape_is_not_taken(fixtures: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.mp3"
    names = ("no-tags.mp3", "silence-44-s-mpeg2.mp3")
    path.write_bytes(b"".join((fixtures / "audio" / "mutagen" / name).read_bytes() for name in names))
    with pytest.raises(UnsupportedAudioError, match="changes from"):
        examine(path, "two.mp3")


def test_a_header_that_promises_more_is_damage(encode: Encode, tmp_path: Path) -> None:
    path = encode("a.mp3", "libmp3lame", -20.0, 2.0)
    content = path.read_bytes()
    frame = content.index(b"Info")
    count = int.from_bytes(content[frame + 8 : frame + 12], "big")
    path.write_bytes(content[: frame + 8] + (2 * count).to_bytes(4, "big") + content[frame + 12 :])
    with pytest.raises(DamagedAudioError, match="header declares"):
        examine(path, "a.mp3")


def test_limits_of_length_and_of_packets_hold(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode("a.flac", "flac", -20.0, 2.0)
    monkeypatch.setattr(decoding, "PACKETS_MAX", 3)
    with pytest.raises(UnsupportedAudioError, match="more than 3 packets"):
        examine(path, "a.flac")
    monkeypatch.undo()
    monkeypatch.setattr(decoding, "DECODED_HOURS_MAX", 1 / 3600)
    with pytest.raises(UnsupportedAudioError, match="longer than"):
        examine(path, "a.flac")


@pytest.mark.parametrize("entry", [b"mp4\xff", b"zzzz"])
def test_a_sample_entry_that_is_not_on_the_list_is_refused(entry: bytes, encode: Encode) -> None:
    path = encode("a.m4a", "aac", -20.0, 1.0, container="ipod")
    content = path.read_bytes()
    at = content.index(b"mp4a", content.index(b"stsd"))
    path.write_bytes(content[:at] + entry + content[at + 4 :])
    with pytest.raises(UnsupportedAudioError, match=r"sample entry|accepted there"):
        examine(path, "a.m4a")
