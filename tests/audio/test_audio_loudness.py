"""Loudness against levels that are known by construction (ITU-R BS.1770-5; EBU Tech 3341)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fonoteca.audio import Examined, examine
from fonoteca.model.audio import AudioProbe, Loudness

Encode = Callable[..., Path]


def probe(path: Path) -> AudioProbe:
    found = examine(path, path.name)
    assert isinstance(found, Examined)
    return found.probe


@pytest.mark.parametrize("level", [-6.0, -20.0, -26.0])
def test_a_stereo_sine_is_as_loud_as_its_level(level: float, encode: Encode) -> None:
    """EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS measures -23.0 LUFS."""
    loudness = probe(encode("a.flac", "flac", level, 5.0)).loudness
    assert loudness.integrated_lufs == pytest.approx(level, abs=0.1)
    assert loudness.sample_peak_dbfs == pytest.approx(level, abs=0.2)
    assert loudness.range_lu == pytest.approx(0, abs=0.2)


def test_one_channel_is_3_lu_less_loud_than_two(encode: Encode) -> None:
    assert probe(encode("a.wav", "pcm_s16le", -20.0, 3.0, channels=1)).loudness.integrated_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.opus", "libopus"), ("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.wv", "wavpack")],
)
def test_a_codec_does_not_change_the_loudness(name: str, codec: str, encode: Encode) -> None:
    container = {"m4a": "ipod", "opus": "ogg"}.get(name[2:], name[2:])
    found = probe(encode(name, codec, -20.0, 3.0, container=container))
    scaled = -0.446 if codec == "libmp3lame" else 0.0  # LAME encodes at 0.95 of full level
    assert found.loudness.integrated_lufs == pytest.approx(-20.0 + scaled, abs=0.15)
    assert found.duration_ms == pytest.approx(3000, abs=60)


@pytest.mark.parametrize("rate", [8000, 44100, 96000, 192000])
def test_the_sample_rate_does_not_change_the_loudness(rate: int, encode: Encode) -> None:
    assert probe(encode("a.wav", "pcm_s16le", -20.0, 1.0, rate=rate)).loudness.integrated_lufs == pytest.approx(-20.0, abs=0.2)


def test_silence_has_no_loudness_and_no_peak(encode: Encode) -> None:
    assert probe(encode("a.flac", "flac", -200.0, 1.0)).loudness == Loudness(None, None, None)


def test_sound_shorter_than_a_gating_block_has_a_peak_only(encode: Encode) -> None:
    loudness = probe(encode("a.wav", "pcm_s16le", -20.0, 0.3)).loudness
    assert loudness.integrated_lufs is None
    assert loudness.sample_peak_dbfs == pytest.approx(-20.0, abs=0.1)


def test_a_range_needs_five_seconds(encode: Encode) -> None:
    assert probe(encode("a.wav", "pcm_s16le", -20.0, 3.1)).loudness.range_lu is None


def test_the_bitrate_is_of_the_sound_alone(encode: Encode) -> None:
    found = probe(encode("a.wav", "pcm_s16le", -20.0, 1.0))
    assert found.bitrate_bps == 48000 * 2 * 16
    assert found.lossless
    assert (found.sample_rate_hz, found.channels) == (48000, 2)
