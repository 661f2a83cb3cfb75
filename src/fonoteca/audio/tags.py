"""Tags of every container as one noun. The only place that calls mutagen, which leaks raw exceptions on damaged files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from mutagen._file import FileType
from mutagen.aac import AAC
from mutagen.ac3 import AC3
from mutagen.aiff import AIFF
from mutagen.apev2 import APETextValue
from mutagen.asf import ASF
from mutagen.dsdiff import DSDIFF
from mutagen.dsf import DSF
from mutagen.flac import FLAC
from mutagen.id3 import Frame
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4
from mutagen.musepack import Musepack
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggvorbis import OggVorbis
from mutagen.tak import TAK
from mutagen.trueaudio import TrueAudio
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

from fonoteca.formats import id3
from fonoteca.formats.identity import HEAD_BYTES, identify
from fonoteca.formats.window import Window
from fonoteca.model.audio import Tags
from fonoteca.model.errors import AudioError, DamagedAudioError, FormatError, UnsupportedAudioError
from fonoteca.model.ids import UUID_PATTERN

VALUE_CHARS_MAX = 4096
VALUES_MAX = 32
NAMES_MAX = 256
NAME_CHARS_MAX = 128
"""What is kept of tags: longer values are cut, further ones left out. The file itself keeps all of it."""

COMPRESSED_BYTES_MAX = 64 * 1024
"""Of zlib-compressed ID3 frames in one tag: mutagen inflates without a limit, and zlib packs up to 1,032 to 1."""

READS_MAX = 1_000_000
READ_BYTES_MAX = 1 << 30
"""What mutagen may read of one file. A Musepack file of 114 bytes, found by fuzzing, keeps it reading in a circle for ever;
a fragmented MP4 of ten hours takes some 400,000 reads."""

_READERS: Mapping[str, type[FileType]] = {
    "flac": FLAC,
    "mp3": MP3,
    "mp4": MP4,
    "wav": WAVE,
    "aiff": AIFF,
    "ape": MonkeysAudio,
    "wavpack": WavPack,
    "tta": TrueAudio,
    "tak": TAK,
    "musepack": Musepack,
    "musepack8": Musepack,
    "asf": ASF,
    "dsf": DSF,
    "dsdiff": DSDIFF,
    "aac": AAC,
    "ac3": AC3,
    "eac3": AC3,
}
"""Container to the class that reads its tags. Ogg has one for each codec, Matroska is read by FFmpeg."""

_OGG_READERS: tuple[tuple[bytes, type[FileType]], ...] = (
    (b"\x01vorbis", OggVorbis),
    (b"OpusHead", OggOpus),
    (b"Speex   ", OggSpeex),
    (b"\x7fFLAC", OggFLAC),
)

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "tit2", "©nam"),
    "artist": ("artist", "tpe1", "©art", "author"),
    "album": ("album", "talb", "©alb", "wm/albumtitle"),
    "album_artist": ("albumartist", "album artist", "album_artist", "tpe2", "aart", "wm/albumartist"),
    "track": ("tracknumber", "track", "trck", "trkn", "wm/tracknumber", "part_number"),
    "disc": ("discnumber", "disc", "tpos", "disk", "wm/partofset"),
    "date": ("date", "tdrc", "©day", "wm/year", "year", "date_released"),
    "genre": ("genre", "tcon", "©gen", "wm/genre"),
    "copyright": ("copyright", "tcop", "cprt"),
    "licence": (
        "wcop",
        "license",
        "licence",
        "txxx:license",
        "txxx:licence",
        "----:com.apple.itunes:license",
        "----:com.apple.itunes:licence",
        "copyrighturl",
        "wm/copyrighturl",
        "copyright url",
    ),
    "isrc": ("isrc", "tsrc", "----:com.apple.itunes:isrc", "wm/isrc"),
    "mbid": (
        "musicbrainz_trackid",
        "ufid:http://musicbrainz.org",
        "txxx:musicbrainz track id",
        "----:com.apple.itunes:musicbrainz track id",
        "musicbrainz/track id",
        "musicbrainz track id",
    ),
}
"""Our field to the names it goes by, in order of trust: Vorbis comments and APEv2, ID3v2, MP4, ASF, Matroska (all lower case)."""

_KNOWN = frozenset(name for names in _FIELDS.values() for name in names)
_BUYER = frozenset({"apid", "ownr", "purd", "town"})
"""Names under which shops write who bought a copy and when (iTunes; ID3 TOWN): nobody's to publish in a metadata.json."""
_PICTURES = frozenset({"metadata_block_picture", "coverart", "coverartmime"})
"""Vorbis comments that hold a picture as text."""

_ADDRESS_ALONE = re.compile(r"(https?://[^\s<>\"']+?)[.,;)]*", re.IGNORECASE)
_PUBLIC_LICENCE = re.compile(
    r"(?:(?!\b(?:not|except|only|reserved)\b).)*\blicensed to the public under (https?://\S+?)[.,;)]*(?:\s+verify at \S+)?",
    re.IGNORECASE,
)
"""Creative Commons' own form for tags: `2005 A. Name. Licensed to the public under URL verify at URL`."""
_SPEAKS_OF_LICENCE = re.compile(r"licen[cs]|creative\s*commons|public\s+domain|reserved", re.IGNORECASE)
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_MBID = re.compile(UUID_PATTERN)


def read_tags(path: Path, name: str = "") -> Tags:
    """Return what a file says of itself, as text as received, bounded by the limits above; empty tags where there are none.

    name: what errors call the file; its own name where none is given. Cost: reads the tags, not the sound.
    Raises: DamagedAudioError where the tags cannot be read, UnsupportedAudioError where the file is of no accepted kind.
    """
    name = name or path.name
    try:
        with path.open("rb") as source:
            return _tags(dict(_bounded(_read(name, path, source))))
    except AudioError:
        raise
    except OSError as error:
        raise AudioError(
            name, f"cannot be read: {error.strerror or error}", "Check that the file is there and readable."
        ) from error
    except Exception as error:
        # mutagen raises ValueError, IndexError, struct.error and more of its own on damaged files, beside MutagenError.
        raise DamagedAudioError(
            name, f"damaged: its tags cannot be read ({type(error).__name__}: {error})", "Retag the file."
        ) from error


class _BoundedReader:
    """A file that can be read only so often, and whose ID3 tags inflate only so far: what mutagen is given to read from.

    A tag is checked when its header is read, wherever that is: at the start of a file, or in a chunk of a WAVE, AIFF or DSD file.
    """

    __slots__ = ("_bytes_left", "_name", "_reads_left", "_source", "_window")

    def __init__(self, name: str, source: BinaryIO, window: Window) -> None:
        self._name, self._source, self._window = name, source, window
        self._reads_left, self._bytes_left = READS_MAX, READ_BYTES_MAX

    def read(self, length: int = -1) -> bytes:
        """Return the next bytes. Raises: DamagedAudioError when the budget is spent, UnsupportedAudioError for such a tag."""
        start = self._source.tell()
        content = self._source.read(length)
        self._reads_left -= 1
        self._bytes_left -= len(content)
        if min(self._reads_left, self._bytes_left) < 0:
            raise DamagedAudioError(self._name, "damaged: its tags lead in a circle", "Retag the file.")
        if content.startswith(b"ID3"):
            self._check_compression(start)
            self._source.seek(start + len(content))
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, and return where to."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._source.tell()

    def _check_compression(self, start: int) -> None:
        """Raise UnsupportedAudioError where inflating the frames of a tag could fill the memory."""
        try:
            tag = id3.tag_at(self._window, start)
            compressed = sum(frame.frame_bytes for frame in id3.frames(self._window, tag) if frame.compressed) if tag else 0
        except FormatError as error:
            raise UnsupportedAudioError(self._name, f"has a tag that cannot be checked: {error.problem}", error.remedy) from error
        if compressed > COMPRESSED_BYTES_MAX:
            raise UnsupportedAudioError(self._name, f"has {compressed} bytes of compressed ID3 frames", "Retag the file.")


def _read(name: str, path: Path, source: BinaryIO) -> Iterable[tuple[str, Any]]:
    """Return the raw names and values of the tags of a file."""

    def read_at(offset: int, length: int) -> bytes:
        source.seek(offset)
        return source.read(length)

    window = Window(read_at, source.seek(0, 2))
    start = id3.content_start(window)
    head = window.read(start, HEAD_BYTES)
    kind = identify(head)
    if kind == "matroska":
        return _matroska(path)
    reader = _ogg_reader(head) if kind == "ogg" else _READERS.get(kind or "")
    if reader is None:
        raise UnsupportedAudioError(name, "has no tags that are understood")
    source.seek(0)
    tags = reader(_BoundedReader(name, source, window)).tags
    return [] if tags is None else _items(tags)


def _ogg_reader(head: bytes) -> type[FileType] | None:
    """Return the reader for the codec that the first page names; the packet begins after the segment table."""
    packet = head[27 + head[26] :] if len(head) > 27 else b""
    return next((reader for magic, reader in _OGG_READERS if packet.startswith(magic)), None)


def _matroska(path: Path) -> Iterable[tuple[str, Any]]:
    """Return the tags of a Matroska file as FFmpeg gives them."""
    with av.open(f"file:{path}", format="matroska", metadata_errors="replace") as source:
        own = dict(source.metadata)
        for stream in source.streams.audio[:1]:
            own = {**own, **stream.metadata}
    return own.items()


def _items(tags: Any) -> Iterable[tuple[str, Any]]:
    """Return the pairs of a mutagen mapping; Vorbis comments are a list of pairs that repeats names."""
    return [(str(name), tags[name]) for name in tags.keys()]  # noqa: SIM118


def _bounded(items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield names and texts within the limits, names that we know first; those that hold no text (pictures) are left out."""
    count = 0
    for name, value in sorted(items, key=lambda item: (_plain(item[0]) not in _KNOWN, item[0])):
        if name.lower() in _PICTURES or _plain(name) in _BUYER:
            continue
        texts = tuple(text for text in (_clean(t) for t in _texts(value)) if text)[:VALUES_MAX]
        if texts and count < NAMES_MAX:
            count += 1
            yield _clean(name)[:NAME_CHARS_MAX], texts


def _clean(text: str) -> str:
    """Return text that can be written as UTF-8, without NULs at its ends, cut to VALUE_CHARS_MAX."""
    return text[:VALUE_CHARS_MAX].strip("\0 \r\n\t").encode("utf-8", "replace").decode("utf-8")


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value of any of mutagen's types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool | int | float):
        yield str(value)
    elif isinstance(value, bytes):
        yield from _decoded(value)
    elif isinstance(value, tuple) and len(value) == 2 and all(isinstance(n, int) for n in value):
        yield f"{value[0]}/{value[1]}" if value[1] else str(value[0])
    elif isinstance(value, list | tuple | APETextValue):
        for part in list(value)[:VALUES_MAX]:
            yield from _texts(part)
    elif isinstance(value, Frame):
        yield from _frame_texts(value)
    elif isinstance(part := getattr(value, "value", None), str | bool | int):
        yield from _texts(part)


def _frame_texts(frame: Frame) -> Iterator[str]:
    """Yield the texts of an ID3 frame: text frames, links, and MusicBrainz's unique file id."""
    if (text := getattr(frame, "text", None)) is not None:
        yield from (str(part) for part in (text if isinstance(text, list) else [text])[:VALUES_MAX])
    elif (url := getattr(frame, "url", None)) is not None:
        yield str(url)
    elif frame.FrameID == "UFID":
        yield from _decoded(getattr(frame, "data", b""))


def _decoded(value: bytes) -> Iterator[str]:
    """Yield bytes as text where they are UTF-8 and not a picture."""
    try:
        text = bytes(value[: 4 * VALUE_CHARS_MAX]).decode("utf-8")
    except UnicodeDecodeError:
        return
    if text.isprintable() or "\n" in text:
        yield text


def _tags(found: Mapping[str, tuple[str, ...]]) -> Tags:
    """Return the noun made of names and texts."""
    by_name: dict[str, tuple[str, ...]] = {}
    for name, texts in found.items():
        by_name[_plain(name)] = by_name.get(_plain(name), ()) + texts

    def values(field: str) -> tuple[str, ...]:
        return tuple(text for name in _FIELDS[field] for text in by_name.get(name, ()))

    def first(field: str) -> str:
        return next(iter(values(field)), "")

    mbids = [text for text in (t.lower() for t in values("mbid")) if _MBID.fullmatch(text)]
    isrcs = [re.sub(r"[\s-]", "", part).upper() for text in values("isrc") for part in re.split(r"[;,/]", text)]
    return Tags(
        title=first("title"),
        artist="; ".join(values("artist")) if len(values("artist")) > 1 else first("artist"),
        album=first("album"),
        album_artist=first("album_artist"),
        track_number=_number(first("track")),
        disc_number=_number(first("disc")),
        date=first("date"),
        genre="; ".join(values("genre")),
        copyright=first("copyright"),
        licence=_licence(values("licence"), values("copyright")),
        isrcs=tuple(dict.fromkeys(isrc for isrc in isrcs if _ISRC.fullmatch(isrc))),
        recording_mbid=mbids[0] if mbids else "",
        other={name: texts for name, texts in found.items() if _plain(name) not in _KNOWN},
    )


def _plain(name: str) -> str:
    """Return a tag's name as the table has it: lower case, without the language and description that ID3 keys carry."""
    lower = name.lower()
    return lower.split(":", 1)[0] if lower.startswith(("wcop:", "tcop:")) else lower


def _number(text: str) -> int | None:
    """Return the number before a slash, None where there is none that a track or disc could have."""
    digits = text.split("/", 1)[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else None


def _licence(licences: tuple[str, ...], copyrights: tuple[str, ...]) -> str:
    """Return all that the file says of its licence, each statement once and on lines of its own.

    A copyright line counts where it speaks of a licence or reserves rights. Nothing is left out, since what stands beside an
    address may take back what the licence there grants; only Creative Commons' own form is cut down to the address in it.
    """
    said = (*licences, *(text for text in copyrights if _SPEAKS_OF_LICENCE.search(text)))
    return "\n".join(dict.fromkeys(_address_or_all(text) for text in said))


def _address_or_all(text: str) -> str:
    """Return the address where a text is nothing else, or nothing else but the form around it; else the text."""
    found = _ADDRESS_ALONE.fullmatch(text) or _PUBLIC_LICENCE.fullmatch(text)
    return found[1] if found else text
