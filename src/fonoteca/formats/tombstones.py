"""`withdrawals.json`: all that an archive withdrew, as canonical JSON that can mean one thing only.

Grain: one tombstone per object, the newest statement about it. Key: object. Order: by object. The same withdrawals are the
same bytes, so that what binds them still does after a mirror has passed them on. A tombstone by itself, as the event log
keeps it, has the same fields on one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.errors import FonotecaError, FormatError
from fonoteca.model.ids import ObjectId, Sha256
from fonoteca.model.withdrawal import Dates, Decider, Purpose, Reason, Scope, Tombstone, WithdrawalState

WITHDRAWALS = "withdrawals.json"
FORMAT = "fonoteca-withdrawals/1"

WITHDRAWALS_BYTES_MAX = 256 * 2**20
"""Some 200,000 albums of ten tracks."""

_DATES = {"notice", "decision", "effective", "review"}


def write(tombstones: Iterable[Tombstone]) -> bytes:
    """Return withdrawals.json: the same bytes for the same tombstones, in any order. Raises: FormatError for two of one object."""
    ordered = sorted(tombstones, key=lambda each: each.object_id)
    _check_laws(ordered)
    return json_bytes({"format": FORMAT, "withdrawals": [_told(each) for each in ordered]}, WITHDRAWALS)


def parse(content: bytes) -> tuple[Tombstone, ...]:
    """Return the tombstones, in order of object.

    Raises: FormatError for anything that `write` would not have written.
    """
    if len(content) > WITHDRAWALS_BYTES_MAX:
        raise FormatError(WITHDRAWALS, f"{len(content)} bytes, expected at most {WITHDRAWALS_BYTES_MAX}")
    found = parse_json(content, WITHDRAWALS)
    if not isinstance(found, dict) or found.keys() != {"format", "withdrawals"} or found["format"] != FORMAT:
        raise FormatError(WITHDRAWALS, f"expected the format {FORMAT}")
    if not isinstance(found["withdrawals"], list):
        raise FormatError(WITHDRAWALS, "expected a list of withdrawals")
    tombstones = tuple(_heard(each, WITHDRAWALS) for each in found["withdrawals"])
    if write(tombstones) != content:
        raise FormatError(WITHDRAWALS, "not in the one form that says this")
    return tombstones


def tombstone_line(tombstone: Tombstone) -> str:
    """Return one tombstone on a line, as an event tells of it."""
    return json.dumps(_told(tombstone), ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def parse_tombstone(line: str, subject: str) -> Tombstone:
    """Return the tombstone of a line. Raises: FormatError naming the subject."""
    return _heard(parse_json(line.encode(), subject), subject)


def tombstone_json(tombstone: Tombstone) -> dict[str, Any]:
    """Return a tombstone as JSON shows it, wherever it is shown."""
    return _told(tombstone)


def _check_laws(ordered: list[Tombstone]) -> None:
    """Raise FormatError for two statements about one object, and for two of one number."""
    if len({each.object_id for each in ordered}) < len(ordered):
        raise FormatError(WITHDRAWALS, "two statements about one object")
    if len({each.number for each in ordered}) < len(ordered):
        raise FormatError(WITHDRAWALS, "two statements of one number")


def _told(tombstone: Tombstone) -> dict[str, Any]:
    dates = tombstone.dates
    return {
        "object": tombstone.object_id,
        "number": tombstone.number,
        "prior": tombstone.prior,
        "state": tombstone.state,
        "reason": tombstone.reason,
        "ground": tombstone.ground,
        "decider": tombstone.decider,
        "scope": {"territories": list(tombstone.scope.territories), "purposes": list(tombstone.scope.purposes)},
        "dates": {
            "notice": instant(dates.notice_at),
            "decision": _instant_or_none(dates.decided_at),
            "effective": instant(dates.effective_at),
            "review": _instant_or_none(dates.review_at),
        },
        "whole": tombstone.whole,
        "sha256s": list(tombstone.sha256s),
        "infohashes": list(tombstone.infohashes),
        "notice_digest": tombstone.notice_digest,
        "contact": tombstone.contact,
    }


def _heard(found: Any, subject: str) -> Tombstone:
    """Return a tombstone of what JSON says. Raises: FormatError."""
    try:
        if not isinstance(found, dict):
            raise TypeError(f"expected an object for each withdrawal, found {type(found).__name__}")
        tombstone = Tombstone(
            object_id=ObjectId(_text(found["object"])),
            number=_number(found["number"]),
            prior=_number(found["prior"]),
            state=WithdrawalState(found["state"]),
            reason=Reason(found["reason"]),
            ground=_text(found["ground"]),
            decider=Decider(found["decider"]),
            scope=_scope(found["scope"]),
            dates=_dates(found["dates"]),
            whole=_truth(found["whole"]),
            sha256s=tuple(Sha256(_text(each)) for each in found["sha256s"]),
            infohashes=tuple(_text(each) for each in found["infohashes"]),
            notice_digest=_text(found["notice_digest"]),
            contact=_text(found["contact"]),
        )
    except FonotecaError as error:
        raise FormatError(subject, error.problem) from None
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise FormatError(subject, f"not a tombstone: {error!r:.200}") from None
    if found.keys() != _told(tombstone).keys():
        raise FormatError(subject, f"a tombstone has other fields than {FORMAT} gives it")
    return tombstone


def _scope(found: Mapping[str, Any]) -> Scope:
    if found.keys() != {"territories", "purposes"}:
        raise ValueError("expected territories and purposes in a scope")
    return Scope(tuple(_text(each) for each in found["territories"]), tuple(Purpose(each) for each in found["purposes"]))


def _dates(found: Mapping[str, Any]) -> Dates:
    if found.keys() != _DATES:
        raise ValueError(f"expected the dates {', '.join(sorted(_DATES))}")
    decided, review = found["decision"], found["review"]
    return Dates(
        parse_instant(found["notice"]),
        None if decided is None else parse_instant(decided),
        parse_instant(found["effective"]),
        None if review is None else parse_instant(review),
    )


def _instant_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {type(value).__name__}")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, found {type(value).__name__}")
    return value
