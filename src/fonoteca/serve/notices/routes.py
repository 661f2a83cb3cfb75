"""The form of notices and their receipts. Neither needs an account or scripts, on a closed site either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.errors import UsageError
from fonoteca.model.withdrawal import Authority, Tombstone
from fonoteca.people.notices import (
    CONTACT_LETTERS_MOST,
    PLACE_LETTERS_MOST,
    REASONS_LETTERS_MOST,
    Notice,
    NoticeKind,
    NoticeState,
    Step,
    Words,
)
from fonoteca.people.people import csrf_of
from fonoteca.register import Register
from fonoteca.serve.notices.counts import counts_answer, tally_of
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing import cookies
from fonoteca.serve.signing.entrance import NEVER, usage_words
from fonoteca.serve.signing.forms import CSRF_FIELD, check_token, read_form
from fonoteca.serve.signing.who import csrf_of_request, place_of, signed

NOTICE, RECEIPT, COUNTS = "/notice", "/notice/receipt", "/notices"
"""The secret of a receipt is in the query: the log of requests has paths alone."""

FIELDS = ("place", "reasons", "name", "contact")
TRAP = "website"
"""A field that no person sees: what fills it in is a program."""

KINDS: Mapping[NoticeKind, str] = {
    NoticeKind.RIGHTS: "I hold rights in it, or speak for who does, and it should not be given out",
    NoticeKind.CORRECTION: "what is said of it is wrong",
}
"""What the form asks for. A counter-notice has no choice: it begins at a tombstone."""

STATES: Mapping[NoticeState, str] = {
    NoticeState.RECEIVED: "It was received, and waits for a decision.",
    NoticeState.DECIDING: "It was accepted, and what follows from that is under way.",
    NoticeState.ACCEPTED: "It was accepted.",
    NoticeState.REJECTED: "It was rejected.",
    NoticeState.APPEALED: "You objected to the decision, and that waits for an answer.",
    NoticeState.ANSWERING: "Your objection was granted, and what follows from that is under way.",
    NoticeState.GRANTED: "Your objection was granted.",
    NoticeState.DENIED: "Your objection was denied.",
}
STEPS: Mapping[NoticeState, str] = {
    NoticeState.RECEIVED: "received",
    NoticeState.ACCEPTED: "accepted",
    NoticeState.REJECTED: "rejected",
    NoticeState.APPEALED: "you objected",
    NoticeState.GRANTED: "objection granted",
    NoticeState.DENIED: "objection denied",
}


def notice_routes(rooms: ServeRooms, pages: Pages) -> list[Route]:
    """Return the routes of the form and its receipts."""
    own = NoticePages(rooms, pages)
    return [
        Route(NOTICE, own.show, methods=["GET"]),
        Route(NOTICE, own.send, methods=["POST"]),
        Route(COUNTS, own.counts, methods=["GET"]),
        Route(RECEIPT, own.receipt, methods=["GET"]),
        Route(RECEIPT, own.appeal, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class Became:
    """What became of an object that a decision was about. words: how it stands now."""

    object_id: str
    words: str


class NoticePages:
    """The form and its receipts."""

    def __init__(self, rooms: ServeRooms, pages: Pages) -> None:
        self._notices, self._people, self._pages, self._register = rooms.people.notices, rooms.people, pages, rooms.register
        self._tally = tally_of(rooms)

    async def show(self, request: Request) -> Response:
        """Return the form. `place` of the query fills in which place is meant, `withdrawal` makes it a counter-notice.

        Raises: Problem, 404, for a withdrawal that is none.
        """
        subject = request.query_params.get("withdrawal", "")
        if subject and not await run_sync(_stands, self._register, subject):
            raise Problem(404, "Nothing is withdrawn here under this id, or its bytes are gone for good.", "withdrawal")
        place = subject or request.query_params.get("place", "")[:PLACE_LETTERS_MOST]
        return await self._form(request, {"place": place, "subject": subject})

    async def send(self, request: Request) -> Response:
        """Return the way to the receipt of a new notice, or the form again with what is wrong with it, 422."""
        fields = await self._read(request)
        kept = {name: fields.get(name, "") for name in FIELDS}
        subject = fields.get("subject", "")
        try:
            words = _words(fields, kept, subject)
            if subject and not await run_sync(_stands, self._register, subject):
                raise UsageError(
                    "counter-notice", "what it is about is not withdrawn", "Look at the tombstones, under Withdrawals."
                )
            _, link = await run_sync(self._notices.add, words, place_of(request))
        except UsageError as error:
            facts = {**kept, "subject": subject, "kind": fields.get("kind", ""), "wrong": usage_words(error)}
            return await self._form(request, facts, 422)
        return RedirectResponse(f"{RECEIPT}?link={link}", 303, NEVER)

    def counts(self, request: Request) -> Response:
        """Return how many notices there were, and what became of them: a page, or JSON for those who ask for that."""
        return self._pages.negotiated(request, "notices.html", counts_answer(self._tally()))

    async def receipt(self, request: Request) -> Response:
        """Return what became of a notice. Raises: Problem, 404, for a link that is none."""
        link = request.query_params.get("link", "")
        return await self._receipt(request, link, {})

    async def appeal(self, request: Request) -> Response:
        """Return the way back to the receipt of a notice whose sender objects, or the receipt with what is wrong, 422."""
        fields = await self._read(request)
        link, reasons = fields.get("link", ""), fields.get("reasons", "")
        try:
            await run_sync(self._notices.appeal, link, reasons)
        except UsageError as error:
            return await self._receipt(request, link, {"wrong": usage_words(error), "appeal": reasons}, 422)
        return RedirectResponse(f"{RECEIPT}?link={link}", 303, NEVER)

    async def _read(self, request: Request) -> Mapping[str, str]:
        """Return the fields of a form with its token. Raises: Problem, 403."""
        fields = await read_form(request)
        if signed(request) is None:  # the gate held the token of a session against the form
            token = cookies.read(request, cookies.FORM)
            check_token(fields.get(CSRF_FIELD, ""), csrf_of(token) if token else "")
        return fields

    async def _receipt(self, request: Request, link: str, facts: Mapping[str, Any], status: int = 200) -> Response:
        found = await run_sync(self._notices.by_token, link) if link else None
        if found is None:
            raise Problem(404, "There is no such receipt. Its link has to be whole.", "receipt")
        shown = {"wrong": "", "appeal": "", **await run_sync(self._told, found), "link": link, **facts}
        return await self._page(request, "notice_receipt.html", shown, status)

    def _told(self, notice: Notice) -> Mapping[str, Any]:
        """Return all that a receipt says: nothing of who sent it or decided."""
        steps = self._notices.steps(notice.number)
        return {
            "notice": notice,
            "state_words": STATES[notice.state],
            "steps": [(each, STEPS[each.what]) for each in steps],
            "became": _became(self._register, steps),
            "appealable_until": self._notices.appealable_until(notice),
            "reasons_most": REASONS_LETTERS_MOST,
        }

    async def _form(self, request: Request, facts: Mapping[str, Any], status: int = 200) -> Response:
        shown = {
            **dict.fromkeys(("wrong", "kind", "subject", *FIELDS), ""),
            "kinds": KINDS,
            "place_most": PLACE_LETTERS_MOST,
            "reasons_most": REASONS_LETTERS_MOST,
            "contact_most": CONTACT_LETTERS_MOST,
            "kept_days": self._notices.settings.contact_kept_days,
            "decide_days": self._notices.settings.decide_days,
            **facts,
        }
        return await self._page(request, "notice.html", shown, status)

    async def _page(self, request: Request, template: str, facts: Mapping[str, Any], status: int) -> Response:
        """Return a page with a form, and for who has no session the cookie that its token goes with."""
        own = csrf_of_request(request)
        token = "" if own else cookies.read(request, cookies.FORM) or self._people.form_token()
        page = await run_sync(self._pages.render, request, template, {"form_csrf": own or csrf_of(token), **facts})
        response = Response(page, status, NEVER, media_type="text/html")
        if token:
            cookies.put(request, response, cookies.FORM, token)
        return response


def _stands(register: Register, subject: str) -> bool:
    """Whether this archive withdrew an object itself, and could give it out again."""
    object_id = object_id_of(subject)
    said = register.withdrawals.of(object_id) if object_id else []
    return any(each.authority is Authority.OWN and each.tombstone.masks() and not each.purged_at for each in said)


def _became(register: Register, steps: list[Step]) -> list[Became]:
    """Return how the objects stand now that decisions about a notice were about."""
    found: list[Became] = []
    for name in dict.fromkeys(name for step in steps for name in step.objects):
        object_id = object_id_of(name)
        said = register.withdrawals.of(object_id) if object_id else []
        found.extend(Became(name, _standing_words(each.tombstone)) for each in said if each.authority is Authority.OWN)
    return found


def _standing_words(said: Tombstone) -> str:
    since = f"{said.dates.effective_at:%Y-%m-%d}"
    return f"{said.state} since {since}: {said.ground}" if said.masks() else f"given out again since {since}: {said.ground}"


def _words(fields: Mapping[str, str], kept: Mapping[str, str], subject: str) -> Words:
    """Return what a form says. Raises: UsageError for one that a program filled in, or that leaves out what is needed."""
    if fields.get(TRAP):
        raise UsageError("notice", "a program filled in the form", "Leave the field empty that says so.")
    if fields.get("kind") not in frozenset(NoticeKind):
        raise UsageError("what it is about", "nothing is chosen", "Choose one.")
    if fields.get("faith") != "yes":
        raise UsageError("good faith", "it is not stated", "Tick the statement, where it is true.")
    return Words(NoticeKind(fields["kind"]), **kept, subject=subject)
