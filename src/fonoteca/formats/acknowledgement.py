"""`mirror.json`: what a mirror says of itself beside the edition that it passes on: how fresh it is, what it made of withdrawals.

It is the mirror's own word and nobody signs it. The digest of the withdrawals that are in force there is the acknowledgement of all
of them; `answers` has what its operator decided beyond masking, in order of object.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.errors import FonotecaError, FormatError
from fonoteca.model.ids import ObjectId, Sha256
from fonoteca.model.withdrawal import NUMBER_MAX, TEXT_CHARACTERS_MAX, Answer

MIRROR = "mirror.json"
FORMAT = "fonoteca-mirror/1"
MIRROR_BYTES_MAX = 64 * 2**20
_FIELDS = {"format", "edition", "refreshed_at", "good_until", "withdrawals_sha256", "masked", "pending", "answers"}


@dataclass(frozen=True, slots=True)
class Answered:
    """What a mirror's operator decided about one statement. ground: why, for the public."""

    object_id: ObjectId
    number: int
    answer: Answer
    at: datetime
    ground: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """How a mirror stands to what it follows. edition: its number. good_until: when what was signed for it expires.

    withdrawals_sha256: of the withdrawals.json in force there. masked: objects that it gives out no more; pending: those of
    them about which its operator decided nothing yet.
    """

    edition: int
    refreshed_at: datetime
    good_until: datetime
    withdrawals_sha256: Sha256
    masked: int = 0
    pending: int = 0
    answers: tuple[Answered, ...] = ()


def acknowledgement_json(told: Acknowledgement) -> bytes:
    """Return mirror.json: the same bytes for the same word."""
    return json_bytes(
        {
            "format": FORMAT,
            "edition": told.edition,
            "refreshed_at": instant(told.refreshed_at),
            "good_until": instant(told.good_until),
            "withdrawals_sha256": told.withdrawals_sha256,
            "masked": told.masked,
            "pending": told.pending,
            "answers": [
                {"object": a.object_id, "number": a.number, "answer": a.answer, "at": instant(a.at), "ground": a.ground}
                for a in sorted(told.answers, key=lambda each: each.object_id)
            ],
        },
        MIRROR,
    )


def parse_acknowledgement(content: bytes) -> Acknowledgement:
    """Return what mirror.json says. Raises: FormatError for anything that `acknowledgement_json` would not have written."""
    if len(content) > MIRROR_BYTES_MAX:
        raise FormatError(MIRROR, f"{len(content)} bytes, expected at most {MIRROR_BYTES_MAX}")
    found = parse_json(content, MIRROR)
    if not isinstance(found, dict) or found.keys() != _FIELDS or found["format"] != FORMAT:
        raise FormatError(MIRROR, f"expected the format {FORMAT}")
    try:
        told = Acknowledgement(
            edition=_count(found["edition"]),
            refreshed_at=parse_instant(found["refreshed_at"]),
            good_until=parse_instant(found["good_until"]),
            withdrawals_sha256=Sha256(found["withdrawals_sha256"]),
            masked=_count(found["masked"]),
            pending=_count(found["pending"]),
            answers=tuple(_answered(each) for each in found["answers"]),
        )
    except FonotecaError as error:
        raise FormatError(MIRROR, error.problem) from None
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError(MIRROR, f"not an acknowledgement: {error!r:.200}") from None
    if acknowledgement_json(told) != content:
        raise FormatError(MIRROR, "not in the one form that says this")
    return told


def _answered(found: Any) -> Answered:
    ground = found["ground"]
    if not isinstance(ground, str) or len(ground) > TEXT_CHARACTERS_MAX or (ground and not ground.isprintable()):
        raise ValueError("expected a line of text as ground")
    return Answered(ObjectId(found["object"]), _count(found["number"]), Answer(found["answer"]), parse_instant(found["at"]), ground)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= NUMBER_MAX:
        raise ValueError(f"expected a count, found {value!r:.40}")
    return value
