"""The pages of what is held: releases, artists. Server-rendered; no script is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.model.catalogue import Coverage
from fonoteca.model.rights import Kind
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import ObjectRow
from fonoteca.serve.latest import Latest
from fonoteca.serve.locating import asked_from
from fonoteca.serve.passage import refuse_withdrawn
from fonoteca.serve.paths import object_id_of
from fonoteca.serve.playing import Playable, playables
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.views import Card, card, object_view

CARDS_MAX = 24
ARTIST_ROWS_MAX = 500


class SitePages:
    """The routes that people read."""

    def __init__(self, rooms: ServeRooms, pages: Pages, coverage: Latest[Coverage]) -> None:
        self._rooms = rooms
        self._pages = pages
        self._coverage = coverage

    def routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD."""
        readable: Mapping[str, Callable[[Request], Response]] = {
            "/": self.home,
            "/objects/{rest:rest}": self.object,
            "/artists/{rest:rest}": self.artist,
            "/releases": self.releases,
        }
        return [Route(path, endpoint) for path, endpoint in readable.items()]

    def home(self, request: Request) -> Response:
        """Return the front page: the box, what is held, and what came last."""
        facts = {
            "totals": self._rooms.register.totals(Kind.AUDIO),
            "coverage": self._coverage(),
            "cards": self._cards(request, self._rooms.register.newest(Kind.AUDIO, CARDS_MAX)),
            "words": "",
        }
        return self._page(request, "home.html", facts)

    def object(self, request: Request) -> Response:
        """Return a release's page, or an artwork's."""
        object_id = object_id_of(request.path_params["rest"])
        row = self._rooms.register.object(object_id) if object_id else None
        if object_id:
            refuse_withdrawn(self._rooms, object_id, Purpose.LISTENING)
        if row is None or row.item is None:
            raise Problem(404, "There is no such release in this archive.")
        view = object_view(asked_from(self._rooms, request), row)
        tracks = [Playable(each, view.passage, row.quarantined_at is not None) for each in view.files]
        return self._page(request, "object.html", {"view": view, "tracks": tracks})

    def artist(self, request: Request) -> Response:
        """Return what is held of an artist, by releases."""
        name = request.path_params["rest"]
        rows = self._rooms.register.objects_by_artist(name, ARTIST_ROWS_MAX)
        cards = self._cards(request, [row for row in rows if row.kind == Kind.AUDIO])
        sieve = self._rooms.register.withdrawals.sieve(Purpose.FINDING)
        files = sieve.files(self._rooms.register.files_by_artist(name, ARTIST_ROWS_MAX))
        tracks = [each for each in files if each.media_type.startswith("audio/")]
        if not cards and not tracks:
            raise Problem(404, "Nothing of an artist with this name is held here.")
        cards.sort(key=lambda each: each.row.title.casefold())
        tracks.sort(key=lambda each: (each.release.casefold(), each.object_id, each.stored.content_path))
        return self._page(
            request, "artist.html", {"name": name, "cards": cards, "tracks": playables(asked_from(self._rooms, request), tracks)}
        )

    def releases(self, request: Request) -> Response:
        """Return all releases held, a page at a time, in order of id."""
        after = object_id_of(request.query_params.get("after", ""))
        rows = self._rooms.register.objects(Kind.AUDIO, after, CARDS_MAX + 1)
        following = rows[CARDS_MAX - 1].object_id if len(rows) > CARDS_MAX else None
        cards = self._cards(request, rows[:CARDS_MAX])
        return self._page(request, "releases.html", {"cards": cards, "following": following, "first": after is None})

    def _cards(self, request: Request, rows: Sequence[ObjectRow]) -> list[Card]:
        """Return the releases of these rows that were not withdrawn."""
        sieve = self._rooms.register.withdrawals.sieve(Purpose.FINDING)
        rooms = asked_from(self._rooms, request)
        return [card(rooms, row) for row in sieve.objects(rows)]

    def _page(self, request: Request, template: str, facts: Mapping[str, Any]) -> Response:
        page = self._pages.render(request, template, facts)
        return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})
