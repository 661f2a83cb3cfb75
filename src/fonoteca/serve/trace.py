"""Why an item is here: from its public page to the rule, the decisions and each piece of evidence; nobody is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.model.corridor import Event
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import PublishedEvidence, RightsRecord, Scheme
from fonoteca.model.withdrawal import Purpose, Withdrawal
from fonoteca.people import Role
from fonoteca.people.notices.nouns import NoticeState
from fonoteca.register import ObjectRow
from fonoteca.serve.passage import judge_passage
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.roles import signed_in
from fonoteca.serve.views import LicenceView, licence_view

EVENTS_MAX = 500

_STEPS: Mapping[str, str] = {
    "acquired": "taken in",
    "analysed": "taken in, its audio decoded",
    "held-for-review": "held for a person to decide",
    "refused": "refused",
    "ruled": "a curator decided that it comes under a licence",
    "ruled-out": "a curator decided that it stays out",
    "ruling-taken-back": "a curator took a decision back: it waited again",
    "corrected": "what is said of it was corrected",
    "termed": "a curator said when and where it may be shared",
    "source-restated": "its source says something else now, which grants as much",
    "source-doubted": "what its source says now is doubted",
    "withdrawn": "withdrawn, in part or at all, or given out again",
}
"""Events that a trace tells, in words. What else happened to it, such as checks of its bytes, is on its own page."""

_FACTS = ("version", "licence", "rule", "shared", "number", "state")
"""Facts of them that anyone may know. What a curator wrote may name people: its salted digest is in the evidence."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """Something that happened to an item's rights. entry: of the docket, 0 for none. reason: what a curator wrote, for curators.

    found: what a rule found; it is of a machine, and says what the source says.
    """

    at: datetime
    words: str
    facts: tuple[tuple[str, str], ...]
    found: str
    entry: int
    reason: str


@dataclass(frozen=True, slots=True)
class Trace:
    """What a trace says. row: None once its object is gone. record: of its head, None where it is withdrawn whole."""

    object_id: ObjectId
    row: ObjectRow | None
    record: RightsRecord | None
    licence: LicenceView | None
    steps: list[TraceStep]
    withdrawals: list[Withdrawal]
    notices: list[tuple[int, datetime, NoticeState]]

    @property
    def decisions(self) -> list[PublishedEvidence]:
        """The evidence that is a person's word."""
        return [each for each in self.record.evidence if each.scheme is Scheme.DECISION] if self.record else []


class TracePages:
    """The route of traces."""

    def __init__(self, rooms: ServeRooms, pages: Pages) -> None:
        self._rooms, self._pages = rooms, pages

    def routes(self) -> list[Route]:
        """Return the route, for GET and HEAD."""
        return [Route("/trace/{rest:rest}", self.trace)]

    def trace(self, request: Request) -> Response:
        """Return why an object is here, or was. Raises: Problem, 404, for one that was never held."""
        object_id = object_id_of(request.path_params["rest"])
        account = signed_in(request)
        curates = account is not None and account.role.covers(Role.CURATOR) and self._rooms.desk is not None
        facts = {"trace": self._traced(object_id), "curates": curates}
        page = self._pages.render(request, "trace.html", facts)
        return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})

    def _traced(self, object_id: ObjectId | None) -> Trace:
        register = self._rooms.register
        row = register.object(object_id) if object_id else None
        said = register.withdrawals.of(object_id) if object_id else []
        if object_id is None or (row is None and not said) or (row is not None and row.item is None):
            raise Problem(404, "There is no such item in this archive.")
        mask = register.withdrawals.mask(object_id, Purpose.LISTENING)
        whole = mask is not None and mask.tombstone.whole
        passage = judge_passage(self._rooms, object_id) if row is not None and not whole else None
        return Trace(
            object_id=object_id,
            row=None if whole else row,
            record=passage.record if passage else None,
            licence=licence_view(passage) if passage else None,
            steps=[_step(each) for each in reversed(register.events(EVENTS_MAX, subject=object_id)) if each.what in _STEPS],
            withdrawals=said,
            notices=[(number, step.at, step.what) for number, step in self._rooms.people.notices.touching(object_id)],
        )


def _step(event: Event) -> TraceStep:
    told: Mapping[str, Any] = dict(event.facts)
    by_machine = event.what in ("held-for-review", "refused")
    entry = told.get("entry", 0)
    return TraceStep(
        at=event.at,
        words=_STEPS[event.what],
        facts=tuple((name, str(told[name])) for name in _FACTS if name in told),
        found=str(told.get("reason", "")) if by_machine else "",
        entry=entry if isinstance(entry, int) else 0,
        reason="" if by_machine else str(told.get("reason", "")),
    )
