"""Conditional and range requests, decided from headers alone (RFC 9110 sections 13 and 14). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one state of a file from another. etag: strong, with its quotes. modified_at: None where nobody knows."""

    etag: str
    modified_at: datetime | None
    file_bytes: int

    @property
    def modified_s(self) -> datetime | None:
        """When it was modified, to the second, as HTTP tells time."""
        return None if self.modified_at is None else self.modified_at.astimezone(UTC).replace(microsecond=0)

    def headers(self) -> dict[str, str]:
        """Return the headers that name this state."""
        when = self.modified_s
        return {"ETag": self.etag} | ({} if when is None else {"Last-Modified": format_datetime(when, usegmt=True)})


@dataclass(frozen=True, slots=True)
class Portion:
    """What to answer. status: 200, 206, 304, 412 or 416. start, length: of the bytes to send, with 200 and 206."""

    status: int
    start: int
    length: int

    def headers(self, file_bytes: int) -> dict[str, str]:
        """Return the headers that say which part of a file of this length it is."""
        if self.status == 416:
            return {"Content-Range": f"bytes */{file_bytes}"}
        if self.status == 206:
            return {
                "Content-Range": f"bytes {self.start}-{self.start + self.length - 1}/{file_bytes}",
                "Content-Length": str(self.length),
            }
        return {"Content-Length": str(self.length)} if self.status == 200 else {}


def choose_portion(headers: Mapping[str, str], validators: Validators) -> Portion:
    """Return what a GET or HEAD with these headers (names in lower case) is answered with.

    Order of the conditions: RFC 9110 section 13.2.2. Several ranges at once are answered whole, which section 14.2 allows.
    """
    if not _unchanged(headers, validators):
        return Portion(412, 0, 0)
    if _known_already(headers, validators):
        return Portion(304, 0, 0)
    wanted = headers.get("range", "")
    if wanted and _range_applies(headers, validators):
        return _portion_of(wanted, validators.file_bytes)
    return Portion(200, 0, validators.file_bytes)


def _unchanged(headers: Mapping[str, str], validators: Validators) -> bool:
    """Whether If-Match, or else If-Unmodified-Since, lets the request pass."""
    if "if-match" in headers:
        return _names(headers["if-match"], validators.etag, weak=False)
    since, modified = _date(headers.get("if-unmodified-since", "")), validators.modified_s
    return since is None or modified is None or modified <= since


def _known_already(headers: Mapping[str, str], validators: Validators) -> bool:
    """Whether If-None-Match, or else If-Modified-Since, says that the client has this state."""
    if "if-none-match" in headers:
        return _names(headers["if-none-match"], validators.etag, weak=True)
    since, modified = _date(headers.get("if-modified-since", "")), validators.modified_s
    return since is not None and modified is not None and modified <= since


def _range_applies(headers: Mapping[str, str], validators: Validators) -> bool:
    """Whether If-Range, where there is one, names exactly this state."""
    condition = headers.get("if-range", "").strip()
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == validators.etag
    since = _date(condition)
    return since is not None and since == validators.modified_s


def _portion_of(wanted: str, file_bytes: int) -> Portion:
    """Return the part that a Range header asks for; the whole where it is not one range of bytes (section 14.2)."""
    match = _RANGE.fullmatch(wanted.strip())
    if match is None or not (match[1] or match[2]):
        return Portion(200, 0, file_bytes)
    if match[1]:
        first = int(match[1])
        last = min(int(match[2]), file_bytes - 1) if match[2] else file_bytes - 1
        if match[2] and int(match[2]) < first:
            return Portion(200, 0, file_bytes)
    else:
        first, last = max(0, file_bytes - int(match[2])), file_bytes - 1
        if int(match[2]) == 0:
            return Portion(416, 0, 0)
    return Portion(206, first, last - first + 1) if first <= last else Portion(416, 0, 0)


def _names(listed: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags names this one. weak: a weak tag counts as the strong one (section 8.8.3.2)."""
    if listed.strip() == "*":
        return True
    found = _ETAG.findall(listed)
    return any((tag.removeprefix("W/") if weak else tag) == etag for tag in found)


def _date(text: str) -> datetime | None:
    """Return an HTTP date, None for anything else: a date that cannot be read is ignored (section 13.1.3)."""
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
