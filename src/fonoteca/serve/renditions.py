"""Recordings in another format, made while they are sent: for a slow line, or a player that cannot play the original."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import PurePosixPath
from typing import BinaryIO

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fonoteca.audio import ENCODERS, Format, Rendition, transcode
from fonoteca.model.errors import UnsupportedAudioError, UsageError
from fonoteca.serve.delivery import disposition
from fonoteca.serve.held import HeldFile, held_file
from fonoteca.serve.paths import logical_path_of, object_id_of, raw_parts
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms

LISTENERS_MAX = 200
"""Renditions under way in one process. A waiting one costs some MiB and no processor time."""


class Renditions:
    """The route that gives out held recordings in another format, and what several such answers share."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._rooms = rooms
        self._encoding = CapacityLimiter(max(1, len(os.sched_getaffinity(0))))
        self._under_way = 0

    def routes(self) -> list[Route]:
        """Return the route, for GET and HEAD: `/listen/OBJECT/PATH?format=opus&kbps=96&from=12.5`."""
        return [Route("/listen/{rest:rest}", self.listen, name="listen")]

    async def listen(self, request: Request) -> Response:
        """Return a held recording in the format that the query names."""
        parts = raw_parts(request, "/listen/")
        object_id = object_id_of(parts[0]) if len(parts) > 1 else None
        held = await run_sync(held_file, self._rooms, object_id, logical_path_of(parts[1:]))
        query = request.query_params
        rendition = rendition_of(query.get("format", Format.OPUS), query.get("kbps", "128"), query.get("from", "0"))
        return await self.render(request, held, rendition)

    async def render(self, request: Request, held: HeldFile, rendition: Rendition) -> Response:
        """Return a file in another format. Nothing is sent before its first packets are made, so that a failure has its status.

        Raises: Problem: 403 where its admission lets no other format be made, 415 for a kind that cannot be, 503 when as
        many as LISTENERS_MAX are served. A listener who goes away ends the encoding; who is slow slows it down.
        """
        if not held.passage.record.transcode:
            raise Problem(403, "Its licence lets this archive share it as it is, and in no other format.", "rights")
        encoder = ENCODERS[rendition.format]
        name = PurePosixPath(held.row.logical_path).with_suffix(f".{encoder.ending}").name
        headers = {
            "Content-Type": encoder.media_type,
            "Content-Disposition": disposition(name, attached="download" in request.query_params),
            "Accept-Ranges": "none",
            "Cache-Control": "no-store",
        }
        if request.method == "HEAD":
            return Response(headers=headers)
        if self._under_way >= LISTENERS_MAX:
            raise Problem(503, "Too many listen in another format at once. The original is there for everybody.", "busy")
        self._under_way += 1
        making = _Making(self._rooms.blobs.open(held.row.path), held.row.logical_path, rendition, self._encoding)
        try:
            first = await making.part()
        except UnsupportedAudioError as error:
            self._end(making)
            raise Problem(415, f"{error.problem}. {error.remedy}", "format") from error
        except BaseException:
            self._end(making)
            raise
        return _Closing(making.parts(first), lambda: self._end(making), headers)

    def _end(self, making: _Making) -> None:
        self._under_way -= 1
        making.close()


def rendition_of(name: str, kbps: str, start_s: str) -> Rendition:
    """Return what a query asks for. Raises: Problem, 400, naming what cannot be."""
    try:
        return Rendition(Format(name), int(kbps) * 1000, float(start_s))
    except (ValueError, OverflowError, UsageError) as error:
        formats = " or ".join(Format)
        reason = (
            f"{error.subject}: {error.problem}" if isinstance(error, UsageError) else "a number is none, or the format is unknown"
        )
        raise Problem(400, f"Ask for format={formats}, kbps=16 to 320, from=a second: {reason}.", "parameter") from error


class _Making:
    """One rendition under way. Its parts are made by threads, one after the other."""

    def __init__(self, source: BinaryIO, name: str, rendition: Rendition, encoding: CapacityLimiter) -> None:
        self._source = source
        self._made = transcode(source, name, rendition)
        self._encoding = encoding

    async def part(self) -> bytes:
        """Return the next part, empty after the last."""
        return await run_sync(next, self._made, b"", limiter=self._encoding)

    async def parts(self, first: bytes) -> AsyncIterator[bytes]:
        """Yield the parts from the first, which was made before."""
        part = first
        while part:
            yield part
            part = await self.part()

    def close(self) -> None:
        """Let go of decoder, encoder and source. No part may be under way."""
        self._made.close()
        self._source.close()


class _Closing(StreamingResponse):
    """An answer that says when it has ended, however it ended: also when it never began."""

    def __init__(self, parts: AsyncIterator[bytes], ended: Callable[[], None], headers: Mapping[str, str]) -> None:
        super().__init__(parts, headers=headers)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()
