"""What a file is, by its first bytes and never by its name."""

from __future__ import annotations

from collections.abc import Mapping

from fonoteca.formats import id3, mpeg
from fonoteca.formats.window import window_on

HEAD_BYTES = 4096
"""As much of a file's content as any rule here looks at."""

MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"MAC ", "ape"),
    (0, b"wvpk", "wavpack"),
    (0, b"TTA1", "tta"),
    (0, b"TTA2", "tta"),
    (0, b"MPCK", "musepack8"),
    (0, b"MP+", "musepack"),
    (0, b"tBaK", "tak"),
    (0, b"DSD \x1c\0\0\0\0\0\0\0", "dsf"),
    (0, bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C"), "asf"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"ea3\x03", "ea3"),
    (0, b"EA3\x01", "ea3"),
    (0, b"EA3\x02", "ea3"),
    (0, b"EA3\x03", "ea3"),
    (4, b"\x57\x90\x75\x36", "audible"),
    (0, b"#EXTM3U", "hls"),
    (0, b"MThd", "midi"),
    (0, b"Extended Module: ", "module"),
    (0, b"IMPM", "module"),
    (44, b"SCRM", "module"),
    (1080, b"M.K.", "module"),
    (1080, b"M!K!", "module"),
    (1080, b"FLT4", "module"),
    (1080, b"4CHN", "module"),
    (1080, b"6CHN", "module"),
    (1080, b"8CHN", "module"),
    (0, b"OFR ", "optimfrog"),
    (0, b"ADIF", "adif"),
    (0, b"#!AMR", "amr"),
    (0, b".RMF", "realmedia"),
    (0, b"\x89PNG\r\n\x1a\n", "picture"),
    (0, b"\xff\xd8\xff", "picture"),
    (0, b"GIF8", "picture"),
    (0, b"II*\0", "picture"),
    (0, b"MM\0*", "picture"),
    (0, b"PK\x03\x04", "archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "archive"),
    (0, b"Rar!\x1a\x07", "archive"),
    (0, b"\x1f\x8b", "archive"),
    (0, b"BZh", "archive"),
    (0, b"\xfd7zXZ\0", "archive"),
    (0, b"%PDF-", "document"),
)
"""Offset, bytes, name. What is not music is here to be refused by its name rather than as unknown."""

CHUNKED: Mapping[tuple[bytes, bytes], str] = {
    (b"RIFF", b"WAVE"): "wav",
    (b"RF64", b"WAVE"): "wav",
    (b"BW64", b"WAVE"): "wav",
    (b"FORM", b"AIFF"): "aiff",
    (b"FORM", b"AIFC"): "aiff",
    (b"RIFF", b"WEBP"): "picture",
    (b"RIFF", b"AVI "): "video",
    (b"RIFF", b"RMID"): "midi",
}
"""First four bytes and bytes 8 to 11."""

MP4_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"styp", b"sidx", b"pnot", b"uuid"})

TEXT_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "web page"),
    (b"<html", "web page"),
    (b"<mpd", "dash"),
)


def identify(head: bytes) -> str | None:
    """Return the name of the container that these first bytes of a file begin, or None where nothing says.

    head: HEAD_BYTES or the whole file, and more where an ID3v2 tag comes first (or begin after it).
    """
    head = head[id3.content_start(window_on(head)) :]
    for offset, magic, name in MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    if name := CHUNKED.get((head[:4], head[8:12]), ""):
        return name
    if head[:4] == b"FRM8" and head[12:16] == b"DSD ":
        return "dsdiff"
    if head[4:8] in MP4_FIRST_BOXES and _is_box_size(head[:4]):
        return "mp4"
    return mpeg.identify_frames(head) or _identify_text(head)


def _is_box_size(raw: bytes) -> bool:
    """Return whether four bytes are the size of a first box: 1 announces a long size, 0 a box to the end."""
    size = int.from_bytes(raw, "big")
    return size >= 8 or size in (0, 1)


def _identify_text(head: bytes) -> str | None:
    """Return what kind of text this is, or None where it is none."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text[:1024].lower()
    for start, name in TEXT_STARTS:
        if lower.startswith(start):
            return name
    if lower.startswith(b"<?xml"):
        for start, name in TEXT_STARTS:
            if start in lower:
                return name
    if text and not text.strip(bytes(range(0x20, 0x7F)) + b"\t\r\n\f" + bytes(range(0x80, 0x100))):
        return "text" if _is_utf8(head) else None
    return None


def _is_utf8(head: bytes) -> bool:
    """Return whether bytes are UTF-8, but for a character that the end of `head` may have cut."""
    return any(_decodes(head[: len(head) - cut]) for cut in range(4))


def _decodes(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
