"""Recordings in another format, made while they are sent: for a slow line, or a player that cannot play the original."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import PurePosixPath
from time import perf_counter
from typing import BinaryIO

from anyio import CancelScope, CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fonoteca.audio import ENCODERS, Format, Rendition, transcode
from fonoteca.model.errors import UnsupportedAudioError, UsageError
from fonoteca.serve.delivery import Closing, disposition
from fonoteca.serve.held import HeldFile, held_file, proving
from fonoteca.serve.locating import asked_from
from fonoteca.serve.paths import logical_path_of, object_id_of, raw_parts
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.who import place_of
from fonoteca.serve.watching.fetches import account_of, fetch_of, note_fetch

LISTENERS_MAX = 200
"""Renditions under way in one process. A waiting one costs some MiB and no processor time."""

RESTED_S = 60.0
"""Whoever took nothing for so long gives way when no place is free: a player that goes on asks anew."""


class Renditions:
    """The route that gives out held recordings in another format, and what several such answers share.

    counted: told of each that begins and ends.
    """

    def __init__(self, rooms: ServeRooms, counted: Callable[[int], None] = lambda _: None) -> None:
        self._rooms, self._counted = rooms, counted
        self._encoding = CapacityLimiter(max(1, len(os.sched_getaffinity(0))))
        self._places: set[_Place] = set()

    def routes(self) -> list[Route]:
        """Return the route, for GET and HEAD: `/listen/OBJECT/PATH?format=opus&kbps=96&from=12.5`."""
        return [Route("/listen/{rest:rest}", self.listen, name="listen")]

    async def listen(self, request: Request) -> Response:
        """Return a held recording in the format that the query names."""
        parts = raw_parts(request, "/listen/")
        object_id = object_id_of(parts[0]) if len(parts) > 1 else None
        held = await run_sync(held_file, asked_from(self._rooms, request), object_id, logical_path_of(parts[1:]))
        query = request.query_params
        rendition = rendition_of(query.get("format", Format.OPUS), query.get("kbps", "128"), query.get("from", "0"))
        return await self.render(request, held, rendition)

    async def render(self, request: Request, held: HeldFile, rendition: Rendition) -> Response:
        """Return a file in another format. Nothing is sent before its first packets are made, so that a failure has its status.

        Raises: Problem: 403 where its admission lets no other format be made, 415 for a kind that cannot be, 503 when as
        many as LISTENERS_MAX are served, and none gives way. A listener who goes away ends the encoding; who is slow slows it down.
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
        note_fetch(request, fetch_of(held.row))
        place = self._place_for(request)
        try:
            source = await run_sync(proving(self._rooms, held.row).open, held.row.path)
        except BaseException:
            self._leave(place)
            raise
        making = _Making(source, held.row.logical_path, rendition, self._encoding)

        def end() -> None:
            self._leave(place)
            making.close()

        try:
            first = await making.part()
        except UnsupportedAudioError as error:
            end()
            raise Problem(415, f"{error.problem}. {error.remedy}", "format") from error
        except BaseException:
            end()
            raise
        return _Giving(place, making.parts(first, place), end, headers)

    def _place_for(self, request: Request) -> _Place:
        """Return a place for who asks. Raises: Problem, 503.

        Where none is free, whoever has most gives up one, if he has more than who asks would have; or one is taken that rested.
        """
        number = account_of(request.scope)
        asker = place_of(request) if number is None else f"account {number}"
        if len(self._places) >= LISTENERS_MAX:
            had = Counter(place.asker for place in self._places)
            most = max(self._places, key=lambda place: (had[place.asker], -place.taken_s))
            rested = min(self._places, key=lambda place: place.taken_s)
            if had[most.asker] > had[asker] + 1:
                self._take_back(most)
            elif perf_counter() - rested.taken_s > RESTED_S:
                self._take_back(rested)
            else:
                raise Problem(503, "Too many listen in another format at once. The original is there for everybody.", "busy")
        place = _Place(asker)
        self._places.add(place)
        self._counted(1)
        return place

    def _take_back(self, place: _Place) -> None:
        self._leave(place)
        place.scope.cancel()

    def _leave(self, place: _Place) -> None:
        if place in self._places:
            self._places.remove(place)
            self._counted(-1)


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


class _Place:
    """One of LISTENERS_MAX. taken_s: when its listener last took a part. scope: what ends it."""

    def __init__(self, asker: str) -> None:
        self.asker, self.taken_s, self.scope = asker, perf_counter(), CancelScope()


class _Giving(Closing):
    """The answer to who has a place, as long as he has it."""

    def __init__(self, place: _Place, parts: AsyncIterator[bytes], ended: Callable[[], None], headers: Mapping[str, str]) -> None:
        super().__init__(parts, ended, 200, headers)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts. That it ends early breaks the connection."""
        with self._place.scope:
            await super().__call__(scope, receive, send)


class _Making:
    """One rendition under way. Its parts are made by threads, one after the other."""

    def __init__(self, source: BinaryIO, name: str, rendition: Rendition, encoding: CapacityLimiter) -> None:
        self._source = source
        self._made = transcode(source, name, rendition)
        self._encoding = encoding

    async def part(self) -> bytes:
        """Return the next part, empty after the last."""
        return await run_sync(next, self._made, b"", limiter=self._encoding)

    async def parts(self, first: bytes, place: _Place) -> AsyncIterator[bytes]:
        """Yield the parts from the first, which was made before."""
        part = first
        while part:
            yield part
            place.taken_s = perf_counter()
            part = await self.part()

    def close(self) -> None:
        """Let go of decoder, encoder and source. No part may be under way."""
        self._made.close()
        self._source.close()
