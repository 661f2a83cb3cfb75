"""Sound made for tests: sines of known level, in any format that FFmpeg writes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

Encode = Callable[..., Path]


def sine(level_dbfs: float, seconds: float, rate: int, channels: int, hz: float = 1000.0) -> list[av.AudioFrame]:
    """Return float frames of a sine whose peak is at this level."""
    peak, step = 10 ** (level_dbfs / 20), 2 * math.pi * hz / rate
    frames = []
    for start in range(0, round(seconds * rate), 1024):
        count = min(1024, round(seconds * rate) - start)
        samples = array("f", [peak * math.sin(step * (start + i)) for i in range(count)]).tobytes()
        frame = av.AudioFrame(format="fltp", layout="stereo" if channels == 2 else "mono", samples=count)
        for plane in frame.planes:
            plane.update(samples.ljust(plane.buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        frames.append(frame)
    return frames


def write(path: Path, codec: str, frames: list[av.AudioFrame], container: str = "", sample_format: str = "") -> Path:
    """Encode frames into a file and return its path."""
    with av.open(str(path), "w", format=container or path.suffix[1:]) as target:
        stream = target.add_stream(codec, rate=frames[0].sample_rate, layout=frames[0].layout.name)
        wanted = stream.codec_context.codec.audio_formats
        if not codec.startswith("pcm"):
            stream.bit_rate = 128_000
        shape = sample_format or (wanted[0].name if wanted else "fltp")
        stream.codec_context.format = shape
        stream.codec_context.open()
        resampler = av.AudioResampler(
            format=shape,
            layout=frames[0].layout.name,
            rate=frames[0].sample_rate,
            frame_size=stream.codec_context.frame_size or None,
        )
        for frame in (*frames, None):
            for shaped in resampler.resample(frame):
                target.mux(stream.encode(shaped))
        target.mux(stream.encode(None))
    return path


@pytest.fixture
def encode(tmp_path: Path) -> Encode:
    """Return a function that writes a sine: (name, codec, level_dbfs, seconds, rate=, channels=, container=)."""

    def encoded(
        name: str, codec: str, level_dbfs: float = -20.0, seconds: float = 2.0, rate: int = 48000, channels: int = 2, **options: str
    ) -> Path:
        return write(tmp_path / name, codec, sine(level_dbfs, seconds, rate, channels), **options)

    return encoded
