"""Every route of accounts."""

from __future__ import annotations

from starlette.routing import Route

from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.account import AccountPages
from fonoteca.serve.signing.accounts import OperatorPages
from fonoteca.serve.signing.entrance import Entrance


def signing_routes(rooms: ServeRooms, pages: Pages) -> list[Route]:
    """Return the routes of sign-in, set-up, one's own account, and the accounts that operators see."""
    entrance = Entrance(rooms, pages)
    own, others = AccountPages(rooms, pages, entrance), OperatorPages(rooms, pages, entrance)
    return [*entrance.routes(), *own.routes(), *others.routes()]
