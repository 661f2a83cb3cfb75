"""One table row to the fields of the catalogue, or the reason why not. Pure: values in, verdict out."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fonoteca.catalogue.mapping import RECORDINGS, TableMapping
from fonoteca.model.ids import RecordingId

TEXT_CHARS_MAX = 4096
"""MusicBrainz has titles of up to some 2,000 characters; longer text in one field is a broken row."""
DURATION_MS_MAX = 7 * 24 * 3600 * 1000
"""A week: there are recordings of a day and more, and numbers beyond this are in the wrong unit."""
YEAR_MIN, YEAR_MAX = 1000, 2200
COUNT_MAX = 2**53
"""Counts up to here survive every JSON reader, and sums of many stay exact in DuckDB's 128-bit sums."""
NUMBER_MAX = 32767
"""Disc and track numbers fit the 16 bits that MusicBrainz gives them."""
ROW_CHARS_SHOWN = 1000
"""How much of a bad row the quarantine file shows."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class SoundRow:
    """A row that can be imported. line: where it begins, from 1 (row number in Parquet). cells: field to value."""

    line: int
    cells: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row for the quarantine file. row: what was there, cut to ROW_CHARS_SHOWN. file: where it was, "" for the only one."""

    line: int
    reason: str
    row: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row as a reader found it. cells: field (not column) to raw value."""

    line: int
    cells: Mapping[str, object]


class _UnfitError(Exception):
    """A cell's reason to quarantine its row."""


def _text(raw: object) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise _UnfitError(f"expected text, found {type(raw).__name__}")
    text = str(raw)
    if "\0" in text:
        raise _UnfitError("a NUL character")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise _UnfitError("not UTF-8")
    if len(text) > TEXT_CHARS_MAX:
        raise _UnfitError(f"{len(text)} characters, more than {TEXT_CHARS_MAX}")
    return text.strip()


def _required_text(raw: object) -> str:
    text = _text(raw)
    if not text:
        raise _UnfitError("empty")
    return text


def _number(raw: object) -> float | int | None:
    """Return a finite number, None for nothing."""
    if isinstance(raw, bool):
        raise _UnfitError("expected a number, found a boolean")
    if isinstance(raw, str):
        text = _text(raw)
        if not text:
            return None
        try:
            raw = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else float(text)
        except ValueError:
            raise _UnfitError(f"expected a number, found {text[:40]!r}") from None
    if raw is None:
        return None
    if not isinstance(raw, int | float):
        raise _UnfitError(f"expected a number, found {type(raw).__name__}")
    if isinstance(raw, float) and not math.isfinite(raw):
        raise _UnfitError(f"expected a finite number, found {raw}")
    return raw


def _count(raw: object, count_max: int = COUNT_MAX) -> int | None:
    number = _number(raw)
    if number is None:
        return None
    if number != int(number):
        raise _UnfitError(f"expected a whole number, found {number}")
    if not 0 <= number <= count_max:
        raise _UnfitError(f"{int(number)} is not between 0 and {count_max}")
    return int(number)


def _required_count(raw: object) -> int:
    count = _count(raw)
    if count is None:
        raise _UnfitError("empty")
    return count


def _bytes(raw: object) -> int:
    return _count(raw) or 0


def _place(raw: object) -> int | None:
    """Return a disc or track number; 0 is how many sources say unknown."""
    return _count(raw, NUMBER_MAX) or None


def _year(raw: object) -> int | None:
    """Return the year of a date such as 2010, 2010-05 or 2010-05-01; None for nothing and for 0000."""
    text = _text(raw)
    found = re.fullmatch(r"([0-9]{1,4})(-[0-9]{2}){0,2}", text)
    if not text or (found and int(found[1]) == 0):
        return None
    if not found or not YEAR_MIN <= int(found[1]) <= YEAR_MAX:
        raise _UnfitError(f"expected a date between {YEAR_MIN} and {YEAR_MAX}, found {text[:40]!r}")
    return int(found[1])


def _duration_ms(raw: object, unit_ms: int = 1) -> int:
    number = _number(raw) or 0
    if not 0 <= number * unit_ms <= DURATION_MS_MAX:
        raise _UnfitError(f"{number} is not a duration between 0 and a week")
    return round(number * unit_ms)


def _duration_s(raw: object) -> int:
    return _duration_ms(raw, 1000)


def _uuid(raw: object) -> str:
    text = _text(raw).lower()
    if not _UUID.fullmatch(text):
        raise _UnfitError(f"expected a UUID, found {text[:40]!r}")
    return text


_CELLS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "id": ("id", _uuid),
    "key": ("key", _required_text),
    "title": ("title", _required_text),
    "artist": ("artist", _required_text),
    "release": ("release", _text),
    "release_id": ("release_id", _text),
    "disc": ("disc", _place),
    "track": ("track", _place),
    "year": ("year", _year),
    "duration_s": ("duration_ms", _duration_s),
    "duration_ms": ("duration_ms", _duration_ms),
    "licence": ("licence_uri", _text),
    "source_uri": ("source_uri", _text),
    "genre": ("genre", _text),
    "file_bytes": ("file_bytes", _bytes),
    "listens": ("listens", _required_count),
    "listeners": ("listeners", _count),
}
"""Field of the mapping to the column of rows.parquet and the rule that reads it."""

_ABSENT: Mapping[str, object] = {
    "release": "",
    "release_id": "",
    "disc": None,
    "track": None,
    "year": None,
    "duration_ms": 0,
    "licence_uri": "",
    "source_uri": "",
    "genre": "",
    "file_bytes": 0,
}


def release_key(source: str, release_id: str, release: str, artist: str) -> str:
    """Return an id for a release that no other source's release has; "" when nothing names one.

    A MusicBrainz id stands for itself. Other ids hold within their source only, and releases without any are told apart
    by title and artist.
    """
    if _UUID.fullmatch(release_id.lower()):
        return release_id.lower()
    if release_id:
        return f"{source}:{release_id}"
    if not release:
        return ""
    digest = hashlib.sha256(f"{artist}\0{release}".encode()).hexdigest()
    return f"{source}:{digest[:16]}"


def read_row(row: TableRow, mapping: TableMapping) -> SoundRow | BadRow:
    """Return the row's fields as the catalogue keeps them, or why they cannot be."""
    cells: dict[str, object] = {}
    for field in mapping.columns:
        column, rule = _CELLS[field]
        try:
            cells[column] = rule(row.cells.get(field))
        except _UnfitError as unfit:
            return bad_row(row, f"{field}: {unfit}")
    key = cells.pop("key", None)
    if key is not None:
        cells["id"] = str(RecordingId.of(mapping.key_source or mapping.name, str(key)))
    if mapping.rows == RECORDINGS:
        cells = {**_ABSENT, **cells}
        cells["release_id"] = release_key(mapping.name, str(cells["release_id"]), str(cells["release"]), str(cells["artist"]))
    else:
        listens, listeners = cells["listens"], cells.setdefault("listeners", None)
        if isinstance(listens, int) and isinstance(listeners, int) and listeners > listens:
            return bad_row(row, f"listeners: {listeners} listeners cannot have listened {listens} times")
    return SoundRow(row.line, cells)


def bad_row(row: TableRow, reason: str) -> BadRow:
    """Return the row for the quarantine file, with characters that are not text shown as escapes."""
    return BadRow(row.line, reason, shown(repr(dict(row.cells))))


def shown(text: str) -> str:
    """Return text that any reader of UTF-8 can read, cut to ROW_CHARS_SHOWN."""
    return text[:ROW_CHARS_SHOWN].encode("utf-8", "backslashreplace").decode("utf-8")
