"""The pages: search, releases, artists, coverage, drops, and what this archive is. Server-rendered; no script is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from fonoteca.model.catalogue import Coverage
from fonoteca.model.rights import Kind
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import ObjectRow
from fonoteca.serve.curve import curve_view
from fonoteca.serve.finding import WORDS_CHARACTERS_MAX, find
from fonoteca.serve.latest import Latest
from fonoteca.serve.passage import refuse_withdrawn
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.views import Card, card, drop_views, object_view, share_of
from fonoteca.serve.withdrawals import withdrawals_answer

CARDS_MAX = 24
FOUND_MAX = 20
"""Of tracks, artists and releases each."""
ARTIST_ROWS_MAX = 500


class SitePages:
    """The routes that people read."""

    def __init__(self, rooms: ServeRooms, pages: Pages, coverage: Latest[Coverage], picture: Latest[bytes]) -> None:
        self._rooms = rooms
        self._pages = pages
        self._coverage = coverage
        self._picture = picture

    def routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD."""
        readable: Mapping[str, Callable[[Request], Response]] = {
            "/": self.home,
            "/search": self.search,
            "/objects/{rest:rest}": self.object,
            "/artists/{rest:rest}": self.artist,
            "/releases": self.releases,
            "/coverage": self.coverage,
            "/coverage.png": self.coverage_picture,
            "/drops": self.drops,
            "/withdrawals": self.withdrawals,
            "/about": self.about,
        }
        return [Route(path, endpoint) for path, endpoint in readable.items()]

    def home(self, request: Request) -> Response:
        """Return the front page: the box, what is held, and what came last."""
        facts = {
            "totals": self._rooms.register.totals(Kind.AUDIO),
            "coverage": self._coverage(),
            "cards": self._cards(self._rooms.register.newest(Kind.AUDIO, CARDS_MAX)),
            "words": "",
        }
        return self._page(request, "home.html", facts)

    def search(self, request: Request) -> Response:
        """Return what was found, in three lists; the front page's box stays on top."""
        words = request.query_params.get("q", "").strip()
        if not words:
            return RedirectResponse("/", 303)
        if len(words) > WORDS_CHARACTERS_MAX:
            raise Problem(400, f"Search for at most {WORDS_CHARACTERS_MAX} characters; these were {len(words):,}.", "usage")
        found = find(self._rooms, words, FOUND_MAX)
        indexed = self._rooms.finder.current() is not None
        return self._page(request, "search.html", {"words": words, "found": found, "indexed": indexed})

    def object(self, request: Request) -> Response:
        """Return a release's page, or an artwork's."""
        object_id = object_id_of(request.path_params["rest"])
        row = self._rooms.register.object(object_id) if object_id else None
        if object_id:
            refuse_withdrawn(self._rooms, object_id, Purpose.LISTENING)
        if row is None or row.item is None:
            raise Problem(404, "There is no such release in this archive.")
        return self._page(request, "object.html", {"view": object_view(self._rooms, row)})

    def artist(self, request: Request) -> Response:
        """Return what is held of an artist, by releases."""
        name = request.path_params["rest"]
        rows = self._rooms.register.objects_by_artist(name, ARTIST_ROWS_MAX)
        cards = self._cards([row for row in rows if row.kind == Kind.AUDIO])
        sieve = self._rooms.register.withdrawals.sieve(Purpose.FINDING)
        tracks = sieve.files(self._rooms.register.files_by_artist(name, ARTIST_ROWS_MAX))
        if not cards and not tracks:
            raise Problem(404, "Nothing of an artist with this name is held here.")
        cards.sort(key=lambda each: each.row.title.casefold())
        tracks.sort(key=lambda each: (each.release.casefold(), each.object_id, each.stored.content_path))
        return self._page(request, "artist.html", {"name": name, "cards": cards, "tracks": tracks})

    def releases(self, request: Request) -> Response:
        """Return all releases held, a page at a time, in order of id."""
        after = object_id_of(request.query_params.get("after", ""))
        rows = self._rooms.register.objects(Kind.AUDIO, after, CARDS_MAX + 1)
        following = rows[CARDS_MAX - 1].object_id if len(rows) > CARDS_MAX else None
        cards = self._cards(rows[:CARDS_MAX])
        return self._page(request, "releases.html", {"cards": cards, "following": following, "first": after is None})

    def coverage(self, request: Request) -> Response:
        """Return how much of all listening is held, with the curve."""
        coverage = self._coverage()
        view = curve_view(coverage) if coverage else None
        return self._page(
            request, "coverage.html", {"coverage": coverage, "curve": view, "snapshot": self._rooms.catalogue.snapshot()}
        )

    def coverage_picture(self, request: Request) -> Response:
        """Return the curve as PNG."""
        picture = self._picture()
        if picture is None:
            raise Problem(404, "There is no coverage to draw before a catalogue is built.")
        return Response(picture, media_type="image/png", headers={"Cache-Control": "no-cache"})

    def drops(self, request: Request) -> Response:
        """Return all that can be mirrored, and how."""
        drops = drop_views(self._rooms)
        coverage = self._coverage()
        facts = {
            "drops": drops,
            "share": share_of(drops),
            "synthetic": coverage is not None and coverage.synthetic,
            "heard": coverage is not None and coverage.heard,
            "site": str(request.base_url).rstrip("/"),
        }
        return self._page(request, "drops.html", facts)

    def about(self, request: Request) -> Response:
        """Return what this archive takes, what it never does, and how to ask for a correction."""
        return self._page(request, "about.html", {"totals": self._rooms.register.totals(Kind.AUDIO)})

    def withdrawals(self, request: Request) -> Response:
        """Return what was withdrawn, with counts: a page, or JSON for those who ask for that."""
        found = withdrawals_answer(self._rooms)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(asdict(found), headers={"Cache-Control": "no-cache", "Vary": "Accept"})
        return self._page(request, "withdrawals.html", {"found": found})

    def _cards(self, rows: Sequence[ObjectRow]) -> list[Card]:
        """Return the releases of these rows that were not withdrawn."""
        sieve = self._rooms.register.withdrawals.sieve(Purpose.FINDING)
        return [card(self._rooms, row) for row in sieve.objects(rows)]

    def _page(self, request: Request, template: str, facts: Mapping[str, Any]) -> Response:
        page = self._pages.render(request, template, facts)
        return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})
