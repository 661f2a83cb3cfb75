"""One full decode of a file: every packet, every sample, and no error forgiven."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition

from fonoteca.audio.allowlist import CODECS, MP4_TAGS, Codec, Container
from fonoteca.audio.loudness import LoudnessMeter
from fonoteca.model.audio import Loudness
from fonoteca.model.errors import DamagedAudioError, UnsupportedAudioError

DECODED_HOURS_MAX = 24
PACKETS_MAX = 20_000_000
SAMPLE_RATE_HZ_MAX = 6_144_000
CHANNELS_MAX = 24
"""Limits of one file. A day of Vorbis is some 9 million packets; 22.2 surround sound has 24 channels."""

SHORTFALL_MS_MAX = 250
"""How much less than the header promises may be decoded: encoders' padding and edit lists stay under a fifth of a second."""

ERROR_DETECTION = "crccheck+bitstream+buffer+explode"
"""FFmpeg's `err_detect`: check every checksum there is, and stop at the first error instead of concealing it."""

OPEN_TIMEOUT_S, PACKET_TIMEOUT_S = 120.0, 120.0
"""How long FFmpeg may take for a header and for a packet: far more than any sound file needs on a busy machine."""

_WHOLE_COPY = "Fetch the file again from its source, or find a whole copy."


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a full decode gave. sample_count: per channel. packet_bytes: of the sound alone, without tags and pictures."""

    codec: Codec
    sample_count: int
    sample_rate_hz: int
    channels: int
    packet_bytes: int
    loudness: Loudness

    @property
    def duration_ms(self) -> int:
        """The length of the decoded sound."""
        return round(1000 * self.sample_count / self.sample_rate_hz)


def decode(path: Path, name: str, container: Container) -> Decoded:
    """Return what the whole first sound stream of a file gives.

    name: what errors call the file. Cost: about 1/800 of the playing time on one core, loudness included.
    Raises: DamagedAudioError for any error of demuxer or decoder and for sound that ends early; UnsupportedAudioError for
    video, codecs off the allowlist and streams that change shape.
    """
    with _opened(path, name, container) as source:
        stream, codec = _sound_stream(source, name, container)
        stream.codec_context.options = {"err_detect": ERROR_DETECTION}
        stream.codec_context.thread_count = 1
        run = _Run(name, codec, stream)
        for packet in source.demux(stream):
            run.take(packet)
        decoded = run.finish()
        if container.declares_duration:
            declared = _declared(source, stream)
            if declared is not None:
                check_length(name, decoded, declared)
        return decoded


def check_length(name: str, decoded: Decoded, declared_s: Fraction) -> None:
    """Raise DamagedAudioError where the sound falls short of what its header declares by more than SHORTFALL_MS_MAX."""
    declared_ms = round(1000 * declared_s)
    if declared_ms - decoded.duration_ms > SHORTFALL_MS_MAX:
        raise DamagedAudioError(
            name, f"damaged: its header declares {declared_ms} ms of sound, decoding gives {decoded.duration_ms} ms", _WHOLE_COPY
        )


class _Run:
    """The state of one decode: counts, the loudness meter, and FLAC's own digest of the sound."""

    __slots__ = ("_codec", "_digest", "_meter", "_name", "_packets", "_shape", "_stream", "packet_bytes", "sample_count")

    def __init__(self, name: str, codec: Codec, stream: av.AudioStream) -> None:
        self._name, self._codec, self._stream = name, codec, stream
        self._meter: LoudnessMeter | None = None
        self._digest: _FlacDigest | None = None
        self._shape: tuple[int, str, str] | None = None
        self._packets = self.packet_bytes = self.sample_count = 0

    def take(self, packet: av.Packet[av.AudioStream]) -> None:
        """Decode one packet and measure its frames."""
        self._packets += 1
        self.packet_bytes += packet.size
        if packet.is_corrupt:
            raise DamagedAudioError(self._name, f"damaged: packet {self._packets} is cut off", _WHOLE_COPY)
        if self._packets > PACKETS_MAX:
            raise UnsupportedAudioError(self._name, f"has more than {PACKETS_MAX} packets", "Split the file.")
        for frame in packet.decode():
            self._measure(frame)

    def _measure(self, frame: av.AudioFrame) -> None:
        shape = (frame.sample_rate, frame.layout.name, frame.format.name)
        if self._meter is None:
            self._begin(frame)
            self._shape = shape
        elif shape != self._shape:
            raise UnsupportedAudioError(
                self._name, f"its sound changes from {self._shape} to {shape} on the way", "Split the file where it changes."
            )
        self.sample_count += frame.samples
        if self.sample_count > DECODED_HOURS_MAX * 3600 * frame.sample_rate:
            raise UnsupportedAudioError(self._name, f"is longer than {DECODED_HOURS_MAX} hours", "Split the file.")
        assert self._meter is not None
        self._meter.push(frame)
        if self._digest is not None:
            self._digest.update(frame)

    def _begin(self, frame: av.AudioFrame) -> None:
        """Check the shape of the sound and set up what follows it."""
        channels = frame.layout.nb_channels
        if not 0 < frame.sample_rate <= SAMPLE_RATE_HZ_MAX or not 0 < channels <= CHANNELS_MAX:
            raise UnsupportedAudioError(self._name, f"has {channels} channels at {frame.sample_rate} Hz", "")
        self._meter = LoudnessMeter(frame)
        if self._codec.name == "flac":
            self._digest = _FlacDigest.of(self._stream, frame)

    def finish(self) -> Decoded:
        """Return the result once the last packet is taken."""
        if self._meter is None or self._shape is None or not self.sample_count:
            raise DamagedAudioError(self._name, "damaged: it decodes to no sound at all", _WHOLE_COPY)
        if self._digest is not None and self._digest.differs():
            raise DamagedAudioError(self._name, "damaged: the sound does not have the MD5 that the encoder wrote", _WHOLE_COPY)
        return Decoded(
            codec=self._codec,
            sample_count=self.sample_count,
            sample_rate_hz=self._shape[0],
            channels=self._stream.codec_context.channels,
            packet_bytes=self.packet_bytes,
            loudness=self._meter.finish(),
        )


class _FlacDigest:
    """The MD5 of decoded FLAC, which its encoder wrote in STREAMINFO (RFC 9639 section 8.2) and FFmpeg does not check."""

    __slots__ = ("_drop", "_expected", "_frame_bytes", "_md5")

    def __init__(self, expected: bytes, sample_bytes: int, stored_bytes: int, channels: int) -> None:
        self._expected = expected
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._frame_bytes = stored_bytes * channels
        self._drop = (stored_bytes, stored_bytes - sample_bytes)

    @classmethod
    def of(cls, stream: av.AudioStream, frame: av.AudioFrame) -> _FlacDigest | None:
        """Return a digest for this stream, or None where there is nothing to compare or its samples are not whole bytes."""
        info = stream.codec_context.extradata or b""
        packed = {"s16": 2, "s32": 4}.get(frame.format.name)
        if len(info) < 34 or info[18:34] == bytes(16) or packed is None:
            return None
        bits = (int.from_bytes(info[12:14], "big") >> 4 & 0x1F) + 1
        if bits % 8:
            return None
        return cls(info[18:34], bits // 8, packed, frame.layout.nb_channels)

    def update(self, frame: av.AudioFrame) -> None:
        """Add a frame. FFmpeg fills s16 and s32 from the top, so the low bytes that FLAC does not have are dropped."""
        samples = bytearray(memoryview(frame.planes[0])[: frame.samples * self._frame_bytes])
        stored, surplus = self._drop
        for left in range(surplus):
            del samples[0 :: stored - left]
        self._md5.update(samples)

    def differs(self) -> bool:
        """Return whether the sound is not what the encoder was given."""
        return self._md5.digest() != self._expected


@contextmanager
def _opened(path: Path, name: str, container: Container) -> Iterator[InputContainer]:
    """Open a file with the demuxer it was identified for; FFmpeg's errors become AudioErrors."""
    try:
        with av.open(
            f"file:{path}",
            mode="r",
            format=container.demuxer,
            metadata_errors="replace",
            timeout=(OPEN_TIMEOUT_S, PACKET_TIMEOUT_S),
        ) as source:
            yield source
    except av.error.PatchWelcomeError as error:
        raise UnsupportedAudioError(name, f"uses a feature of {container.name} that FFmpeg does not decode") from error
    except av.error.FFmpegError as error:
        raise DamagedAudioError(
            name, f"damaged: it does not decode as {container.name} ({error.strerror or error})", _WHOLE_COPY
        ) from error


def _sound_stream(source: InputContainer, name: str, container: Container) -> tuple[av.AudioStream, Codec]:
    """Return the first sound stream and its codec."""
    for stream in source.streams:
        if stream.type == "video" and not stream.disposition & Disposition.attached_pic:
            raise UnsupportedAudioError(name, "carries moving pictures: it is a film, not a recording", "Extract its sound first.")
    if not source.streams.audio:
        raise UnsupportedAudioError(name, f"holds no sound in its {container.name} container")
    found = source.streams.audio[0]
    decoder = found.codec_context.name if found.codec_context else "unknown"
    codec = CODECS.get(decoder)
    if codec is None or codec.name not in container.codecs:
        accepted = ", ".join(sorted(container.codecs))
        raise UnsupportedAudioError(name, f"holds {decoder} in {container.name}; accepted there are {accepted}")
    if container.name == "mp4" and (entry := _sample_entry(found)) not in MP4_TAGS:
        raise UnsupportedAudioError(name, f"has the sample entry {entry!r}, which is not on the list of clear ones")
    return found, codec


def _sample_entry(stream: av.AudioStream) -> str:
    """Return the code of an MP4 stream's sample entry; PyAV raises for one that is not ASCII."""
    try:
        return stream.codec_context.codec_tag
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("latin-1")


def _declared(source: InputContainer, stream: av.AudioStream) -> Fraction | None:
    """Return the length in seconds that the header promises, None where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return Fraction(source.duration, av.time_base) if source.duration is not None else None
