"""`/oai`: a request in, an answer of the protocol out. Nothing is remembered from one to the next."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.serve.oai.answers import Answers
from fonoteca.serve.oai.asking import Code, OaiError
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms

FORM_BYTES_MAX = 16_384
"""Of a request by POST: many times the longest that is right."""

_FORM = "application/x-www-form-urlencoded"


class Oai:
    """The route that harvesters ask."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """Return the route, for GET, HEAD and POST."""
        return [Route("/oai", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Return the answer. Errors of the protocol are answers too, with status 200 (section 3.6)."""
        if not self._rooms.settings.oai.is_on:
            raise Problem(404, "This archive is not set up for harvesting: its operator names a domain and an address for that.")
        answers = Answers(self._rooms, str(request.base_url).rstrip("/"))
        try:
            asked = await _asked(request)
        except OaiError as error:
            return _xml(answers.refusal(error))
        return _xml(await run_in_threadpool(answers.answer, asked))


async def _asked(request: Request) -> str:
    """Return the arguments, still encoded. Raises: OaiError."""
    if request.method != "POST":
        return bytes(request.scope["query_string"]).decode("utf-8", "replace")
    if request.headers.get("content-type", "").split(";", 1)[0].strip().lower() != _FORM:
        raise OaiError(Code.BAD_ARGUMENT, f"A request by POST is {_FORM}.")
    form = bytearray()
    try:
        async for part in request.stream():
            form += part
            if len(form) > FORM_BYTES_MAX:
                raise OaiError(Code.BAD_ARGUMENT, f"A request has at most {FORM_BYTES_MAX} bytes.")
    except ClientDisconnect as error:
        raise OaiError(Code.BAD_ARGUMENT, "The request ended before its time.") from error
    return form.decode("utf-8", "replace")


def _xml(text: str) -> Response:
    return Response(text.encode("utf-8"), media_type="text/xml; charset=utf-8", headers={"Cache-Control": "no-cache"})
