"""The MTG-Jamendo dataset: tables of tracks, with the names of raw.meta.tsv and the licences of audio_licenses.txt if given.

The tables of tracks (raw*.tsv, autotagging*.tsv, gz or plain) have ids and no names, so without raw.meta.tsv a row's title,
artist and release are Jamendo's ids as the table has them: track_0000214, artist_000014, album_000031.
Files and columns: https://github.com/MTG/mtg-jamendo-dataset. Tags come as columns of their own, so lines are ragged; nothing is
quoted, and titles have lone quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fonoteca.catalogue.desk import RECORDINGS, Cell, Desk, Heading, Kind, files_of, numbered_lines
from fonoteca.model.errors import SourceError, UsageError

NAME = "jamendo"
LICENCE = "https://creativecommons.org/licenses/by-nc-sa/4.0/"
ATTRIBUTION = "MTG-Jamendo dataset, https://github.com/MTG/mtg-jamendo-dataset"
TRACKS_MAX = 4_000_000
"""Names and licences are kept in memory by track. The dataset has 56,639, all of Jamendo some 600,000."""
FIELDS = (
    "key",
    "title",
    "artist",
    "release",
    "release_id",
    "year",
    "duration_s",
    "licence",
    "source_uri",
    "genre",
)

_TRACKS = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION")
_NAMES = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "TRACK_NAME", "ARTIST_NAME", "ALBUM_NAME", "RELEASEDATE")
_TRACK_ID = re.compile(r"track_([0-9]{1,12})")
_AUDIO_PATH = re.compile(r"[0-9]+/([0-9]{1,12})(?:\.low)?\.mp3")
_LICENCE_LINE = re.compile(r"Available under .*?(https?://\S+)")
_YEAR = re.compile(r"[0-9]{4}(?![0-9])")
_GENRE = "genre---"
_REMEDY = "Name raw.tsv, autotagging.tsv or another table of tracks, with raw.meta.tsv and audio_licenses.txt if you have them."


@dataclass(frozen=True, slots=True)
class _Names:
    """What raw.meta.tsv tells of a track."""

    title: str
    artist: str
    release: str
    date: str


@dataclass(slots=True)
class _Known:
    """What was told of tracks, by number. laid: tracks that have a row from an earlier file."""

    names: dict[int, _Names] = field(default_factory=dict)
    licences: dict[int, str] = field(default_factory=dict)
    laid: set[int] = field(default_factory=set)
    repeats: int = 0


def read(paths: Sequence[Path], desk: Desk) -> Heading:
    """Lay a row on the desk for each track. Raises: UsageError, SourceError."""
    paths = files_of(paths, "*.tsv", "*.tsv.*", "audio_licenses.txt*")
    kinds = {path: _kind_of(path, desk) for path in paths}
    if _read_tracks not in kinds.values():
        problem = "holds no table of tracks, and names or licences alone are no recordings"
        raise UsageError(", ".join(str(path) for path in paths), problem, _REMEDY)
    known = _Known()
    for reader in (_read_names, _read_licences, _read_tracks):
        for path in (path for path, kind in kinds.items() if kind is reader):
            reader(path, known, desk)
    desk.note("tracks", len(known.laid))
    for fact, count in (("names", len(known.names)), ("licences", len(known.licences)), ("repeats", known.repeats)):
        if count:
            desk.note(fact, count)
    return Heading(NAME, "", LICENCE, ATTRIBUTION)


def _kind_of(path: Path, desk: Desk) -> Callable[[Path, _Known, Desk], None]:
    """Return what reads a file whose first line is such."""
    first = desk.head(path).removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    columns = tuple(first.split("\t"))
    for names, reader in _READERS.items():
        if columns[: len(names)] == names:
            return reader
    if _AUDIO_PATH.fullmatch(first):
        return _read_licences
    expected = f"a first line of {', '.join(_TRACKS)}"
    raise UsageError(str(path), f"expected a file of the MTG-Jamendo dataset, {expected}; found {first[:80]!r}", _REMEDY)


def _read_tracks(path: Path, known: _Known, desk: Desk) -> None:
    seen: set[int] = set()
    with desk.table(RECORDINGS, FIELDS, path.name) as rows:
        for line, columns in _lines(path, len(_TRACKS), desk):
            track, artist, album, _, duration, *tags = columns
            found = _TRACK_ID.fullmatch(track)
            if not found:
                desk.reject(path.name, line, f"expected track_ and a number, found {track[:40]!r}", "\t".join(columns))
                continue
            number = int(found[1])
            if number in known.laid:
                known.repeats += 1  # the dataset's files are cuts of one another
                continue
            seen.add(number)
            rows.put(line, _row((track, artist, album, duration), number, tags, known))
            _bounded(seen, path)
    known.laid |= seen


def _row(columns: tuple[str, str, str, str], number: int, tags: Sequence[str], known: _Known) -> tuple[Cell, ...]:
    track, artist, album, duration = columns
    names = known.names.get(number) or _Names("", "", "", "")
    genre = next((tag.removeprefix(_GENRE) for tag in tags if tag.startswith(_GENRE)), "")
    uri = f"https://www.jamendo.com/track/{number}"
    title, credit, release = names.title or track, names.artist or artist, names.release or album
    year = names.date[:4] if _YEAR.match(names.date) else ""
    return (track, title, credit, release, album, year, duration, known.licences.get(number, ""), uri, genre)


def _read_names(path: Path, known: _Known, desk: Desk) -> None:
    for line, columns in _lines(path, len(_NAMES), desk):
        found = _TRACK_ID.fullmatch(columns[0])
        if not found:
            desk.reject(path.name, line, f"expected track_ and a number, found {columns[0][:40]!r}", "\t".join(columns))
            continue
        if len(columns) == len(_NAMES) + 2 and not columns[4]:
            del columns[4]  # two rows of the dataset have a tab too many after the title
        known.names[int(found[1])] = _Names(columns[3], columns[4], columns[5], columns[6])
        _bounded(known.names, path)


def _read_licences(path: Path, known: _Known, desk: Desk) -> None:
    """Read blocks of a path, a credit, and a licence with its URL after `Available under`."""
    number: int | None = None
    for _, columns in _lines(path, 1, desk, headed=False):
        text = columns[0].strip()
        if found := _AUDIO_PATH.fullmatch(text):
            number = int(found[1])
        elif number is not None and (found := _LICENCE_LINE.match(text)):
            known.licences[number] = found[1].rstrip(".")
            _bounded(known.licences, path)


_READERS: Mapping[tuple[str, ...], Callable[[Path, _Known, Desk], None]] = {_NAMES: _read_names, _TRACKS: _read_tracks}


def _lines(path: Path, columns_min: int, desk: Desk, headed: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Yield the columns of each full line with its number; a line that is no text or too short is set aside."""
    with desk.unpacked(path) as stream:
        for line, content in numbered_lines(stream, str(path)):
            if not content.strip() or (headed and content.removeprefix(b"\xef\xbb\xbf").startswith(b"TRACK_ID\t")):
                continue
            try:
                columns = content.decode("utf-8").rstrip("\r\n").split("\t")
            except UnicodeDecodeError as error:
                desk.reject(path.name, line, f"not UTF-8 at byte {error.start}", content.decode("utf-8", "backslashreplace"))
                continue
            if len(columns) < columns_min:
                desk.reject(path.name, line, f"expected at least {columns_min} columns, found {len(columns)}", "\t".join(columns))
                continue
            yield line, columns


def _bounded(kept: Mapping[int, object] | set[int], path: Path) -> None:
    if len(kept) > TRACKS_MAX:
        raise SourceError(str(path), f"more than {TRACKS_MAX} tracks", "Nothing was imported; this is not the dataset.")


KIND = Kind(NAME, "tables of the MTG-Jamendo dataset, with raw.meta.tsv for names and audio_licenses.txt for licences", read)
