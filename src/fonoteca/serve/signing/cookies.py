"""The two cookies: of a session, and of the forms of who has none yet. No script can read them, no other site's form sends them."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from fonoteca.people.people import SESSION_KEPT

SESSION, FORM = "fonoteca", "fonoteca-form"
_HOST = "__Host-"
"""A browser takes a cookie so named only by https, for this host and all of its paths (RFC 6265bis, section 4.1.3.2)."""

FORM_S = 3600
_PORT = re.compile(r":([0-9]{1,5})\Z")


def is_https(request: Request) -> bool:
    """Return whether the browser asked by https, as the server or a proxy that it trusts says."""
    return bool(request.scope["scheme"] == "https")


def read(request: Request, name: str) -> str:
    """Return the token of a cookie, "" where there is none."""
    return request.cookies.get(_spelt(request, name), "")


def put(request: Request, response: Response, name: str, token: str) -> None:
    """Send a cookie with an answer."""
    kept_s = int(SESSION_KEPT.total_seconds()) if name == SESSION else FORM_S
    named = _spelt(request, name)
    response.set_cookie(named, token, max_age=kept_s, path="/", secure=is_https(request), httponly=True, samesite="lax")


def drop(request: Request, response: Response, name: str) -> None:
    """Take a cookie away."""
    named = _spelt(request, name)
    response.delete_cookie(named, path="/", secure=is_https(request), httponly=True, samesite="lax")


def _spelt(request: Request, name: str) -> str:
    """Return a cookie's whole name. It has the port: browsers send cookies to all ports of a host, and an archive and its mirror on
    one machine would sign each other's visitors out.
    """
    port = _PORT.search(request.headers.get("host", ""))
    named = f"{name}-{port[1]}" if port else name
    return f"{_HOST}{named}" if is_https(request) else named
