"""The frame of the desk's pages: who may see them, how they are shown, and how a decision is put down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fonoteca.model.desk import Entry, EntryState, Order
from fonoteca.model.errors import OvertakenError, UsageError
from fonoteca.people import Account, Role
from fonoteca.serve.desk.side import DeskSide
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.entrance import NEVER, usage_words
from fonoteca.serve.signing.forms import read_form
from fonoteca.serve.signing.roles import need

DESK = "/desk"
PLACES: tuple[tuple[str, str], ...] = (
    (DESK, "Overview"),
    (f"{DESK}/review", "Review"),
    (f"{DESK}/notices", "Notices"),
    (f"{DESK}/recordings", "Recordings"),
    (f"{DESK}/upload", "Upload"),
    (f"{DESK}/matches", "Matches"),
)
"""The desk's own navigation: addresses and names, in order. Who adds a page adds it here."""


class Frame:
    """What every page of the desk does alike."""

    def __init__(self, rooms: ServeRooms, pages: Pages, side: DeskSide) -> None:
        self.rooms, self.side = rooms, side
        self.docket = rooms.people.docket
        self._pages = pages

    async def page(self, request: Request, template: str, facts: Callable[[], Mapping[str, Any]], status: int = 200) -> Response:
        """Return a page for a curator. facts: what its template names, asked for in a thread. Raises: Problem for anyone else."""
        account = curator(request)

        def rendered() -> str:
            frame = {"places": PLACES, "said": "", "wrong": "", "curator": account, "state_of": EntryState}
            return self._pages.render(request, template, {**frame, **facts()})

        return Response(await run_sync(rendered), status, NEVER, media_type="text/html")

    async def fields(self, request: Request) -> Mapping[str, str]:
        """Return the fields of a curator's form, which has the token of the session. Raises: Problem."""
        curator(request)
        return await read_form(request)

    async def put(self, request: Request, order: Order, seen: int) -> Entry:
        """Return the entry of a curator's order, which is carried out from now on.

        Raises: UsageError for an order that no action takes; OvertakenError, of which a page says what the other one decided.
        """
        account = curator(request)

        def put() -> Entry:
            self.side.check(order)
            return self.docket.put(order, account.number, seen)

        entry = await run_sync(put)
        self.side.nudge()
        return entry

    def called(self, entry: Entry) -> str:
        """Return what an entry's action is called."""
        return self.side.actions.get(entry.order.action, entry.order.action)

    def name_of(self, by: int | None) -> str:
        """Return who put an entry down, for other curators."""
        if by is None:
            return "a command at the machine"
        account = self.rooms.people.numbered(by)
        return account.name if account else "an account that is gone"


def curator(request: Request) -> Account:
    """Return the curator who asks. Raises: Problem, 401 or 403."""
    return need(request, Role.CURATOR)


def to_entry(entry: Entry) -> Response:
    """Return the way to the page of an entry, which says what becomes of it."""
    return RedirectResponse(f"{DESK}/entries/{entry.number}", 303, NEVER)


def number_of(text: str, what: str) -> int:
    """Return a number from an address or a form. Raises: Problem, 404."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise Problem(404, f"There is no such {what} here.", "desk")
    return int(text)


def status_of(error: UsageError) -> int:
    """Return the status of a page that shows an error of what was sent: 409 when somebody else was first."""
    return 409 if isinstance(error, OvertakenError) else 422


def words_of(error: UsageError) -> str:
    """Return an error of what was sent as a page says it."""
    return usage_words(error)
