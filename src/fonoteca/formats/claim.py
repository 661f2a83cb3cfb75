"""`archive.json`: which archive a store belongs to. The archive's folder and its store hold the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.errors import FormatError

CLAIM_FILE = "archive.json"
CLAIM_FORMAT = "fonoteca-store/1"

_NEWEST = int(CLAIM_FORMAT.rpartition("/")[2])
_FORMAT = re.compile(r"fonoteca-store/([1-9][0-9]{0,8})")
_ID = re.compile(r"[0-9a-f]{32}")
_SHOWN_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Claim:
    """Who writes in a store. archive_id: 32 hexadecimal digits, thrown when the archive was made. name: of the archive."""

    archive_id: str
    name: str

    def __post_init__(self) -> None:
        """Check the id."""
        if not _ID.fullmatch(self.archive_id):
            raise FormatError(CLAIM_FILE, f"{self.archive_id!r} is not the id of an archive: expected 32 hexadecimal digits")

    def __str__(self) -> str:
        """Return how messages call the archive: two may have one name."""
        return f"{self.name!r} (id {self.archive_id[:_SHOWN_DIGITS]})"


def claim_json(claim: Claim) -> bytes:
    """Return the file that says whose a store is."""
    return json_bytes({"format": CLAIM_FORMAT, "archive": claim.archive_id, "name": claim.name}, CLAIM_FILE)


def parse_claim(content: bytes) -> Claim:
    """Return what the file says. Raises: FormatError, also for a store that a newer Fonoteca wrote."""
    found = parse_json(content, CLAIM_FILE)
    known = _FORMAT.fullmatch(str(found.get("format", ""))) if isinstance(found, dict) else None
    if known is None:
        raise FormatError(CLAIM_FILE, "it does not say which archive the store belongs to")
    if int(known[1]) > _NEWEST:
        problem = f"the store has format {known[1]}, and this Fonoteca knows formats up to {_NEWEST}"
        raise FormatError(CLAIM_FILE, problem, "Install the newest Fonoteca.")
    if not isinstance(found.get("archive"), str) or not isinstance(found.get("name"), str):
        raise FormatError(CLAIM_FILE, "its archive or name is not a text")
    return Claim(found["archive"], found["name"])
