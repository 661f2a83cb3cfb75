"""The desk's page of matches: what is held and the catalogue does not know, each with the recordings that it most likely is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.formats.words import differing_order, merging_order
from fonoteca.model.catalogue import Recording, Suggestion
from fonoteca.model.desk import EntryState
from fonoteca.model.errors import UsageError
from fonoteca.model.words import Word, WordKind
from fonoteca.search import HitKind
from fonoteca.serve.desk.frame import DESK, Frame, number_of, status_of, words_of
from fonoteca.serve.desk.recordings import standing
from fonoteca.serve.signing.entrance import NEVER

MATCHES = f"{DESK}/matches"
PAGE_TRACKS = 20
FOUND_MOST = 12
"""Recordings that are looked at for a track, by each of two searches."""
SHOWN_MOST = 3
"""Suggestions of a track that are shown, the likeliest."""
SCORE_LEAST = 0.01
"""What is less likely is not worth a look."""


class MatchPages:
    """The routes of matches."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._rooms = frame, frame.rooms

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route(MATCHES, self.show, methods=["GET"]), Route(MATCHES, self.put, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """Return held tracks without a known recording, and their suggestions; `after` of the query is a rank."""
        return await self._page(request, {})

    async def put(self, request: Request) -> Response:
        """Return the way back to the page, with one decided, or the page with what is wrong."""
        fields = await self._frame.fields(request)
        track, other, why = (fields.get(name, "") for name in ("track", "other", "why"))
        try:
            if fields.get("answer") == "same":
                order = merging_order(other, [track], f"a curator accepted the match: {why}")
            else:
                order = differing_order(track, other, f"a curator rejected the match: {why}")
            await self._frame.put(request, order, number_of(fields.get("seen", ""), "entry"))
        except UsageError as error:
            return await self._page(request, {"wrong": words_of(error)}, status_of(error))
        return RedirectResponse(f"{MATCHES}?after={number_of(fields.get('after', '0'), 'page')}&next=1", 303, NEVER)

    async def _page(self, request: Request, more: Mapping[str, Any], status: int = 200) -> Response:
        after = number_of(request.query_params.get("after", "0"), "page")

        def facts() -> Mapping[str, Any]:
            seen = self._frame.docket.seen()
            tracks = self._rooms.catalogue.unmatched(after, PAGE_TRACKS + 1) if self._rooms.catalogue.snapshot() else []
            words = standing(self._rooms.register)
            decided = {one for word in words if word.kind is WordKind.MERGE for one in (word.recording, *word.ids)}
            latest = self._frame.docket.latest([track.id for track in tracks])
            waits = {one for one, entry in latest.items() if entry.state is EntryState.WAITING}
            shown = [track for track in tracks[:PAGE_TRACKS] if track.id not in decided | waits]
            return {
                "tracks": [(track, self._suggested(track, words)) for track in shown],
                "decided": len(tracks[:PAGE_TRACKS]) - len(shown),
                "after": after,
                "following": tracks[PAGE_TRACKS - 1].popularity.rank if len(tracks) > PAGE_TRACKS else 0,
                "focus": "next" in request.query_params,  # after an answer one key gives the next one
                "seen": seen,
                **more,
            }

        return await self._frame.page(request, "desk_matches.html", facts, status)

    def _suggested(self, track: Recording, words: Sequence[Word]) -> list[Suggestion]:
        """Return what a held track most likely is, without what a curator said that it is not."""
        files = self._rooms.register.files_of_recording(track.id)
        isrc = next((isrc for row in files if row.stored.tags for isrc in row.stored.tags.isrcs), "")
        denied = {word.recording for word in words if word.kind is WordKind.SPLIT and track.id in word.ids}
        found: dict[str, Recording] = {}
        for asked in (f"{track.title} {track.artist}", track.title):
            for hit in self._rooms.finder.search(asked, FOUND_MOST):
                each = self._rooms.catalogue.recording(hit.id) if hit.kind is HitKind.TRACK else None
                if each is not None and each.id != track.id and each.id not in denied:
                    found[each.id] = each
        suggestions = self._rooms.catalogue.suggestions(track, isrc, list(found.values()))
        return [each for each in suggestions if each.score >= SCORE_LEAST][:SHOWN_MOST]
