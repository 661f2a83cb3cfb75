"""The pages on which an archive tells of itself. Server-rendered; no script is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca import __version__
from fonoteca.model.catalogue import Coverage
from fonoteca.model.rights import Kind
from fonoteca.register.soundness import COUNTED_MAX
from fonoteca.serve.curve import curve_view
from fonoteca.serve.latest import Latest
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.telling.asking import contact_of, correction, notice, subject_of
from fonoteca.serve.telling.explorer import explored
from fonoteca.serve.telling.health import HealthTold
from fonoteca.serve.views import drop_views, share_of
from fonoteca.serve.withdrawals import withdrawals_answer

DROPS_MAX = 60
"""On one page: an edition of 300 TB has some 8,000."""

_TOMBSTONES = 200
"""On one page of what was withdrawn."""


class TellingPages:
    """The routes of these pages."""

    def __init__(self, rooms: ServeRooms, pages: Pages, coverage: Latest[Coverage], picture: Latest[bytes]) -> None:
        self._rooms = rooms
        self._pages = pages
        self._coverage = coverage
        self._picture = picture
        self._told = HealthTold(rooms)

    def routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD."""
        readable: Mapping[str, Callable[[Request], Response]] = {
            "/coverage": self.coverage,
            "/coverage.png": self.coverage_picture,
            "/drops": self.drops,
            "/archive": self.health,
            "/corrections": self.corrections,
            "/withdrawals": self.withdrawals,
            "/about": self.about,
        }
        return [Route(path, endpoint) for path, endpoint in readable.items()]

    def coverage(self, request: Request) -> Response:
        """Return how much of all listening is held, and what a budget would keep: `?budget=500GB`."""
        coverage = self._coverage()
        facts: dict[str, Any] = {"coverage": coverage, "snapshot": self._rooms.catalogue.snapshot()}
        if coverage is None:
            return self._page(request, "coverage.html", facts)
        seen = explored(self._rooms, coverage, request.query_params.get("budget"))
        status = HTTPStatus.BAD_REQUEST if seen.problem else HTTPStatus.OK
        return self._page(request, "coverage.html", {**facts, "seen": seen, "curve": curve_view(coverage, seen.found)}, status)

    def coverage_picture(self, request: Request) -> Response:
        """Return the curve as PNG."""
        picture = self._picture()
        if picture is None:
            raise Problem(404, "There is no coverage to draw before a catalogue is built.")
        return Response(picture, media_type="image/png", headers={"Cache-Control": "no-cache"})

    def drops(self, request: Request) -> Response:
        """Return all that can be mirrored, and how; a page of drops at a time: `?page=2`."""
        drops = drop_views(self._rooms)
        pages = max(1, -(-len(drops) // DROPS_MAX))
        asked = request.query_params.get("page", "1")
        if not asked.isdecimal() or not asked.isascii() or not 1 <= int(asked[:9]) <= pages:
            raise Problem(404, f"There are {pages} pages of drops.")
        number = int(asked)
        coverage = self._coverage()
        facts = {
            "drops": drops[(number - 1) * DROPS_MAX : number * DROPS_MAX],
            "count": len(drops),
            "number": number,
            "pages": pages,
            "share": share_of(drops),
            "synthetic": coverage is not None and coverage.synthetic,
            "heard": coverage is not None and coverage.heard,
            "site": site_of(request),
            "edition": self._told.edition(),
        }
        return self._page(request, "drops.html", facts)

    def health(self, request: Request) -> Response:
        """Return how sound the archive is known to be, and how it stands."""
        return self._page(request, "health.html", {"view": self._told.view(), "counted_max": COUNTED_MAX})

    def corrections(self, request: Request) -> Response:
        """Return how to ask for a correction or a withdrawal: `?about=<object>&file=<path>` fills in what it is about."""
        asked = request.query_params
        subject = subject_of(self._rooms, asked.get("about", ""), asked.get("file", ""))
        contact, site = contact_of(self._rooms.settings), site_of(request)
        letters = {"correction": correction(subject, site, contact), "notice": notice(subject, site, contact)}
        return self._page(request, "corrections.html", {"subject": subject, "contact": contact, **letters})

    def about(self, request: Request) -> Response:
        """Return what this archive takes, what it never does, how it is verified, and under which licences it is."""
        snapshot = self._rooms.catalogue.snapshot()
        facts = {
            "totals": self._rooms.register.totals(Kind.AUDIO),
            "edition": self._told.edition(),
            "sources": snapshot.sources if snapshot else (),
            "version": __version__,
            "contact": contact_of(self._rooms.settings),
            "harvest": self._rooms.settings.oai.is_on,
        }
        return self._page(request, "about.html", facts)

    def withdrawals(self, request: Request) -> Response:
        """Return what was withdrawn, with counts: a page, or JSON for those who ask for that."""
        found = withdrawals_answer(self._rooms, _TOMBSTONES, request.query_params.get("after", ""))
        return self._pages.negotiated(request, "withdrawals.html", found)

    def _page(self, request: Request, template: str, facts: Mapping[str, Any], status: int = 200) -> Response:
        page = self._pages.render(request, template, facts)
        return Response(page, status, media_type="text/html", headers={"Cache-Control": "no-cache"})


def site_of(request: Request) -> str:
    """Return the address of this site as the request has it, without a slash at its end."""
    return str(request.base_url).rstrip("/")
