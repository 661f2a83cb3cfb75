"""Forms that change something: read once, within bounds, and only from this site's own pages."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from fonoteca.serve.problems import Problem

FORM_BYTES_MAX = 1 << 16
FIELDS_MAX = 100
FORM_TYPE = "application/x-www-form-urlencoded"
UPLOAD_TYPE = "multipart/form-data"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"

_FOREIGN = "This form came from another site, or the proxy in front of this one hides its name: it has to pass `Host` on."
_STALE = "This form is too old, or the browser keeps no cookies. Go back, load the page again, and send it once more."


def check_origin(request: Request) -> None:
    """Raise Problem, 403, for a request that another site's page made.

    A browser says so by `Sec-Fetch-Site`, an older one by `Origin`, which is held against the host asked for. What says
    neither comes from no page.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if foreign:
        raise Problem(403, _FOREIGN, "csrf")


def check_token(sent: str, expected: str) -> None:
    """Raise Problem, 403, for a form without the token that its page had."""
    if not expected or not hmac.compare_digest(sent.encode("utf-8", "replace"), expected.encode()):
        raise Problem(403, _STALE, "csrf")


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, the first of each name. Raises: Problem for what is none, or too long."""
    if not is_form(request):
        raise Problem(415, f"Send a form, as {FORM_TYPE}.", "usage")
    return fields_of(await read_body(request))


def is_form(request: Request) -> bool:
    """Return whether a request says that it brings a form."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == FORM_TYPE


def is_upload(request: Request) -> bool:
    """Return whether a request says that it brings files."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == UPLOAD_TYPE


async def read_body(request: Request) -> bytes:
    """Return what a request brings. Raises: Problem, 413, for more than FORM_BYTES_MAX."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise Problem(413, f"The form is longer than {FORM_BYTES_MAX:,} bytes.", "usage")
    return bytes(body)


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form's bytes. Raises: Problem, 400, for what is no form."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Problem(400, "The form could not be read.", "usage") from error
    return dict(reversed(pairs))
