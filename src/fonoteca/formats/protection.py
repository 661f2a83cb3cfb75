"""Whether a file is under technical protection, read from its structure and never from its payload.

Detection only: a protected file is refused, and nothing here or elsewhere in Fonoteca undoes protection. The rules are the
tables; the functions below them only say where in a file each table applies. Sources, where a row has no clause of its own:
ISO/IEC 14496-12 section 8.12 (sinf, schm), ISO/IEC 23001-7 (tenc, senc, pssh, scheme types), Bento4's Ap4AtomFactory.h (drms,
drmi), Ap4OmaDcf.h (odkm, odcf, opf2) and Ap4Piff.cpp, FFmpeg's mov.c (aavd, adrm), asf_tags.c, aadec.c and omadec.c, the IANA
registry of Matroska element ids, ID3v2.4 section 4.19, RFC 8216 section 4.3.2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fonoteca.formats import asf, id3, matroska, mp4, playlist, riff
from fonoteca.formats.identity import HEAD_BYTES, identify
from fonoteca.formats.window import ReadAt, Window
from fonoteca.model.errors import FormatError

FINDINGS_MAX = 64
"""Signs of protection that are collected from one file; the verdict needs one."""

NAMED_MAX = 4
"""Signs and systems that a verdict names."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Why a file is refused. marker: the box, object, frame or field found. system: whose protection it is, as far as it says."""

    marker: str
    system: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Sign:
    """One sign found. weight: the sign with the least is the one named first in the verdict."""

    weight: int
    marker: str
    system: str


CENC = "Common Encryption"
FAIRPLAY = "Apple FairPlay"
AUDIBLE = "Audible"
OMA = "OMA DRM"
PIFF = "Protected Interoperable File Format"
WINDOWS = "Windows Media DRM"
PLAYREADY = "PlayReady"

SAMPLE_ENTRIES: Mapping[bytes, str] = {
    b"enca": CENC,
    b"encv": CENC,
    b"enct": CENC,
    b"encs": CENC,
    b"encm": CENC,
    b"encf": CENC,
    b"drms": FAIRPLAY,
    b"drmi": FAIRPLAY,
    b"aavd": AUDIBLE,
}
"""Codes of sample entries whose samples are encrypted."""

BOXES: Mapping[bytes, str] = {
    b"sinf": "",
    b"tenc": CENC,
    b"senc": CENC,
    b"pssh": CENC,
    b"adrm": AUDIBLE,
    b"odrm": OMA,
}
"""Boxes that only protected files have, wherever the walk meets them; "" where the box itself does not say whose."""

SCHEMES: Mapping[bytes, str] = {
    b"cenc": CENC,
    b"cens": CENC,
    b"cbc1": CENC,
    b"cbcs": CENC,
    b"piff": PIFF,
    b"itun": FAIRPLAY,
    b"odkm": OMA,
}
"""Scheme types of a `schm` box. In `rinf` the same box means something else, and the walk does not go there."""

BRANDS: Mapping[bytes, str] = {b"M4P ": FAIRPLAY, b"aax ": AUDIBLE, b"aaxc": AUDIBLE, b"odcf": OMA, b"opf2": OMA}
"""Brands of protected files. Apple's and Audible's count as the major brand; OMA's as a compatible one too, as in Bento4."""

COMPATIBLE_BRANDS = frozenset({b"odcf", b"opf2"})

SYSTEMS: Mapping[bytes, str] = {
    bytes.fromhex("EDEF8BA979D64ACEA3C827DCD51D21ED"): "Widevine",
    bytes.fromhex("9A04F07998404286AB92E65BE0885F95"): PLAYREADY,
    bytes.fromhex("94CE86FB07FF4F43ADB893D2FA968CA2"): FAIRPLAY,
    bytes.fromhex("1077EFECC0B24D02ACE33C1E52E2FB4B"): "W3C common system",
    bytes.fromhex("E2719D58A985B3C9781AB030AF78D30E"): "ClearKey",
}
"""System ids of `pssh` boxes (23001-7 section 8.1)."""

PIFF_PSSH = bytes.fromhex("D08A4F1810F34A82B6C832D8ABA183D3")
PIFF_UUIDS: Mapping[bytes, str] = {
    PIFF_PSSH: "protection system header",
    bytes.fromhex("8974DBCE7BE74C5184F97148F9882554"): "track encryption",
    bytes.fromhex("A2394F525A9B4F14A2446C427C648DF4"): "sample encryption",
}
"""User types of `uuid` boxes in PIFF, the forerunner of Common Encryption."""

ASF_OBJECTS: Mapping[bytes, tuple[str, str]] = {
    bytes.fromhex("FBB3112223BDD211B4B700A0C955FC6E"): ("Content Encryption Object", WINDOWS),
    bytes.fromhex("14E68A292226174CB935DAE07EE9289C"): ("Extended Content Encryption Object", WINDOWS),
    bytes.fromhex("338505438169E6499B74AD12CB86D58C"): ("Advanced Content Encryption Object", PLAYREADY),
}
"""Objects of an ASF header, ASF specification sections 3.14, 3.15 and 4.14. A digital signature alone protects nothing."""

ASF_STREAMS = frozenset({asf.STREAM_PROPERTIES})
ASF_ENCRYPTED_FLAG = 0x8000
"""Bit 15 of a stream's flags, "Encrypted Content Flag" (ASF specification section 3.3)."""

ID3_FRAMES: Mapping[bytes, str] = {b"AENC": "ID3 audio encryption", b"CRA": "ID3 audio encryption"}
"""Frames that say the sound itself is encrypted; `CRA` is its name in ID3v2.2. Encrypted frames (ENCR, CRM) are not that."""

EA3_CLEAR = frozenset({0xFFFF, 0xFF80})
"""Values of bytes 6 and 7 of an EA3 header that mean no encryption (FFmpeg omadec.c)."""

HLS_CLEAR = frozenset({"NONE", ""})


def find_protection(read_at: ReadAt, file_bytes: int) -> Protection | None:
    """Return why a file is protected, or None.

    read_at: `read_at(offset, length)`, fewer bytes only at the end of the file. Cost: the structure, not the content.
    A truncated or damaged file gets the verdict of what is left of it.
    Raises: FormatError where structure cannot be checked within the limits of `Window`, and no sign was met before.
    """
    window = Window(read_at, file_bytes)
    signs: list[_Sign] = []
    try:
        for sign in _signs(window):
            signs.append(sign)
            if len(signs) == FINDINGS_MAX:
                break
    except FormatError:
        if not signs:
            raise
    if not signs:
        return None
    signs.sort(key=lambda sign: sign.weight)
    markers = list(dict.fromkeys(sign.marker for sign in signs))
    systems = list(dict.fromkeys(sign.system for sign in signs if sign.system))
    system = ", ".join(systems[:NAMED_MAX]) or "an unnamed scheme"
    also = f" (also {', '.join(markers[1:NAMED_MAX])})" if len(markers) > 1 else ""
    return Protection(markers[0], system, f"{markers[0]} says that the sound is encrypted under {system}{also}")


def _signs(window: Window) -> Iterator[_Sign]:
    """Yield the signs in a file: of its tags, then of the container that it is."""
    yield from _id3_signs(window)
    start = id3.content_start(window)
    container = identify(window.read(start, HEAD_BYTES))
    if container is not None and container in _CONTAINERS:
        yield from _CONTAINERS[container](window, start)


def _id3_signs(window: Window) -> Iterator[_Sign]:
    """Yield the AENC frames of tags at both ends of a file."""
    trailing = id3.trailing_tag(window)
    for tag in (*id3.leading_tags(window), *((trailing,) if trailing else ())):
        yield from _frame_signs(window, tag)


def _frame_signs(window: Window, tag: id3.Tag) -> Iterator[_Sign]:
    for frame in id3.frames(window, tag):
        if system := ID3_FRAMES.get(frame.id):
            yield _Sign(0, f"ID3 frame {frame.id.decode()}", system)


def _mp4_signs(window: Window, start: int) -> Iterator[_Sign]:
    """Yield what sample entries, boxes, scheme types, brands, system ids and user types of an MP4 file say."""
    for box in mp4.walk(window, start):
        name = box.kind.decode("latin-1")
        if box.is_sample_entry and box.kind in SAMPLE_ENTRIES:
            yield _Sign(0, f"sample entry {name}", SAMPLE_ENTRIES[box.kind])
        elif box.kind in BOXES:
            yield _Sign(3, f"box {name}", BOXES[box.kind])
        if details := _MP4_FIELDS.get(box.kind):
            yield from details(window, box)


def _schm_signs(window: Window, box: mp4.Box) -> Iterator[_Sign]:
    scheme = window.read(box.start + 4, 4)
    if system := SCHEMES.get(scheme):
        yield _Sign(1, f"scheme type {scheme.decode()}", system)


def _pssh_signs(window: Window, box: mp4.Box, offset: int = 4) -> Iterator[_Sign]:
    system_id = window.read(box.start + offset, 16)
    if len(system_id) == 16:
        yield _Sign(2, f"key system {system_id.hex()}", SYSTEMS.get(system_id, f"key system {system_id.hex()}"))


def _uuid_signs(window: Window, box: mp4.Box) -> Iterator[_Sign]:
    user_type = window.read(box.start, 16)
    if meaning := PIFF_UUIDS.get(user_type):
        yield _Sign(2, f"uuid {user_type.hex()} ({meaning})", PIFF)
        if user_type == PIFF_PSSH:
            yield from _pssh_signs(window, box, 20)


def _ftyp_signs(window: Window, box: mp4.Box) -> Iterator[_Sign]:
    brands = window.read(box.start, min(box.end - box.start, 1024))
    for at in (0, *range(8, len(brands), 4)):
        brand = brands[at : at + 4]
        if brand in BRANDS and (at == 0 or brand in COMPATIBLE_BRANDS):
            yield _Sign(4, f"file type {brand.decode().strip()}", BRANDS[brand])


_MP4_FIELDS: Mapping[bytes, Callable[[Window, mp4.Box], Iterator[_Sign]]] = {
    b"schm": _schm_signs,
    b"pssh": _pssh_signs,
    b"uuid": _uuid_signs,
    b"ftyp": _ftyp_signs,
}


def _asf_signs(window: Window, start: int) -> Iterator[_Sign]:
    """Yield the encryption objects of an ASF header and its encrypted streams."""
    for found in asf.walk(window, start):
        if found.guid in ASF_OBJECTS:
            yield _Sign(0, *ASF_OBJECTS[found.guid])
        elif found.guid in ASF_STREAMS and asf.stream_flags(window, found) & ASF_ENCRYPTED_FLAG:
            yield _Sign(1, "Encrypted Content Flag of a stream", WINDOWS)


def _matroska_signs(window: Window, start: int) -> Iterator[_Sign]:
    """Yield the ContentEncryption elements of tracks (RFC 9559 section 5.1.4.1.31.8)."""
    for element in matroska.walk(window, start):
        if element.id == matroska.CONTENT_ENCRYPTION and element.path[-1:] == (matroska.CONTENT_ENCODING,):
            yield _Sign(0, "element ContentEncryption", "Matroska or WebM encryption")


def _ea3_signs(window: Window, start: int) -> Iterator[_Sign]:
    """Yield the encryption id of a Sony header, which a tag of its own may precede."""
    tag = id3.tag_at(window, start, b"ea3")
    header = window.read(tag.end if tag else start, 8)
    if header[:3] == b"EA3" and len(header) == 8 and int.from_bytes(header[6:8], "big") not in EA3_CLEAR:
        yield _Sign(0, f"EA3 encryption id {header[6:8].hex()}", "Sony OpenMG")


def _audible_signs(_window: Window, _start: int) -> Iterator[_Sign]:
    yield _Sign(0, "Audible .aa header", AUDIBLE)


def _hls_signs(window: Window, start: int) -> Iterator[_Sign]:
    text = window.read(start, playlist.PLAYLIST_BYTES_MAX).decode("utf-8", "replace")
    for method, key_format in playlist.hls_keys(text):
        if method not in HLS_CLEAR:
            yield _Sign(0, f"EXT-X-KEY METHOD={method}", f"HLS {method} ({key_format})")


def _dash_signs(window: Window, start: int) -> Iterator[_Sign]:
    for scheme in playlist.dash_protections(window.read(start, playlist.PLAYLIST_BYTES_MAX)):
        system_id = bytes.fromhex(scheme[9:].replace("-", "")) if _is_uuid_urn(scheme) else b""
        yield _Sign(0, "element ContentProtection", SYSTEMS.get(system_id, scheme or "MPEG-DASH"))


def _is_uuid_urn(scheme: str) -> bool:
    digits = scheme[9:].replace("-", "")
    return scheme.lower().startswith("urn:uuid:") and len(digits) == 32 and all(c in "0123456789abcdefABCDEF" for c in digits)


def _chunk_signs(window: Window, start: int) -> Iterator[_Sign]:
    """Yield the AENC frames of a tag in a chunk of a WAVE or AIFF file."""
    for chunk in riff.walk(window, start):
        if chunk.kind in (b"id3 ", b"ID3 ") and (tag := id3.tag_at(window, chunk.start)):
            yield from _frame_signs(window, tag)


_CONTAINERS: Mapping[str, Callable[[Window, int], Iterator[_Sign]]] = {
    "mp4": _mp4_signs,
    "asf": _asf_signs,
    "matroska": _matroska_signs,
    "ea3": _ea3_signs,
    "audible": _audible_signs,
    "hls": _hls_signs,
    "dash": _dash_signs,
    "wav": _chunk_signs,
    "aiff": _chunk_signs,
}
"""Container, as `identify` names it, to the function that knows where its signs are."""
