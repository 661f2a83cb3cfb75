"""Answers of the Internet Archive: item metadata, advanced search and scrape, as JSON or one answer a line.

Item metadata lists files, and each recording among them is a row. Search and scrape answers list items alone: one that is told
enough of becomes one row, until its metadata is imported. The licence of the data is not stated by the Archive.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from fonoteca.catalogue.archive_items import FIELDS, ItemReader, UnfitItemError, text_of
from fonoteca.catalogue.desk import LINE_BYTES_MAX, RECORDINGS, Desk, Heading, Kind, RawRows, files_of, numbered_lines
from fonoteca.model.errors import SourceError, UsageError

NAME = "internet-archive"
ATTRIBUTION = "Internet Archive, https://archive.org"

_EXPECTED = "answers of the Internet Archive: item metadata, an advanced search or a scrape"
_REMEDY = "Name what https://archive.org/metadata/IDENTIFIER, advancedsearch.php?output=json or services/search/v1/scrape gave."
_CREATED_MAX = 2**33
"""In the year 2242."""


class _UnfitAnswerError(Exception):
    """Why a line is no answer."""


@dataclass(slots=True)
class _Reading:
    """One import as it goes. answered: items whose metadata is there. listings: files that list items without their files.

    rejected: answers that were set aside.
    """

    desk: Desk
    items: ItemReader = field(default_factory=ItemReader)
    answered: set[str] = field(default_factory=set)
    listings: list[Path] = field(default_factory=list)
    created: int = 0
    rejected: int = 0

    def reject(self, path: Path, line: int, reason: str, answer: str) -> None:
        """Set an answer aside."""
        self.rejected += 1
        self.desk.reject(path.name, line, reason, answer)


def read(paths: Sequence[Path], desk: Desk) -> Heading:
    """Lay a row on the desk for each recording of each item. Raises: UsageError, SourceError."""
    reading = _Reading(desk)
    paths = files_of(paths, "*.json", "*.json.*", "*.jsonl", "*.jsonl.*")
    # One table for all files: people have thousands of small ones. The key of a row says which item it is of.
    label = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    with desk.table(RECORDINGS, FIELDS, label) as rows:
        for path in paths:
            _read_items(path, rows, reading)
        for path in reading.listings:
            _read_listings(path, rows, reading)
    counts = reading.items.counts
    for fact, count in sorted(counts.items()):
        desk.note(fact, count)
    if not (counts["recordings"] or counts["items_without_files"] or reading.rejected):
        found = ", ".join(f"{fact.replace('_', ' ')}: {count}" for fact, count in sorted(counts.items()) if count) or "no items"
        raise UsageError(", ".join(map(str, paths[:3])), f"holds no recording that could be held; {found}", _REMEDY)
    date = datetime.fromtimestamp(reading.created, UTC).date().isoformat() if reading.created else ""
    return Heading(NAME, date, "", ATTRIBUTION)


def _read_items(path: Path, rows: RawRows, reading: _Reading) -> None:
    """Lay down the recordings of item metadata, and remember a file that lists items."""
    known = 0
    for line, answer in _answers(path, reading):
        try:
            known += 1
            if isinstance(answer.get("metadata"), dict):
                _put_item(line, answer, rows, reading)
            elif _listed(answer) is not None:
                reading.listings += [] if reading.listings[-1:] == [path] else [path]
            elif not answer or "is_dark" in answer:
                reading.items.counts["items_dark" if answer else "items_missing"] += 1
            else:
                known -= 1
                error = text_of(answer.get("error"))
                raise UnfitItemError(f"the Archive answered: {error[:200]}" if error else f"expected {_EXPECTED}")
        except UnfitItemError as unfit:
            reading.reject(path, line, str(unfit), json.dumps(answer)[:2000])
    if not known:
        raise UsageError(str(path), f"expected {_EXPECTED}; found none", _REMEDY)


def _put_item(line: int, answer: Mapping[str, Any], rows: RawRows, reading: _Reading) -> None:
    for row in reading.items.rows(answer):
        rows.put(line, row)
    reading.answered.add(text_of(answer["metadata"].get("identifier")))
    created = answer.get("created")
    if isinstance(created, int) and reading.created < created < _CREATED_MAX:
        reading.created = created


def _read_listings(path: Path, rows: RawRows, reading: _Reading) -> None:
    """Lay down a row for each item that is listed and whose metadata is not at hand."""
    for line, answer in _answers(path, reading, again=True):
        for listing in _listed(answer) or ():
            if not isinstance(listing, dict):
                reading.reject(path, line, "expected an item as an object", json.dumps(listing)[:2000])
            elif text_of(listing.get("identifier")) not in reading.answered:
                try:
                    row = reading.items.row_of_listing(listing)
                except UnfitItemError as unfit:
                    reading.reject(path, line, str(unfit), json.dumps(listing)[:2000])
                else:
                    if row:
                        rows.put(line, row)


def _listed(answer: Mapping[str, Any]) -> list[Any] | None:
    """Return the items that a search or scrape answer lists, or an item told of by itself; None for another answer."""
    if isinstance(answer.get("metadata"), dict):
        return None
    response, items = answer.get("response"), answer.get("items")
    if isinstance(response, dict) and isinstance(response.get("docs"), list):
        return list(response["docs"])
    if isinstance(items, list):
        return items
    return [answer] if text_of(answer.get("identifier")) else None


def _answers(path: Path, reading: _Reading, again: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each answer with the line where it begins. again: what is none was set aside before.

    A file is one JSON text, or one a line, which its first line tells.
    Raises: UsageError for what is no JSON, SourceError for what is cut off.
    """
    with reading.desk.unpacked(path) as stream:
        lines: Iterator[tuple[int, bytes]] = filter(_is_full, numbered_lines(stream, str(path)))
        first, content = next(lines, (1, b""))
        content = content.removeprefix(b"\xef\xbb\xbf")
        if content.lstrip()[:1] not in (b"{", b"["):
            raise UsageError(str(path), f"expected JSON, {_EXPECTED}", _REMEDY)
        whole = not _is_one(content)
        lines = chain([(first, _with_rest(content, lines, path) if whole else content)], lines)
        for line, text in lines:
            found: Any = []
            problem = "expected an object"
            try:
                found = _parsed(text)
            except _UnfitAnswerError as unfit:
                problem = str(unfit)
                if whole or not text.endswith(b"\n"):
                    place, said = f"{path}:{line}", f"ends early or is broken: {problem}"
                    raise SourceError(place, said, "Nothing was imported; fetch it again.") from unfit
            answers = found if isinstance(found, list) and found else [found]
            for answer in answers:
                if isinstance(answer, dict):
                    yield line, answer
                elif not again:
                    reading.reject(path, line, problem, text[:2000].decode("utf-8", "backslashreplace"))


def _is_full(numbered: tuple[int, bytes]) -> bool:
    return bool(numbered[1].strip())


def _is_one(content: bytes) -> bool:
    """Tell whether a file's first line is an answer by itself, be it a bad one, and not the beginning of a JSON text."""
    try:
        _parsed(content)
    except _UnfitAnswerError:
        return content.rstrip().endswith(b"}")
    return True


def _with_rest(first: bytes, lines: Iterator[tuple[int, bytes]], path: Path) -> bytes:
    parts, total = [first], len(first)
    for _, content in lines:
        parts.append(content)
        total += len(content)
        if total > LINE_BYTES_MAX:
            raise SourceError(str(path), f"one JSON text of more than {LINE_BYTES_MAX} bytes", "Write one answer a line.")
    return b"".join(parts)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise _UnfitAnswerError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise _UnfitAnswerError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise _UnfitAnswerError(f"not JSON: {error}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


KIND = Kind(NAME, "answers of the Internet Archive: item metadata, advanced search and scrape, as JSON or one a line", read)
