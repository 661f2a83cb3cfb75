"""Resumption tokens: all that the next page needs, so that any process of any machine can give it.

A token says nothing that its harvester does not know, and opens nothing that is not listed for everyone: it carries a checksum
against damage and mistakes, and no secret.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.model.errors import FormatError
from fonoteca.model.ids import ObjectId
from fonoteca.serve.oai.asking import Code, OaiError, Verb

TOKEN_DAYS = 7
"""For so long a harvest may rest between two pages."""

_CHECKSUM_BYTES = 8
_COUNT_MAX = 2**53
_FIELDS = ("verb", "prefix", "set", "from", "before", "at", "object", "cursor", "size", "expires")


@dataclass(frozen=True, slots=True)
class Token:
    """Where a list goes on. since, before: its bounds. changed_at, object_id: the last row given. cursor: how many came before
    the page that it asks for. size: of the list as the first page counted it.
    """

    verb: Verb
    prefix: str
    set_spec: str
    since: datetime | None
    before: datetime | None
    changed_at: datetime
    object_id: ObjectId
    cursor: int
    size: int
    expires_at: datetime


def expiry(now: datetime) -> datetime:
    """Return when a token that is given now ends, to the second."""
    return now.replace(microsecond=0) + timedelta(days=TOKEN_DAYS)


def token_text(token: Token, domain: str) -> str:
    """Return a token as text of letters, digits, `-`, `_` and `.`. domain: of the archive, whose tokens no other one takes."""
    since, before = (each and instant(each) for each in (token.since, token.before))
    values = (
        *(str(token.verb), token.prefix, token.set_spec, since, before, instant(token.changed_at), token.object_id),
        *(token.cursor, token.size, instant(token.expires_at)),
    )
    body = json.dumps(values, separators=(",", ":")).encode("ascii")
    return f"{_encoded(body)}.{_encoded(_checksum(body, domain))}"


def parse_token(text: str, domain: str, now: datetime) -> Token:
    """Return what a token says. Raises: OaiError for one that is not of this archive, or damaged, or too old."""
    try:
        body, checksum = (_decoded(part) for part in text.split("."))
        if checksum != _checksum(body, domain):
            raise ValueError("not as it was given")
        token = _token(json.loads(body))
    except (ValueError, TypeError, RecursionError, FormatError) as error:
        raise OaiError(Code.BAD_RESUMPTION_TOKEN, "This archive gave no such token. Begin the list anew.") from error
    if now > token.expires_at:
        raise OaiError(Code.BAD_RESUMPTION_TOKEN, "The token has expired. Begin the list anew.")
    return token


def _token(values: Any) -> Token:
    """Return the token of these values. Raises: ValueError, TypeError, FormatError."""
    if not isinstance(values, list):
        raise TypeError("no list")
    said = dict(zip(_FIELDS, values, strict=True))
    since, before = (None if said[name] is None else parse_instant(said[name]) for name in ("from", "before"))
    texts, counts = (said["prefix"], said["set"], said["object"]), (said["cursor"], said["size"])
    if not all(isinstance(each, str) for each in texts) or not all(type(each) is int and 0 <= each < _COUNT_MAX for each in counts):
        raise TypeError("a value of another kind")
    at, ends = parse_instant(said["at"]), parse_instant(said["expires"])
    return Token(Verb(said["verb"]), texts[0], texts[1], since, before, at, ObjectId(texts[2]), *counts, ends)


def _checksum(body: bytes, domain: str) -> bytes:
    return blake2b(body, digest_size=_CHECKSUM_BYTES, key=domain.encode("ascii")[:64], person=b"fonoteca-oai").digest()


def _encoded(body: bytes) -> str:
    return urlsafe_b64encode(body).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    body = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encoded(body) != text:
        raise ValueError("another spelling of the same bytes")
    return body
