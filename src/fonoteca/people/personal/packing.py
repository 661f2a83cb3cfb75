"""Songs in order as one value: 14 bytes each, so that a playlist is read and written whole."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from fonoteca.people.personal.nouns import Song

_SONG = struct.Struct(">q6s")
SONG_BYTES = _SONG.size


def packed(songs: Iterable[Song]) -> bytes:
    """Return songs as bytes."""
    return b"".join(_SONG.pack(song.album, bytes.fromhex(song.path)) for song in songs)


def unpacked(content: bytes) -> tuple[Song, ...]:
    """Return the songs that were packed."""
    return tuple(Song(album, path.hex()) for album, path in _SONG.iter_unpack(content))
