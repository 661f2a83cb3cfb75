"""Event log segments: JSON Lines, one event a line, in a file whose name holds its time and its own digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from fonoteca.formats.instants import instant
from fonoteca.formats.strictjson import parse_json, whole_text
from fonoteca.model.corridor import Event
from fonoteca.model.errors import FormatError

_NAME = re.compile(r"\d{4}/\d\d/\d\d/\d{6}\.\d{6}-([0-9a-f]{64})\.jsonl")


def segment(events: Sequence[Event]) -> bytes:
    """Return the segment of some events, at least one. Facts keep their order, names of facts being unique.

    Lone surrogates in text become U+FFFD, as no reader of the log would take them.
    """
    return b"".join(_line(event) for event in events)


def segment_name(events: Sequence[Event], content: bytes, after: datetime | None = None) -> str:
    """Return `yyyy/mm/dd/hhmmss.ffffff-<sha256>.jsonl`: names in order are segments in the order in which they were appended.

    The time is that of the first event; when a clock was set back, a moment later than that of the segment before (after).
    """
    moment = events[0].at.astimezone(UTC)
    if after is not None and moment < after:
        moment = after + timedelta(microseconds=1)
    return f"{moment:%Y/%m/%d/%H%M%S.%f}-{hashlib.sha256(content).hexdigest()}.jsonl"


def is_segment_name(name: str) -> bool:
    """Whether a segment can have this name."""
    return _NAME.fullmatch(name) is not None


def moment_of(name: str) -> datetime:
    """Return the time in the name of a segment. Raises: FormatError."""
    if _NAME.fullmatch(name) is None:
        raise FormatError(name, "not the name of a segment of the event log")
    return datetime.strptime(name.partition("-")[0], "%Y/%m/%d/%H%M%S.%f").replace(tzinfo=UTC)


def parse_segment(name: str, content: bytes) -> Iterator[Event]:
    """Yield the events of a segment. Raises: FormatError when the bytes are not those of the name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise FormatError(name, "not the name of a segment of the event log")
    digest = hashlib.sha256(content).hexdigest()
    if digest != match[1]:
        raise FormatError(name, f"the segment has sha256 {digest}, its name says {match[1]}")
    for number, line in enumerate(content.splitlines(), 1):
        yield _event(f"{name} line {number}", line)


def _line(event: Event) -> bytes:
    facts = dict(event.facts)
    if len(facts) < len(event.facts):
        raise FormatError(event.what, "an event names a fact twice")
    try:
        told = {whole_text(name): whole_text(value) if isinstance(value, str) else value for name, value in facts.items()}
        found = {"at": instant(event.at), "what": whole_text(event.what), "subject": whole_text(event.subject), "facts": told}
        # ASCII, so that no text can break a line: splitlines() knows more line ends than JSON escapes.
        return json.dumps(found, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    except ValueError as error:
        raise FormatError(event.what, f"cannot be written as JSON: {error}") from None


def _event(subject: str, line: bytes) -> Event:
    found = parse_json(line, subject)
    try:
        at = datetime.fromisoformat(found["at"])
        facts = tuple(found["facts"].items())
        event = Event(at=at.astimezone(UTC), what=found["what"], subject=found["subject"], facts=facts)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(subject, f"not an event: {error!r}") from None
    texts = (event.what, event.subject)
    if (
        at.tzinfo is None
        or not all(isinstance(t, str) for t in texts)
        or not all(isinstance(v, str | int | float) for _, v in facts)
    ):
        raise FormatError(subject, "not an event: a field has another type than expected")
    return event
