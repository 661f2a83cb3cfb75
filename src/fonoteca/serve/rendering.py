"""Templates, and what they need to show numbers, dates and addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fonoteca.formats.quantities import show_bytes, show_duration, show_share
from fonoteca.people import Account, Role
from fonoteca.serve.covers import drawn_cover
from fonoteca.serve.desk.texts import plain_text
from fonoteca.serve.paths import (
    artist_url,
    ask_url,
    cover_url,
    file_url,
    known_release_url,
    listen_url,
    object_url,
    recording_url,
    review_url,
    trace_url,
    track_anchor,
    track_url,
    waveform_url,
)
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.who import csrf_of_request, signed_in

_VEGA = ("vega/vega.min.js", "vega/vega-lite.min.js", "vega/vega-interpreter.js")
_STYLES = ("fonoteca.css", "telling.css", "accounts.css", "desk.css", "player.css", "search.css", "plain.css")
_STATIC = (*_STYLES, *_VEGA, "copying.js", "desk.js", "explorer.js", "player.js", "browse.js", "mark.svg")

_NEGOTIATED = {"Cache-Control": "no-cache", "Vary": "Accept"}
"""Headers of what is a page or JSON, as the visitor asks."""


class Pages:
    """Renders pages. Everything that comes from files, tags or people is escaped."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._has_desk = rooms.desk is not None
        self._environment = Environment(
            loader=PackageLoader("fonoteca.serve"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            amount=show_bytes,
            count=show_count,
            date=show_date,
            duration=show_duration,
            hours=show_hours,
            open_text=plain_text,
            share=show_share,
            web=web_address,
        )
        self._environment.globals.update(
            archive=rooms.settings,
            artist_url=artist_url,
            ask_url=ask_url,
            cover_url=cover_url,
            drawn_cover=drawn_cover,
            file_url=file_url,
            known_release_url=known_release_url,
            listen_url=listen_url,
            object_url=object_url,
            recording_url=recording_url,
            review_url=review_url,
            trace_url=trace_url,
            static=_static_urls(),
            track_anchor=track_anchor,
            track_url=track_url,
            waveform_url=waveform_url,
        )

    def render(self, request: Request, template: str, facts: Mapping[str, Any]) -> str:
        """Return a page. facts: what its template names."""
        account = signed_in(request)
        who = {"account": account, "csrf": csrf_of_request(request), "has_desk": self._has_desk and _curates(account)}
        return self._environment.get_template(template).render(path=request.url.path, **who, **facts)

    def negotiated(self, request: Request, template: str, found: Any) -> Response:
        """Return a dataclass as a page, whose template names it `found`, or as JSON for those who ask for that."""
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(asdict(found), headers=_NEGOTIATED)
        return Response(self.render(request, template, {"found": found}), media_type="text/html", headers=_NEGOTIATED)


def _curates(account: Account | None) -> bool:
    return account is not None and account.role.covers(Role.CURATOR)


def _static_urls() -> dict[str, str]:
    """Return the address of each static file, which changes with its content, so that it may be cached for good."""
    urls = {}
    for name in _STATIC:
        content = resources.files("fonoteca.serve").joinpath("static", name).read_bytes()
        urls[name] = f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
    return urls


def show_count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 track`, `12,345 tracks`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def show_date(moment: datetime | None) -> str:
    """Return a day as people of all countries read it, `2026-01-31`; `never` for None."""
    return "never" if moment is None else moment.date().isoformat()


def show_hours(duration_ms: int) -> str:
    """Return a long duration in words: `12 s`, `41 min`, `2 h 6 min`, `1,234 h`."""
    minutes = round(duration_ms / 60_000)
    if duration_ms < 60_000:
        return f"{-(-duration_ms // 1000)} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 6000 else f"{minutes // 60:,} h"


def web_address(uri: str) -> str:
    """Return an address that may be linked, "" for any that is not http or https: sources may name anything."""
    return uri if uri.startswith(("https://", "http://")) else ""
