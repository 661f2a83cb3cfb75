"""The gate before every route: finds who asks, refuses what other sites make browsers send, and closes a closed site.

It stands before the routes, so that a new one is closed without knowing of it. It holds nothing: each request is looked up anew,
and several processes agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote, urlsplit

from anyio.to_thread import run_sync
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonoteca.model.errors import FonotecaError
from fonoteca.people import People
from fonoteca.serve.problems import PROGRAM_PATHS, Problem
from fonoteca.serve.signing import cookies
from fonoteca.serve.signing.forms import (
    CSRF_FIELD,
    CSRF_HEADER,
    check_origin,
    check_token,
    fields_of,
    is_form,
    is_upload,
    read_body,
)
from fonoteca.serve.signing.roles import CHALLENGE, unsigned
from fonoteca.serve.signing.who import SIGNED, Signed

SIGN_IN, SETUP = "/sign-in", "/setup"

UNGATED = ("/static/", "/rest/")
"""Style and scripts of this program; and players, who are signed in call by call, by their own protocol and never by a cookie."""

NOTICES = ("/notice", "/notice/receipt")
"""Whoever has something against what is held may say so without an account."""

OPEN_PATHS = frozenset({SIGN_IN, SETUP, *NOTICES, "/health", "/metrics", "/ready"})
OPEN_PREFIXES = (*UNGATED, "/editions/", "/webseed/")
"""What a closed site gives to anyone: the way in, whether it works, and what its editions publish for mirrors."""

_READS = ("GET", "HEAD", "OPTIONS")
_BEARER = "bearer "
_ASKED_BY_PROGRAMS = (*PROGRAM_PATHS, "/files/", "/listen/", "/editions/", "/webseed/", "/oai")
_NO_TOKENS = ("/oai",)
"""Harvesters may ask by POST, which changes nothing."""


class Answers(Protocol):
    """What makes answers of problems."""

    def on_http(self, request: Request, error: Exception) -> Response:
        """Return the answer to a `Problem`."""
        ...

    def on_fonoteca(self, request: Request, error: Exception) -> Response:
        """Return the answer to an error of the archive."""
        ...


class Gate:
    """ASGI middleware. open_to_all: whether one may browse and listen without an account."""

    def __init__(self, app: ASGIApp, people: People, answers: Answers, *, open_to_all: bool) -> None:
        self._app, self._people, self._answers = app, people, answers
        self._open_to_all = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if not _is_host(request.headers.get("host", "")):
            await PlainTextResponse("That is no host's name.\n", 400)(scope, receive, send)
            return
        if scope["path"].startswith(UNGATED):
            await self._app(scope, receive, send)
            return
        try:
            found = await self._who(request)
            scope[SIGNED] = found
            receive = await self._checked(request, found)
            if found is None and not self._stays_open(scope["path"]):
                raise unsigned()
        except ClientDisconnect:
            return
        except Problem as problem:
            await self._answer(request, self._answers.on_http, problem, send)
            return
        except FonotecaError as error:
            await self._answer(request, self._answers.on_fonoteca, error, send)
            return
        await self._app(scope, receive, _Leaving(request, send, found, kept_close=not self._stays_open(scope["path"])))

    async def _answer(self, request: Request, make: Callable[[Request, Exception], Response], error: Exception, send: Send) -> None:
        response = await run_sync(make, request, error)
        await response(request.scope, request.receive, _Leaving(request, send, None, kept_close=True))

    def _stays_open(self, path: str) -> bool:
        return self._open_to_all or path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)

    async def _who(self, request: Request) -> Signed | None:
        """Return who asks. Raises: Problem, 401, for an API key that is nobody's."""
        key = _key_of(request)
        if key:
            account = await run_sync(self._people.by_key, key)
            if account is None:
                problem = Problem(401, "This API key is not known, or not valid any more.", "key")
                problem.headers = CHALLENGE
                raise problem
            return Signed(account)
        token = cookies.read(request, cookies.SESSION)
        session = await run_sync(self._people.session, token) if token else None
        return Signed(session.account, session, token) if session else None

    async def _checked(self, request: Request, found: Signed | None) -> Receive:
        """Return what the route reads the request's body from. Raises: Problem, 403, for what no page of this site sent."""
        if request.method in _READS or request.url.path.startswith(_NO_TOKENS):
            return request.receive
        check_origin(request)
        if found is None or found.session is None:
            return request.receive  # nobody's rights are used; a form of who has no session yet is checked where it is read
        if is_upload(request):  # its body is not read here: the page's own address for it has the token
            check_token(request.headers.get(CSRF_HEADER, request.query_params.get(CSRF_FIELD, "")), found.session.csrf)
            return request.receive
        if CSRF_HEADER in request.headers or not is_form(request):
            check_token(request.headers.get(CSRF_HEADER, ""), found.session.csrf)
            return request.receive
        body = await read_body(request)
        check_token(fields_of(body).get(CSRF_FIELD, ""), found.session.csrf)
        return _replayed(body, request.receive)


def _is_host(text: str) -> bool:
    """Return whether a Host header can stand in an address: what makes addresses of it would fail on another."""
    try:
        parts = urlsplit(f"//{text}")
        return parts.port is None or bool(parts.hostname)
    except ValueError:
        return False


def _key_of(request: Request) -> str:
    """Return the API key that a request is sent with, "" for none. Other ways of authorization are left to proxies."""
    given = request.headers.get("authorization", "")
    if given.lower().startswith(_BEARER):
        return given[len(_BEARER) :].strip()
    return request.headers.get("x-api-key", "").strip()


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read already, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


class _Leaving:
    """Sends an answer out: a refusal to a person as the way to the sign-in page, and what is one's own not into shared caches."""

    def __init__(self, request: Request, send: Send, found: Signed | None, *, kept_close: bool) -> None:
        self._request, self._send, self._found, self._kept_close = request, send, found, kept_close
        self._turned = False

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if self._turned:
            return
        if message["type"] == "http.response.start":
            if message["status"] == 401 and self._found is None and _is_person(self._request):
                self._turned = True
                await _turn(self._request, self._send)
                return
            self._mark(MutableHeaders(scope=message))
        await self._send(message)

    def _mark(self, headers: MutableHeaders) -> None:
        if headers.get("content-type", "").startswith("text/html"):
            headers.add_vary_header("Cookie")
        if self._found is None and not self._kept_close:
            return
        cache = headers.get("cache-control", "no-cache")
        if "no-store" not in cache:
            headers["cache-control"] = f"private, {cache.replace('public, ', '')}" if "private" not in cache else cache


async def _turn(request: Request, send: Send) -> None:
    """Send a browser to the sign-in page, and from there back to where it wanted to."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    response = RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='/')}", 303, {"Cache-Control": "no-store"})
    await response(request.scope, request.receive, send)


def _is_person(request: Request) -> bool:
    """Return whether a person's browser asks for a page, and not a program, a picture or a form's answer."""
    page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_ASKED_BY_PROGRAMS)
    return page and request.method in ("GET", "HEAD")
