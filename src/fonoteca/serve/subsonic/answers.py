"""Answers of the protocol: one document, told as JSON, JSONP or XML, and the errors that it knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import Response

from fonoteca import __version__

PROTOCOL = "1.16.1"
"""The last version of the protocol that Subsonic made; OpenSubsonic adds to it by extensions."""

NAMESPACE = "http://subsonic.org/restapi"

OPEN_TO_ALL = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
"""Players that are web pages come from other origins. Nothing here is let in by a cookie, so that none can be misused."""

_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]{0,127}")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document can hold, however they are written: one in a tag makes players drop the whole answer."""

Noun = dict[str, Any]


class Code(IntEnum):
    """The protocol's errors."""

    GENERIC = 0
    MISSING = 10
    CLIENT_OLD = 20
    SERVER_OLD = 30
    WRONG = 40
    NO_TOKENS = 41
    MECHANISM = 42
    CONFLICT = 43
    WRONG_KEY = 44
    FORBIDDEN = 50
    TRIAL = 60
    NOT_FOUND = 70


class CallError(Exception):
    """An answer other than the one asked for. status: of HTTP, where it is not a document that was asked for, but bytes."""

    def __init__(self, code: Code, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def answer(body: Noun, told: Mapping[str, str], status: int = 200) -> Response:
    """Return a document as the request's `f` and `callback` want it, XML where they say nothing."""
    head = {"status": "ok", "version": PROTOCOL, "type": "fonoteca", "serverVersion": __version__, "openSubsonic": True}
    return _told({**head, **body}, told, status)


def failure(failed: CallError, told: Mapping[str, str]) -> Response:
    """Return the document of an error."""
    body = {"status": "failed", "error": {"code": int(failed.code), "message": failed.message}}
    return answer(body, told, failed.status)


def _told(document: Noun, told: Mapping[str, str], status: int) -> Response:
    form = told.get("f", "xml")
    if form in ("json", "jsonp"):
        text = json.dumps({"subsonic-response": document}, ensure_ascii=False, separators=(",", ":"))
        body = text.encode("utf-8", "replace")
        if form == "json":
            return Response(body, status, OPEN_TO_ALL, media_type="application/json")
        callback = told.get("callback", "")
        if not _CALLBACK.fullmatch(callback):
            return failure(CallError(Code.MISSING, "callback: expected the name of a function, for f=jsonp"), {"f": "json"})
        # The comment keeps what follows from being taken for anything but script.
        return Response(b"/**/" + callback.encode() + b"(" + body + b");", status, OPEN_TO_ALL, media_type="application/javascript")
    xml = "".join(['<?xml version="1.0" encoding="UTF-8"?>\n', *_element("subsonic-response", {"xmlns": NAMESPACE, **document})])
    return Response(xml.encode("utf-8", "replace"), status, OPEN_TO_ALL, media_type="application/xml")


def _element(name: str, value: Any) -> Iterator[str]:
    """Yield an element: plain members of a noun are attributes, `value` is its text, nouns and lists are below it."""
    if not isinstance(value, Mapping):
        yield f"<{name}>{_text(value)}</{name}>"
        return
    yield f"<{name}"
    below: list[tuple[str, Any]] = []
    for key, each in value.items():
        if isinstance(each, Mapping) or (isinstance(each, Sequence) and not isinstance(each, str)):
            below.append((key, each))
        elif key != "value":
            yield f" {key}={quoteattr(_NOT_XML.sub('�', _plain(each)))}"
    if not below and "value" not in value:
        yield "/>"
        return
    yield ">"
    if "value" in value:
        yield _text(value["value"])
    for key, each in below:
        for one in [each] if isinstance(each, Mapping) else each:
            yield from _element(key, one)
    yield f"</{name}>"


def _text(value: Any) -> str:
    return escape(_NOT_XML.sub("�", _plain(value)))


def _plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
