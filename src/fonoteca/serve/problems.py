"""When something is not as asked: a page for people, problem+json (RFC 9457) for programs. Nothing of the inside is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from fonoteca.model.errors import BlobMissing, FixityError, FonotecaError, OvertakenError, UsageError
from fonoteca.serve.rendering import Pages

log = logging.getLogger("fonoteca.serve")

_TITLES: Mapping[int, str] = {
    400: "That was not understood",
    401: "Sign in",
    403: "Kept, not shared",
    404: "Not here",
    405: "Not that way",
    409: "Somebody else was first",
    410: "Withdrawn",
    413: "Too long",
    415: "Not in that form",
    422: "That was not understood",
    451: "Not available for legal reasons",
    500: "Something broke here",
    503: "Not now",
}

_TITLES_OF_CODES: Mapping[str, str] = {
    "csrf": "Not from this page",
    "role": "Not with this account",
    "key": "Not by a key",
    "setup": "Good no more",
}

_WORDS: Mapping[int, str] = {
    404: "There is no such page, object or file in this archive.",
    405: "This address can be read, and nothing else.",
    500: "It is our fault, not yours, and it has been written down.",
}

AGAIN = {"Retry-After": "30"}
"""With an answer that may be another one soon: a database or store that goes away is mostly being started anew."""

PROBLEM = "fonoteca.problem"
"""The key of an ASGI scope under which the code of a refusal is told to who watches."""

PATH_LETTERS_MAX = 500
"""Of a path in a line of the log."""

PROGRAM_PATHS = ("/api/", "/health", "/metrics", "/oai", "/ready")
"""Addresses that programs read; all others are for people."""


_DOCUMENT = {
    "type": "object",
    "description": "Why there is no answer (RFC 9457). detail: in words. code: a kind of problem. instance: the path asked for.",
    "properties": {
        **{key: {"type": "string"} for key in ("type", "title", "detail", "instance", "code")},
        "status": {"type": "integer"},
    },
    "required": ["type", "title", "status", "detail", "instance"],
}
_REFUSALS = (400, 404, 405, 422, 503)


class DescribedApi(FastAPI):
    """An application whose description says of every refusal that it is a problem document, as `ProblemAnswers` sends it."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Problem"] = _DOCUMENT
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for operations in document["paths"].values():
            for answers in (operation["responses"] for operation in operations.values()):
                for status in _REFUSALS:
                    answers[str(status)] = {"description": _TITLES[status], "content": content}
                answers.get("401", {})["content"] = content
                answers["304"] = {"description": "As the client has it."}
        return document


class Problem(HTTPException):
    """An answer other than the one asked for. detail: why, in words that a stranger may read."""

    def __init__(self, status: int, detail: str, code: str = "") -> None:
        super().__init__(status, detail)
        self.code = code


def is_damage(error: FonotecaError) -> bool:
    """Whether an error is of one file, which waits to be healed, and not of the archive."""
    return isinstance(error, FixityError | BlobMissing)


def reason_of(error: FonotecaError) -> str:
    """Return why the archive does not answer, in words that a stranger may read."""
    if isinstance(error, FixityError):
        return "This copy is damaged. It is not served until it is healed."
    if isinstance(error, BlobMissing):
        return "This copy is missing. It is not served until it is healed."
    return "The archive cannot answer at the moment. Try again in a minute."


class ProblemAnswers:
    """Turns exceptions into answers."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def on_http(self, request: Request, error: Exception) -> Response:
        """Return the answer to an unknown path, a wrong method, or a `Problem`."""
        assert isinstance(error, HTTPException)
        detail = error.detail
        if not isinstance(error, Problem):
            detail = _WORDS.get(error.status_code, HTTPStatus(error.status_code).phrase)
        return self._answer(request, error.status_code, detail, getattr(error, "code", ""), error.headers)

    def on_invalid(self, request: Request, error: Exception) -> Response:
        """Return the answer to parameters that are not as the API describes them."""
        assert isinstance(error, RequestValidationError)
        said = [f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in error.errors()]
        return self._answer(request, 422, "; ".join(said), "usage")

    def on_fonoteca(self, request: Request, error: Exception) -> Response:
        """Return the answer to an error of the archive: 404, 400 or 503. Its subject and cause are logged, not shown."""
        assert isinstance(error, FonotecaError)
        if isinstance(error, OvertakenError):
            return self._answer(request, 409, f"{error.problem}. {error.remedy}", error.code)
        if isinstance(error, UsageError):
            return self._answer(request, 400, error.problem, error.code)
        log.error("%s %s: %s", request.method, request.url.path[:PATH_LETTERS_MAX], error)
        return self._answer(request, 503, reason_of(error), error.code, None if is_damage(error) else AGAIN)

    def on_bug(self, request: Request, error: Exception) -> Response:
        """Return the answer to an exception that nobody expected; the server logs it with its trace."""
        return self._answer(request, 500, _WORDS[500], "bug")

    def _answer(self, request: Request, status: int, detail: str, code: str, headers: Mapping[str, str] | None = None) -> Response:
        request.scope[PROBLEM] = code or str(status)
        title = _TITLES_OF_CODES.get(code) or _TITLES.get(status, HTTPStatus(status).phrase)
        if request.url.path.startswith(PROGRAM_PATHS):
            document = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.url.path}
            if code:
                document["code"] = code
            body = json.dumps(document, ensure_ascii=False)
            return Response(body, status, headers, media_type="application/problem+json")
        page = self._pages.render(request, "problem.html", {"title": title, "status": status, "detail": detail, "code": code})
        return Response(page, status, headers, media_type="text/html")
