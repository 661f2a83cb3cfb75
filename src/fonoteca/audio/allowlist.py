"""What is accepted: containers by content, codecs by name. What is not in these tables is refused, not tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Container:
    """A container that is accepted.

    demuxer: FFmpeg's name for it; it is told, not asked, so that a file cannot pick another. codecs: our names.
    declares_duration: whether its header promises a length that the decoded sound must reach.
    """

    name: str
    demuxer: str
    media_type: str
    codecs: frozenset[str]
    declares_duration: bool = True


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec that is accepted, under our name. rate_factor: stored samples for each sample that FFmpeg gives (DSD: 8)."""

    name: str
    lossless: bool = False
    rate_factor: int = 1


_PCM = ("s8", "u8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be", "f64le", "f64be")
_DSD = ("dsd_lsbf", "dsd_msbf", "dsd_lsbf_planar", "dsd_msbf_planar")

CODECS: Mapping[str, Codec] = {
    "vorbis": Codec("vorbis"),
    "opus": Codec("opus"),
    "libopus": Codec("opus"),
    "speex": Codec("speex"),
    "libspeex": Codec("speex"),
    "mp3": Codec("mp3"),
    "mp3float": Codec("mp3"),
    "mp2": Codec("mp2"),
    "mp2float": Codec("mp2"),
    "mp1": Codec("mp1"),
    "mp1float": Codec("mp1"),
    "aac": Codec("aac"),
    "ac3": Codec("ac3"),
    "eac3": Codec("eac3"),
    "mpc7": Codec("musepack"),
    "mpc8": Codec("musepack"),
    "wmav1": Codec("wma"),
    "wmav2": Codec("wma"),
    "wmapro": Codec("wma"),
    "wmalossless": Codec("wma-lossless", lossless=True),
    "flac": Codec("flac", lossless=True),
    "alac": Codec("alac", lossless=True),
    "ape": Codec("ape", lossless=True),
    "wavpack": Codec("wavpack", lossless=True),
    "tta": Codec("tta", lossless=True),
    "tak": Codec("tak", lossless=True),
    **{f"pcm_{layout}": Codec("pcm", lossless=True) for layout in _PCM},
    **{name: Codec("dsd", lossless=True, rate_factor=8) for name in _DSD},
}
"""FFmpeg's decoder name to ours."""

_MATROSKA = frozenset({"vorbis", "opus", "flac", "aac", "mp3", "mp2", "ac3", "eac3", "pcm", "alac", "wavpack", "tta"})

CONTAINERS: Mapping[str, Container] = {
    "ogg": Container("ogg", "ogg", "audio/ogg", frozenset({"vorbis", "opus", "flac", "speex"}), declares_duration=False),
    "flac": Container("flac", "flac", "audio/flac", frozenset({"flac"})),
    "mp3": Container("mp3", "mp3", "audio/mpeg", frozenset({"mp3", "mp2", "mp1"}), declares_duration=False),
    "aac": Container("aac", "aac", "audio/aac", frozenset({"aac"}), declares_duration=False),
    "ac3": Container("ac3", "ac3", "audio/ac3", frozenset({"ac3"}), declares_duration=False),
    "eac3": Container("eac3", "eac3", "audio/eac3", frozenset({"eac3"}), declares_duration=False),
    "mp4": Container("mp4", "mp4", "audio/mp4", frozenset({"aac", "alac", "flac", "opus", "mp3", "ac3", "eac3", "pcm"})),
    "wav": Container("wav", "wav", "audio/vnd.wave", frozenset({"pcm", "mp3"})),
    "aiff": Container("aiff", "aiff", "audio/x-aiff", frozenset({"pcm"})),
    "ape": Container("ape", "ape", "audio/x-ape", frozenset({"ape"})),
    "wavpack": Container("wavpack", "wv", "audio/x-wavpack", frozenset({"wavpack"})),
    "tta": Container("tta", "tta", "audio/x-tta", frozenset({"tta"})),
    "tak": Container("tak", "tak", "audio/x-tak", frozenset({"tak"})),
    "musepack": Container("musepack", "mpc", "audio/x-musepack", frozenset({"musepack"})),
    "musepack8": Container("musepack", "mpc8", "audio/x-musepack", frozenset({"musepack"})),
    "asf": Container("asf", "asf", "audio/x-ms-wma", frozenset({"wma", "wma-lossless"})),
    "dsf": Container("dsf", "dsf", "audio/x-dsf", frozenset({"dsd"})),
    "dsdiff": Container("dsdiff", "iff", "audio/x-dff", frozenset({"dsd"})),
    "matroska": Container("matroska", "matroska", "audio/matroska", _MATROSKA),
}
"""Container as `fonoteca.formats.identity` names it, to how it is opened and what it may carry."""

MP4_TAGS = frozenset(
    {"mp4a", "alac", "fLaC", "Opus", "ac-3", "ec-3", ".mp3", "ipcm", "fpcm", "lpcm", "sowt", "twos", "raw ", "NONE"}
    | {"in24", "in32", "fl32", "fl64"}
)
"""Sample entries that are accepted in MP4: a second look, after `find_protection`, through FFmpeg's eyes."""

REFUSED: Mapping[str, str] = {
    "module": "a tracker module: notes and samples for a player to perform, not recorded sound",
    "midi": "MIDI: notes for an instrument to perform, not recorded sound",
    "optimfrog": "OptimFROG, which no free decoder reads",
    "adif": "AAC without frame headers (ADIF), which has no place to resume after damage",
    "amr": "AMR, a coding for speech",
    "realmedia": "RealMedia, which is not on the list of accepted formats",
    "ea3": "Sony OpenMG, which is not on the list of accepted formats",
    "hls": "a playlist, not the sound that it points to",
    "dash": "a streaming manifest, not the sound that it points to",
    "picture": "a picture",
    "video": "a film",
    "archive": "a compressed archive",
    "document": "a document",
    "web page": "a web page, perhaps what a host sent in place of the file",
    "text": "text",
}
"""What `identify` can name and is no recording, in words for a person."""
