"""What makes the JSON API cheap to ask again: an ETag on every answer, 304 for who has it already, and HEAD."""

from __future__ import annotations

from hashlib import sha256
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_PATHS = ("/api/", "/health", "/ready")
_TAG_CHARACTERS = 32


class EntityTags:
    """Tags answers of the API by their content. An answer is made all the same: what is spared is sending and reading it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, HEAD as GET, and the answer back with its tag, or without what the client has."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith(API_PATHS):
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, Headers(scope=scope).get("if-none-match", ""), with_body=scope["method"] == "GET")
        await self._app({**scope, "method": "GET"}, receive, answer)


class _Answer:
    """One answer on its way out. Those of the API come in one piece; any other passes as it is."""

    def __init__(self, send: Send, known: str, *, with_body: bool) -> None:
        self._send = send
        self._known = known
        self._with_body = with_body
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        body = message.get("body", b"")
        if self._start is not None:
            start, self._start = self._start, None
            if start["status"] == HTTPStatus.OK and not message.get("more_body", False):
                body = self._tagged(start, body)
            await self._send(start)
        await self._send({**message, "body": body if self._with_body else b""})

    def _tagged(self, start: Message, body: bytes) -> bytes:
        """Return the body to send, after giving the answer its tag."""
        tag = f'"{sha256(body).hexdigest()[:_TAG_CHARACTERS]}"'
        headers = MutableHeaders(scope=start)
        headers["ETag"] = tag
        headers.setdefault("Cache-Control", "no-cache")
        known = [each.strip().removeprefix("W/") for each in self._known.split(",")]
        if tag not in known and self._known.strip() != "*":
            return body
        start["status"] = int(HTTPStatus.NOT_MODIFIED)
        del headers["Content-Length"]
        del headers["Content-Type"]
        return b""
