"""The page of one's own account: its password, sessions, API keys, and passwords for players."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.errors import UsageError
from fonoteca.people import Account
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.entrance import ACCOUNT, NEVER, Entrance, usage_words
from fonoteca.serve.signing.forms import read_form
from fonoteca.serve.signing.roles import need, unsigned
from fonoteca.serve.signing.who import place_of, signed

SAID: Mapping[str, str] = {
    "made": "Your account is made, and you are signed in.",
    "password": "The password is changed. Other browsers are signed out.",
    "sessions": "All other browsers are signed out.",
    "key": "The key is revoked.",
    "player": "The player's password is revoked.",
}
"""What a page says after something was done."""

_NUMBER = re.compile(r"[0-9]{1,9}")


class AccountPages:
    """The routes of one's own account. They need a session: who has only a key cannot make more of them."""

    def __init__(self, rooms: ServeRooms, pages: Pages, entrance: Entrance) -> None:
        self._people, self._pages, self._entrance = rooms.people, pages, entrance

    def routes(self) -> list[Route]:
        """Return the routes."""
        changes = {
            "password": self.change_password,
            "sessions": self.end_sessions,
            "keys": self.add_key,
            "keys/{number}/revoke": self.revoke_key,
            "players": self.add_player,
            "players/{number}/revoke": self.revoke_player,
        }
        shown = Route(ACCOUNT, self.show, methods=["GET"])
        return [shown, *(Route(f"{ACCOUNT}/{path}", endpoint, methods=["POST"]) for path, endpoint in changes.items())]

    async def show(self, request: Request) -> Response:
        """Return the page."""
        return await self._page(request, {"said": SAID.get(request.query_params.get("said", ""), "")})

    async def change_password(self, request: Request) -> Response:
        """Return the page after the password was changed; other browsers are signed out. Needs the present one."""
        account, fields = with_session(request), await read_form(request)
        if fields.get("password", "") != fields.get("again", ""):
            return await self._page(request, {"wrong": "The two passwords differ."}, 422)
        tried = await self._entrance.hashed(self._people.sign_in, account.name, fields.get("now", ""), place_of(request))
        if tried.wait_s:
            said = f"Too many tries. The next one is looked at in {-(-tried.wait_s // 60)} min."
            return await self._page(request, {"wrong": said}, 429, {"Retry-After": str(tried.wait_s)})
        if tried.account is None:
            return await self._page(request, {"wrong": "That is not your present password."}, 422)
        try:
            kept = await self._entrance.hashed(self._people.set_password, account.number, fields.get("password", ""), tried.fitted)
        except UsageError as error:
            return await self._page(request, {"wrong": usage_words(error)}, 422)
        if not kept:
            raise unsigned()  # somebody else changed it since it was shown, or disabled the account
        return await self._entrance.let_in(request, account, f"{ACCOUNT}?said=password", kept)

    async def end_sessions(self, request: Request) -> Response:
        """Return the page after all other browsers were signed out."""
        account, found = with_session(request), signed(request)
        await run_sync(self._people.close_sessions, account.number, found.token if found else "")
        return _back("sessions")

    async def add_key(self, request: Request) -> Response:
        """Return the page with a new API key, which it shows this once."""
        account, fields = with_session(request), await read_form(request)
        try:
            shown = await run_sync(self._people.add_key, account.number, fields.get("name", ""))
        except UsageError as error:
            return await self._page(request, {"wrong": usage_words(error)}, 422)
        return await self._page(request, {"new_key": shown.text})

    async def revoke_key(self, request: Request) -> Response:
        """Return the page without a key."""
        account = with_session(request)
        await run_sync(self._people.revoke_key, account.number, number_in(request))
        return _back("key")

    async def add_player(self, request: Request) -> Response:
        """Return the page with what to type into a player, which it shows this once."""
        account, fields = with_session(request), await read_form(request)
        try:
            shown = await run_sync(self._people.add_secret, account.number, fields.get("name", ""))
        except UsageError as error:
            return await self._page(request, {"wrong": usage_words(error)}, 422)
        return await self._page(request, {"new_secret": shown.text})

    async def revoke_player(self, request: Request) -> Response:
        """Return the page without a player's password."""
        account = with_session(request)
        await run_sync(self._people.revoke_secret, account.number, number_in(request))
        return _back("player")

    async def _page(
        self, request: Request, facts: Mapping[str, Any], status: int = 200, more: Mapping[str, str] | None = None
    ) -> Response:
        page = await run_sync(self._rendered, request, with_session(request), facts)
        return Response(page, status, {**NEVER, **(more or {})}, media_type="text/html")

    def _rendered(self, request: Request, account: Account, facts: Mapping[str, Any]) -> str:
        kept = {
            "said": "",
            "wrong": "",
            "new_key": "",
            "new_secret": "",
            "keys": self._people.keys(account.number),
            "players": self._people.secrets(account.number),
            "sessions": self._people.session_count(account.number),
            "server": str(request.base_url).rstrip("/"),
        }
        return self._pages.render(request, "account.html", {**kept, **facts})


def with_session(request: Request) -> Account:
    """Return the account that a browser is signed in to. Raises: Problem, also for a program with a key."""
    account, found = need(request), signed(request)
    if found is None or found.session is None:
        raise Problem(403, "This page is for browsers: an API key cannot change the account that it belongs to.", "key")
    return account


def number_in(request: Request) -> int:
    """Return the number that the address names. Raises: Problem, 404, for what is none that a database could have."""
    text = request.path_params["number"]
    if not _NUMBER.fullmatch(text):
        raise Problem(404, "There is no such thing here.", "account")
    return int(text)


def _back(said: str) -> Response:
    return RedirectResponse(f"{ACCOUNT}?said={said}", 303, NEVER)
