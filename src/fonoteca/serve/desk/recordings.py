"""The desk's pages of recordings: what each source says of one side by side, and the forms to merge and to split it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.formats.words import BUILD, SUBJECT, WORDS_MAX, merging_order, splitting_order, words_from
from fonoteca.model.catalogue import Recording
from fonoteca.model.desk import Order
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import UUID_PATTERN
from fonoteca.model.words import Word
from fonoteca.register import Register
from fonoteca.search import HitKind
from fonoteca.serve.desk.frame import DESK, Frame, number_of, status_of, to_entry, words_of
from fonoteca.serve.desk.review import entries_of
from fonoteca.serve.problems import Problem

RECORDINGS = f"{DESK}/recordings"
FOUND_MOST = 20
"""Recordings that a search shows to choose from."""
SHOWN_MOST = 200
"""Rows and words on one page. More are read by command."""
QUERY_LETTERS_MOST = 200

_UUID = re.compile(UUID_PATTERN)


class RecordingPages:
    """The routes of recordings."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._rooms = frame, frame.rooms

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = f"{RECORDINGS}/{{id}}"
        return [
            Route(RECORDINGS, self.overview, methods=["GET"]),
            Route(RECORDINGS, self.build, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.put, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        """Return the words that stand, and a search for recordings."""
        return await self._overview(request)

    async def build(self, request: Request) -> Response:
        """Return the way to the entry of a build of the catalogue."""
        fields = await self._frame.fields(request)
        try:
            return to_entry(await self._frame.put(request, Order(BUILD, SUBJECT), number_of(fields.get("seen", ""), "entry")))
        except UsageError as error:
            return await self._overview(request, {"wrong": words_of(error)}, status_of(error))

    async def show(self, request: Request) -> Response:
        """Return the page of a recording. `q` of the query searches for others to merge it with."""
        return await self._page(request, {})

    async def put(self, request: Request) -> Response:
        """Return the way to the entry of a merge or split, or the page again with what is wrong."""
        fields = await self._frame.fields(request)
        own, reason = request.path_params["id"], fields.get("reason", "").strip()
        try:
            if fields.get("part") == "split":
                going = [name.removeprefix("go-") for name in fields if name.startswith("go-")]
                order = splitting_order(own, going, reason)
            else:
                other = fields.get("other", "")
                if not other:
                    raise UsageError(own, "no other recording is chosen", "Choose one, and put it down then.")
                stays, goes = (other, own) if fields.get("stays") == "other" else (own, other)
                order = merging_order(stays, [goes], reason)
            return to_entry(await self._frame.put(request, order, number_of(fields.get("seen", ""), "entry")))
        except UsageError as error:
            return await self._page(request, {"wrong": words_of(error), "sent": fields}, status_of(error))

    async def _overview(self, request: Request, more: Mapping[str, Any] | None = None, status: int = 200) -> Response:
        asked = request.query_params.get("q", "")[:QUERY_LETTERS_MOST]

        def facts() -> Mapping[str, Any]:
            words = standing(self._rooms.register)
            snapshot = self._rooms.catalogue.snapshot()
            return {
                "asked": asked,
                "found": self._found(asked),
                "words": words[::-1][:SHOWN_MOST],
                "word_count": len(words),
                "snapshot": snapshot,
                "seen": self._frame.docket.seen(SUBJECT),
                **(more or {}),
            }

        return await self._frame.page(request, "desk_recordings.html", facts, status)

    async def _page(self, request: Request, more: Mapping[str, Any], status: int = 200) -> Response:
        asked = request.query_params.get("q")

        def facts() -> Mapping[str, Any]:
            recording = self._rooms.catalogue.recording(request.path_params["id"])
            if recording is None:
                raise Problem(404, "The catalogue has no recording of this id.", "desk")
            seen = self._frame.docket.seen()
            rows = self._rooms.catalogue.rows_of(recording)
            ids = list(dict.fromkeys(row.id for row in rows))
            query = recording.title if asked is None else asked[:QUERY_LETTERS_MOST]
            chosen = self._found(more.get("sent", {}).get("other", ""))  # what was chosen is not lost with the search that found it
            found = {each.id: each for each in (*chosen, *self._found(query)) if each.id != recording.id}
            about = {each.number: each for one in ids[:SHOWN_MOST] for each in self._frame.docket.about(one)}
            return {
                "recording": recording,
                "rows": rows[:SHOWN_MOST],
                "row_count": len(rows),
                "ids": ids[:SHOWN_MOST],
                "asked": query,
                "found": list(found.values()),
                "words": [word for word in standing(self._rooms.register) if {word.recording, *word.ids} & set(ids)],
                "entries": entries_of(self._frame, [about[number] for number in sorted(about, reverse=True)]),
                "seen": seen,
                "sent": {},
                **more,
            }

        return await self._frame.page(request, "desk_recording.html", facts, status)

    def _found(self, asked: str) -> Sequence[Recording]:
        """Return recordings that words or an id find."""
        plain = asked.strip().lower()
        if _UUID.fullmatch(plain):
            ids = [plain]
        else:
            ids = [hit.id for hit in self._rooms.finder.search(plain, FOUND_MOST) if hit.kind is HitKind.TRACK] if plain else []
        found = [self._rooms.catalogue.recording(one) for one in ids]
        return list({each.id: each for each in found if each is not None}.values())


def standing(register: Register) -> tuple[Word, ...]:
    """Return the words of curators that stand, in order of being said."""
    return words_from(reversed(register.events(WORDS_MAX, subject=SUBJECT)))
