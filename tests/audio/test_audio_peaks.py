"""Outlines of sound: as many parts as asked for, loud where the sound is, and no more than that of a broken file."""

from __future__ import annotations

import io
import math
import wave

import pytest

from fonoteca.audio import peaks
from fonoteca.model.errors import AudioError, UsageError


def _half_silent(seconds: float, rate_hz: int = 44_100, channels: int = 2) -> bytes:
    """Return a WAV file that is silent to its middle, and then a tone."""
    count = int(seconds * rate_hz)
    memory = io.BytesIO()
    with wave.open(memory, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        samples = (0 if n < count // 2 else round(9000 * math.sin(n * 440 * math.tau / rate_hz)) for n in range(count))
        sound.writeframes(b"".join(each.to_bytes(2, "little", signed=True) * channels for each in samples))
    return memory.getvalue()


@pytest.mark.parametrize("count", [1, 7, 100, 2000])
def test_outline_is_loud_where_the_sound_is(count: int) -> None:
    outline = peaks(io.BytesIO(_half_silent(2)), "a", 2000, count)
    assert len(outline) == count
    assert max(outline) == 255
    assert max(outline[: count * 48 // 100], default=0) < 10
    assert min(outline[count * 53 // 100 :]) > 100 or count == 2000


def test_sound_that_is_longer_than_was_said_ends_in_the_last_part() -> None:
    outline = peaks(io.BytesIO(_half_silent(1)), "a", 500, 10)
    assert (len(outline), outline[-1]) == (10, 255)


def test_what_does_not_decode_has_no_outline() -> None:
    with pytest.raises(AudioError):
        peaks(io.BytesIO(b"no sound at all"), "a", 1000, 10)
    with pytest.raises(UsageError):
        peaks(io.BytesIO(_half_silent(0.1)), "a", 100, 0)
