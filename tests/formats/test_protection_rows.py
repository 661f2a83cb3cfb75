"""One file for each row of the table of protected input, and the files of other projects that say the same."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.audio import Protected, examine
from fonoteca.formats import asf, mp4
from fonoteca.formats.mp4 import audio_entry, box, full_box, movie
from fonoteca.formats.protection import Protection, find_protection
from fonoteca.model.errors import AudioError

FTYP = box(b"ftyp", b"M4A ", bytes(4), b"M4A ", b"isom")


def verdict(content: bytes) -> Protection | None:
    return find_protection(lambda start, length: content[start : start + length], len(content))


def entry(kind: bytes, *parts: bytes) -> bytes:
    return FTYP + movie(audio_entry(kind, *parts))


def scheme(kind: bytes) -> bytes:
    return entry(b"mp4a", box(b"sinf", box(b"frma", b"mp4a"), full_box(b"schm", kind, bytes(4))))


def pssh(system_id: str) -> bytes:
    return FTYP + movie(audio_entry(b"mp4a"), full_box(b"pssh", bytes.fromhex(system_id), bytes(4)))


def brand(major: bytes) -> bytes:
    return box(b"ftyp", major, bytes(4), b"isom") + movie(audio_entry(b"mp4a"))


def piff(user_type: str, *parts: bytes) -> bytes:
    return box(b"uuid", bytes.fromhex(user_type.replace("-", "")), bytes(4), *parts)


def asf_object(guid: str | bytes, *parts: bytes) -> bytes:
    raw = bytes.fromhex(guid) if isinstance(guid, str) else guid
    content = b"".join(parts)
    return raw + (24 + len(content)).to_bytes(8, "little") + content


def asf_file(*objects: bytes) -> bytes:
    content = b"".join(objects)
    return asf.HEADER + (30 + len(content)).to_bytes(8, "little") + len(objects).to_bytes(4, "little") + b"\1\2" + content


def asf_extension(*objects: bytes) -> bytes:
    content = b"".join(objects)
    return asf_object(asf.HEADER_EXTENSION, bytes(16), b"\x06\0", len(content).to_bytes(4, "little"), content)


def asf_stream(flags: int) -> bytes:
    return asf_object(asf.STREAM_PROPERTIES, bytes(48), flags.to_bytes(2, "little"), bytes(4))


def ea3(encryption_id: str) -> bytes:
    return b"EA3\x02\0\x60" + bytes.fromhex(encryption_id) + bytes(88)


def element(id: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    name = id.to_bytes((id.bit_length() + 7) // 8, "big")
    return name + (len(content) | 1 << 56).to_bytes(8, "big") + content


def matroska_file(*encoding: bytes) -> bytes:
    track = element(0xAE, element(0xD7, b"\1"), element(0x6D80, element(0x6240, *encoding)))
    return element(0x1A45DFA3, element(0x4282, b"matroska")) + element(0x18538067, element(0x1654AE6B, track))


def id3_tag(*frames: tuple[bytes, bytes], version: int = 4, flags: int = 0) -> bytes:
    content = b"".join(
        name + (len(c).to_bytes(3, "big") if version == 2 else len(c).to_bytes(4, "big") + b"\0\0") + c for name, c in frames
    )
    size = bytes(len(content) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + content


def unsynchronised(*frames: tuple[bytes, bytes]) -> bytes:
    """Return a v2.3 tag whose frames count their bytes before unsynchronisation and whose header counts them after it."""
    stored = id3_tag(*frames, version=3)[10:].replace(b"\xff\xfe", b"\xff\x00\xfe")
    return b"ID3\x03\0\x80" + bytes(len(stored) >> shift & 0x7F for shift in (21, 14, 7, 0)) + stored


AENC = (b"AENC", b"http://example.org\0\0\0\0\0key")
WIDEVINE = "EDEF8BA979D64ACEA3C827DCD51D21ED"
PSSH_UUID = "D08A4F18-10F3-4A82-B6C8-32D8ABA183D3"
TRACK_UUID = "8974DBCE-7BE7-4C51-84F9-7148F9882554"
SAMPLE_UUID = "A2394F52-5A9B-4F14-A244-6C427C648DF4"
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n{}\n#EXTINF:6,\na.aac\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    '<ContentProtection schemeIdUri="{}"/></AdaptationSet></Period></MPD>'
)
FRAME = b"\xff\xfb\x90\x00" + bytes(413)

ROWS: Mapping[str, tuple[bytes, str, str]] = {
    "sample entry enca": (entry(b"enca"), "sample entry enca", "Common Encryption"),
    "sample entry drms": (entry(b"drms"), "sample entry drms", "Apple FairPlay"),
    "sample entry drmi": (entry(b"drmi"), "sample entry drmi", "Apple FairPlay"),
    "sample entry aavd": (entry(b"aavd"), "sample entry aavd", "Audible"),
    "box sinf": (entry(b"mp4a", box(b"sinf", box(b"frma", b"mp4a"))), "box sinf", "unnamed"),
    "box sinf, QuickTime 1": (entry(b"mp4a", bytes(16), box(b"sinf", box(b"frma", b"mp4a"))), "box sinf", "unnamed"),
    "box sinf, QuickTime 2": (entry(b"mp4a", bytes(36), box(b"sinf", box(b"frma", b"mp4a"))), "box sinf", "unnamed"),
    "box tenc": (entry(b"mp4a", box(b"schi", full_box(b"tenc", bytes(20)))), "box tenc", "Common Encryption"),
    "box pssh": (FTYP + movie(audio_entry(b"mp4a"), box(b"pssh")), "box pssh", "Common Encryption"),
    "box pssh in a fragment": (FTYP + box(b"moof", full_box(b"pssh", bytes.fromhex(WIDEVINE))), "key system", "Widevine"),
    "box senc": (FTYP + box(b"moof", box(b"traf", full_box(b"senc", bytes(4)))), "box senc", "Common Encryption"),
    "box adrm": (entry(b"mp4a", box(b"adrm", bytes(8))), "box adrm", "Audible"),
    "scheme cenc": (scheme(b"cenc"), "scheme type cenc", "Common Encryption"),
    "scheme cens": (scheme(b"cens"), "scheme type cens", "Common Encryption"),
    "scheme cbc1": (scheme(b"cbc1"), "scheme type cbc1", "Common Encryption"),
    "scheme cbcs": (scheme(b"cbcs"), "scheme type cbcs", "Common Encryption"),
    "scheme piff": (scheme(b"piff"), "scheme type piff", "Protected Interoperable File Format"),
    "scheme itun": (scheme(b"itun"), "scheme type itun", "Apple FairPlay"),
    "scheme odkm": (scheme(b"odkm"), "scheme type odkm", "OMA DRM"),
    "brand M4P": (brand(b"M4P "), "file type M4P", "Apple FairPlay"),
    "brand aax": (brand(b"aax "), "file type aax", "Audible"),
    "brand aaxc": (brand(b"aaxc"), "file type aaxc", "Audible"),
    "brand odcf": (box(b"ftyp", b"odcf", bytes(4), b"odcf") + box(b"odrm", bytes(64)), "box odrm", "OMA DRM"),
    "brand odcf alone": (box(b"ftyp", b"odcf", b"\0\0\0\2"), "file type odcf", "OMA DRM"),
    "system Widevine": (pssh(WIDEVINE), "key system", "Widevine"),
    "system PlayReady": (pssh("9A04F07998404286AB92E65BE0885F95"), "key system", "PlayReady"),
    "system FairPlay": (pssh("94CE86FB07FF4F43ADB893D2FA968CA2"), "key system", "Apple FairPlay"),
    "system common": (pssh("1077EFECC0B24D02ACE33C1E52E2FB4B"), "key system", "W3C common system"),
    "system ClearKey": (pssh("E2719D58A985B3C9781AB030AF78D30E"), "key system", "ClearKey"),
    "system unknown": (pssh("00112233445566778899AABBCCDDEEFF"), "key system", "key system 00112233"),
    "PIFF header": (
        FTYP + movie(audio_entry(b"mp4a"), piff(PSSH_UUID, bytes.fromhex(WIDEVINE), bytes(4))),
        "uuid d08a4f18",
        "Widevine",
    ),
    "PIFF track": (entry(b"mp4a", box(b"schi", piff(TRACK_UUID, bytes(20)))), "uuid 8974dbce", "Interoperable"),
    "PIFF samples": (FTYP + box(b"moof", box(b"traf", piff(SAMPLE_UUID))), "uuid a2394f52", "Interoperable"),
    "ASF content encryption": (asf_file(asf_object("FBB3112223BDD211B4B700A0C955FC6E")), "Content Encryption", "Windows"),
    "ASF extended": (asf_file(asf_object("14E68A292226174CB935DAE07EE9289C")), "Extended Content Encryption", "Windows"),
    "ASF advanced": (asf_file(asf_object("338505438169E6499B74AD12CB86D58C")), "Advanced Content Encryption", "PlayReady"),
    "ASF advanced, in the extension": (
        asf_file(asf_stream(1), asf_extension(asf_object("338505438169E6499B74AD12CB86D58C"))),
        "Advanced Content Encryption",
        "PlayReady",
    ),
    "ASF stream flag": (asf_file(asf_stream(0x8001)), "Encrypted Content Flag", "Windows"),
    "ASF flag of a hidden stream": (
        asf_file(asf_extension(asf_object(asf.EXTENDED_STREAM_PROPERTIES, bytes(64), asf_stream(0x8002)))),
        "Encrypted Content Flag",
        "Windows",
    ),
    "Audible aa": (b"\0\1\0\0\x57\x90\x75\x36" + bytes(64), "Audible .aa header", "Audible"),
    "Sony EA3": (ea3("0001"), "EA3 encryption id 0001", "Sony"),
    "Sony EA3 after its tag": (b"ea3\x03\0\0\0\0\0\x0a" + bytes(10) + ea3("1234"), "EA3 encryption id 1234", "Sony"),
    "Matroska": (matroska_file(element(0x5033, b"\1"), element(0x5035, element(0x47E1, b"\5"))), "ContentEncryption", "Matroska"),
    "ID3 v2.4": (id3_tag((b"TIT2", b"\3A"), AENC) + FRAME * 4, "ID3 frame AENC", "ID3 audio encryption"),
    "ID3 v2.3": (id3_tag(AENC, version=3) + FRAME * 4, "ID3 frame AENC", "ID3 audio encryption"),
    "ID3 v2.3 unsynchronised": (unsynchronised((b"TIT2", b"\1\xff\xfeA\0"), AENC) + FRAME * 4, "ID3 frame AENC", "ID3"),
    "ID3 v2.2": (id3_tag((b"CRA", AENC[1]), version=2) + FRAME * 4, "ID3 frame CRA", "ID3 audio encryption"),
    "ID3 in WAVE": (b"RIFF\x80\0\0\0WAVEid3 \x40\0\0\0" + id3_tag(AENC) + bytes(64), "ID3 frame AENC", "ID3"),
    "HLS": (HLS.format('#EXT-X-KEY:METHOD=AES-128,URI="key.bin"').encode(), "EXT-X-KEY METHOD=AES-128", "identity"),
    "HLS FairPlay": (
        HLS.format('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://1",KEYFORMAT="com.apple.streamingkeydelivery"').encode(),
        "EXT-X-KEY METHOD=SAMPLE-AES",
        "com.apple.streamingkeydelivery",
    ),
    "DASH": (DASH.format("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed").encode(), "ContentProtection", "Widevine"),
    "DASH common": (DASH.format("urn:mpeg:dash:mp4protection:2011").encode(), "ContentProtection", "mp4protection"),
    "the demo's sample": (mp4.protected_sample(), "sample entry enca", "Common Encryption"),
}
"""Name of a row, to a file that has this one sign, the marker that the verdict names, and the system."""


@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_table_is_found(row: str) -> None:
    content, marker, system = ROWS[row]
    found = verdict(content)
    assert found is not None
    assert marker in found.marker
    assert system in found.system
    assert found.marker in found.reason


@pytest.mark.parametrize("row", ROWS)
def test_no_row_hides_behind_a_tag(row: str) -> None:
    content, marker, _ = ROWS[row]
    found = verdict(id3_tag((b"TIT2", b"\3A")) * 2 + content)
    assert found is not None
    assert marker in found.marker


@pytest.mark.parametrize("row", ROWS)
def test_no_protected_file_is_decoded(row: str, tmp_path: Path) -> None:
    path = tmp_path / "music.ogg"
    path.write_bytes(ROWS[row][0])
    found = examine(path, "music.ogg")
    assert isinstance(found, Protected)
    assert ROWS[row][1] in found.marker


@pytest.mark.parametrize("prefix", [b"", id3_tag((b"TIT2", b"\3A"))], ids=["bare", "after ID3"])
@pytest.mark.parametrize("extension", ["ogg", "flac"])
def test_an_ogg_or_flac_name_on_other_bytes_is_refused_not_guessed(extension: str, prefix: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"music.{extension}"
    path.write_bytes(prefix + bytes(range(7, 256)) * 64)
    with pytest.raises(AudioError, match="no known kind"):
        examine(path, path.name)


def test_other_projects_files_have_the_verdict_of_boxes_tsv(fixtures: Path) -> None:
    with (fixtures / "protected" / "boxes.tsv").open(newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    assert rows
    for row in rows:
        content = (fixtures / "protected" / row["file"].removeprefix("go-mp4/")).read_bytes()
        assert len(content) == int(row["bytes"])
        signs = [row[name] for name in ("protected_entry", "scheme", "tenc", "senc", "uuid") if row[name]]
        found = verdict(content)
        assert (found is not None) == bool(signs or int(row["pssh"])), row["file"]
        if found is not None and row["protected_entry"]:
            assert found.marker == f"sample entry {row['protected_entry']}"
            assert row["scheme"] in found.reason


CUTS: Mapping[str, Callable[[Path], bytes]] = {
    "sample.mp4": lambda folder: (folder / "sample.mp4").read_bytes(),
    "sample_fragmented.mp4": lambda folder: (folder / "sample_fragmented.mp4").read_bytes(),
    "sample_init.enca.mp4": lambda folder: (folder / "sample_init.enca.mp4").read_bytes(),
    "sample_init.encv.mp4": lambda folder: (folder / "sample_init.encv.mp4").read_bytes(),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_sample_cut_anywhere_gets_a_verdict(name: str, fixtures: Path) -> None:
    content = CUTS[name](fixtures / "protected" / "testdata")
    whole = verdict(content)
    for length in range(len(content)):
        found = verdict(content[:length])
        assert found is None or whole is not None


def test_every_row_cut_anywhere_gets_a_verdict() -> None:
    for content, _, _ in ROWS.values():
        for length in range(min(len(content), 400)):
            verdict(content[:length])


@given(st.binary(max_size=600))
def test_any_bytes_get_a_verdict(content: bytes) -> None:
    verdict(content)


@given(st.sampled_from(sorted(ROWS)), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6))
def test_a_row_with_bytes_changed_gets_a_verdict(row: str, changes: list[tuple[int, int]]) -> None:
    content = bytearray(ROWS[row][0])
    for at, value in changes:
        content[at % len(content)] = value
    verdict(bytes(content))
