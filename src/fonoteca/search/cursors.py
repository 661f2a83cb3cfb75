"""Where the next page begins: an opaque text that says of which snapshot, query and place it is."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from hashlib import sha256

from fonoteca.model.errors import FormatError, UsageError

CURSOR_CHARACTERS_MAX = 400
_PLACE_MAX = 1 << 40


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an answer. lenience: of the pass that gives it. windows: for each kind the shard, and the matches of it passed.

    offset: hits of this window that were shown. query: its digest's beginning.
    """

    snapshot: str
    query: str
    lenience: int
    windows: tuple[tuple[int, int], ...]
    offset: int

    def write(self) -> str:
        """Return it as text."""
        told = asdict(self)
        return base64.urlsafe_b64encode(json.dumps(list(told.values()), separators=(",", ":")).encode()).decode().rstrip("=")


def query_mark(text: str) -> str:
    """Return what tells one query from another."""
    return sha256(" ".join(text.split()).encode("utf-8", "replace")).hexdigest()[:16]


def read_cursor(text: str, snapshot: str, query: str) -> Cursor:
    """Return the place that a cursor names. Raises: UsageError when it is none, or of another query or snapshot."""
    try:
        if len(text) > CURSOR_CHARACTERS_MAX:
            raise FormatError("cursor", "longer than any")
        told = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        name, mark, lenience, windows, offset = told
        places = tuple((int(shard), int(passed)) for shard, passed in windows)
        cursor = Cursor(str(name), str(mark), int(lenience), places, int(offset))
        numbers = (cursor.lenience, cursor.offset, *(number for place in places for number in place))
        if len(places) != 3 or not all(0 <= number < _PLACE_MAX for number in numbers):
            raise FormatError("cursor", "not a place")
    except (FormatError, ValueError, TypeError, binascii.Error, RecursionError, OverflowError):
        raise UsageError("after", "not a cursor that a search gave", "Ask again without it.") from None
    if cursor.snapshot != snapshot:
        problem = f"the catalogue changed from {cursor.snapshot!r:.70} to {snapshot!r} since that page"
        raise UsageError("after", problem, "Search again from the first page.")
    if cursor.query != query:
        raise UsageError("after", "it belongs to another query", "Ask with the query that gave it, or without it.")
    return cursor
