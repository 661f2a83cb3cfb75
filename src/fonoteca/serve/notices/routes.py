"""The form of notices and their receipts. Neither needs an account or scripts, on a closed site either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.errors import UsageError
from fonoteca.people.notices import (
    CONTACT_KEPT_DAYS,
    CONTACT_LETTERS_MOST,
    PLACE_LETTERS_MOST,
    REASONS_LETTERS_MOST,
    NoticeKind,
    Words,
)
from fonoteca.people.people import csrf_of
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing import cookies
from fonoteca.serve.signing.entrance import NEVER, usage_words
from fonoteca.serve.signing.forms import CSRF_FIELD, check_token, read_form
from fonoteca.serve.signing.who import csrf_of_request, place_of, signed

NOTICE, RECEIPT = "/notice", "/notice/receipt"
"""The secret of a receipt is in the query: the log of requests has paths alone."""

FIELDS = ("place", "reasons", "name", "contact")
TRAP = "website"
"""A field that no person sees: what fills it in is a program."""

KINDS: Mapping[NoticeKind, str] = {
    NoticeKind.RIGHTS: "I hold rights in it, or speak for who does, and it should not be given out",
    NoticeKind.CORRECTION: "what is said of it is wrong",
}


def notice_routes(rooms: ServeRooms, pages: Pages) -> list[Route]:
    """Return the routes of the form and its receipts."""
    own = NoticePages(rooms, pages)
    return [
        Route(NOTICE, own.show, methods=["GET"]),
        Route(NOTICE, own.send, methods=["POST"]),
        Route(RECEIPT, own.receipt, methods=["GET"]),
    ]


class NoticePages:
    """The form and its receipts."""

    def __init__(self, rooms: ServeRooms, pages: Pages) -> None:
        self._people, self._pages = rooms.people, pages

    async def show(self, request: Request) -> Response:
        """Return the form. `place` of the query fills in which place is meant."""
        return await self._form(request, {"place": request.query_params.get("place", "")[:PLACE_LETTERS_MOST]})

    async def send(self, request: Request) -> Response:
        """Return the way to the receipt of a new notice, or the form again with what is wrong with it, 422."""
        fields = await read_form(request)
        if signed(request) is None:  # the gate held the token of a session against the form
            token = cookies.read(request, cookies.FORM)
            check_token(fields.get(CSRF_FIELD, ""), csrf_of(token) if token else "")
        kept = {name: fields.get(name, "") for name in FIELDS}
        try:
            words = _words(fields, kept)
            _, link = await run_sync(self._people.notices.add, words, place_of(request))
        except UsageError as error:
            return await self._form(request, {**kept, "kind": fields.get("kind", ""), "wrong": usage_words(error)}, 422)
        return RedirectResponse(f"{RECEIPT}?link={link}", 303, NEVER)

    async def receipt(self, request: Request) -> Response:
        """Return what became of a notice. Raises: Problem, 404, for a link that is none."""
        link = request.query_params.get("link", "")
        found = await run_sync(self._people.notices.by_token, link) if link else None
        if found is None:
            raise Problem(404, "There is no such receipt. Its link has to be whole.", "receipt")
        shown = {"notice": found, "kept_days": CONTACT_KEPT_DAYS}
        page = await run_sync(self._pages.render, request, "notice_receipt.html", shown)
        return Response(page, 200, NEVER, media_type="text/html")

    async def _form(self, request: Request, facts: Mapping[str, Any], status: int = 200) -> Response:
        """Return the form, and for who has no session the cookie that its token goes with."""
        own = csrf_of_request(request)
        token = "" if own else cookies.read(request, cookies.FORM) or self._people.form_token()
        shown = {
            **dict.fromkeys(("wrong", "kind", *FIELDS), ""),
            "form_csrf": own or csrf_of(token),
            "kinds": KINDS,
            "place_most": PLACE_LETTERS_MOST,
            "reasons_most": REASONS_LETTERS_MOST,
            "contact_most": CONTACT_LETTERS_MOST,
            "kept_days": CONTACT_KEPT_DAYS,
            **facts,
        }
        page = await run_sync(self._pages.render, request, "notice.html", shown)
        response = Response(page, status, NEVER, media_type="text/html")
        if token:
            cookies.put(request, response, cookies.FORM, token)
        return response


def _words(fields: Mapping[str, str], kept: Mapping[str, str]) -> Words:
    """Return what a form says. Raises: UsageError for one that a program filled in, or that leaves out what is needed."""
    if fields.get(TRAP):
        raise UsageError("notice", "a program filled in the form", "Leave the field empty that says so.")
    if fields.get("kind") not in frozenset(NoticeKind):
        raise UsageError("what it is about", "nothing is chosen", "Choose one.")
    if fields.get("faith") != "yes":
        raise UsageError("good faith", "it is not stated", "Tick the statement, where it is true.")
    return Words(NoticeKind(fields["kind"]), **kept)
