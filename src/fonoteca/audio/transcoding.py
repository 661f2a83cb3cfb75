"""A stored recording given out in another format while it is read: Opus or MP3, some packets at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import RawIOBase
from typing import TYPE_CHECKING, BinaryIO, cast

import av
import av.error
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer

from fonoteca.audio.allowlist import CODECS, CONTAINERS
from fonoteca.formats import id3
from fonoteca.formats.identity import HEAD_BYTES, identify
from fonoteca.formats.window import Window
from fonoteca.model.errors import DamagedAudioError, FormatError, UnsupportedAudioError, UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

RATE_BOUNDS = (16_000, 320_000)
"""Bits a second that may be asked for."""

_TIMEOUT_S = (30.0, 30.0)
"""How long FFmpeg may take for a header and for a packet of a recording that was decoded whole when it came."""

_PIECE_BYTES = 1 << 14
"""Given out at once, at least: 16 KiB are a second of sound at 128 kbit/s."""

_MP3_RATES_HZ = (32_000, 44_100, 48_000)


class Format(StrEnum):
    """What a recording can be given out as, besides what it is."""

    OPUS = "opus"
    MP3 = "mp3"


@dataclass(frozen=True, slots=True)
class Encoder:
    """How a format is made: FFmpeg's encoder and container, the media type, the ending of a name."""

    codec: str
    container: str
    media_type: str
    ending: str
    options: tuple[tuple[str, str], ...] = ()


ENCODERS = {
    Format.OPUS: Encoder("libopus", "ogg", "audio/ogg; codecs=opus", "opus"),
    Format.MP3: Encoder("libmp3lame", "mp3", "audio/mpeg", "mp3", (("write_xing", "0"), ("id3v2_version", "0"))),
}
"""MP3 without the Xing header, which is written last at the file's beginning: what was sent cannot be changed."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """What is wanted. bits_per_second: within RATE_BOUNDS; start_s: where in the recording to begin, in seconds."""

    format: Format
    bits_per_second: int = 128_000
    start_s: float = 0.0

    def __post_init__(self) -> None:
        low, high = RATE_BOUNDS
        if not low <= self.bits_per_second <= high:
            raise UsageError(f"{self.bits_per_second} bit/s", f"expected {low} to {high}", "Ask for another bit rate.")
        if not 0 <= self.start_s < 86_400:
            raise UsageError(f"second {self.start_s}", "not within a day", "Ask for another place to begin.")


def transcode(source: BinaryIO, name: str, rendition: Rendition) -> Generator[bytes]:
    """Yield a recording in another format, as it is made; close the iterator to stop.

    source: seekable; it stays open. name: what errors call it.
    Mono stays mono; more than two channels become two. Cost: some 1/150 of the playing time on one core; memory some MiB.
    Raises: UnsupportedAudioError for a kind off the allowlist, DamagedAudioError where it does not decode.
    """
    with in_words(name), opened_sound(source, name) as recording:
        stream = recording.streams.audio[0]
        stream.codec_context.thread_count = 1
        made = _Written()
        encoder = ENCODERS[rendition.format]
        with av.open(made, mode="w", format=encoder.container, options=dict(encoder.options)) as target:
            encoding = _Encoding(target, stream, rendition)
            yield from _encoded(recording, stream, encoding, made)
        if not encoding.frames:
            raise DamagedAudioError(name, "decodes to no sound at all", "Ask for it as it is.")
        yield made.take()


class _Written(RawIOBase):
    """What the muxer has written and nobody has taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.count = 0

    def write(self, content: ReadableBuffer, /) -> int:
        """Keep what is written."""
        self._parts.append(bytes(content))
        self.count += len(self._parts[-1])
        return len(self._parts[-1])

    def writable(self) -> bool:
        """Return True."""
        return True

    def take(self) -> bytes:
        """Return it, once."""
        taken = b"".join(self._parts)
        self._parts.clear()
        self.count = 0
        return taken


class _Encoding:
    """Frames in, packets of the format out, into a container that is being written. frames: so many came, used or not."""

    def __init__(self, target: OutputContainer, stream: av.AudioStream, rendition: Rendition) -> None:
        self._target = target
        self.frames = 0
        self.start_s = rendition.start_s
        rate_hz = _rate_of(rendition.format, stream.codec_context.sample_rate)
        self._stream = cast(av.AudioStream, target.add_stream(ENCODERS[rendition.format].codec, rate=rate_hz))
        self._stream.bit_rate = rendition.bits_per_second
        self._stream.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        context = self._stream.codec_context
        context.open()
        self._resampler = AudioResampler(context.format, context.layout, context.sample_rate, context.frame_size)

    def take(self, frame: av.AudioFrame) -> None:
        """Encode a frame, unless it ends before the place to begin at."""
        self.frames += 1
        if self.start_s and frame.time is not None and frame.time + frame.samples / frame.sample_rate <= self.start_s:
            return
        frame.pts = None
        for part in self._resampler.resample(frame):
            self._target.mux(self._stream.encode(part))

    def finish(self) -> None:
        """Encode what is left."""
        for part in self._resampler.resample(None):
            self._target.mux(self._stream.encode(part))
        self._target.mux(self._stream.encode(None))


def _encoded(recording: InputContainer, stream: av.AudioStream, encoding: _Encoding, made: _Written) -> Iterator[bytes]:
    """Yield what the muxer writes, but for its last words."""
    if encoding.start_s:
        recording.seek(int(encoding.start_s * av.time_base))
    for packet in recording.demux(stream):
        for frame in packet.decode():
            encoding.take(frame)
        if made.count >= _PIECE_BYTES:
            yield made.take()
    encoding.finish()


def _rate_of(form: Format, rate_hz: int) -> int:
    """Return the sample rate to encode in: Opus has 48 kHz; MP3 the source's own where it has that, else the next above."""
    if form is Format.OPUS:
        return 48_000
    return next((each for each in _MP3_RATES_HZ if each >= rate_hz and not each % rate_hz), 0) or (
        44_100 if rate_hz % 44_100 == 0 else 48_000
    )


@contextmanager
def opened_sound(source: BinaryIO, name: str) -> Iterator[InputContainer]:
    """Open a recording with the demuxer of its kind, if its sound is of a codec on the allowlist."""
    container = CONTAINERS.get(_kind_of(source) or "")
    if container is None:
        raise UnsupportedAudioError(name, "is of no kind that can be given out in another format", "Ask for it as it is.")
    with av.open(source, mode="r", format=container.demuxer, metadata_errors="replace", timeout=_TIMEOUT_S) as opened:
        sounds = opened.streams.audio
        codec = CODECS.get(sounds[0].codec_context.name) if sounds else None
        if codec is None or codec.name not in container.codecs:
            raise UnsupportedAudioError(name, "holds no sound of a kind that is taken", "Ask for it as it is.")
        yield opened


def _kind_of(source: BinaryIO) -> str | None:
    """Return what a file's first bytes after its tags say it is; the source is at its beginning then."""

    def read_at(offset: int, length: int) -> bytes:
        source.seek(offset)
        return source.read(length)

    start = id3.content_start(Window(read_at, source.seek(0, 2)))
    kind = identify(read_at(start, HEAD_BYTES))
    source.seek(0)
    return kind


@contextmanager
def in_words(name: str) -> Iterator[None]:
    """Turn the errors of FFmpeg, and of the source that it reads, into a DamagedAudioError."""
    try:
        yield
    except (av.error.FFmpegError, FormatError, OSError) as error:  # OSError: FFmpeg seeks before the beginning of what is cut off
        raise DamagedAudioError(name, f"does not decode ({error})", "Ask for it as it is.") from error
