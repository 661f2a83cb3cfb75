"""Corrections: what a curator says of an item and its files, in place of what its source and the files' tags say.

metadata.json shows what is right in the usual fields, and keeps each correction with what it replaces beside them. So a reader
needs to know nothing of corrections, and an item that is acquired or analysed again stays corrected.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fonoteca.formats.objectjson import ObjectMetadata
from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Correction, StoredFile
from fonoteca.model.desk import Order
from fonoteca.model.errors import UsageError

ITEM = ""
"""What a correction is of that is of no file, but of the item."""

ITEM_FIELDS = ("title", "artist")
FILE_FIELDS = (
    "title",
    "artist",
    "album",
    "album_artist",
    "track_number",
    "disc_number",
    "date",
    "genre",
    "isrcs",
    "recording_mbid",
)
"""What can be corrected. What a file says of its licence cannot: that is evidence."""

CORRECT_ACTION = "correct"
"""The desk's action that corrects."""

TEXT_LETTERS_MOST = 500
CHANGES_MOST = 5000
"""Of one decision: an album of 500 tracks with every field."""

NUMBER_MOST = 9999

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NUMBERS = frozenset({"track_number", "disc_number"})
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    **dict.fromkeys(_NUMBERS, (re.compile(r"(\d{1,4})?"), f"a number up to {NUMBER_MOST}")),
    "date": (re.compile(r"(\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?)?"), "YYYY, YYYY-MM or YYYY-MM-DD"),
    "isrcs": (
        re.compile(r"([A-Z]{2}[A-Z0-9]{3}\d{7}(, [A-Z]{2}[A-Z0-9]{3}\d{7})*)?"),
        "ISRCs such as DEXX02400001, with commas between",
    ),
    "recording_mbid": (re.compile(r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?"), "a UUID in lower case"),
}


def check_correction(said: Correction) -> None:
    """Raise UsageError for a correction of a field that there is not, or with a value that does not fit it."""
    subject = f"{said.of}: {said.field}" if said.of else said.field
    fields = FILE_FIELDS if said.of else ITEM_FIELDS
    if said.field not in fields:
        raise UsageError(subject, "no field that can be corrected", f"These can be: {', '.join(fields)}.")
    if not said.of and said.field == "title" and not said.says.strip():
        raise UsageError(subject, "an item without a title", "Say which title it has.")
    if len(said.says) > TEXT_LETTERS_MOST or any(_is_hidden(letter) for letter in said.says):
        problem = f"expected at most {TEXT_LETTERS_MOST} letters that can be seen, in one line, found {len(said.says):,}"
        raise UsageError(subject, problem, "Shorten it, or take out what cannot be seen.")
    form, words = _FORMS.get(said.field, (None, ""))
    if form is not None and not form.fullmatch(said.says):
        raise UsageError(subject, f"expected {words}, found {said.says!r}", "Write it so, or leave it empty.")


def _is_hidden(letter: str) -> bool:
    """Whether a letter ends a line, steers a terminal, or turns the order of those around it. Joiners do not: scripts need them."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNING


def values(title: str, artist: str, files: Iterable[StoredFile]) -> dict[tuple[str, str], str]:
    """Return the value of every field that can be corrected in an item, as text, by (file or ITEM, field)."""
    found = {(ITEM, "title"): title, (ITEM, "artist"): artist}
    for file in files:
        if file.tags is not None:
            found |= {(str(file.logical_path), name): _text(file.tags, name) for name in FILE_FIELDS}
    return found


def changes_from(
    subject: str, known: Mapping[tuple[str, str], str], right: Mapping[tuple[str, str], str]
) -> tuple[Correction, ...]:
    """Return the corrections that lead from known values to right ones. right: by (file or ITEM, field).

    Raises: UsageError for a file that is not known, a field or value that there cannot be, or nothing to change.
    """
    for (of, name), says in right.items():
        check_correction(Correction(of, name, "", says))
        if (of, name) not in known:
            files = sorted({each for each, _ in known if each})
            raise UsageError(f"{subject}: {of}", "no such music file in it", f"It has {', '.join(files[:10]) or 'none'}.")
    found = tuple(Correction(*place, was=known[place], says=says) for place, says in right.items() if known[place] != says)
    if not found:
        raise UsageError(subject, "it says all of this already", "Nothing was changed.")
    return found


def correcting_order(subject: str, changes: Iterable[Correction], reason: str) -> Order:
    """Return the order to correct an object, as the desk's docket keeps it."""
    told = [{"of": each.of, "field": each.field, "was": each.was, "says": each.says} for each in changes]
    return Order(CORRECT_ACTION, subject, {"changes": told, "reason": reason})


def corrections_in(subject: str, facts: Mapping[str, Any]) -> tuple[Correction, ...]:
    """Return the corrections of an order's facts. Raises: UsageError when they are none."""
    told = facts.get("changes")
    wanted = {"of", "field", "was", "says"}
    right = isinstance(told, Sequence) and all(
        isinstance(each, Mapping) and set(each) == wanted and all(isinstance(value, str) for value in each.values())
        for each in told
    )
    if not right or not told or len(told) > CHANGES_MOST:
        raise UsageError(subject, f"expected 1 to {CHANGES_MOST:,} corrections", "Say what is to be put right.")
    return tuple(Correction(**each) for each in told)


def uncorrected(metadata: ObjectMetadata) -> ObjectMetadata:
    """Return metadata as the source and the files' tags have it."""
    return replace(_with(metadata, {(each.of, each.field): each.was for each in metadata.corrections}), corrections=())


def corrected(metadata: ObjectMetadata, said: Iterable[Correction]) -> ObjectMetadata:
    """Return metadata with corrections made beside those that it has. What a correction replaces is taken from the metadata.

    A correction to what the source says is none, and one of a file that is not there any more is forgotten.
    """
    bare = uncorrected(metadata)
    known = values(bare.title, bare.artist, bare.files)
    right = {(each.of, each.field): each.says for each in (*metadata.corrections, *said)}
    right = {place: value for place, value in right.items() if place in known and known[place] != value}
    kept = tuple(Correction(*place, was=known[place], says=value) for place, value in sorted(right.items()))
    return replace(_with(bare, right), corrections=kept)


def _with(metadata: ObjectMetadata, right: Mapping[tuple[str, str], str]) -> ObjectMetadata:
    """Return metadata with other values in some places."""
    title, artist = right.get((ITEM, "title"), metadata.title), right.get((ITEM, "artist"), metadata.artist)
    return replace(metadata, title=title, artist=artist, files=tuple(_file_with(file, right) for file in metadata.files))


def _file_with(file: StoredFile, right: Mapping[tuple[str, str], str]) -> StoredFile:
    path = str(file.logical_path)
    own: dict[str, Any] = {name: _value(name, right[path, name]) for name in FILE_FIELDS if (path, name) in right}
    return file if file.tags is None or not own else replace(file, tags=replace(file.tags, **own))


def _text(tags: Tags, name: str) -> str:
    found = getattr(tags, name)
    if isinstance(found, tuple):
        return ", ".join(found)
    return "" if found is None else str(found)


def _value(name: str, text: str) -> str | int | tuple[str, ...] | None:
    if name == "isrcs":
        return tuple(text.split(", ")) if text else ()
    if name in _NUMBERS:
        return int(text) if text else None
    return text
