"""Terms as text: as people and sources write them, and as rights.json and the register keep them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.model.desk import Order
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.terms import Term

SET_TERM = "terms"
"""The action of the desk that sets a term."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_EXPECTED = "expected a day such as 2027-05-01, or a moment with its zone such as 2027-05-01T18:00:00+02:00"


def term_of(starts: object, ends: object, territories: object) -> Term:
    """Return the term that somebody wrote. A day is one of UTC: it starts with the day, and ends with the day's end.

    starts, ends: text, a date or a datetime; None or "" for no bound. territories: codes in any case; None for everywhere.
    Raises: FormatError saying what is wrong: no date, no zone, years that there are not, an end before the start, unknown codes.
    """
    return Term(_moment("from", starts, 0), _moment("until", ends, 1), _territories(territories))


def _moment(name: str, said: object, days: int) -> datetime | None:
    """Return the moment. days: how many are added to what is a whole day."""
    if said is None or said == "":
        return None
    if isinstance(said, str):
        said = _parsed(name, said.strip())
    try:
        if isinstance(said, datetime):
            if said.utcoffset() is None:
                raise FormatError(f"{name} {said.isoformat()}", f"it has no time zone: {_EXPECTED}")
            return said.astimezone(UTC)
        if isinstance(said, date):
            return datetime.combine(said, time(), UTC) + timedelta(days=days)
    except OverflowError as error:
        raise FormatError(f"{name} {said}", f"no moment of the years 1 to 9999 in UTC; {_EXPECTED}") from error
    raise FormatError(f"{name} {said!r:.60}", _EXPECTED)


def _parsed(name: str, text: str) -> date | datetime:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else datetime.fromisoformat(text)
    except ValueError as error:
        raise FormatError(f"{name} {text!r:.60}", _EXPECTED) from error


def _territories(said: object) -> frozenset[str] | None:
    if said is None:
        return None
    if isinstance(said, str) or not isinstance(said, Sequence | frozenset | set) or not all(isinstance(code, str) for code in said):
        raise FormatError(f"territories {said!r:.60}", 'expected a list of codes such as ["AT", "DE"]')
    return frozenset(str(code).strip().upper() for code in said)


def term_json(term: Term) -> dict[str, Any]:
    """Return a term as JSON has it: moments in UTC, territories in order, null for no bound."""
    return {
        "starts": term.starts and instant(term.starts),
        "ends": term.ends and instant(term.ends),
        "territories": None if term.territories is None else sorted(term.territories),
    }


def parse_term(content: object, subject: str) -> Term:
    """Return the term that JSON says, which narrows something. Raises: FormatError, also for what `term_json` would not write."""
    if not isinstance(content, Mapping) or set(content) != {"starts", "ends", "territories"}:
        raise FormatError(subject, "term: expected starts, ends and territories")
    try:
        starts, ends = (None if content[name] is None else parse_instant(content[name]) for name in ("starts", "ends"))
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(subject, f"term: {error}") from error
    codes = content["territories"]
    if codes is not None and (not isinstance(codes, list) or not all(isinstance(code, str) for code in codes)):
        raise FormatError(subject, f"term: territories is {codes!r:.60}, expected a list of codes or null")
    if codes is not None and codes != sorted(set(codes)):
        raise FormatError(subject, "term: territories are not in order, each once")
    try:
        term = Term(starts, ends, None if codes is None else frozenset(codes))
    except FormatError as error:
        raise FormatError(subject, f"term: {error.problem}") from error
    if not term:
        raise FormatError(subject, "term: it narrows nothing")
    return term


def term_text(term: Term) -> str | None:
    """Return a term as one line of text, None for one that narrows nothing."""
    return json.dumps(term_json(term), sort_keys=True, separators=(",", ":")) if term else None


def parse_term_text(text: str, subject: str) -> Term:
    """Return the term that a line says. Raises: FormatError."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise FormatError(subject, f"term: {error}") from error
    return parse_term(content, subject)


def term_order(object_ids: Sequence[str], term: Term, reason: str) -> Order:
    """Return the order to let objects be shared for a term, and not otherwise. ALWAYS takes the term away that they have."""
    first, *others = object_ids
    return Order(SET_TERM, first, {"term": term_text(term) or "", "reason": reason}, tuple(others))


def order_of_form(object_ids: Sequence[str], starts: str, ends: str, territories: str, reason: str) -> Order:
    """Return the order that a form says. territories: codes, spaces or commas between, "" for everywhere. Raises: UsageError."""
    codes = territories.replace(",", " ").split()
    try:
        term = term_of(starts.strip(), ends.strip(), codes or None)
    except FormatError as error:
        raise UsageError(error.subject, error.problem, "Correct it.") from error
    return term_order(object_ids, term, reason)
