"""Tags of every container come out as one noun, bounded, with the licence that the file states."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen import id3
from mutagen.apev2 import APEv2
from mutagen.asf import ASF
from mutagen.mp4 import MP4

from fonoteca.audio import examine, read_tags
from fonoteca.audio.tags import NAMES_MAX, VALUE_CHARS_MAX, VALUES_MAX
from fonoteca.model.errors import AudioError

URL = "https://creativecommons.org/licenses/by-sa/4.0/"
MBID = "8b882575-08a5-4452-a7a7-cbb8a1531f9e"
Copy = Callable[[str], Path]


@pytest.fixture
def copy(fixtures: Path, tmp_path: Path) -> Copy:
    """Return a function that copies a fixture to where it may be changed."""

    def copied(name: str) -> Path:
        return Path(shutil.copyfile(fixtures / "audio" / name, tmp_path / Path(name).name))

    return copied


@pytest.mark.parametrize("name", ["full.flac", "full.ogg", "full.opus", "full.mp3", "full.m4a", "full.ape", "full.wv", "full.mpc"])
def test_the_same_song_has_the_same_tags_in_every_container(name: str, fixtures: Path) -> None:
    tags = read_tags(fixtures / "audio" / "beets" / name)
    assert (tags.title, tags.artist, tags.album) == ("full", "the artist", "the album")
    assert tags.album_artist == ("the album artist" if name in ("full.mp3", "full.m4a") else "")
    assert (tags.track_number, tags.disc_number, tags.date, tags.genre) == (2, 4, "2001", "the genre")
    assert tags.recording_mbid == MBID
    assert "the comments" in [text for texts in tags.other.values() for text in texts]


def vorbis(path: Path, name: str, value: str) -> None:
    song = mutagen.File(path)
    song[name] = value
    song.save()


def frames(path: Path, *added: Any) -> None:
    song = id3.ID3(path)
    for frame in added:
        song.add(frame)
    song.save()


LICENCES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "Vorbis LICENSE": ("beets/full.ogg", lambda p: vorbis(p, "LICENSE", URL)),
    "Opus LICENSE": ("beets/full.opus", lambda p: vorbis(p, "license", URL)),
    "FLAC LICENSE": ("beets/full.flac", lambda p: vorbis(p, "License", URL)),
    "FLAC COPYRIGHT in the form of Creative Commons": (
        "beets/full.flac",
        lambda p: vorbis(p, "COPYRIGHT", f"2010 A. Licensed to the public under {URL} verify at http://a.example/"),
    ),
    "ID3 WCOP": ("beets/full.mp3", lambda p: frames(p, id3.WCOP(url=URL))),
    "ID3 TXXX:LICENSE": ("beets/full.mp3", lambda p: frames(p, id3.TXXX(encoding=3, desc="LICENSE", text=[URL]))),
    "ID3 TCOP with an address": ("beets/full.mp3", lambda p: frames(p, id3.TCOP(encoding=3, text=[f"{URL}."]))),
    "MP4 cprt": ("beets/full.m4a", lambda p: mp4(p, "cprt", [URL])),
    "MP4 freeform": ("beets/full.m4a", lambda p: mp4(p, "----:com.apple.iTunes:LICENSE", [URL.encode()])),
    "APEv2 License": ("beets/full.ape", lambda p: ape(p, "License", URL)),
    "ASF copyright address": ("mutagen/silence-1.wma", lambda p: asf(p, "CopyrightURL", URL)),
}


def mp4(path: Path, name: str, value: Any) -> None:
    song = MP4(path)
    song[name] = value
    song.save()


def ape(path: Path, name: str, value: str) -> None:
    song = APEv2(path)
    song[name] = value
    song.save()


def asf(path: Path, name: str, value: str) -> None:
    song = ASF(path)
    song[name] = value
    song.save()


@pytest.mark.parametrize("where", LICENCES)
def test_a_licence_is_read_wherever_it_stands(where: str, copy: Copy) -> None:
    name, state = LICENCES[where]
    path = copy(name)
    state(path)
    assert read_tags(path).licence == URL


def test_a_copyright_line_that_speaks_of_no_licence_is_none(copy: Copy) -> None:
    path = copy("beets/full.ogg")
    vorbis(path, "COPYRIGHT", "(C) 2007 Somebody, http://somebody.example/")
    tags = read_tags(path)
    assert tags.licence == ""
    assert tags.copyright == "(C) 2007 Somebody, http://somebody.example/"


BESIDE = {
    "words that take it back": [("LICENSE", f"This is NOT under {URL}")],
    "words that limit it": [("LICENSE", f"{URL} for non-commercial use only")],
    "rights reserved in the form": [("LICENSE", f"All rights reserved. Licensed to the public under {URL}")],
    "another licence": [("LICENSE", URL), ("LICENCE", "http://creativecommons.org/licenses/by-nc-nd/4.0/")],
    "rights reserved in the copyright line": [("LICENSE", URL), ("COPYRIGHT", "(C) 2007 Somebody, all rights reserved")],
}


@pytest.mark.parametrize("stated", BESIDE.values(), ids=BESIDE)
def test_nothing_that_stands_beside_an_address_is_left_out(stated: list[tuple[str, str]], copy: Copy) -> None:
    path = copy("beets/full.ogg")
    for name, text in stated:
        vorbis(path, name, text)
    assert read_tags(path).licence.split("\n") == [text for _, text in stated]


def test_a_licence_in_words_is_kept_in_words(copy: Copy) -> None:
    path = copy("beets/full.ogg")
    vorbis(path, "LICENSE", "GPL")
    assert read_tags(path).licence == "GPL"


def test_isrcs_are_plain_and_several(copy: Copy) -> None:
    path = copy("beets/full.mp3")
    frames(path, id3.TSRC(encoding=3, text=["us-s1z-99-00001", "GBAYE0601498", "not one"]))
    assert read_tags(path).isrcs == ("USS1Z9900001", "GBAYE0601498")


def test_values_are_cut_and_counted(copy: Copy) -> None:
    path = copy("beets/full.flac")
    song = mutagen.File(path)
    song["title"] = "t" * (2 * VALUE_CHARS_MAX)
    song["many"] = [str(n) for n in range(3 * VALUES_MAX)]
    for n in range(2 * NAMES_MAX):
        song[f"name{n:04}"] = "x"
    song.save()
    tags = read_tags(path)
    assert len(tags.title) == VALUE_CHARS_MAX
    assert len(tags.other) <= NAMES_MAX
    assert all(len(texts) <= VALUES_MAX for texts in tags.other.values())


def test_pictures_are_not_among_the_tags(fixtures: Path) -> None:
    for name in ("image.mp3", "image.m4a", "image.flac", "image.ogg", "image.ape"):
        tags = read_tags(fixtures / "audio" / "beets" / name)
        assert not [n for n in tags.other if any(word in n.lower() for word in ("apic", "covr", "picture", "cover"))], name


def test_a_tag_that_inflates_without_end_is_refused(fixtures: Path, tmp_path: Path) -> None:
    """An ID3v2.3 frame of 100 kB that zlib would inflate to 100 MB."""
    bomb = (100_000_000).to_bytes(4, "big") + zlib.compress(bytes(100_000_000), 9)
    frame = b"TXXX" + len(bomb).to_bytes(4, "big") + b"\0\x80" + bomb
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "bomb.mp3"
    path.write_bytes(b"ID3\x03\0\0" + size + frame + (fixtures / "audio" / "mutagen" / "no-tags.mp3").read_bytes())
    with pytest.raises(AudioError, match="compressed ID3 frames"):
        read_tags(path)


def test_a_tag_that_inflates_without_end_is_refused_inside_a_chunk(tmp_path: Path) -> None:
    bomb = (100_000_000).to_bytes(4, "big") + zlib.compress(bytes(100_000_000), 9)
    frame = b"TIT2" + len(bomb).to_bytes(4, "big") + b"\0\x80" + bomb
    tag = b"ID3\x03\0\0" + bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0)) + frame
    sound = b"fmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\4\0\0\0\1\2\3\4"
    chunks = b"WAVE" + sound + b"id3 " + len(tag).to_bytes(4, "little") + tag + bytes(len(tag) % 2)
    path = tmp_path / "bomb.wav"
    path.write_bytes(b"RIFF" + len(chunks).to_bytes(4, "little") + chunks)
    with pytest.raises(AudioError, match="compressed ID3 frames"):
        read_tags(path)
    with pytest.raises(AudioError, match="compressed ID3 frames"):
        examine(path, "bomb.wav")


def test_who_bought_a_copy_is_not_among_the_tags(copy: Copy) -> None:
    path = copy("beets/full.m4a")
    for name in ("apID", "ownr", "purd"):
        mp4(path, name, ["buyer@example.org"])
    assert "buyer@example.org" not in str(read_tags(path))


def test_tags_that_lead_in_a_circle_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Musepack packet whose size leads back to itself: mutagen reads it for ever."""
    monkeypatch.setattr("fonoteca.audio.tags.READS_MAX", 20_000)
    path = tmp_path / "circle.mpc"
    path.write_bytes(b"MPCK" + b"EI\x00" + bytes(100))
    with pytest.raises(AudioError, match="lead in a circle"):
        read_tags(path)


def test_raw_exceptions_of_mutagen_do_not_leave_the_room(fixtures: Path, tmp_path: Path) -> None:
    raised = 0
    for path in sorted((fixtures / "audio").glob("*/*")):
        if path.stat().st_size > 60_000:
            continue
        content = path.read_bytes()
        for cut in (0.1, 0.5, 0.9):
            target = tmp_path / path.name
            target.write_bytes(content[: int(len(content) * cut)])
            try:
                read_tags(target)
            except AudioError:
                raised += 1
    assert raised
