"""Sees every request from its first byte to its last, and tells of it: a line, meters, and an access event where it was a fetch."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from secrets import token_hex
from time import perf_counter
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonoteca.people.accesses import Access
from fonoteca.ports import Clock
from fonoteca.serve.problems import PROBLEM
from fonoteca.serve.watching.accesses import AccessLog
from fonoteca.serve.watching.fetches import FETCH, NAMED, Fetch, account_of, client_of
from fonoteca.serve.watching.meters import Meters
from fonoteca.serve.zero_copy import ZERO_COPY

lines = logging.getLogger("fonoteca.access")

REQUEST_ID = "X-Request-ID"
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered, for every line that is logged meanwhile."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_PATH_LETTERS_MAX = 500
_UNKNOWN = "(none)"
_RANGE = re.compile(rb"bytes (\d{1,19})-")
FETCHED = (200, 206)


@dataclass(slots=True)
class _Seen:
    """One answer as it went out."""

    began_s: float
    status: int = 0
    head_s: float = 0.0
    sent_bytes: int = 0
    first_byte: int = 0
    promised: int | None = None
    whole: bool = False
    named: str = ""
    streaming: bool = field(default=False)


class Watch:
    """ASGI middleware around all others. routes: by which requests are told apart."""

    def __init__(self, app: ASGIApp, clock: Clock, meters: Meters, accesses: AccessLog, routes: Iterable[BaseRoute]) -> None:
        self._app, self._clock, self._meters, self._accesses = app, clock, meters, accesses
        named = ((getattr(route, "endpoint", None) or getattr(route, "app", None), getattr(route, "path", "")) for route in routes)
        self._paths = {endpoint: path for endpoint, path in named if endpoint is not None and path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell of it once its answer has ended, however it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(perf_counter())
        seen.named = _given_id(scope) or token_hex(8)
        token = request_id.set(seen.named)
        try:
            await self._app(scope, receive, self._sending(scope, seen, send))
        except Exception:
            seen.status = seen.status or 500
            raise
        finally:
            if seen.streaming:
                self._meters.streams.dec()
            self._tell(scope, seen)
            with suppress(ValueError):  # a task that was cancelled may end in a context of its own
                request_id.reset(token)

    def _sending(self, scope: Scope, seen: _Seen, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status, seen.head_s = message["status"], perf_counter() - seen.began_s
                _note_headers(seen, message)
                if FETCH in scope and seen.status in FETCHED and scope["method"] != "HEAD":
                    seen.streaming = True
                    self._meters.streams.inc()
                await send(message)
                return
            await send(message)
            if message["type"] == "http.response.body":
                if scope["method"] != "HEAD":
                    seen.sent_bytes += len(message.get("body", b""))
                seen.whole = not message.get("more_body", False)
            elif message["type"] == ZERO_COPY:
                seen.sent_bytes += message["count"]  # the kernel sent it: see serve/zero_copy.py

        return watched

    def _tell(self, scope: Scope, seen: _Seen) -> None:
        took_s = perf_counter() - seen.began_s
        route, method = self._route_of(scope), scope["method"] if scope["method"] in _METHODS else "other"
        meters = self._meters
        meters.requests.labels(route, method, str(seen.status)).inc()
        meters.seconds.labels(route).observe(seen.head_s or took_s)
        meters.sent.labels(route).inc(seen.sent_bytes)
        code = scope.get(PROBLEM)
        if code:
            meters.refused.labels(code).inc()
        fetch = scope.get(FETCH)
        account = account_of(scope)
        if isinstance(fetch, Fetch) and seen.status in FETCHED and method != "HEAD":
            self._accesses.add(self._access(scope, seen, fetch, account), _host(scope) if account is None else "")
        if lines.isEnabledFor(logging.INFO):
            lines.info("request", extra={"facts": {**_facts(scope, seen, took_s), "route": route, "account": account}})

    def _route_of(self, scope: Scope) -> str:
        """Return the pattern of the path that was asked for: there are few, whatever is asked for."""
        named = scope.get(NAMED)
        if isinstance(named, str):
            return named
        found = getattr(scope.get("route"), "path", "") or self._paths.get(scope.get("endpoint"), "")
        return found or _UNKNOWN

    def _access(self, scope: Scope, seen: _Seen, fetch: Fetch, account: int | None) -> Access:
        return Access(
            at_ms=int(self._clock.now().timestamp() * 1000),
            took_ms=int((perf_counter() - seen.began_s) * 1000),
            account=account,
            visitor="",
            endpoint=_endpoint(scope),
            object=fetch.object,
            path=fetch.path,
            recording=fetch.recording,
            file_bytes=fetch.file_bytes,
            first_byte=seen.first_byte,
            sent_bytes=seen.sent_bytes,
            status=seen.status,
            whole=seen.whole and (seen.promised is None or seen.sent_bytes == seen.promised),
            client=client_of(scope),
        )


def _given_id(scope: Scope) -> str:
    """Return the id that a proxy gave the request, "" where it has none that a line may hold."""
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
    return given if _ID.fullmatch(given) else ""


def _note_headers(seen: _Seen, message: Message) -> None:
    headers = MutableHeaders(scope=message)
    headers[REQUEST_ID] = seen.named
    length = headers.get("content-length", "")
    seen.promised = int(length) if length.isdigit() else None
    part = _RANGE.match(headers.get("content-range", "").encode("latin-1"))
    seen.first_byte = int(part[1]) if part else 0


def _endpoint(scope: Scope) -> str:
    """Return the last word of a player's call, or the first of a path."""
    named = scope.get(NAMED)
    if isinstance(named, str):
        word = named.rsplit("/", 1)[-1]
        return "cover" if word == "getCoverArt" else word
    return str(scope["path"]).split("/", 2)[1]


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _facts(scope: Scope, seen: _Seen, took_s: float) -> Mapping[str, Any]:
    """Return what a line says. Never a query: players sign in by it."""
    path = (scope.get("raw_path") or scope["path"].encode()).split(b"?", 1)[0].decode("latin-1")
    return {
        "method": scope["method"],
        "path": path[:_PATH_LETTERS_MAX],
        "status": seen.status,
        "bytes": seen.sent_bytes,
        "ms": round(took_s * 1000, 1),
        "request": seen.named,
        "whole": seen.whole,
    }
