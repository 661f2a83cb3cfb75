"""What a file is for, by its name; only where the name says nothing, by its first bytes.

Nothing is believed here: whether audio is audio is for `fonoteca.audio` to find out by decoding all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum


class Role(Enum):
    """The part a file plays in an item."""

    AUDIO = "audio"
    ARTWORK = "artwork"
    LEGAL = "legal"
    UNSUPPORTED_MUSIC = "unsupported music"
    UNSUPPORTED_ARTWORK = "unsupported artwork"
    UNKNOWN = "unknown"


HEAD_BYTES = 16
"""How much of a file `role_of` may want to see."""

_AUDIO = (
    # What the allowlist of `fonoteca.audio` may accept, and what only it can refuse for the right reason (protection).
    "3gp aa aa3 aac aax aaxc ac3 adts aif aifc aiff alac ape asf au caf dff dsf flac m4a m4b m4p m4r mka mp+ mp1 mp2 mp3 mp4 mpc "
    "oga ogg oma opus snd spx tta wav wave weba webm wma wv m3u8 mpd"
)
_ARTWORK = "gif jpe jpeg jpg png webp"
_UNSUPPORTED_MUSIC: Mapping[str, str] = {
    "tracker module": "669 ahx far hvl it med mod mptm mt2 mtm okt s3m stm umx xm",
    "note sequence": "kar mid midi mus rmi xmi",
    "sound-chip program": "ay gbs nsf sap sid spc vgm vgz ym",
}
_UNSUPPORTED_ARTWORK: Mapping[str, str] = {
    "document": "pdf",
    "picture in a format that browsers do not show alike": "avif bmp heic jxl psd svg tif tiff xcf xpm",
}
_LEGAL = re.compile(r"(copying|copyright|licen[cs]e|notice|unlicen[cs]e)([._-].*)?|rights\.toml", re.IGNORECASE)

_ROLES = {
    **dict.fromkeys(_AUDIO.split(), Role.AUDIO),
    **dict.fromkeys(_ARTWORK.split(), Role.ARTWORK),
    **dict.fromkeys(" ".join(_UNSUPPORTED_MUSIC.values()).split(), Role.UNSUPPORTED_MUSIC),
    **dict.fromkeys(" ".join(_UNSUPPORTED_ARTWORK.values()).split(), Role.UNSUPPORTED_ARTWORK),
}
_SORTS = {
    extension: sort
    for table in (_UNSUPPORTED_MUSIC, _UNSUPPORTED_ARTWORK)
    for sort, extensions in table.items()
    for extension in extensions.split()
}
_MAGIC = re.compile(
    rb"fLaC|OggS|ID3[\x02-\x04]|RIFF....WAVE|FORM....AIF[FC]|....ftypM4[ABP]|MAC |wvpk|TTA[12]|MP\+|MPCK|caff", re.DOTALL
)
"""Unmistakable beginnings of audio files. Bare MPEG frames and containers that also carry video are not among them."""


def role_of(name: str) -> Role:
    """Return the role that a file's name gives it, UNKNOWN where it gives none. name: without folders."""
    if _LEGAL.fullmatch(name) and _ROLES.get(_extension(name)) is not Role.AUDIO:
        return Role.LEGAL
    return _ROLES.get(_extension(name), Role.UNKNOWN)


def starts_like_audio(head: bytes) -> bool:
    """Return whether a file of UNKNOWN role is to be taken for audio. head: its first HEAD_BYTES, fewer if it has fewer."""
    return _MAGIC.match(head) is not None


def unsupported_reason(name: str) -> str:
    """Return why a file of an UNSUPPORTED role is not taken."""
    extension = _extension(name)
    if _ROLES.get(extension) is Role.UNSUPPORTED_MUSIC:
        return f"a {_SORTS[extension]} (.{extension}) is not sampled sound: Fonoteca cannot check it in full by decoding it"
    return f"a {_SORTS[extension]} (.{extension}) is not kept as artwork: expected PNG, JPEG, WebP or GIF"


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""
