"""Deciding alike about all held items of one rule, source and text: shown first, and what was shown is what is decided."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.desk import Entry, Order
from fonoteca.model.errors import OvertakenError, UsageError
from fonoteca.people.docket import SUBJECTS_MAX
from fonoteca.register import DecisionRow, Sift, Tally
from fonoteca.serve.desk.evidence import Gate, rule_named
from fonoteca.serve.desk.frame import Frame, number_of, status_of, to_entry, words_of
from fonoteca.serve.desk.review import REVIEW, chosen_licence, families, query_of, rows_of, sift_of, text_words
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.problems import Problem
from fonoteca.serve.signing.entrance import NEVER

ALIKE = f"{REVIEW}/alike"
SHOWN_ROWS = 50
PACKED_LETTERS_MOST = 48_000
"""Of the list that goes with the form, which as a whole has 64 kB."""

_UNPACKED_BYTES_MAX = 1 << 20
_DIFFERENT_MOST = 20
_TRIES = 5


class AlikePages:
    """The routes of decisions about many items."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._rooms = frame, frame.rooms

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route(ALIKE, self.show, methods=["GET"]), Route(ALIKE, self.decide, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """Return what would be decided alike: how many, the first of them, and all in which they differ."""
        if not sift_of(request.query_params).rule:
            return RedirectResponse(REVIEW, 303, NEVER)
        return await self._page(request, sift_of(request.query_params), {})

    async def decide(self, request: Request) -> Response:
        """Return the way to the one entry of a decision about all that was shown and is as it was; what is not is named there."""
        fields = await self._frame.fields(request)
        sift, reason, chosen = sift_of(fields), fields.get("reason", "").strip(), fields.get("licence", "")
        seen = number_of(fields.get("seen", ""), "entry")
        try:
            licence_uri = chosen_licence(chosen)
            shown = unpacked(fields.get("shown", ""))
            facts = {"licence": licence_uri, "reason": reason, **{f"of {name}": each for name, each in query_of(sift).items()}}
            return to_entry(await self._put(request, facts, shown, seen))
        except UsageError as error:
            again = {"wrong": words_of(error), "reason": reason, "chosen": chosen}
            return await self._page(request, sift, again, status_of(error))

    async def _put(self, request: Request, facts: Mapping[str, Any], shown: Mapping[str, str], seen: int) -> Entry:
        """Return the entry about what is as it was shown, and was not decided about by others since. Raises: UsageError."""
        for _ in range(_TRIES):
            now = await run_sync(self._frame.docket.seen)
            same = await run_sync(self._as_shown, shown, seen)
            if not same:
                raise OvertakenError("items", "all of them changed or were decided about since they were shown", "Look again.")
            left_out = [each for each in shown if each not in same]
            told = {**facts, "shown": {each: shown[each] for each in same}, **({"left_out": left_out} if left_out else {})}
            try:
                return await self._frame.put(request, Order("rule", same[0], told, tuple(same[1:])), now)
            except OvertakenError:
                continue  # somebody put another one down at this very moment: it is looked at once more
        raise OvertakenError("items", "others decide about them at this moment", "Look again in a minute.")

    def _as_shown(self, shown: Mapping[str, str], seen: int) -> list[str]:
        latest = self._frame.docket.latest(shown)
        waiting = self._rooms.register.review.waiting(list(shown))
        untouched = (each for each in shown if each not in latest or latest[each].number <= seen)
        return [each for each in untouched if each in waiting and waiting[each].token == shown[each]]

    async def _page(self, request: Request, sift: Sift, more: Mapping[str, Any], status: int = 200) -> Response:
        asked = request.query_params.get("licence", "")

        def facts() -> Mapping[str, Any]:
            seen = self._frame.docket.seen()
            review = self._rooms.register.review
            rows = review.page(sift, limit=SUBJECTS_MAX)
            if not rows:
                raise Problem(404, "Nothing that waits is of this rule, source and text any more.", "desk")
            packed_rows, packed = packable(rows)
            count = review.count(sift)
            offers = self._gate(packed_rows[0]).offers([asked, more.get("chosen", "")])
            differing, same = _texts(review.alike(sift, limit=200)["text"], count)
            return {
                "sift": sift,
                "query": query_of(sift),
                "rows": rows_of(self._frame, packed_rows[:SHOWN_ROWS]),
                "count": len(packed_rows),
                "rest": count - len(packed_rows),
                "same": same,
                "differing": differing[:_DIFFERENT_MOST],
                "differing_count": len(differing),
                "text_words": text_words([*same, *differing]),
                "reasons": sorted({row.reason for row in packed_rows})[:_DIFFERENT_MOST],
                "rule": rule_named(sift.rule),
                "offers": offers,
                "shown": packed,
                "seen": seen,
                "reason": "",
                "chosen": asked,
                "asked": asked,
                "families": families(),
                **more,
            }

        return await self._frame.page(request, "desk_alike.html", facts, status)

    def _gate(self, row: DecisionRow) -> Gate:
        object_id = object_id_of(row.subject)
        if object_id is None:
            raise Problem(404, "This cannot be decided here: it is no object's id.", "desk")
        dossier = self._rooms.register.review.dossier(row)
        return Gate(object_id, dossier, self._rooms.settings.rights, self._rooms.clock.now())


def packable(rows: Sequence[DecisionRow]) -> tuple[Sequence[DecisionRow], str]:
    """Return as many of the first rows as a form can name, and the text that names them."""
    count = len(rows)
    while True:
        text = packed({row.subject: row.token for row in rows[:count]})
        if len(text) <= PACKED_LETTERS_MOST:
            return rows[:count], text
        count = count * 3 // 4


def packed(shown: Mapping[str, str]) -> str:
    """Return by object the token of what was shown, as text for a form."""
    return urlsafe_b64encode(zlib.compress(json.dumps(list(shown.items())).encode(), 9)).decode()


def unpacked(text: str) -> dict[str, str]:
    """Return what `packed` was given. Raises: UsageError for another text."""
    try:
        undo = zlib.decompressobj()
        content = undo.decompress(urlsafe_b64decode(text.encode()), _UNPACKED_BYTES_MAX)
        pairs = json.loads(content)
        found = {str(subject): str(token) for subject, token in pairs}
    except (ValueError, TypeError, zlib.error, RecursionError) as error:
        raise UsageError("form", "it does not say what was shown", "Load the page again.") from error
    if not found or len(found) > SUBJECTS_MAX:
        raise UsageError("form", "it does not say what was shown", "Load the page again.")
    return found


def _texts(tallies: Sequence[Tally], count: int) -> tuple[list[Tally], list[Tally]]:
    """Return the texts that some of the items have, and those that all have."""
    return [each for each in tallies if each.count < count], [each for each in tallies if each.count >= count]
