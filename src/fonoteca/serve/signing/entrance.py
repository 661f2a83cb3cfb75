"""The way in and out: the sign-in page, sign-out, and the page on which whoever started the site makes the first operator."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.errors import UsageError
from fonoteca.people import Account
from fonoteca.people.people import csrf_of
from fonoteca.serve.problems import AGAIN, Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing import cookies
from fonoteca.serve.signing.forms import CSRF_FIELD, check_token, read_form
from fonoteca.serve.signing.gate import SETUP, SIGN_IN
from fonoteca.serve.signing.roles import CHALLENGE, unsigned
from fonoteca.serve.signing.who import place_of, signed

ACCOUNT, SIGN_OUT = "/account", "/sign-out"
NEXT_LETTERS_MAX = 2000
WRONG = "Name and password do not fit together."
HASHES_WAITING_MAX = 64
"""Sign-ins that may wait for those that are looked at: some seconds. A thousand places may try ten times each."""

NEVER = {"Cache-Control": "no-store"}
"""Of pages with forms: what the browser keeps of them would be too old when it shows it again."""

_T = TypeVar("_T")


class Entrance:
    """The routes of sign-in, sign-out and set-up."""

    def __init__(self, rooms: ServeRooms, pages: Pages) -> None:
        self._rooms, self._people, self._pages = rooms, rooms.people, pages
        # A hash takes 19 MiB and a core: more at once would only wait for each other, and take memory.
        self._hashing = CapacityLimiter(max(1, len(os.sched_getaffinity(0))))

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(SIGN_IN, self.show_sign_in, methods=["GET"]),
            Route(SIGN_IN, self.sign_in, methods=["POST"]),
            Route(SIGN_OUT, self.sign_out, methods=["POST"]),
            Route(SETUP, self.show_setup, methods=["GET"]),
            Route(SETUP, self.set_up, methods=["POST"]),
        ]

    async def hashed(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Return what work that makes a password's hash returns, one for each core at a time. Raises: Problem when many wait."""
        if self._hashing.statistics().tasks_waiting >= HASHES_WAITING_MAX:
            problem = Problem(503, "Too many sign in at once. Try again in a minute.", "busy")
            problem.headers = AGAIN
            raise problem
        return await run_sync(work, *arguments, limiter=self._hashing)

    async def show_sign_in(self, request: Request) -> Response:
        """Return the sign-in page; who is signed in goes on."""
        wanted = safe_next(request.query_params.get("next", ""))
        if signed(request):
            return RedirectResponse(wanted or ACCOUNT, 303, NEVER)
        return await self._form(request, "sign_in.html", {"next": wanted})

    async def sign_in(self, request: Request) -> Response:
        """Return the way on with a new session, or the page again: 401 for what does not fit, 429 for too many tries."""
        fields = await self._fields(request)
        name, wanted = fields.get("name", ""), safe_next(fields.get("next", ""))
        done = await self.hashed(self._people.sign_in, name, fields.get("password", ""), place_of(request))
        shown: dict[str, Any] = {"next": wanted, "name": name[:100]}
        if done.wait_s:
            minutes = -(-done.wait_s // 60)
            said = f"Too many tries. The next one is looked at in {minutes} minute{'s' if minutes > 1 else ''}."
            again = {"Retry-After": str(done.wait_s)}
            return await self._form(request, "sign_in.html", {**shown, "wrong": said}, 429, again)
        if done.account is None:
            return await self._form(request, "sign_in.html", {**shown, "wrong": WRONG}, 401, CHALLENGE)
        return await self.let_in(request, done.account, wanted or "/", done.fitted)

    async def sign_out(self, request: Request) -> Response:
        """Return the front page, with the session ended."""
        found = signed(request)
        if found is not None and found.token:
            await run_sync(self._people.close_session, found.token)
        response = RedirectResponse("/", 303, NEVER)
        cookies.drop(request, response, cookies.SESSION)
        return response

    async def show_setup(self, request: Request) -> Response:
        """Return the page on which the first operator is made. Raises: Problem for a token that is not good any more."""
        token = request.query_params.get("token", "")
        await self._check_setup(token)
        return await self._form(request, "setup.html", {"token": token})

    async def set_up(self, request: Request) -> Response:
        """Return the page of the first operator's account, who is signed in. Raises: Problem."""
        fields = await self._fields(request)
        token, name, password = (fields.get(each, "") for each in ("token", "name", "password"))
        await self._check_setup(token)
        shown = {"token": token, "name": name[:100]}
        if password != fields.get("again", ""):
            return await self._form(request, "setup.html", {**shown, "wrong": "The two passwords differ."}, 422)
        try:
            account = await self.hashed(self._people.set_up, token, name, password)
        except UsageError as error:
            return await self._form(request, "setup.html", {**shown, "wrong": usage_words(error)}, 422)
        if account is None:
            raise _no_setup()
        return await self.let_in(request, account, f"{ACCOUNT}?said=made")

    async def let_in(self, request: Request, account: Account, onward: str, fitted: str = "") -> Response:
        """Return the way on for who signed in, with the cookie of a new session. The one that the browser had ends.

        fitted: of the sign-in. Raises: Problem when the password was changed meanwhile, or the account disabled.
        """
        before = cookies.read(request, cookies.SESSION)
        token = await run_sync(self._people.open_session, account.number, before, fitted)
        if not token:
            raise unsigned()
        response = RedirectResponse(onward, 303, NEVER)
        cookies.put(request, response, cookies.SESSION, token)
        cookies.drop(request, response, cookies.FORM)
        return response

    async def _check_setup(self, token: str) -> None:
        if not token or not await run_sync(self._people.may_set_up, token):
            raise _no_setup()

    async def _fields(self, request: Request) -> Mapping[str, str]:
        """Return the fields of a form that this site's page sent. Raises: Problem."""
        fields = await read_form(request)
        if signed(request) is None:  # the gate held the token of a session against the form
            token = cookies.read(request, cookies.FORM)
            check_token(fields.get(CSRF_FIELD, ""), csrf_of(token) if token else "")
        return fields

    async def _form(
        self, request: Request, template: str, facts: Mapping[str, Any], status: int = 200, more: Mapping[str, str] | None = None
    ) -> Response:
        """Return a page with a form for who has no session, and the cookie that its token goes with."""
        token = cookies.read(request, cookies.FORM) or self._people.form_token()
        shown = {"wrong": "", "name": "", "form_csrf": csrf_of(token), "contact": self._rooms.settings.editions.contact, **facts}
        page = await run_sync(self._pages.render, request, template, shown)
        response = Response(page, status, {**NEVER, **(more or {})}, media_type="text/html")
        cookies.put(request, response, cookies.FORM, token)
        return response


def safe_next(text: str) -> str:
    """Return an address of this site to go on to, "" for any other, and for the ways in themselves."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or len(text) > NEXT_LETTERS_MAX or not text.isprintable():
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or "\\" in text or parts.path in (SIGN_IN, SIGN_OUT, SETUP):
        return ""
    return text


def usage_words(error: UsageError) -> str:
    """Return what a person who filled in a form is told."""
    said = f"{error.subject}: {error.problem}. {error.remedy}".strip()
    return said[:1].upper() + said[1:]


def _no_setup() -> Problem:
    said = "This address is good no more: it was used, it is older than a day, or there is an operator already. `fonoteca serve` "
    return Problem(
        404, said + "says a new one as long as there is no operator, and `fonoteca account add` makes one without it.", "setup"
    )
