"""The page of operators: who has an account, and with which role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.errors import UsageError
from fonoteca.people import Account, Role
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.account import number_in, with_session
from fonoteca.serve.signing.entrance import NEVER, Entrance, usage_words
from fonoteca.serve.signing.forms import read_form
from fonoteca.serve.signing.roles import need

ACCOUNTS = "/accounts"
ROLE_WORDS: Mapping[Role, str] = {
    Role.LISTENER: "listens, and keeps favourites, playlists and what it heard",
    Role.CURATOR: "also decides what is held and shown",
    Role.OPERATOR: "also says who has an account, and sees how the machine does",
}
SAID: Mapping[str, str] = {
    "role": "The role is changed, and its browsers are signed out.",
    "disabled": "The account is disabled: nothing signs in to it. What it keeps stays.",
    "enabled": "The account can be signed in to again.",
}


class OperatorPages:
    """The routes of operators."""

    def __init__(self, rooms: ServeRooms, pages: Pages, entrance: Entrance) -> None:
        self._people, self._pages, self._entrance = rooms.people, pages, entrance

    def routes(self) -> list[Route]:
        """Return the routes."""
        changes = {"role": self.set_role, "disable": self.disable, "enable": self.enable, "password": self.reset_password}
        return [
            Route(ACCOUNTS, self.show, methods=["GET"]),
            Route(ACCOUNTS, self.add, methods=["POST"]),
            *(Route(f"{ACCOUNTS}/{{number}}/{path}", each, methods=["POST"]) for path, each in changes.items()),
        ]

    async def show(self, request: Request) -> Response:
        """Return the page."""
        return await self._page(request, {"said": SAID.get(request.query_params.get("said", ""), "")})

    async def add(self, request: Request) -> Response:
        """Return the page with a new account and its first password, which it shows this once."""
        _operator(request)
        fields, password = await read_form(request), self._people.new_password()
        try:
            role = _role(fields)
            account = await self._entrance.hashed(self._people.add, fields.get("name", ""), password, role)
        except UsageError as error:
            return await self._page(request, {"wrong": usage_words(error), "name": fields.get("name", "")[:100]}, 422)
        return await self._page(request, {"handed": account.name, "password": password})

    async def set_role(self, request: Request) -> Response:
        """Return the page after an account got another role."""
        _operator(request)
        fields, account = await read_form(request), await self._named(request)
        try:
            await run_sync(self._people.set_role, account.number, _role(fields))
        except UsageError as error:
            return await self._page(request, {"wrong": _words(account, error)}, 422)
        return _back("role")

    async def disable(self, request: Request) -> Response:
        """Return the page after an account was disabled."""
        _operator(request)
        account = await self._named(request)
        try:
            await run_sync(self._people.set_disabled, account.number, True)
        except UsageError as error:
            return await self._page(request, {"wrong": _words(account, error)}, 422)
        return _back("disabled")

    async def enable(self, request: Request) -> Response:
        """Return the page after an account was enabled again."""
        _operator(request)
        account = await self._named(request)
        await run_sync(self._people.set_disabled, account.number, False)
        return _back("enabled")

    async def reset_password(self, request: Request) -> Response:
        """Return the page with another password of an account whose owner forgot it, which it shows this once."""
        _operator(request)
        account, password = await self._named(request), self._people.new_password()
        await self._entrance.hashed(self._people.set_password, account.number, password)
        return await self._page(request, {"handed": account.name, "password": password})

    async def _named(self, request: Request) -> Account:
        """Return the account that the address names. Raises: Problem, 404."""
        account = await run_sync(self._people.numbered, number_in(request))
        if account is None:
            raise Problem(404, "There is no such account.", "account")
        return account

    async def _page(self, request: Request, facts: Mapping[str, Any], status: int = 200) -> Response:
        _operator(request)
        page = await run_sync(self._rendered, request, facts)
        return Response(page, status, NEVER, media_type="text/html")

    def _rendered(self, request: Request, facts: Mapping[str, Any]) -> str:
        kept = {"said": "", "wrong": "", "handed": "", "password": "", "name": "", "roles": ROLE_WORDS}
        return self._pages.render(request, "accounts.html", {**kept, "accounts": self._people.all(), **facts})


def _operator(request: Request) -> Account:
    """Return the operator whose browser asks. Raises: Problem."""
    need(request, Role.OPERATOR)
    return with_session(request)


def _role(fields: Mapping[str, str]) -> Role:
    try:
        return Role(fields.get("role", ""))
    except ValueError as error:
        raise UsageError("role", f"expected {', '.join(Role)}", "Choose one of them.") from error


def _words(account: Account, error: UsageError) -> str:
    return f"{account.name}: {error.problem}. {error.remedy}"


def _back(said: str) -> Response:
    return RedirectResponse(f"{ACCOUNTS}?said={said}", 303, NEVER)
