"""Pictures: the outline of a recording's sound, and the cover that stands for a release. Both are for anyone who may hear it."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.audio import peaks
from fonoteca.model.errors import AudioError
from fonoteca.model.withdrawal import Purpose
from fonoteca.serve.covers import drawn_cover
from fonoteca.serve.held import HeldFile, held_file, proving
from fonoteca.serve.locating import asked_from
from fonoteca.serve.passage import refuse_withdrawn
from fonoteca.serve.paths import logical_path_of, object_id_of, raw_parts
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.views import pictures_beside, pictures_of

BARS = 200
"""Of one picture: three pixels each on the widest page, and 2 kB of SVG."""

DURATION_MS_MAX = 3 * 3600 * 1000
"""Longer recordings have no picture: it would take a core for more than half a minute."""

KEPT_MAX = 10_000
"""Outlines of 200 bytes each that a process remembers."""

WAITING_MAX = 32
"""Pictures that may wait for the one that is being made."""

_HEIGHT, _STEP, _BAR = 64, 3, 2
_CACHE = "no-cache"
"""Whether it may still be seen is asked each time, and its ETag saves all but that."""


class Waveforms:
    """The routes of pictures. What was decoded once is remembered, and can be lost: it follows from the file's bytes."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._rooms = rooms
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._keeping = Lock()
        self._decoding = CapacityLimiter(1)
        self._waiting = 0

    def routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD: `/waveforms/OBJECT/PATH` and `/covers/OBJECT`."""
        return [Route("/waveforms/{rest:rest}", self.waveform), Route("/covers/{rest:rest}", self.cover)]

    async def waveform(self, request: Request) -> Response:
        """Return the outline of a held recording as SVG. Raises: Problem, as for the file itself; 404 for what has none."""
        parts = raw_parts(request, "/waveforms/")
        object_id = object_id_of(parts[0]) if len(parts) > 1 else None
        held = await run_sync(held_file, asked_from(self._rooms, request), object_id, logical_path_of(parts[1:]))
        if not 0 < held.row.duration_ms <= DURATION_MS_MAX:
            raise Problem(404, "There is no picture of this sound.")
        sha256 = held.row.stored.hashes.sha256
        headers = {"ETag": f'"wave-{BARS}-{sha256[:32]}"', "Cache-Control": _CACHE}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        found = self._known(sha256) or await self._made(held, sha256)
        return Response(drawn_wave(found), media_type="image/svg+xml", headers=headers)

    def cover(self, request: Request) -> Response:
        """Return the way to a release's artwork, or a drawn cover where it has none that may be shown. Raises: Problem."""
        object_id = object_id_of(request.path_params["rest"])
        row = self._rooms.register.object(object_id) if object_id else None
        if object_id:
            refuse_withdrawn(self._rooms, object_id, Purpose.LISTENING)
        if row is None or row.item is None:
            raise Problem(404, "There is no such release in this archive.")
        headers = {"Cache-Control": _CACHE}
        rooms = asked_from(self._rooms, request)
        for picture in (*pictures_of(rooms, row), *pictures_beside(rooms, rooms.register.objects_of(row.item))):
            return RedirectResponse(picture.url, 302, headers)
        drawn = str(drawn_cover(row.object_id)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        return Response(drawn, media_type="image/svg+xml", headers=headers)

    def _known(self, sha256: str) -> bytes | None:
        with self._keeping:
            if sha256 in self._kept:
                self._kept.move_to_end(sha256)
            return self._kept.get(sha256)

    async def _made(self, held: HeldFile, sha256: str) -> bytes:
        """Return an outline that is not known yet: one is decoded at a time."""
        if self._waiting >= WAITING_MAX:
            raise Problem(503, "Too many pictures of sound are asked for at once.", "busy")
        self._waiting += 1
        try:
            async with self._decoding:
                known = self._known(sha256)
                return known if known is not None else await run_sync(self._decoded, held, sha256)
        finally:
            self._waiting -= 1

    def _decoded(self, held: HeldFile, sha256: str) -> bytes:
        try:
            with proving(self._rooms, held.row).open(held.row.path) as source:
                found = peaks(source, held.row.logical_path, held.row.duration_ms, BARS)
        except AudioError as error:
            raise Problem(404, "There is no picture of this sound: it does not decode.", "format") from error
        with self._keeping:
            self._kept[sha256] = found
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found


def drawn_wave(outline: bytes) -> str:
    """Return an outline as SVG: a bar for each part, of one path. Its colour is seen only where no style sheet masks with it."""
    bars = []
    for place, peak in enumerate(outline):
        half = max(1.0, round(peak / 255 * (_HEIGHT / 2 - 1), 1))
        bars.append(f"M{place * _STEP} {_HEIGHT / 2 - half:g}h{_BAR}v{2 * half:g}h-{_BAR}z")
    width = len(outline) * _STEP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" '
        f'preserveAspectRatio="none"><path fill="#5f8d90" d="{"".join(bars)}"/></svg>'
    )
