"""Answers of the protocol: one document, told as JSON, JSONP or XML, and the errors that it knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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

_TO_ESCAPE = re.compile("[^\u0020!\u0023-%\u0027-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What cannot stand in an attribute or a text as it is: marks of XML, white space but blanks, and what is above."""

Noun = dict[str, Any]
"""Of texts, numbers, nouns and lists: `dict` and `list` themselves, which the writer of XML looks for."""


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
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _write(parts, "subsonic-response", {"xmlns": NAMESPACE, **document})
    return Response("".join(parts).encode("utf-8", "replace"), status, OPEN_TO_ALL, media_type="application/xml")


def _write(parts: list[str], name: str, value: Any) -> None:
    """Add an element: plain members of a noun are attributes, `value` is its text, nouns and lists are below it."""
    if type(value) is not dict:
        parts.append(f"<{name}>{_text(value)}</{name}>")
        return
    parts.append(f"<{name}")
    below: list[tuple[str, Any]] = []
    for key, each in value.items():
        kind = type(each)
        if kind is dict or kind is list:
            below.append((key, each))
        elif key != "value":
            parts.append(f" {key}={_attribute(each)}")
    if not below and "value" not in value:
        parts.append("/>")
        return
    parts.append(">")
    if "value" in value:
        parts.append(_text(value["value"]))
    for key, each in below:
        for one in each if type(each) is list else (each,):
            _write(parts, key, one)
    parts.append(f"</{name}>")


def _attribute(value: Any) -> str:
    text = _plain(value)
    return quoteattr(_NOT_XML.sub("�", text)) if _TO_ESCAPE.search(text) else f'"{text}"'


def _text(value: Any) -> str:
    text = _plain(value)
    return escape(_NOT_XML.sub("�", text)) if _TO_ESCAPE.search(text) else text


def _plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
