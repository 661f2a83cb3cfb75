"""The queue of notices, and a notice with the item beside it: what a withdrawal would take away, and the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.desk import EntryState, Order
from fonoteca.model.errors import FonotecaError, FormatError, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import RightsRecord
from fonoteca.model.withdrawal import Authority, Reason, Tombstone
from fonoteca.people.notices import ANSWER_LETTERS_MOST, Act, Brief, Likeness, Notice, NoticeKind, NoticeState, Step
from fonoteca.register import SOURCE_CONFIRMED, ObjectRow
from fonoteca.serve.desk.frame import DESK, Frame, number_of, status_of, to_entry, words_of
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.problems import Problem
from fonoteca.serve.signing.entrance import NEVER

NOTICES = f"{DESK}/notices"
ROWS_MOST = 200
ALIKE_SHOWN_MOST = 20
OBJECTS_MOST = 50
"""Of one item that are shown beside a notice."""

_OPEN = (NoticeState.RECEIVED, NoticeState.APPEALED)


@dataclass(frozen=True, slots=True)
class Beside:
    """An object that a notice may be about. drops: those that carry it. shared: other objects that hold some of its bytes.

    confirmed_on: the day on which its source last said the same of the rights, "" where it was not asked again of late.
    """

    row: ObjectRow | None
    object_id: ObjectId
    record: RightsRecord | None
    said: Tombstone | None
    drops: int
    shared: tuple[str, ...]
    confirmed_on: str


class NoticePages:
    """The routes of notices at the desk."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._rooms, self._notices = frame, frame.rooms, frame.rooms.people.notices

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(NOTICES, self.queue, methods=["GET"]),
            Route(f"{NOTICES}/{{number}}", self.show, methods=["GET"]),
            Route(f"{NOTICES}/{{number}}", self.decide, methods=["POST"]),
        ]

    async def queue(self, request: Request) -> Response:
        """Return what waits, what is due first first; or the way to a notice whose number is asked for."""
        wanted = request.query_params.get("number", "").strip()
        if wanted:
            return RedirectResponse(f"{NOTICES}/{number_of(wanted, 'notice')}", 303, NEVER)
        overdue = request.query_params.get("only") == "overdue"

        def facts() -> Mapping[str, Any]:
            now = self._rooms.clock.now()
            rows = self._notices.queue(ROWS_MOST + 1, overdue=overdue)
            listed = [(each, each.notice.overdue(now)) for each in rows[:ROWS_MOST]]
            return {"rows": listed, "more": len(rows) > ROWS_MOST, "only": overdue, "standing": self._notices.standing()}

        return await self._frame.page(request, "desk_notices.html", facts)

    async def show(self, request: Request) -> Response:
        """Return the page of a notice. `item` of the query: an object or item to look at beside it."""
        return await self._page(request, request.query_params.get("item", "").strip())

    async def decide(self, request: Request) -> Response:
        """Return the way to the entry of a decision, or the page of the notice again with what is wrong."""
        fields = await self._frame.fields(request)
        number, item = _number(request), fields.get("item", "").strip()
        try:
            order = await run_sync(self._order, number, fields)
            return to_entry(await self._frame.put(request, order, number_of(fields.get("seen", ""), "entry")))
        except UsageError as error:
            kept = {name: fields.get(name, "") for name in ("ground", "decision", "like", "reason")}
            return await self._page(request, item, {"wrong": words_of(error), "kept": kept}, status_of(error))

    def _order(self, number: int, fields: Mapping[str, str]) -> Order:
        """Return the order of a form. Raises: UsageError for one that leaves something out."""
        subject, decision, item = f"notice {number}", fields.get("decision", ""), fields.get("item", "").strip()
        if decision not in ("refuse", "grant", "withdraw", "reinstate"):
            raise UsageError(subject, "nothing is chosen", "Choose what is decided.")
        if not fields.get("ground", "").strip():
            raise UsageError(subject, "no reasons are given", "Say why: its sender reads it.")
        act = Act(decision) if decision in frozenset(Act) else Act.NONE
        if act is not Act.NONE and not item:
            raise UsageError(subject, "no item is looked at", "Look at the item first, under its id.")
        like, upto = fields.get("like", ""), fields.get("upto", "0")
        facts = {
            "notice": number,
            "state": fields.get("state", ""),
            "like": like,
            "upto": int(upto) if upto.isdecimal() and upto.isascii() and len(upto) <= 9 else 0,
            "grant": decision != "refuse",
            "ground": fields["ground"].strip(),
            "act": str(act),
            "id": item if act is not Act.NONE else "",
            "reason": fields.get("reason", "") or str(Reason.RIGHTS_HOLDER),
            "files": [],
        }
        return Order("notice", f"notice:{number}", facts)

    async def _page(self, request: Request, item: str, more: Mapping[str, Any] | None = None, status: int = 200) -> Response:
        number = _number(request)

        def facts() -> Mapping[str, Any]:
            notice = self._found(number)
            meant = notice.words.subject or item
            steps = self._notices.steps(number)
            alike = {like: self._notices.alike(number, like) for like in Likeness} if notice.state in _OPEN else {}
            beside = self._beside(meant) if meant else []
            return {
                "notice": notice,
                "overdue": notice.overdue(self._rooms.clock.now()),
                "steps": [(each, self._who(each)) for each in steps],
                "alike": [(like, found, self._shown(found)) for like, found in alike.items() if len(found) > 1],
                "upto": max((found[-1].number for found in alike.values() if found), default=number),
                "item": meant,
                "guess": meant or _guess(self._rooms.register.object, notice.words.place),
                "beside": beside[:OBJECTS_MOST],
                "beside_count": len(beside),
                "acts": [act for act in (Act.WITHDRAW, Act.REINSTATE) if _may(notice, act, beside)],
                "may_grant": notice.state is NoticeState.APPEALED or notice.words.kind is NoticeKind.CORRECTION,
                "waits": notice.state in _OPEN,
                "entries": self._entries(number),
                "seen": self._frame.docket.seen(f"notice:{number}"),
                "reasons": list(Reason),
                "ground_most": ANSWER_LETTERS_MOST,
                "kept": {"ground": "", "decision": "", "like": "", "reason": ""},
                **(more or {}),
            }

        return await self._frame.page(request, "desk_notice.html", facts, status)

    def _found(self, number: int) -> Notice:
        try:
            return self._notices.numbered(number)
        except UsageError as error:
            raise Problem(404, "There is no such notice.", "desk") from error

    def _shown(self, found: Sequence[Brief]) -> list[Notice]:
        return [self._notices.numbered(each.number) for each in found[:ALIKE_SHOWN_MOST]]

    def _who(self, step: Step) -> str:
        if step.what in (NoticeState.RECEIVED, NoticeState.APPEALED):
            return "its sender"
        return self._frame.name_of(step.by)

    def _entries(self, number: int) -> list[tuple[int, str, bool]]:
        """Return the decisions about a notice that are put down: number, state, and whether it waits or failed."""
        found = self._frame.docket.about(f"notice:{number}")
        return [(e.number, str(e.state), e.state in (EntryState.WAITING, EntryState.FAILED)) for e in found]

    def _beside(self, meant: str) -> list[Beside]:
        """Return the objects that an id or an item's key means, none for one of which nothing is known."""
        register = self._rooms.register
        try:
            ids = [ObjectId(meant)]
        except FormatError:
            ids = [row.object_id for row in register.objects_of(meant)]
        found = [self._seen(object_id) for object_id in ids]
        return [each for each in found if each.row is not None or each.said is not None]

    def _seen(self, object_id: ObjectId) -> Beside:
        register = self._rooms.register
        said = [each.tombstone for each in register.withdrawals.of(object_id) if each.authority is Authority.OWN]
        row = register.object(object_id)
        try:
            record = self._rooms.store.rights(object_id) if row else None
        except FonotecaError:
            record = None  # the page says so: what is decided does not hang on it
        digests = {each.stored.hashes.sha256 for each in register.files(object_id)} if row else set()
        shared = {file.object_id for digest in digests for file in register.files_by_digest(digest)} - {object_id}
        events = register.events(subject=object_id) if row else []
        confirmed = next((f"{each.at:%Y-%m-%d}" for each in events if each.what == SOURCE_CONFIRMED), "")
        drops = len(register.withdrawals.drops_with(object_id)) if row else 0
        return Beside(row, object_id, record, said[0] if said else None, drops, tuple(sorted(shared)), confirmed)


def _may(notice: Notice, act: Act, beside: list[Beside]) -> bool:
    """Whether a decision about a notice may do something to what is beside it."""
    if not beside:
        return False
    masked = any(each.said is not None and each.said.masks() for each in beside)
    if notice.state is NoticeState.APPEALED:
        return masked if act is Act.REINSTATE else True
    return act is (Act.REINSTATE if notice.words.kind is NoticeKind.COUNTER else Act.WITHDRAW) and (masked or act is Act.WITHDRAW)


def _guess(held: Any, place: str) -> str:
    """Return the id of a held object that a stranger's words may name, to look at: nothing is done to it by that."""
    for word in place.replace("/", " ").split():
        object_id = object_id_of(word)
        if object_id is not None and held(object_id) is not None:
            return str(object_id)
    return ""


def _number(request: Request) -> int:
    return number_of(request.path_params["number"], "notice")
