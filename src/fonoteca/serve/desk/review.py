"""The review queue: what rights held for a person, and the page of each item with all that speaks for and against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.model.desk import EntryState, Order
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.register import DecisionRow, Sift, Tally
from fonoteca.rights import licences
from fonoteca.serve.desk.evidence import Gate, rule_named, statements
from fonoteca.serve.desk.frame import DESK, Frame, number_of, status_of, to_entry, words_of
from fonoteca.serve.desk.texts import plain_text
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.problems import Problem

REVIEW = f"{DESK}/review"
PAGE_ROWS = 50
FILTER_LETTERS_MOST = 100
STAYS_OUT = "stays-out"
"""What a form sends in place of a licence."""


class ReviewPages:
    """The routes of the queue."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._rooms = frame, frame.rooms

    def routes(self) -> list[Route]:
        """Return the routes."""
        item = f"{REVIEW}/{{rest:rest}}"
        return [
            Route(REVIEW, self.queue, methods=["GET"]),
            Route(item, self.item, methods=["GET"]),
            Route(item, self.decide, methods=["POST"]),
        ]

    async def queue(self, request: Request) -> Response:
        """Return a page of what waits, filtered by rule, source and text."""
        sift, after = sift_of(request.query_params), request.query_params.get("after", "")[: FILTER_LETTERS_MOST * 3]

        def facts() -> Mapping[str, Any]:
            review = self._rooms.register.review
            rows = review.page(sift, after, PAGE_ROWS + 1)
            following = rows[PAGE_ROWS - 1].subject if len(rows) > PAGE_ROWS else ""
            shown = rows[:PAGE_ROWS]
            alike = review.alike(sift)
            return {
                "rows": rows_of(self._frame, shown),
                "count": review.count(sift),
                "sift": sift,
                "alike": alike,
                "text_words": text_words(alike["text"]),
                "following": f"{REVIEW}?{urlencode({**query_of(sift), 'after': following})}" if following else "",
                "first": not after,
                "query": urlencode(query_of(sift)),
            }

        return await self._frame.page(request, "desk_review.html", facts)

    async def item(self, request: Request) -> Response:
        """Return the page of an item. `licence` of the query is one more licence to look at."""
        return await self._item(request, {})

    async def decide(self, request: Request) -> Response:
        """Return the way to the entry of a decision, or the page again: 409 when somebody was first, 422 for a wrong form."""
        fields = await self._frame.fields(request)
        object_id = _object(request)
        chosen, reason = fields.get("licence", ""), fields.get("reason", "").strip()
        seen, shown = number_of(fields.get("seen", ""), "entry"), fields.get("shown", "")
        try:
            licence_uri = chosen_licence(chosen)
            row = (await run_sync(self._rooms.register.review.waiting, [object_id])).get(object_id)
            if row is None or row.token != shown:
                raise UsageError(object_id, "it is not as it was when this page was shown", "Look at it again, and decide then.")
            facts = {"licence": licence_uri, "reason": reason, "shown": {object_id: shown}}
            return to_entry(await self._frame.put(request, Order("rule", object_id, facts), seen))
        except UsageError as error:
            again = {"wrong": words_of(error), "reason": reason, "chosen": chosen}
            return await self._item(request, again, status_of(error))

    async def _item(self, request: Request, more: Mapping[str, Any], status: int = 200) -> Response:
        object_id, asked = _object(request), request.query_params.get("licence", "")

        def facts() -> Mapping[str, Any]:
            register, docket = self._rooms.register, self._frame.docket
            about = register.review.about(object_id)
            if not about:
                raise Problem(404, "Rights never held or refused anything of this id.", "desk")
            waits = register.review.waiting([object_id]).get(object_id)
            row = waits or about[0]
            dossier = register.review.dossier(row)
            gate = Gate(object_id, dossier, self._rooms.settings.rights, self._rooms.clock.now())
            entries = docket.about(object_id)
            offers = gate.offers([asked, more.get("chosen", "")])
            return {
                "object_id": object_id,
                "row": row,
                "waits": waits is not None,
                "title": plain_text(dossier.title),
                "artist": plain_text(dossier.artist),
                "dossier": dossier,
                "statements": statements(dossier, self._frame.side),
                "rule": rule_named(row.rule),
                "others": [each for each in about if each.rule != row.rule or each.outcome != row.outcome],
                "offers": offers,
                "asked": asked,
                "families": families(),
                "held": register.object(object_id),
                "mask": register.withdrawals.mask(object_id),
                "wants": register.wants.waiting_for(object_id.key),
                "entries": entries_of(self._frame, entries[::-1]),
                "seen": entries[-1].number if entries else 0,
                "reason": "",
                "chosen": asked,
                **more,
            }

        return await self._frame.page(request, "desk_item.html", facts, status)


def rows_of(frame: Frame, rows: Sequence[DecisionRow]) -> list[Mapping[str, Any]]:
    """Return held items as lists show them, with what waits in the docket about them."""
    latest = frame.docket.latest([row.subject for row in rows])
    return [
        {
            "row": row,
            "title": plain_text(row.title),
            "artist": plain_text(row.artist),
            "reason": plain_text(row.reason),
            "entry": entry if (entry := latest.get(row.subject)) and entry.state is EntryState.WAITING else None,
        }
        for row in rows
    ]


def entries_of(frame: Frame, entries: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Return entries as lists show them."""
    return [
        {"entry": each, "called": frame.called(each), "who": frame.name_of(each.by), "subject_count": len(each.order.subjects)}
        for each in entries
    ]


def sift_of(fields: Mapping[str, str]) -> Sift:
    """Return the filters that an address or a form names."""
    return Sift(*(fields.get(name, "")[:FILTER_LETTERS_MOST] for name in ("rule", "source", "text")))


def query_of(sift: Sift) -> dict[str, str]:
    """Return filters as an address has them."""
    named = {"rule": sift.rule, "source": sift.source, "text": sift.text}
    return {name: value for name, value in named.items() if value}


def text_words(tallies: Sequence[Tally]) -> dict[str, str]:
    """Return by key how each text is called in a list of them."""
    return {each.value: _short(plain_text(each.example.statement) if each.example else each.value) for each in tallies}


def chosen_licence(chosen: str) -> str:
    """Return the licence that a form chose, "" for stays out. Raises: UsageError where nothing is chosen."""
    if not chosen:
        raise UsageError("decision", "nothing is chosen", "Choose a licence, or that it stays out.")
    return "" if chosen == STAYS_OUT else chosen


def _object(request: Request) -> ObjectId:
    object_id = object_id_of(request.path_params["rest"])
    if object_id is None:
        raise Problem(404, "Rights never held or refused anything of this id.", "desk")
    return object_id


def families() -> Mapping[str, Sequence[tuple[str, str]]]:
    """Return every licence that may be chosen, by family: its address and its name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for licence in licences().values():
        if not licence.uri.startswith("urn:"):  # the operator's own declaration, which no decision makes
            found.setdefault(licence.family, []).append((licence.uri, licence.name))
    return {family: found[family] for family in sorted(found)}


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 90 else plain[:89] + "…"
