"""Recordings in another format: whole, from any second, of any kind that is held, and broken off at any time."""

from __future__ import annotations

import io
import math
import wave
from pathlib import Path

import av
import pytest

from fonoteca.audio import Format, Rendition, transcode
from fonoteca.model.errors import DamagedAudioError, UnsupportedAudioError, UsageError


def _tone(seconds: float, rate_hz: int = 44_100, channels: int = 2) -> bytes:
    """Return a WAV file of a tone that begins silent and ends loud."""
    count = int(seconds * rate_hz)
    memory = io.BytesIO()
    with wave.open(memory, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        samples = (round(12_000 * n / count * math.sin(n * 440 * math.tau / rate_hz)) for n in range(count))
        sound.writeframes(b"".join(each.to_bytes(2, "little", signed=True) * channels for each in samples))
    return memory.getvalue()


def _made(content: bytes, rendition: Rendition) -> av.container.InputContainer:
    parts = list(transcode(io.BytesIO(content), "a", rendition))
    assert all(parts[:-1]), "an empty part would look like the end"
    return av.open(io.BytesIO(b"".join(parts)), mode="r", format="ogg" if rendition.format is Format.OPUS else "mp3")


def _seconds(sound: av.container.InputContainer) -> tuple[float, float]:
    """Return how long a recording is, and how loud its first quarter is against its last."""
    samples = b"".join(
        bytes(part.planes[0])[: part.samples * 4]
        for frame in sound.decode(audio=0)
        for part in av.AudioResampler("flt", "mono", 48_000).resample(frame)
    )
    values = memoryview(samples).cast("f")
    quarter = len(values) // 4
    first, last = (max(map(abs, part)) for part in (values[:quarter], values[-quarter:]))
    return len(values) / 48_000, first / last


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize(("rate_hz", "channels"), [(44_100, 2), (48_000, 1), (96_000, 2), (8_000, 1), (22_050, 1)])
def test_a_recording_is_whole_in_another_format(form: Format, rate_hz: int, channels: int) -> None:
    sound = _made(_tone(3, rate_hz, channels), Rendition(form, 96_000))
    context = sound.streams.audio[0].codec_context
    assert (context.name.removeprefix("lib").removesuffix("float"), context.channels) == (form, channels)
    length, rise = _seconds(sound)
    assert 2.9 < length < 3.2
    assert rise < 0.5


@pytest.mark.parametrize("form", Format)
def test_it_begins_at_any_second(form: Format) -> None:
    length, rise = _seconds(_made(_tone(4), Rendition(form, start_s=3)))
    assert 0.9 < length < 1.3
    assert rise > 0.6, "the last second is loud from its beginning"


def test_more_bits_are_more_bytes() -> None:
    few, many = (sum(map(len, transcode(io.BytesIO(_tone(3)), "a", Rendition(Format.MP3, each)))) for each in (32_000, 256_000))
    assert 5 * few < many < 12 * few


def test_one_that_is_broken_off_lets_its_source_be() -> None:
    source = io.BytesIO(_tone(20))
    making = transcode(source, "a", Rendition(Format.OPUS))
    assert next(making).startswith(b"OggS")
    making.close()
    assert not source.closed
    assert b"".join(transcode(source, "a", Rendition(Format.OPUS))).startswith(b"OggS"), "the same source, read again"


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4 not music at all" * 50, b"<html>" * 100])
def test_what_is_no_recording_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedAudioError, match="a: is of no kind"):
        next(transcode(io.BytesIO(content), "a", Rendition(Format.OPUS)))


def test_a_header_with_nothing_behind_it_is_an_error() -> None:
    with pytest.raises((DamagedAudioError, UnsupportedAudioError)):
        list(transcode(io.BytesIO(b"fLaC" + bytes(60)), "a", Rendition(Format.MP3)))


@pytest.mark.parametrize(("bits", "start"), [(15_999, 0), (320_001, 0), (128_000, -1), (128_000, 86_400), (128_000, math.nan)])
def test_bounds_are_kept(bits: int, start: float) -> None:
    with pytest.raises(UsageError):
        Rendition(Format.OPUS, bits, start)


def test_every_kind_of_file_that_is_taken_can_be_heard(fixtures: Path) -> None:
    heard: set[str] = set()
    for path in sorted((fixtures / "audio").rglob("*")):
        if not path.is_file() or path.suffix in heard:
            continue
        try:
            with path.open("rb") as source:
                made = b"".join(transcode(source, path.name, Rendition(Format.OPUS)))
        except (UnsupportedAudioError, DamagedAudioError):
            continue
        with av.open(io.BytesIO(made), mode="r", format="ogg") as sound:
            assert next(sound.decode(audio=0), None), path
        heard.add(path.suffix)
    assert {".flac", ".mp3", ".ogg", ".wav"} <= heard, heard
