"""An item of the Internet Archive to raw rows, one a recording. Pure: parsed JSON in, rows out.

An item is a folder of files; what was derived from a file names it as its `original`, so a recording is an original with all
that was made of it. Any field may be a text, a number or a list (https://archive.org/developers/metadata-schema/).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from fonoteca.catalogue.desk import Cell

FIELDS = (
    "key",
    "title",
    "artist",
    "release",
    "release_id",
    "disc",
    "track",
    "year",
    "duration_s",
    "licence",
    "source_uri",
    "genre",
    "file_bytes",
)

_SOUND_MEDIA = frozenset({"audio", "etree"})
_SOUND = re.compile(
    r".+\.(aac|ac3|aif|aifc|aiff|ape|au|flac|m4a|m4b|mka|mp2|mp3|mpc|oga|ogg|opus|ra|shn|tta|wav|wma|wv)", re.IGNORECASE | re.DOTALL
)
"""By suffix and not by `format`, which has hundreds of names, some of them of playlists and archives (VBR M3U, 64Kbps MP3 ZIP)."""
_HEARD_ONLY = frozenset({"stream_only", "samples_only"})
"""Collections whose items may be heard on the Archive's pages and not taken away."""
_ORIGINALS_MAX = 8
"""Files derived of derived files: the Archive makes chains of two or three. Some name each other in a circle."""
_NUMBER_MAX = 32767

_YEAR = re.compile(r"(?<![0-9])([0-9]{4})(?![0-9])")
_SECONDS = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]*)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_CLOCK = re.compile(r"(-?)(?:([0-9]{1,4}):)?([0-9]{1,5}):([0-9]{1,2}(?:\.[0-9]*)?)")
_LEADING_NUMBER = re.compile(r"\s*0*([0-9]{1,5})(?![0-9])")


class UnfitItemError(Exception):
    """An item's reason to be set aside."""


def texts_of(value: Any) -> list[str]:
    """Return the texts of a field, however it was written: nothing, one value, or a list."""
    if isinstance(value, list):
        return [text for one in value if not isinstance(one, list) for text in texts_of(one)]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    text = str(value).strip()
    return [text] if text else []


def text_of(value: Any) -> str:
    """Return the first text of a field, "" for none."""
    return next(iter(texts_of(value)), "")


def seconds_of(length: str) -> Cell:
    """Return what 215.35, 3:35 or 1:02:03.5 stands for; None for what is no length at all. Odd numbers are left to the rules."""
    if _SECONDS.fullmatch(length):
        return length
    if found := _CLOCK.fullmatch(length):
        total = int(found[2] or 0) * 3600 + int(found[3]) * 60 + float(found[4])
        return -total if found[1] else total
    return None


def _is_true(value: Any) -> bool:
    flags = value if isinstance(value, list) else [value]
    return any(flag is True or text_of(flag).lower() in ("true", "1") for flag in flags)


def _number_of(value: Any) -> int | None:
    found = _LEADING_NUMBER.match(text_of(value))
    return int(found[1]) if found and int(found[1]) <= _NUMBER_MAX else None


def _year_of(metadata: Mapping[str, Any]) -> str:
    dates = (*texts_of(metadata.get("date")), *texts_of(metadata.get("year")))
    return next((found[1] for date in dates if (found := _YEAR.search(date)) and found[1] != "0000"), "")


def why_left_out(metadata: Mapping[str, Any]) -> str:
    """Return why an item is none that could ever be taken, as the name of a count; "" for one that may be.

    Access that the Archive restricts is not gone round, and what it keeps out of its index was not meant to be found.
    """
    media = text_of(metadata.get("mediatype")).lower()
    if media and media not in _SOUND_MEDIA:
        return "items_of_other_media"
    if _is_true(metadata.get("is_dark")):
        return "items_dark"
    if _is_true(metadata.get("access-restricted-item")):
        return "items_restricted"
    if _is_true(metadata.get("noindex")):
        return "items_unindexed"
    if _HEARD_ONLY.intersection(texts_of(metadata.get("collection"))):
        return "items_to_stream_only"
    return ""


@dataclass(frozen=True, slots=True)
class _Recording:
    """An original and what was made of it. public: its sound files that anyone may fetch. told_by: whose tags count, in order."""

    public: Mapping[str, Any]
    told_by: Sequence[Mapping[str, Any]]

    def first(self, *fields: str) -> str:
        """Return the first text that any of the files has, field by field."""
        return next((text for name in fields for file in self.told_by if (text := text_of(file.get(name)))), "")


@dataclass(slots=True)
class ItemReader:
    """Reads items. counts: what was seen so far, for the facts of the source."""

    counts: Counter[str] = field(default_factory=Counter)

    def rows(self, answer: Mapping[str, Any]) -> list[tuple[Cell, ...]]:
        """Return the rows of an answer to /metadata/ID, one a recording. Raises: UnfitItemError."""
        metadata = answer["metadata"]
        reason = why_left_out({**metadata, "is_dark": answer.get("is_dark")})
        if reason:
            self.counts[reason] += 1
            return []
        identifier, files = _identifier(metadata), answer.get("files", [])
        if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
            raise UnfitItemError("expected a list of files")
        self.counts["items"] += 1
        rows = [self._row(metadata, identifier, recording) for recording in self._recordings(files)]
        self.counts["recordings"] += len(rows)
        return rows

    def row_of_listing(self, listing: Mapping[str, Any]) -> tuple[Cell, ...] | None:
        """Return one row for an item of which only a search or scrape answer is known, or None, counted.

        It stands for the item's recordings until its metadata is imported, so it has no duration. Without media type, title
        and creator nothing says that there is a recording to hold.
        """
        reason = why_left_out(listing)
        if not reason and not all(text_of(listing.get(name)) for name in ("mediatype", "title", "creator")):
            reason = "items_told_too_little_of"
        if reason:
            self.counts[reason] += 1
            return None
        self.counts["items_without_files"] += 1
        identifier, title = _identifier(listing), text_of(listing["title"])
        licence, artist = text_of(listing.get("licenseurl")), _joined(listing["creator"])
        uri = f"https://archive.org/details/{_quoted(identifier)}"
        genre, year = text_of(listing.get("genre")), _year_of(listing)
        return (identifier, title, artist, title, identifier, None, None, year, None, licence, uri, genre, None)

    def _recordings(self, files: Iterable[Mapping[str, Any]]) -> list[_Recording]:
        by_name = {name: file for file in files if (name := text_of(file.get("name")))}
        groups: dict[str, list[str]] = {}
        for name in by_name:
            if _SOUND.fullmatch(name):
                groups.setdefault(_original(name, by_name), []).append(name)
        recordings = []
        for original, names in groups.items():
            public = [by_name[name] for name in names if not _is_true(by_name[name].get("private"))]
            if not public:
                self.counts["recordings_private"] += 1
                continue
            # The original as it was uploaded, else the largest of what the Archive made of it.
            chosen = by_name[original] if by_name.get(original) in public else max(public, key=_bytes_of)
            known = [by_name[original]] if original in by_name else []
            recordings.append(_Recording(chosen, [chosen, *known, *public]))
        return recordings

    def _row(self, metadata: Mapping[str, Any], identifier: str, recording: _Recording) -> tuple[Cell, ...]:
        name = text_of(recording.public["name"])
        lengths = [length for file in recording.told_by if (length := text_of(file.get("length")))]
        seconds = next((found for length in lengths if (found := seconds_of(length)) is not None), None)
        if lengths and seconds is None:
            self.counts["lengths_unreadable"] += 1
        return (
            f"{identifier}/{name}",
            recording.first("title") or PurePosixPath(name).stem,
            recording.first("creator", "artist") or _joined(metadata.get("creator")),
            text_of(metadata.get("title")) or recording.first("album"),
            identifier,
            _number_of(recording.first("disc")),
            _number_of(recording.first("track")),
            _year_of(metadata),
            seconds,
            text_of(metadata.get("licenseurl")),
            f"https://archive.org/download/{_quoted(identifier)}/{_quoted(name)}",
            recording.first("genre") or text_of(metadata.get("genre")),
            text_of(recording.public.get("size")),
        )


def _identifier(metadata: Mapping[str, Any]) -> str:
    identifier = text_of(metadata.get("identifier"))
    if not identifier:
        raise UnfitItemError("no identifier")
    return identifier


def _quoted(path: str) -> str:
    """Return a path as part of a URL. Half a character is replaced here; the row does not get past the desk."""
    return quote(path, errors="replace")


def _joined(value: Any) -> str:
    """Return several creators as one credit."""
    return ", ".join(dict.fromkeys(texts_of(value)))


def _original(name: str, by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the name of the file that this one was derived from, in the end; it need not be there any more."""
    seen = [name]
    for _ in range(_ORIGINALS_MAX):
        above = text_of(by_name.get(seen[-1], {}).get("original"))
        if above in seen:
            return min(seen)
        if not above:
            break
        seen.append(above)
    return seen[-1]


def _bytes_of(file: Mapping[str, Any]) -> int:
    size = text_of(file.get("size"))
    return int(size) if size.isascii() and size.isdecimal() and len(size) < 19 else 0
