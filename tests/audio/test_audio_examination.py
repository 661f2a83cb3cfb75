"""What is no sound music is refused in words, whatever it is called, in this process or another."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from fonoteca.audio import Examined, Protected, examine, verdict_on
from fonoteca.formats.mp4 import protected_sample
from fonoteca.model.errors import AudioError, UnidentifiedAudioError, UnsupportedAudioError

Encode = Callable[..., Path]

REFUSED = {
    "an XM module": (b"Extended Module: frozen" + bytes(400), UnsupportedAudioError, "tracker module"),
    "an IT module": (b"IMPM" + bytes(400), UnsupportedAudioError, "tracker module"),
    "an S3M module": (bytes(44) + b"SCRM" + bytes(400), UnsupportedAudioError, "tracker module"),
    "a MOD module": (bytes(1080) + b"M.K." + bytes(400), UnsupportedAudioError, "tracker module"),
    "MIDI": (b"MThd\0\0\0\6" + bytes(40), UnsupportedAudioError, "MIDI"),
    "text": ("Ceci n'est pas de la musique, c'est du texte: é.\n".encode() * 50, UnsupportedAudioError, "is text"),
    "a web page": (b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>", UnsupportedAudioError, "web page"),
    "a picture": (b"\xff\xd8\xff\xe0" + bytes(40), UnsupportedAudioError, "is a picture"),
    "an archive": (b"PK\x03\x04" + bytes(40), UnsupportedAudioError, "archive"),
    "a playlist": (b"#EXTM3U\n#EXTINF:1,\na.mp3\n", UnsupportedAudioError, "playlist"),
    "Sony OpenMG in clear": (b"EA3\x02\0\x60\xff\xff" + bytes(88), UnsupportedAudioError, "OpenMG"),
    "nothing": (b"", UnidentifiedAudioError, "is empty"),
    "zeros": (bytes(5000), UnidentifiedAudioError, "no known kind"),
    "noise": (bytes(range(256)) * 20, UnidentifiedAudioError, "no known kind"),
    "one sync word in noise": (b"\xff\xfb\x90\x00" + bytes(range(1, 250)) * 20, UnidentifiedAudioError, "no known kind"),
    "an ID3 tag alone": (b"ID3\x03\0\0\0\0\0\x0a" + bytes(10), UnidentifiedAudioError, "no known kind"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_recording_is_refused_in_words(what: str, tmp_path: Path) -> None:
    content, kind, words = REFUSED[what]
    path = tmp_path / "music.mp3"
    path.write_bytes(content)
    with pytest.raises(kind, match=words) as caught:
        examine(path, "music.mp3")
    assert caught.value.subject == "music.mp3"
    assert type(caught.value) is kind


def test_content_decides_and_not_the_name(encode: Encode) -> None:
    path = encode("song.flac", "flac")
    renamed = path.rename(path.with_name("song.mp3"))
    found = examine(renamed, "song.mp3")
    assert isinstance(found, Examined)
    assert (found.media_type, found.probe.container) == ("audio/flac", "flac")


@pytest.mark.parametrize("name", ["a\nb.flac", "x:y%20?é.flac", "‮gpj.flac", "-.flac", "concat:a|b", "é" * 100, "\udcff\udcfe.flac"])
def test_any_name_on_disk_can_be_examined(name: str, encode: Encode) -> None:
    path = encode("plain.flac", "flac", -20.0, 0.5)
    odd = path.rename(path.with_name(name))
    assert isinstance(examine(odd, "odd"), Examined)


def test_a_film_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w", format="matroska") as target:
        video = target.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            target.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        target.mux(video.encode(None))
    with pytest.raises(UnsupportedAudioError, match="moving pictures"):
        examine(path, "film.mkv")


@pytest.mark.parametrize(
    ("name", "codec", "container", "expected"),
    [
        ("a.mka", "flac", "matroska", ("matroska", "flac", True)),
        ("a.webm", "libopus", "webm", ("matroska", "opus", False)),
        ("a.m4a", "alac", "ipod", ("mp4", "alac", True)),
        ("a.mp4", "flac", "mp4", ("mp4", "flac", True)),
        ("a.aiff", "pcm_s16be", "aiff", ("aiff", "pcm", True)),
        ("a.wav", "pcm_s24le", "wav", ("wav", "pcm", True)),
        ("a.wav", "pcm_f32le", "wav", ("wav", "pcm", True)),
        ("a.w64", "pcm_s16le", "wav", ("wav", "pcm", True)),
        ("a.mp2", "mp2", "mp2", ("mp3", "mp2", False)),
        ("a.aac", "aac", "adts", ("aac", "aac", False)),
        ("a.ac3", "ac3", "ac3", ("ac3", "ac3", False)),
        ("a.eac3", "eac3", "eac3", ("eac3", "eac3", False)),
        ("a.wma", "wmav2", "asf", ("asf", "wma", False)),
        ("a.tta", "tta", "tta", ("tta", "tta", True)),
        ("a.wv", "wavpack", "wv", ("wavpack", "wavpack", True)),
    ],
)
def test_what_ffmpeg_writes_is_taken(
    name: str, codec: str, container: str, expected: tuple[str, str, bool], encode: Encode
) -> None:
    found = examine(encode(name, codec, -20.0, 1.5, container=container), name)
    assert isinstance(found, Examined)
    probe = found.probe
    assert (probe.container, probe.codec, probe.lossless) == expected
    assert probe.duration_ms == pytest.approx(1500, abs=80)
    assert (probe.sample_rate_hz, probe.channels) == (48000, 2)


def test_a_codec_off_the_list_is_refused(encode: Encode) -> None:
    path = encode("a.wav", "adpcm_ima_wav", -20.0, 1.0)
    with pytest.raises(UnsupportedAudioError, match="accepted there are mp3, pcm"):
        examine(path, "a.wav")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read"):
        examine(tmp_path / "missing", "missing")
    with pytest.raises(AudioError, match=r"cannot be read|not an ordinary file"):
        examine(tmp_path, "folder")


def test_a_protected_file_is_a_value_with_its_marker(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    path.write_bytes(protected_sample())
    found = examine(path, "song.m4a")
    assert isinstance(found, Protected)
    assert found.marker == "sample entry enca"


def test_verdicts_cross_to_a_spawned_process_and_back(encode: Encode, tmp_path: Path) -> None:
    sound, text, locked = encode("a.flac", "flac", -20.0, 0.5), tmp_path / "b", tmp_path / "c"
    text.write_text("text " * 100)
    locked.write_bytes(protected_sample())
    items = [(path, path.name) for path in (sound, text, locked)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.starmap(verdict_on, [(None, item) for item in items])
    here = [verdict_on(None, item) for item in items]
    assert [type(v) for v in there] == [Examined, UnsupportedAudioError, Protected]
    assert there[0] == here[0]
    assert there[2] == here[2]
    assert str(there[1]) == str(here[1]) == str(pickle.loads(pickle.dumps(here[1])))


def test_examination_leaves_the_file_as_it_was(encode: Encode) -> None:
    path = encode("a.flac", "flac", -20.0, 0.5)
    before = path.read_bytes()
    os.chmod(path, 0o444)
    examine(path, "a.flac")
    assert path.read_bytes() == before
