"""Pictures made smaller: of the side that is asked for, see-through where they were, and nothing of what is odd."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from fonoteca.audio import shrunk

BLUE = (0, 0, 255, 255)


def picture(encoder: str, pixels: str, width: int, height: int, colour: tuple[int, int, int, int] = BLUE) -> bytes:
    """Return a picture of one colour."""
    frame = av.VideoFrame.from_ndarray(np.full((height, width, 4), colour, "u1"), "rgba").reformat(format=pixels)
    context = VideoCodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.time_base = width, height, pixels, Fraction(1, 1)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def seen(content: bytes, media_type: str) -> np.ndarray:
    """Return the pixels of a picture."""
    context = VideoCodecContext.create({"image/png": "png", "image/jpeg": "mjpeg"}[media_type], "r")
    assert isinstance(context, VideoCodecContext)
    [frame] = [*context.decode(av.Packet(content)), *context.decode(None)]
    return np.asarray(frame.to_ndarray(format="rgba"))


def turned(jpeg: bytes) -> bytes:
    """Return a JPEG with a note that it is to be turned by a quarter (Exif 2.3, tag 0x0112)."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize(
    ("encoder", "pixels", "media_type"),
    [("png", "rgb24", "image/png"), ("mjpeg", "yuvj420p", "image/jpeg"), ("png", "gray", "image/png")],
)
def test_a_picture_is_as_large_as_asked_and_looks_the_same(encoder: str, pixels: str, media_type: str) -> None:
    content = picture(encoder, pixels, 900, 300)
    found = shrunk(content, media_type, 128)
    assert found is not None
    assert found.media_type == "image/jpeg"
    pixels_now, pixels_before = seen(found.content, found.media_type), seen(content, media_type)
    assert pixels_now.shape == (43, 128, 4)
    assert np.abs(pixels_now[20, 60].astype(int) - pixels_before[150, 450].astype(int)).max() < 12


def test_what_is_see_through_stays_so() -> None:
    found = shrunk(picture("png", "rgba", 400, 400, (255, 0, 0, 100)), "image/png", 64)
    assert found is not None
    assert (found.media_type, tuple(seen(found.content, found.media_type)[30, 30])) == ("image/png", (255, 0, 0, 100))


def test_what_cannot_be_made_well_is_left_as_it_is() -> None:
    small, jpeg = picture("png", "rgb24", 64, 20), picture("mjpeg", "yuvj420p", 300, 200)
    assert shrunk(small, "image/png", 64) is None
    assert shrunk(turned(jpeg), "image/jpeg", 64) is None
    assert shrunk(jpeg, "image/gif", 64) is None
    for broken in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", small[:40], jpeg[:120], b"<svg/>"):
        for media_type in ("image/png", "image/jpeg", "image/webp"):
            assert shrunk(broken, media_type, 16) is None


def test_a_picture_that_says_it_is_vast_is_not_decoded() -> None:
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    vast = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    assert shrunk(vast, "image/png", 64) is None
