"""Pictures made smaller, for players that show many of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

PIXELS_MAX = 40_000_000
"""Of a picture that is decoded, some 4 bytes each. A scan of an LP at 600 dpi has 52 million, and is sent as it is."""

CONTENT_BYTES_MAX = 20 << 20
JPEG_QUANTISER = 3
"""Of FFmpeg's scale from 1 to 31: nobody sees a difference, and 512 pixels square are some 60 kB."""

_DECODERS: Mapping[str, str] = {"image/png": "png", "image/jpeg": "mjpeg", "image/webp": "webp"}
"""By media type. The decoder is named and never probed. GIFs, which may move, stay as they are."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A picture that was made of another."""

    content: bytes
    media_type: str


def shrunk(content: bytes, media_type: str, side_px: int) -> Shrunk | None:
    """Return a picture whose longer side has at most so many pixels: JPEG, or PNG where it is see-through anywhere.

    None for one that is as small already, and for one that is better sent as it is: turned by a note in it, of another kind, too
    large to decode, or not sound.
    """
    decoder = _DECODERS.get(media_type)
    if decoder is None or len(content) > CONTENT_BYTES_MAX:
        return None
    try:
        frame = _decoded(content, decoder)
        if frame is None or frame.rotation or max(frame.width, frame.height) <= side_px:
            return None
        return _encoded(frame, side_px)
    except (av.FFmpegError, ValueError):  # what no decoder reads is shown by whoever can
        return None


def _decoded(content: bytes, decoder: str) -> VideoFrame | None:
    context = VideoCodecContext.create(decoder, "r")
    assert isinstance(context, VideoCodecContext)
    context.options = {"max_pixels": str(PIXELS_MAX)}
    frames = [*context.decode(av.Packet(content)), *context.decode(None)]
    return frames[0] if frames and isinstance(frames[0], VideoFrame) else None


def _encoded(frame: VideoFrame, side_px: int) -> Shrunk:
    longer = max(frame.width, frame.height)
    width, height = (max(1, round(side * side_px / longer)) for side in (frame.width, frame.height))
    small = frame.reformat(width, height, "rgba", interpolation="AREA")
    if _is_see_through(small):
        return Shrunk(_encode(small, "png", "rgba"), "image/png")
    return Shrunk(_encode(small.reformat(format="yuvj420p"), "mjpeg", "yuvj420p"), "image/jpeg")


def _is_see_through(frame: VideoFrame) -> bool:
    """Return whether any pixel of a picture in RGBA lets something through. Lines are longer in memory than they are wide."""
    content, line = bytes(frame.planes[0]), frame.planes[0].line_size
    lines = (content[at + 3 : at + 4 * frame.width : 4] for at in range(0, line * frame.height, line))
    return any(min(alpha) < 255 for alpha in lines)


def _encode(frame: VideoFrame, encoder: str, pixels: str) -> bytes:
    context = VideoCodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.time_base = frame.width, frame.height, pixels, Fraction(1, 1)
    if encoder == "mjpeg":
        context.qmin = context.qmax = JPEG_QUANTISER
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
