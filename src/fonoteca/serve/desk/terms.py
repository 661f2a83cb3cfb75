"""The desk's page on which a curator says when and where an item may be shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.formats.instants import instant
from fonoteca.formats.terms import order_of_form
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.terms import ALWAYS, Term
from fonoteca.register import ObjectRow
from fonoteca.rights import describe_term
from fonoteca.serve.desk.frame import DESK, Frame, number_of, status_of, to_entry, words_of
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.problems import Problem

TERMS = f"{DESK}/terms"
"""The address before an object's id."""


class TermPages:
    """The routes of terms."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._rooms = frame, frame.rooms

    def routes(self) -> list[Route]:
        """Return the routes."""
        place = f"{TERMS}/{{rest:rest}}"
        return [Route(place, self.show, methods=["GET"]), Route(place, self.put, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """Return the form with the term that an item has."""
        return await self._form(request)

    async def put(self, request: Request) -> Response:
        """Return the way to the entry that was put down, or the form with what is wrong."""
        fields = await self._frame.fields(request)
        row = await run_sync(self._row, request)
        meant = [row.object_id] if fields.get("alone") else await run_sync(self._all_of, row)
        try:
            said = [fields.get(name, "") for name in ("starts", "ends", "territories", "reason")]
            order = order_of_form(meant, *said)
            return to_entry(await self._frame.put(request, order, number_of(fields.get("seen", ""), "entry")))
        except UsageError as error:
            return await self._form(
                request, {"wrong": words_of(error), "given": {**_fields_of(ALWAYS), **fields}}, status_of(error)
            )

    async def _form(self, request: Request, more: Mapping[str, Any] | None = None, status: int = 200) -> Response:
        def facts() -> Mapping[str, Any]:
            row = self._row(request)
            term = self._rooms.store.rights(row.object_id).term
            meant = self._all_of(row)
            latest = self._frame.docket.latest(meant).values()
            newest = max(latest, key=lambda each: each.number, default=None)
            return {
                "row": row,
                "beside": len(meant) - 1,
                "term": describe_term(term),
                "given": _fields_of(term),
                "newest": newest,
                "newest_called": self._frame.called(newest) if newest else "",
                "newest_by": self._frame.name_of(newest.by) if newest else "",
                **(more or {}),
            }

        return await self._frame.page(request, "desk_terms.html", facts, status)

    def _row(self, request: Request) -> ObjectRow:
        object_id = object_id_of(request.path_params["rest"])
        row = self._rooms.register.object(object_id) if object_id else None
        if row is None or row.item is None:
            raise Problem(404, "There is no such release in this archive.", "desk")
        return row

    def _all_of(self, row: ObjectRow) -> list[ObjectId]:
        """Return all that is held of an object's item, the object first."""
        siblings = self._rooms.register.objects_of(row.item) if row.item else []
        return [row.object_id, *sorted(each.object_id for each in siblings if each.object_id != row.object_id)]


def _fields_of(term: Term) -> Mapping[str, str]:
    """Return a term as the form's fields have it."""
    return {
        "starts": instant(term.starts) if term.starts else "",
        "ends": instant(term.ends) if term.ends else "",
        "territories": " ".join(sorted(term.territories or ())),
        "reason": "",
        "alone": "",
    }
