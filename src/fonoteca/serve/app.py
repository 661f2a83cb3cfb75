"""The site as an ASGI application."""

from __future__ import annotations

from http import HTTPStatus
from importlib import resources
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from fonoteca import __version__
from fonoteca.model.errors import FonotecaError
from fonoteca.serve.api import api_router
from fonoteca.serve.delivery import FILE_POLICY
from fonoteca.serve.desk.routes import desk_routes
from fonoteca.serve.files import Files
from fonoteca.serve.latest import Latest
from fonoteca.serve.locating import Locating
from fonoteca.serve.notices.routes import notice_routes
from fonoteca.serve.oai import Oai
from fonoteca.serve.pages import SitePages
from fonoteca.serve.problems import DescribedApi, ProblemAnswers
from fonoteca.serve.rendering import Pages
from fonoteca.serve.renditions import Renditions
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.searching import SearchPage, search_router
from fonoteca.serve.signing.gate import Gate
from fonoteca.serve.signing.routes import signing_routes
from fonoteca.serve.signing.schemes import api_security
from fonoteca.serve.subsonic import Subsonic
from fonoteca.serve.subsonic.listeners import AccountListeners
from fonoteca.serve.tags import EntityTags
from fonoteca.serve.telling import TellingPages
from fonoteca.serve.telling.answers import telling_router
from fonoteca.serve.trace import TracePages
from fonoteca.serve.tracks import TrackPages
from fonoteca.serve.watching.accesses import AccessLog, lasting
from fonoteca.serve.watching.meters import Meters
from fonoteca.serve.watching.routes import watching_routes
from fonoteca.serve.watching.watch import Watch
from fonoteca.serve.waveforms import Waveforms

_PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FILE_PATHS = ("/files/", "/listen/", "/editions/", "/webseed/")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # by `no-referrer` the site's own forms would not say where they come from
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(rooms: ServeRooms) -> FastAPI:
    """Return the site: pages, JSON API, files, published editions and web seeds. It holds no state but what can be lost."""
    meters = Meters(rooms)
    kept_days = rooms.settings.people.accesses_kept_days
    accesses = AccessLog(rooms.people.accesses, kept_days, meters.events.inc, meters.lost.inc)
    app = DescribedApi(
        title=f"{rooms.settings.title}: API",
        summary="Search, coverage and drops of a music archive that anyone may mirror.",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        **api_security(open_to_all=rooms.settings.server.anonymous),
        lifespan=lasting(accesses, rooms.people.notices.expire),
    )
    pages = Pages(rooms)
    coverage = Latest(rooms.catalogue, rooms.catalogue.coverage)
    picture = Latest(rooms.catalogue, lambda: rooms.coverage_png(rooms.catalogue.coverage()))
    app.include_router(search_router(rooms))
    app.include_router(api_router(rooms, coverage))
    app.include_router(telling_router(rooms, coverage))
    renditions = Renditions(rooms, meters.renditions.inc)
    listeners = AccountListeners(rooms.people, open_to_all=rooms.settings.server.anonymous)
    app.router.routes.extend(
        [
            *(*Files(rooms).routes(), *renditions.routes(), *Subsonic(rooms, renditions, listeners).routes()),
            *(*signing_routes(rooms, pages), *notice_routes(rooms, pages), *desk_routes(rooms, pages)),
            *watching_routes(rooms, meters),
            *(*Oai(rooms).routes(), *SitePages(rooms, pages, coverage).routes()),
            *SearchPage(rooms, pages, coverage).routes(),
            *TellingPages(rooms, pages, coverage, picture).routes(),
            *(*TrackPages(rooms, pages).routes(), *TracePages(rooms, pages).routes(), *Waveforms(rooms).routes()),
        ]
    )
    static = Path(str(resources.files("fonoteca.serve").joinpath("static")))
    app.mount("/static", StaticFiles(directory=static))
    answers = ProblemAnswers(pages)
    app.add_exception_handler(HTTPException, answers.on_http)
    app.add_exception_handler(RequestValidationError, answers.on_invalid)
    app.add_exception_handler(FonotecaError, answers.on_fonoteca)
    app.add_exception_handler(Exception, answers.on_bug)
    app.add_middleware(EntityTags)
    app.add_middleware(Gate, people=rooms.people, answers=answers, open_to_all=rooms.settings.server.anonymous)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Watch, clock=rooms.clock, meters=meters, accesses=accesses, routes=app.router.routes)
    if rooms.settings.server.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(rooms.settings.server.proxies))
    app.add_middleware(Locating, server=rooms.settings.server)
    return app


class SafeHeaders:
    """Adds to every answer what keeps a browser from trusting it too far."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and the answer back with its headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_file = scope["path"].startswith(_FILE_PATHS)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                # Of what lies at a file's address only refusals are pages of ours, whatever type the file claims.
                page = not is_file or message["status"] >= HTTPStatus.BAD_REQUEST
                headers.setdefault("Content-Security-Policy", _PAGE_POLICY if page else FILE_POLICY)
            await send(message)

        await self._app(scope, receive, send_safely)
