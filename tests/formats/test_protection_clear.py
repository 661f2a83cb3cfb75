"""Files that look protected to a search for words and are not, and the limits of the walk."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import av
import pytest
from mutagen.mp4 import Atoms

from fonoteca.audio import Examined, Protected, examine
from fonoteca.formats import mp4, window
from fonoteca.formats.mp4 import audio_entry, box, full_box, movie
from fonoteca.formats.protection import Protection, find_protection
from fonoteca.formats.window import window_on
from fonoteca.model.errors import FormatError

FTYP = box(b"ftyp", b"M4A ", bytes(4), b"M4A ", b"isom")
SINF = box(b"sinf", box(b"frma", b"mp4a"), full_box(b"schm", b"cenc", bytes(4)), box(b"schi", full_box(b"tenc", bytes(20))))
EVERY_MARKER = b"".join(
    [SINF, full_box(b"pssh", bytes(20)), box(b"senc"), box(b"adrm"), b"enca drms drmi aavd itun M4P ", b"\x57\x90\x75\x36"]
)
CONTENT_ENCRYPTION = bytes.fromhex("FBB3112223BDD211B4B700A0C955FC6E")
ASF_HEADER = bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C")
SIGNATURE = bytes.fromhex("FCB3112223BDD211B4B700A0C955FC6E")
FRAME = b"\xff\xfb\x90\x00" + bytes(413)


def verdict(content: bytes) -> Protection | None:
    return find_protection(lambda start, length: content[start : start + length], len(content))


def asf_file(guid: bytes, content: bytes) -> bytes:
    found = guid + (24 + len(content)).to_bytes(8, "little") + content
    return ASF_HEADER + (30 + len(found)).to_bytes(8, "little") + b"\1\0\0\0\1\2" + found


def id3(name: bytes, content: bytes) -> bytes:
    frame = name + len(content).to_bytes(4, "big") + b"\0\0" + content
    return b"ID3\x03\0\0" + bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0)) + frame


CLEAR: Mapping[str, bytes] = {
    "markers in mdat": FTYP + movie(audio_entry(b"mp4a")) + box(b"mdat", EVERY_MARKER),
    "markers in free, skip and wide": FTYP + b"".join(box(k, EVERY_MARKER) for k in (b"free", b"skip", b"wide")),
    "markers in free of a sample entry": FTYP + movie(audio_entry(b"mp4a", box(b"free", bytes(8), SINF))),
    "markers in tags": FTYP + movie(audio_entry(b"mp4a"), box(b"udta", full_box(b"meta", box(b"ilst", EVERY_MARKER)))),
    "schm in rinf": FTYP + movie(audio_entry(b"mp4a", box(b"rinf", box(b"frma", b"mp4a"), full_box(b"schm", b"cenc", bytes(4))))),
    "sinf in rinf": FTYP + movie(audio_entry(b"mp4a", box(b"rinf", SINF))),
    "schm of another scheme": FTYP + movie(audio_entry(b"mp4a", full_box(b"schm", b"stvi", bytes(4)))),
    "once protected, buyer's data left": FTYP
    + movie(audio_entry(b"mp4a", box(b"pinf", full_box(b"schm", b"itun", bytes(4)), box(b"schi", box(b"user", bytes(4)))))),
    "uuid of something else": FTYP + box(b"uuid", bytes(16), EVERY_MARKER),
    "M4P as a compatible brand": box(b"ftyp", b"M4A ", bytes(4), b"M4P ", b"isom") + movie(audio_entry(b"mp4a")),
    "ASF signature": asf_file(SIGNATURE, bytes(16)),
    "ASF encryption as another object's content": asf_file(bytes(16), CONTENT_ENCRYPTION + bytes(24)),
    "ID3 word AENC in a comment": id3(b"COMM", b"\0eng\0AENC" + bytes(20)) + FRAME * 4,
    "ID3 encrypted frame": id3(b"ENCR", b"http://example.org\0\x80key") + FRAME * 4,
    "EA3 in clear": b"EA3\x02\0\x60\xff\xff" + bytes(88),
    "EA3 in clear, too": b"EA3\x02\0\x60\xff\x80" + bytes(88),
    "HLS without a key": b"#EXTM3U\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\na.aac\n",
    "HLS with the word in an address": b"#EXTM3U\n#EXTINF:6,\nhttp://example.org/#EXT-X-KEY:METHOD=AES-128\n",
    "DASH in clear": b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><!-- <ContentProtection/> --><Period/></MPD>',
}


@pytest.mark.parametrize("name", CLEAR)
def test_a_file_in_clear_is_not_called_protected(name: str) -> None:
    assert verdict(CLEAR[name]) is None


def encode(path: Path, **options: str) -> None:
    """Write a second of silence as AAC in MP4, under Common Encryption where options say so."""
    with av.open(str(path), "w", format="mp4", options=options) as target:
        stream = target.add_stream("aac", rate=44100, layout="stereo")
        for _ in range(44):
            frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            frame.sample_rate = 44100
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


@pytest.mark.parametrize("movflags", ["use_metadata_tags", "faststart", "frag_keyframe+empty_moov+default_base_moof"])
def test_ffmpegs_files_are_clear_until_ffmpeg_encrypts_them(movflags: str, tmp_path: Path) -> None:
    clear, locked = tmp_path / "clear.m4a", tmp_path / "locked.m4a"
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    encode(clear, movflags=movflags)
    encode(locked, movflags=movflags, **key)
    assert isinstance(examine(clear, "clear"), Examined)
    found = examine(locked, "locked")
    assert isinstance(found, Protected)
    assert found.marker == "sample entry enca"


def test_the_walk_agrees_with_mutagens_own(fixtures: Path) -> None:
    folder = fixtures / "audio"
    files = [*sorted(folder.glob("*/*.m4a")), *sorted(folder.glob("*/*.m4b"))]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        ours = {(box.kind, box.end - box.start) for box in mp4.walk(window_on(content))}
        pending = list(Atoms(BytesIO(content)).atoms)
        while pending:
            atom = pending.pop()
            if atom.name in (b"udta", b"tref"):
                continue
            if atom.length <= len(content):
                assert (atom.name, atom.datalength) in ours, f"{path.name}: {atom.name!r}"
            pending.extend(atom.children or ())


def test_a_compressed_header_is_not_vouched_for() -> None:
    with pytest.raises(FormatError, match="compressed header"):
        verdict(FTYP + box(b"moov", box(b"cmov", bytes(32))))


def test_nesting_without_end_is_not_vouched_for() -> None:
    content = b""
    for _ in range(40):
        content = box(b"moov", content)
    with pytest.raises(FormatError, match="nests deeper"):
        verdict(content)


def test_boxes_without_end_are_not_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "STEPS_MAX", 10_000)
    many = 1 << 62

    def read_at(start: int, length: int) -> bytes:
        return (box(b"free") * 3)[start % 8 :][:length]

    with pytest.raises(FormatError, match="more than"):
        find_protection(read_at, many)


def test_a_sign_met_before_a_limit_is_enough() -> None:
    content = FTYP + movie(audio_entry(b"enca")) + box(b"moov", box(b"cmov"))
    found = verdict(content)
    assert found is not None
    assert found.marker == "sample entry enca"


def test_a_manifest_that_declares_entities_is_not_read() -> None:
    with pytest.raises(FormatError, match="document type"):
        verdict(b'<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY a "b">]><MPD>&a;</MPD>')


def test_a_video_protected_in_another_track_is_found() -> None:
    track = movie(audio_entry(b"encv"))[8:]
    content = FTYP + box(b"moov", movie(audio_entry(b"mp4a"))[8:], track)
    found = verdict(content)
    assert found is not None
    assert found.marker == "sample entry encv"
