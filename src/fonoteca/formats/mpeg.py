"""Frames that have no container: MPEG audio, ADTS and AC-3, known by two headers in a row that agree.

Sources: ISO/IEC 11172-3 section 2.4.2.3 and 13818-3 (MPEG audio), ISO/IEC 13818-7 section 6.2 (ADTS), ATSC A/52 sections 5.3
and E.2.2 (AC-3, E-AC-3); the Xing, Info and VBRI headers are their encoders' own.
"""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.formats import id3
from fonoteca.formats.window import Window

TAIL_BYTES = 16384
"""Of a file's end that is searched for whole frames: more than five of the longest."""

HEAD_BYTES = 4
PADDING_BYTES_MAX = 2048
"""Zeros that may come between a tag and the first frame."""

_V1_KBPS = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_V2_KBPS = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HZ = (44100, 48000, 32000)
_AC3_WORDS_48 = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1152, 1280)
"""16-bit words of an AC-3 frame at 48 kHz, by half of frmsizecod (A/52 table 5.18)."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """A frame's header. family: what every frame of one stream has in common. samples: per channel."""

    name: str
    family: tuple[int, ...]
    frame_bytes: int
    samples: int
    sample_rate_hz: int
    side_bytes: int


def frame_header(head: bytes) -> FrameHeader | None:
    """Return the frame header that these bytes begin, or None. head: at least 8 bytes for ADTS and AC-3, 4 for MPEG audio."""
    if len(head) >= HEAD_BYTES and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return _mpeg(head) if head[1] & 0x06 else _adts(head)
    if head[:2] == b"\x0b\x77" and len(head) >= 6:
        return _ac3(head)
    return None


def _mpeg(head: bytes) -> FrameHeader | None:
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate, hz = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or rate in (0, 15) or hz == 3:
        return None
    first = version == 3
    sample_rate = _HZ[hz] >> (0 if first else 1 if version == 2 else 2)
    kbps = (_V1_KBPS if first else _V2_KBPS)[layer][rate]
    samples = 384 if layer == 1 else 576 if layer == 3 and not first else 1152
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * kbps * 1000 // sample_rate + (head[2] >> 1 & 1)) * slot
    mono = head[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return FrameHeader("mp3", (version, layer, hz), length, samples, sample_rate, side)


def _adts(head: bytes) -> FrameHeader | None:
    if len(head) < 7 or head[1] & 0xF0 != 0xF0 or (hz := head[2] >> 2 & 15) > 12:
        return None
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if length < 7:
        return None
    return FrameHeader("aac", (head[1] & 0x08, head[2] >> 6, hz), length, 1024 * ((head[6] & 3) + 1), 0, 0)


def _ac3(head: bytes) -> FrameHeader | None:
    bsid = head[5] >> 3
    if bsid > 10:
        if bsid > 16:
            return None
        length = 2 * ((int.from_bytes(head[2:4], "big") & 0x7FF) + 1)
        return FrameHeader("eac3", (16, head[4] >> 6), length, 1536, 0, 0)
    hz, code = head[4] >> 6, head[4] & 0x3F
    if hz == 3 or code > 37:
        return None
    words = _AC3_WORDS_48[code >> 1]
    if hz == 2:
        words = words * 3 // 2
    elif hz == 1:
        words = words * 48000 // 44100 + (code & 1)
    return FrameHeader("ac3", (10, hz), 2 * words, 1536, 0, 0)


def identify_frames(head: bytes) -> str | None:
    """Return `mp3`, `aac`, `ac3` or `eac3` where two agreeing frames begin the bytes, or one frame fills them; else None."""
    start = len(head) - len(head.lstrip(b"\0"))
    if start > PADDING_BYTES_MAX:
        return None
    first = frame_header(head[start : start + 8])
    if first is None:
        return None
    after = start + first.frame_bytes
    if after == len(head):
        return first.name
    second = frame_header(head[after : after + 8])
    return first.name if second is not None and second.family == first.family else None


@dataclass(frozen=True, slots=True)
class Promise:
    """What a Xing, Info or VBRI header says of its file. sound_bytes: of all frames, 0 where it does not say."""

    samples: int
    sample_rate_hz: int
    sound_bytes: int


def promise(window: Window, start: int) -> Promise | None:
    """Return what the header in the first frame, which begins at `start`, promises; None without one that counts frames."""
    head = window.read(start, 256)
    frame = frame_header(head)
    if frame is None or frame.name != "mp3":
        return None
    xing = head[4 + frame.side_bytes :]
    if xing[:4] in (b"Xing", b"Info") and xing[7] & 1:
        sound_bytes = int.from_bytes(xing[12:16], "big") if xing[7] & 2 else 0
        return Promise(int.from_bytes(xing[8:12], "big") * frame.samples, frame.sample_rate_hz, sound_bytes)
    if head[36:40] == b"VBRI":
        frames = int.from_bytes(head[50:54], "big")
        return Promise(frames * frame.samples, frame.sample_rate_hz, int.from_bytes(head[46:50], "big"))
    return None


def find_cut(window: Window, start: int) -> str:
    """Return how the end of the file cuts the sound off, "" where it does not seem to.

    Where a header says how many bytes there are, a torn last frame counts only if bytes are missing: players put up with
    rubbish after the sound, and so do we.
    """
    promised = promise(window, start)
    if ends_whole(window) or (promised and promised.sound_bytes == 0):
        return ""
    if promised is None:
        return "its last frame is cut off"
    missing = promised.sound_bytes - (_sound_end(window) - start)
    return f"the last {missing} bytes of its sound are missing" if missing > 0 else ""


def ends_whole(window: Window) -> bool:
    """Return whether some run of frames ends where the sound of the file ends: false where the last frame was cut off."""
    end = _sound_end(window)
    start = max(0, end - TAIL_BYTES)
    tail = window.read(start, end - start)
    return any(_runs_to_end(window, tail, at) for at in range(len(tail)) if tail[at] in (0xFF, 0x0B))


def _runs_to_end(window: Window, tail: bytes, at: int) -> bool:
    """Return whether frames of one family run from `at` to the end, or to a padding of zeros."""
    family: tuple[int, ...] | None = None
    while at < len(tail):
        window.step()
        frame = frame_header(tail[at : at + 8])
        if frame is None:
            return family is not None and not tail[at:].strip(b"\0")
        if family is not None and frame.family != family:
            return False
        family, at = frame.family, at + frame.frame_bytes
    return at == len(tail)


def _sound_end(window: Window) -> int:
    """Return where the sound ends: before the ID3v1, ID3v2, Lyrics3 and APEv2 tags at the end of a file."""
    end = window.file_bytes
    for _ in range(4):
        if window.read(end - 128, 3) == b"TAG":
            end -= 128
        elif window.read(end - 9, 9) == b"LYRICS200":
            digits = window.read(end - 15, 6)
            end -= 15 + (int(digits) if digits.isdigit() else 0)
        elif window.read(end - 10, 3) == b"3DI":
            end -= 20 + id3.synchsafe(window.read(end - 4, 4))
        elif window.read(end - 32, 8) == b"APETAGEX":
            foot = window.read(end - 32, 32)
            end -= int.from_bytes(foot[12:16], "little") + (32 if foot[23] & 0x80 else 0)
        else:
            break
    return max(0, end)
