"""Covers: as they are kept, or made smaller for players that ask for so many pixels."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import BinaryIO

from starlette.responses import Response

from fonoteca.audio import CONTENT_BYTES_MAX, Shrunk, shrunk
from fonoteca.model.ids import LogicalPath, ObjectId
from fonoteca.register import AlbumRow
from fonoteca.serve.delivery import FILE_POLICY, Parcel, deliver
from fonoteca.serve.held import HeldFile, held_file, proving
from fonoteca.serve.subsonic.answers import CallError, Code
from fonoteca.serve.subsonic.calls import Call, Handler
from fonoteca.serve.subsonic.ids import ref_of
from fonoteca.serve.subsonic.media import sent
from fonoteca.serve.views import pictures_beside
from fonoteca.serve.watching.fetches import fetch_of, note_fetch

COVERS_LOOKED_FOR = 5
"""Albums of an artist, for the first that has a picture."""

SIDES_PX = (64, 128, 192, 256, 384, 512, 768, 1024)
"""What covers are made for: the next one up from what is asked for, so that one serves many. Beyond, they are as they are kept."""

KEPT_BYTES = 32 << 20
AT_ONCE, WAITING, WAIT_S = 2, 6, 10.0
"""Covers that are made at once, of up to 160 MB each while they are, and so many that wait for their turn, each in a thread of the
site's. More, and who waits longer, get the cover as it is kept.
"""


class Shelf:
    """Covers that were made, the last asked for, by digest and size. What is here can be made anew, and rights are asked before."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, Shrunk | None] = OrderedDict()
        self._bytes = 0
        self._turn = threading.Lock()
        self._places = threading.Semaphore(AT_ONCE + WAITING)
        self._makers = threading.Semaphore(AT_ONCE)

    def cover(self, call: Call, held: HeldFile, side_px: int) -> Shrunk | None:
        """Return a picture made smaller, None where it goes out as it is."""
        tag = tag_of(held, side_px)
        with self._turn:
            if tag in self._made:
                self._made.move_to_end(tag)
                return self._made[tag]
        if not self._places.acquire(blocking=False):
            return None
        try:
            return self._make(call, held, side_px)
        finally:
            self._places.release()

    def _make(self, call: Call, held: HeldFile, side_px: int) -> Shrunk | None:
        """Return a picture made smaller once there is a turn for it, and keep it; None too where there was none in time."""
        if not self._makers.acquire(timeout=WAIT_S):
            return None
        try:
            with proving(call.rooms, held.row).open(held.row.path) as source:
                made = shrunk(source.read(), held.row.media_type, side_px)
        finally:
            self._makers.release()
        self._keep(tag_of(held, side_px), made)
        return made

    def _keep(self, tag: str, made: Shrunk | None) -> None:
        with self._turn:
            if tag in self._made:
                return
            self._made[tag] = made
            self._bytes += _weight(made)
            while self._bytes > KEPT_BYTES:
                self._bytes -= _weight(self._made.popitem(last=False)[1])


SHELF = Shelf()
"""Of this process."""

_LITTLE_BYTES = 500
"""What a name and a place on the shelf weigh."""


def cover(call: Call) -> Response:
    """Return the picture of an album, of a song's album, or of an artist's first album that has one. size: of its longer side."""
    ref = ref_of(call.given.needed("id"))
    albums: list[AlbumRow] = []
    if ref is not None and ref.kind == "ar":
        albums = call.library.albums_of(ref.key)[:COVERS_LOOKED_FOR]
    elif ref is not None:
        albums = call.library.shown(call.library.shelf.albums_at([ref.key]))
    for album in albums:
        siblings = call.rooms.register.objects_of(album.item)
        for picture in pictures_beside(call.rooms, siblings)[:1]:
            held = held_file(call.rooms, ObjectId(picture.object_id), LogicalPath(picture.name))
            return _sized(call, held)
    raise CallError(Code.NOT_FOUND, "There is no picture of this.", 404)


def _sized(call: Call, held: HeldFile) -> Response:
    """Return a picture in the size that is asked for, where its admission lets that be made; else as it is kept."""
    asked = call.given.number("size", 0)
    side_px = next((side for side in SIDES_PX if side >= asked), 0) if asked > 0 else 0
    if not side_px or not held.passage.record.transcode or held.row.file_bytes > CONTENT_BYTES_MAX:
        return sent(call, held, attached=False)
    tag = tag_of(held, side_px)
    if f'"{tag}"' in call.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": f'"{tag}"', "Cache-Control": "no-cache", **_OPEN})
    made = SHELF.cover(call, held, side_px)
    if made is None:
        return sent(call, held, attached=False)
    parcel = Parcel(
        tag, tag, len(made.content), held.owner.head_at, made.media_type, f"cover-{side_px}.{_ENDINGS[made.media_type]}"
    )
    note_fetch(call.request, fetch_of(held.row))
    response = deliver(call.request, _Made(made.content), parcel)
    response.headers.update(_OPEN)
    return response


_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}
_OPEN = {"Access-Control-Allow-Origin": "*", "Content-Security-Policy": FILE_POLICY}


class _Made:
    """Bytes that were made, opened as a blob is."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self, key: str) -> BinaryIO:
        """Return the bytes."""
        return io.BytesIO(self._content)


def tag_of(held: HeldFile, side_px: int) -> str:
    """Return the name of a picture in a size."""
    return f"{held.row.stored.hashes.sha256}-{side_px}"


def _weight(made: Shrunk | None) -> int:
    return _LITTLE_BYTES + (len(made.content) if made else 0)


HANDLERS: Mapping[str, Handler] = {"getCoverArt": cover}
