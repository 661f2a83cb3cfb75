"""The desk's first page, what waits and what failed, and the page of each entry of the docket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.model.desk import UNDO, Entry, EntryState, Order
from fonoteca.model.errors import UsageError
from fonoteca.serve.desk.frame import DESK, Frame, number_of, status_of, to_entry, words_of
from fonoteca.serve.paths import object_id_of, object_url
from fonoteca.serve.problems import Problem

SHOWN_MOST = 25
SUBJECTS_SHOWN_MOST = 50


class HomePages:
    """The routes of the docket."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._docket = frame, frame.docket

    def routes(self) -> list[Route]:
        """Return the routes."""
        entry = f"{DESK}/entries/{{number}}"
        return [
            Route(DESK, self.home, methods=["GET"]),
            Route(f"{DESK}/entries", self.entries, methods=["GET"]),
            Route(entry, self.show, methods=["GET"]),
            *(Route(f"{entry}/{name}", self.change, methods=["POST"]) for name in ("undo", "retry", "drop")),
        ]

    async def home(self, request: Request) -> Response:
        """Return the first page: what waits, what failed, what was decided last, and who writes now."""
        return await self._frame.page(request, "desk_home.html", self._overview)

    async def entries(self, request: Request) -> Response:
        """Return all entries, newest first, a page at a time."""
        before = number_of(request.query_params.get("before", "0"), "entry")

        def facts() -> Mapping[str, Any]:
            found = self._docket.newest(SHOWN_MOST + 1, before)
            following = found[SHOWN_MOST - 1].number if len(found) > SHOWN_MOST else 0
            return {"entries": self._told(found[:SHOWN_MOST]), "following": following, "first": not before}

        return await self._frame.page(request, "desk_entries.html", facts)

    async def show(self, request: Request) -> Response:
        """Return the page of an entry: what was decided, by whom, and what came of it."""
        return await self._entry(request)

    async def change(self, request: Request) -> Response:
        """Return the way on after an entry was undone, tried again or dropped."""
        fields = await self._frame.fields(request)
        number, what = _number(request), request.url.path.rpartition("/")[2]
        reason = fields.get("reason", "").strip()
        try:
            if what == "undo":
                order = await run_sync(self._frame.side.undoing, number, _given(reason))
                return to_entry(await self._frame.put(request, order, number_of(fields.get("seen", ""), "entry")))
            if what == "retry":
                changed = await run_sync(self._docket.retry, number)
                self._frame.side.nudge()
            else:
                changed = await run_sync(self._docket.drop, number, _given(reason))
        except UsageError as error:
            return await self._entry(request, {"wrong": words_of(error), "reason": reason}, status_of(error))
        return to_entry(changed)

    async def _entry(self, request: Request, more: Mapping[str, Any] | None = None, status: int = 200) -> Response:
        number = _number(request)

        def facts() -> Mapping[str, Any]:
            try:
                entry = self._docket.numbered(number)
            except UsageError as error:
                raise Problem(404, "There is no such entry in the docket.", "desk") from error
            newest = max(self._docket.latest(entry.order.subjects).values(), key=lambda each: each.number)
            told = self._told([entry])[0]
            undone = self._frame.side.undone.get(entry.order.action, "")
            return {
                **told,
                **self._writing(),
                "reason": "",
                "undone_words": undone,
                "newest": newest,
                **self._undone(entry, newest),
                **(more or {}),
            }

        return await self._frame.page(request, "desk_entry.html", facts, status)

    def _undone(self, entry: Entry, newest: Entry) -> Mapping[str, Any]:
        """Return whether an entry can be undone, and by which other one it was."""
        about = self._docket.about(entry.order.subject)
        by = next((each for each in about if _undoes(each.order, entry.number) and each.state is not EntryState.DROPPED), None)
        try:
            self._frame.side.undoing(entry.number, "asked whether it can be")
        except UsageError:
            return {"may_undo": False, "undone_by": by}
        return {"may_undo": by is None, "undone_by": by}

    def _overview(self) -> Mapping[str, Any]:
        waiting, failed = (self._docket.in_state(each, SHOWN_MOST) for each in (EntryState.WAITING, EntryState.FAILED))
        return {
            "waiting": self._told(waiting),
            "waiting_count": self._docket.count(EntryState.WAITING),
            "failed": self._told(failed),
            "failed_count": self._docket.count(EntryState.FAILED),
            "newest": self._told(self._docket.newest(SHOWN_MOST)),
            "notices": self._frame.rooms.people.notices.standing(),
            **self._writing(),
        }

    def _writing(self) -> Mapping[str, Any]:
        return {"writer": self._frame.side.writer()}

    def _told(self, entries: list[Entry]) -> list[Mapping[str, Any]]:
        """Return entries as templates show them."""
        who = {by: self._frame.name_of(by) for by in {each.by for each in entries}}
        return [
            {
                "entry": each,
                "called": self._frame.called(each),
                "who": who[each.by],
                "subjects": [(one, self._url_of(one)) for one in each.order.subjects[:SUBJECTS_SHOWN_MOST]],
                "subject_count": len(each.order.subjects),
                "facts": _told_facts(each.order),
                "left_out": [str(name) for name in each.order.facts.get("left_out", ())][:SUBJECTS_SHOWN_MOST],
            }
            for each in entries
        ]

    def _url_of(self, subject: str) -> str:
        """Return the public page of what an entry is about, "" where nothing of it is held."""
        object_id = object_id_of(subject)
        return object_url(object_id) if object_id and self._frame.rooms.register.object(object_id) else ""


def _told_facts(order: Order) -> list[tuple[str, str | int]]:
    """Return the facts of an order that a page says: those in words, but for what only this program knows a thing by."""
    return [(name, each) for name, each in order.facts.items() if isinstance(each, str | int) and each and name != "token"]


def _undoes(order: Order, number: int) -> bool:
    return order.action == UNDO and order.facts.get("entry") == number


def _number(request: Request) -> int:
    return number_of(request.path_params["number"], "entry")


def _given(reason: str) -> str:
    if not reason:
        raise UsageError("reason", "no reason is given", "Say why: others will want to know.")
    return reason
