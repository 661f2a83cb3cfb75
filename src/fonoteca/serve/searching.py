"""Search: its page, and what programs ask. Both read the same words, and neither finds what was withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.catalogue import Coverage
from fonoteca.search import Facets
from fonoteca.serve.finding import Found, FoundHit, find
from fonoteca.serve.latest import Latest
from fonoteca.serve.locating import asked_from
from fonoteca.serve.narrowing import (
    DECADES,
    HELD_NAMES,
    KIND_NAMES,
    LICENCE_NAMES,
    WORDS_CHARACTERS_MAX,
    Narrowed,
    read_narrowed,
)
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms

FOUND_MAX = 20
"""On one page."""
LIMIT_MAX = 100
AFTER_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class HitAnswer:
    """Something found. kind: track, artist or release. page: its address here. cover: of its picture, null for none.

    held: whether any of it is kept here. licence: of what is, in words. share: of all listening, 0 to 1.
    playable: whether it is a track that can be heard here now.
    """

    kind: str
    id: str
    title: str
    artist: str
    release: str
    held: bool
    share: float
    page: str
    cover: str | None
    licence: str | None
    playable: bool


@dataclass(frozen=True, slots=True)
class FacetsAnswer:
    """How many match exactly: by kind, by the first year of a decade, by licence, by whether held. whole: all were counted, and
    not only the most heard.
    """

    kinds: dict[str, int]
    decades: dict[str, int]
    licences: dict[str, int]
    held: dict[str, int]
    whole: bool


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, the best first. next: the `after` of the next ones, null at the end. A page may be short, where some were withdrawn.

    near: for each word that nothing found has, those taken for it, none where it was left out. facets: null unless asked for.
    """

    hits: list[HitAnswer]
    next: str | None
    near: dict[str, list[str]]
    facets: FacetsAnswer | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that narrows a search down, or the one that does. count: how many it leaves, None where that is not known."""

    words: str
    url: str
    count: int | None
    chosen: bool = False


class SearchPage:
    """The page on which one searches."""

    def __init__(self, rooms: ServeRooms, pages: Pages, coverage: Latest[Coverage]) -> None:
        self._rooms = rooms
        self._pages = pages
        self._coverage = coverage

    def routes(self) -> list[Route]:
        """Return the route, for GET and HEAD."""
        return [Route("/search", self.search)]

    def search(self, request: Request) -> Response:
        """Return what was found, and how it can be narrowed down; with `facets=no` without that, as while one types."""
        asked = read_narrowed(request.query_params)
        if not asked.text:
            return RedirectResponse("/", 303)
        if max(len(asked.q), len(asked.artist)) > WORDS_CHARACTERS_MAX:
            count = max(len(asked.q), len(asked.artist))
            raise Problem(400, f"Search for at most {WORDS_CHARACTERS_MAX} characters; these were {count:,}.", "usage")
        after = request.query_params.get("after", "")
        found = find(asked_from(self._rooms, request), asked, FOUND_MAX, after)
        indexed = self._rooms.finder.current() is not None
        counts = self._rooms.finder.facets(asked.text) if indexed and request.query_params.get("facets") != "no" else None
        if counts is not None and sum(counts.kinds.values()) < len(found.hits):
            counts = None  # of what matches exactly: here something near to it was found
        coverage = self._coverage()
        facts = {
            "asked": asked,
            "words": asked.q,
            "found": found,
            "indexed": indexed,
            "first": not after,
            "more": asked.url(after=found.after) if found.after else "",
            "tabs": tabs_of(asked, counts),
            "choices": choices_of(asked, counts),
            "counted": _counted(found, counts),
            "synthetic": coverage is not None and coverage.synthetic,
            "heard": coverage is not None and coverage.heard,
            "options": {"kind": KIND_NAMES, "held": HELD_NAMES, "licence": LICENCE_NAMES, "decade": _DECADE_NAMES},
        }
        page = self._pages.render(request, "search.html", facts)
        return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})


def search_router(rooms: ServeRooms) -> APIRouter:
    """Return the route of the API that searches."""
    router = APIRouter()

    @router.get("/api/search", summary="Tracks, artists and releases for what a person typed")
    def search(
        request: Request,
        q: Annotated[
            str,
            Query(
                min_length=1,
                max_length=WORDS_CHARACTERS_MAX,
                description='Words as one types them, the last perhaps only begun; `"a phrase"`; filters: `artist:`, `title:`, '
                "`album:`, `kind:track`, `held:yes`, `year:1990..1999`, `licence:by-sa`, `isrc:`.",
                examples=['kind:track held:yes "love song"'],
            ),
        ],
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="At most so many hits.")] = 20,
        after: Annotated[
            str, Query(max_length=AFTER_CHARACTERS_MAX, description="The `next` of the answer before; none for the first.")
        ] = "",
        *,
        facets: Annotated[bool, Query(description="Whether to count what matches, by kind, decade, licence and held.")] = False,
    ) -> SearchAnswer:
        asked = Narrowed(q=q)
        found = find(asked_from(rooms, request), asked, limit, after)
        counted = rooms.finder.facets(asked.text) if facets and rooms.finder.current() is not None else None
        near = {each.word: [word for word, _ in each.near] for each in found.unspelled}
        return SearchAnswer([_hit_answer(hit) for hit in found.hits], found.after or None, near, _facets_answer(counted))

    return router


_DECADE_NAMES = {decade: f"{decade}s" for decade in DECADES}


def tabs_of(asked: Narrowed, counts: Facets | None) -> list[Choice]:
    """Return the kinds to choose among, all of them first."""
    numbers = counts.kinds if counts else {}
    whole = sum(numbers.values()) if numbers and not asked.kind else None
    each = [Choice(name, asked.url(kind=kind), numbers.get(kind), asked.kind == kind) for kind, name in KIND_NAMES.items()]
    return [Choice("All", asked.url(kind=""), whole, not asked.kind), *each]


def choices_of(asked: Narrowed, counts: Facets | None) -> dict[str, list[Choice]]:
    """Return what else narrows a search down and leaves something, under headings. Where one is chosen, it alone."""
    if counts is None:
        return {}
    told = {
        "Here": ("held", {key: counts.held.get(key, 0) for key in HELD_NAMES}, HELD_NAMES),
        "Decade": ("decade", {str(key): count for key, count in counts.decades.items()}, _DECADE_NAMES),
        "Licence": ("licence", counts.licences, LICENCE_NAMES),
    }
    found: dict[str, list[Choice]] = {}
    for heading, (name, numbers, names) in told.items():
        if getattr(asked, name):
            continue
        choices = [Choice(names[key], asked.url(**{name: key}), count) for key, count in numbers.items() if count and key in names]
        if len(choices) > 1:
            found[heading] = choices
    return found


def _counted(found: Found, counts: Facets | None) -> str:
    """Return how many there are, in words, as far as it is known."""
    shown = len(found.hits)
    matching = sum(counts.kinds.values()) if counts else 0
    if counts is None:
        return f"{shown:,} {'or more' if found.after else 'found'}" if shown else ""
    return f"{matching:,} found" if counts.whole else f"More than {matching:,} found"


def _hit_answer(hit: FoundHit) -> HitAnswer:
    return HitAnswer(
        kind=hit.kind.value,
        id=hit.id,
        title=hit.title,
        artist=hit.artist,
        release=hit.release,
        held=hit.held,
        share=hit.share,
        page=hit.page,
        cover=hit.cover or None,
        licence=hit.licence or None,
        playable=hit.playable is not None,
    )


def _facets_answer(counts: Facets | None) -> FacetsAnswer | None:
    if counts is None:
        return None
    decades = {str(decade): count for decade, count in counts.decades.items()}
    return FacetsAnswer(dict(counts.kinds), decades, dict(counts.licences), dict(counts.held), counts.whole)
