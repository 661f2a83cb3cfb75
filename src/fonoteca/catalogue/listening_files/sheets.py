"""Histories in CSV, TSV and `.scrobbler.log`, told apart by their header.

Sources: lastfm.ghan.nl (`uts,utc_time,artist,...`), the four columns of benfoxall's lastfm-to-csv, lastexport.py of Libre.fm's
lastscrape (tabs, no header), Libre.fm's own export, audioscrobbler.net/wiki/Portable_Player_Logging.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from fonoteca.catalogue.listening_files.ledger import Ledger
from fonoteca.catalogue.listening_files.pieces import Piece
from fonoteca.catalogue.listening_files.plays import Play, Plays
from fonoteca.model.errors import SourceError, UsageError

SCROBBLER_LOG = "#AUDIOSCROBBLER/"
_HEADER_LINES_MAX = 64
"""Exports have a few lines of comment before their header."""
_UNTAGGED = "<Untagged>"
"""What Rockbox writes for a file without tags."""
_LASTFM_DATES = ("%d %b %Y %H:%M", "%d %b %Y, %H:%M", "%d %b %Y, %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of plays. name: of the source. lines_before: what comes before its first row."""

    name: str
    delimiter: str
    columns: Mapping[str, int]
    width: int
    lines_before: int


@dataclass(frozen=True, slots=True)
class _Header:
    """A header that is known. columns: field to column, in small letters. refusal: why such a table is not read."""

    name: str
    columns: Mapping[str, str]
    refusal: str = ""


_HEADERS = (
    _Header("my-listens-lastfm", {"at": "uts", "artist": "artist", "title": "track"}),
    _Header("my-listens-librefm", {"at": "time", "artist": "artist", "title": "track"}),
    _Header("", {"at": "date-time", "artist": "artist", "title": "song"}, "says what a radio station played, not what was heard"),
    _Header("", {"artist": "artist_mbid", "id": "recording_mbid"}, "repeats recordings under each of their artists"),
)
POPULARITY = {"id": "recording_mbid", "listens": "total_listen_count", "listeners": "total_user_count"}


def sheet_of(piece: Piece) -> Sheet | None:
    """Return what a piece of text is, None for no known table. Raises: UsageError for a table that is known to be no history."""
    lines = re.split(r"\r\n|\n|\r", piece.text_head)
    for number, line in enumerate(lines[:_HEADER_LINES_MAX], 1):
        for delimiter in (",", "\t", ";"):
            names = [name.strip().strip('"').lower() for name in line.split(delimiter)]
            if sheet := _headed(names, Sheet("", delimiter, {}, len(names), number), piece.subject):
                return sheet
    first = next((line for line in lines if line.strip()), "")
    return _headless(first)


def _headed(names: Sequence[str], bare: Sheet, subject: str) -> Sheet | None:
    for header in _HEADERS:
        if set(header.columns.values()) <= set(names):
            if header.refusal:
                raise UsageError(subject, header.refusal, "Give it a history of listens.")
            columns = {field: names.index(column) for field, column in header.columns.items()}
            return Sheet(header.name, bare.delimiter, columns, bare.width, bare.lines_before)
    if {POPULARITY["id"], POPULARITY["listens"]} <= set(names):
        columns = {field: names.index(column) for field, column in POPULARITY.items() if column in names}
        return Sheet("listenbrainz-popularity", bare.delimiter, columns, bare.width, bare.lines_before)
    return None


def _headless(first: str) -> Sheet | None:
    """Return a table that has no header, told by the times in its first row."""
    tabbed = first.split("\t")
    if len(tabbed) >= 3 and re.fullmatch(r"[0-9]{9,10}", tabbed[0]):
        return Sheet("my-listens-lastfm", "\t", {"at": 0, "title": 1, "artist": 2}, len(tabbed), 0)
    cells = next(csv.reader([first]), [])
    if len(cells) == 4 and _lastfm_date(cells[3]) != cells[3]:
        return Sheet("my-listens-lastfm", ",", {"artist": 0, "title": 2, "at": 3}, 4, 0)
    return None


def rows_of(piece: Piece, sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each row. Raises: SourceError where quotes do not close."""
    with piece.text() as text:
        for _ in islice(text, sheet.lines_before):
            pass
        reader = csv.reader(text, delimiter=sheet.delimiter, strict=True)
        line = sheet.lines_before + 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise SourceError(f"{piece.subject}:{line}", f"a row does not end: {error}", "Nothing was imported.") from error
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = sheet.lines_before + reader.line_num + 1


def plays_of(piece: Piece, sheet: Sheet) -> Plays:
    """Yield the plays of a table."""
    for line, cells in rows_of(piece, sheet):
        if len(cells) != sheet.width:
            yield line, Play(wrong=f"expected {sheet.width} columns, found {len(cells)}")
            continue
        found = {field: cells[index] for field, index in sheet.columns.items()}
        yield line, Play(at=_lastfm_date(found["at"]), artist=found["artist"], title=found["title"])


def _lastfm_date(text: str) -> str:
    """Return an ISO time for the way that Last.fm's pages write one (in UTC), other text as it is."""
    for form in _LASTFM_DATES if text[-3:-2] == ":" else ():
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC).isoformat()
        except ValueError:
            continue
    return text


def scrobbler_plays(piece: Piece) -> Plays:
    """Yield the plays of a `.scrobbler.log`: artist, album, title, track, seconds, rating, time, MBID between tabs.

    L is listened to at least half, S is skipped. Rockbox takes its MBID from the tag that Picard fills with the recording's.
    """
    with piece.text() as text:
        for number, line in enumerate(text, 1):
            cells = line.rstrip("\r\n").split("\t")
            if line.startswith("#") or not line.strip():
                continue
            yield number, _scrobble(cells)


def _scrobble(cells: list[str]) -> Play:
    if len(cells) not in (7, 8):
        return Play(wrong=f"expected 8 columns, found {len(cells)}")
    artist, _, title, _, _, rating, at, mbid = (*cells, "")[:8]
    if rating == "S":
        return Play(left_out="skipped")
    wrong = "" if rating == "L" else "rating: expected L or S"
    if artist == _UNTAGGED:
        wrong = "artist: untagged"
    return Play(at=at, artist=artist, title=title, mbid=mbid, wrong=wrong)


def counts_of(piece: Piece, sheet: Sheet, ledger: Ledger) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line and counts of each row of a table of popularity, which the sample dump has; odd rows are set aside."""
    for line, cells in rows_of(piece, sheet):
        if len(cells) != sheet.width:
            ledger.reject(line, f"expected {sheet.width} columns, found {len(cells)}", repr(cells), piece.label)
        else:
            yield line, {POPULARITY[field]: cells[index] for field, index in sheet.columns.items()}
