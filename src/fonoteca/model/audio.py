"""Nouns for what a file sounds like and says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Loudness:
    """EBU R 128 figures of one file. integrated_lufs: LUFS; range_lu: LU; sample_peak_dbfs: dBFS.

    None where silence, or a file too short for one gating block (0.4 s), leaves nothing to measure.
    """

    integrated_lufs: float | None
    range_lu: float | None
    sample_peak_dbfs: float | None


@dataclass(frozen=True, slots=True)
class AudioProbe:
    """What a full decode found. container and codec: names of the allowlist in `fonoteca.audio`."""

    container: str
    codec: str
    duration_ms: int
    sample_rate_hz: int
    channels: int
    bitrate_bps: int
    loudness: Loudness
    lossless: bool


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one file that Fonoteca understands, as text as received; `other` keeps the rest.

    licence: all that the file says of its own licence (Vorbis LICENSE, ID3 WCOP, MP4 cprt that speaks of one, ...), a statement
        a line.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    album_artist: str = ""
    track_number: int | None = None
    disc_number: int | None = None
    date: str = ""
    genre: str = ""
    copyright: str = ""
    licence: str = ""
    isrcs: tuple[str, ...] = ()
    recording_mbid: str = ""
    other: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Examined:
    """A music file. media_type: IANA name. probe: of a sound one, decoded from start to end; None where it waits for that."""

    media_type: str
    probe: AudioProbe | None
    tags: Tags


@dataclass(frozen=True, slots=True)
class Protected:
    """A file under technical protection: refused, never decoded. marker: the box, object or field that says so."""

    marker: str
    reason: str
