"""The examination of one file, in the order that costs least and risks nothing: protection, identity, tags, sound.

Tags come before sound because FFmpeg inflates them without a limit, and the reader of tags refuses those that it may not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from fonoteca.audio.allowlist import CONTAINERS, REFUSED
from fonoteca.audio.decoding import Decoded, check_length, decode
from fonoteca.audio.tags import read_tags
from fonoteca.formats import id3, mpeg, ogg, riff
from fonoteca.formats.identity import HEAD_BYTES, identify
from fonoteca.formats.protection import find_protection
from fonoteca.formats.window import ReadAt, Window
from fonoteca.model.audio import AudioProbe, Examined, Protected
from fonoteca.model.errors import AudioError, DamagedAudioError, FormatError, UnidentifiedAudioError, UnsupportedAudioError

WAVPACK_HYBRID = 0x08
"""Flag of a WavPack block (WavPack 5 file format, "hybrid mode"): lossy unless a correction file is at hand."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that may be decoded. kind: as `identify` names it. start: where its content begins, after leading tags."""

    name: str
    kind: str
    read_at: ReadAt
    start: int
    file_bytes: int

    def window(self) -> Window:
        """Return a fresh window on the file."""
        return Window(self.read_at, self.file_bytes)


def examine(path: Path, name: str) -> Examined | Protected:
    """Return what a file is once all of it has been decoded, or why it is protected and was not decoded.

    name: what errors call the file. The name decides nothing: content does.
    Raises: AudioError: DamagedAudioError (cut off, torn, flipped), UnsupportedAudioError (no recording, or off the allowlist),
    UnidentifiedAudioError (its bytes do not say). Cost: about 1/800 of the playing time on one core.
    """
    with _opened(path, name) as found:
        if isinstance(found, Protected):
            return found
        if damage := _STRUCTURE.get(found.kind, _no_damage)(found):
            raise DamagedAudioError(name, f"damaged: {damage}", "Fetch the file again from its source, or find a whole copy.")
        tags = read_tags(path, name)
        decoded = decode(path, name, CONTAINERS[found.kind])
        if promised := mpeg.promise(found.window(), found.start):
            check_length(name, decoded, Fraction(promised.samples, promised.sample_rate_hz))
        return Examined(CONTAINERS[found.kind].media_type, _probe(found, decoded), tags)


def look(path: Path, name: str) -> Examined | Protected:
    """Return what a file's structure says it is, or why it is protected. Nothing is decoded, and damage may go unseen.

    Raises: as `examine`, for what is seen. Cost: some reads of headers and tags.
    """
    with _opened(path, name) as found:
        if isinstance(found, Protected):
            return found
        return Examined(CONTAINERS[found.kind].media_type, None, read_tags(path, name))


def judge(path: Path, name: str) -> Examined | Protected | AudioError:
    """Return what `examine` says of a file, an error as a value."""
    try:
        return examine(path, name)
    except AudioError as error:
        return error


def judge_unheard(path: Path, name: str) -> Examined | Protected | AudioError:
    """Return what `look` says of a file, an error as a value."""
    try:
        return look(path, name)
    except AudioError as error:
        return error


def verdict_on(_settings: object, item: tuple[Path, str]) -> Examined | Protected | AudioError:
    """Return what `judge` says of (path, name): the form that `Workers.run` takes."""
    return judge(*item)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[_Found | Protected]:
    """Give what the structure of a file says it is, readable until the context ends."""
    try:
        with path.open("rb") as source:
            yield _identify(source.fileno(), name)
    except OSError as error:
        raise AudioError(
            name, f"cannot be read: {error.strerror or error}", "Check that the file is there and readable."
        ) from error


def _identify(fd: int, name: str) -> _Found | Protected:
    """Return what the file's structure says it is."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise UnsupportedAudioError(name, "is not an ordinary file")
    if status.st_size == 0:
        raise UnidentifiedAudioError(name, "is empty", "Fetch the file again from its source.")

    def read_at(offset: int, length: int) -> bytes:
        return os.pread(fd, length, offset)

    try:
        protection = find_protection(read_at, status.st_size)
        start = id3.content_start(Window(read_at, status.st_size))
    except FormatError as error:
        raise UnsupportedAudioError(name, f"cannot be checked for protection: {error.problem}", error.remedy) from error
    if protection is not None:
        return Protected(protection.marker, protection.reason)
    kind = identify(read_at(start, HEAD_BYTES))
    if kind is None:
        raise UnidentifiedAudioError(name, "its content is of no known kind", "Fonoteca does not guess: convert or leave it out.")
    if kind not in CONTAINERS:
        raise UnsupportedAudioError(name, f"is {REFUSED[kind]}", "Leave it out, or offer a recording of it.")
    return _Found(name, kind, read_at, start, status.st_size)


def _no_damage(_found: _Found) -> str:
    """Return "": this kind has no check but the decode."""
    return ""


def _ogg_damage(found: _Found) -> str:
    """Return what is wrong with the pages of an Ogg file, which a decoder would play over."""
    pages = ogg.read_pages(found.read_at, found.start, found.file_bytes)
    if pages.links > 1 and not pages.damage:
        raise UnsupportedAudioError(found.name, f"is a chain of {pages.links} streams, one after another", "Split the chain.")
    return pages.damage


def _mpeg_damage(found: _Found) -> str:
    """Return whether the last frame is cut off, which a decoder leaves out without a word."""
    return mpeg.find_cut(found.window(), found.start)


def _chunk_damage(found: _Found) -> str:
    """Return which chunk is cut off: PCM plays to wherever it ends."""
    return riff.find_cut(found.window(), found.start)


_STRUCTURE: Mapping[str, Callable[[_Found], str]] = {
    "ogg": _ogg_damage,
    "mp3": _mpeg_damage,
    "aac": _mpeg_damage,
    "ac3": _mpeg_damage,
    "eac3": _mpeg_damage,
    "wav": _chunk_damage,
    "aiff": _chunk_damage,
}
"""Checks that find what FFmpeg conceals, by kind."""


def _probe(found: _Found, decoded: Decoded) -> AudioProbe:
    """Return the facts of a decode under our names."""
    lossless = decoded.codec.lossless
    if decoded.codec.name == "wavpack" and found.kind == "wavpack":
        lossless = not found.read_at(found.start + 24, 1)[0] & WAVPACK_HYBRID
    return AudioProbe(
        container=CONTAINERS[found.kind].name,
        codec=decoded.codec.name,
        duration_ms=decoded.duration_ms,
        sample_rate_hz=decoded.sample_rate_hz * decoded.codec.rate_factor,
        channels=decoded.channels,
        bitrate_bps=round(8 * decoded.packet_bytes * decoded.sample_rate_hz / decoded.sample_count),
        loudness=decoded.loudness,
        lossless=lossless,
    )
