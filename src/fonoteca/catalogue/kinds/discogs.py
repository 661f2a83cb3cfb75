"""The monthly dumps of Discogs: one row a track of a release.

releases give the rows. masters give the year of a work, for releases that have none. artists and labels are read through and
counted, so that a broken dump is found; no row has anything of them, for a release names its artists itself.
Elements and attributes as philipmat/discogs-xml2db knows them; CC0 as https://www.discogs.com/developers says of the dumps.
"""

from __future__ import annotations

import datetime
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteca.catalogue.desk import RECORDINGS, Desk, Heading, Kind, files_of
from fonoteca.catalogue.discogs.tracks import FIELDS, UNWANTED, TrackReader, UnfitReleaseError, year_of
from fonoteca.catalogue.discogs.xmlitems import items, root_of
from fonoteca.model.errors import UsageError

NAME = "discogs"
LICENCE = "https://creativecommons.org/publicdomain/zero/1.0/"
ATTRIBUTION = "Discogs, https://www.discogs.com"
MASTER_ID_MAX = 1 << 26
"""Ids were at 4 million in 2025. Two bytes for each id up to the highest are kept."""

_MASTERS, _RELEASES, _COUNTED = "masters", "releases", ("artists", "labels")
_WHOLE_ITEMS = frozenset({"images", "videos", "profile", "urls", "members", "aliases", "namevariations", "groups", "contactinfo"})
_MASTER_UNWANTED = frozenset({"images", "videos", "artists", "genres", "styles", "notes", "title"})
_DATE = re.compile(r"discogs_([0-9]{4})([0-9]{2})([0-9]{2})_")


@dataclass(frozen=True, slots=True)
class _Dump:
    """One file of a dump. holds: the name of its root element."""

    path: Path
    holds: str


def read(paths: Sequence[Path], desk: Desk) -> Heading:
    """Lay a row on the desk for each track of each release. Raises: UsageError, SourceError."""
    paths = files_of(paths, "*.xml", "*.xml.*")
    dumps = [_recognised(path, desk) for path in paths]
    if not any(dump.holds == _RELEASES for dump in dumps):
        names = ", ".join(str(path) for path in paths)
        problem = "holds no releases, and nothing else of Discogs becomes rows of a catalogue of recordings"
        raise UsageError(names, problem, "Name discogs_YYYYMMDD_releases.xml.gz, alone or with its siblings.")
    years = array("H")
    for dump in dumps:
        if dump.holds == _MASTERS:
            _read_masters(dump.path, years, desk)
        elif dump.holds in _COUNTED:
            _count(dump, desk)
    tracks = TrackReader(years)
    for dump in dumps:
        if dump.holds == _RELEASES:
            _read_releases(dump.path, tracks, desk)
    for fact, count in sorted(tracks.counts.items()):
        desk.note(fact, count)
    return Heading(NAME, _date(paths), LICENCE, ATTRIBUTION)


def _recognised(path: Path, desk: Desk) -> _Dump:
    root = root_of(desk.head(path), str(path))
    if root not in (_RELEASES, _MASTERS, *_COUNTED):
        found = f"<{root}>" if root else "no XML"
        remedy = "Name Discogs' dumps: discogs_YYYYMMDD_releases.xml.gz and its siblings."
        raise UsageError(str(path), f"expected <releases>, <masters>, <artists> or <labels>, found {found}", remedy)
    return _Dump(path, root)


def _read_releases(path: Path, tracks: TrackReader, desk: Desk) -> None:
    with desk.table(RECORDINGS, FIELDS, path.name) as rows, desk.unpacked(path) as stream:
        for item in items(stream, str(path), UNWANTED):
            try:
                for row in tracks.rows(item.element):
                    rows.put(item.line, row)
            except UnfitReleaseError as unfit:
                release = f"release {item.element.get('id')!r}, {item.element.findtext('title')!r}"
                desk.reject(path.name, item.line, str(unfit), release)


def _read_masters(path: Path, years: array[int], desk: Desk) -> None:
    count = 0
    with desk.unpacked(path) as stream:
        for item in items(stream, str(path), _MASTER_UNWANTED):
            count += 1
            number, year = item.element.get("id") or "", year_of(item.element.findtext("year") or "")
            if not (number.isascii() and number.isdecimal() and int(number[:9]) < MASTER_ID_MAX and len(number) < 9):
                desk.reject(path.name, item.line, f"expected an id below {MASTER_ID_MAX}", f"master {number[:40]!r}")
            elif year:
                if len(years) <= int(number):
                    years.extend(bytes(int(number) + 1 - len(years)))
                years[int(number)] = int(year)
    _add(_MASTERS, count, desk)


def _count(dump: _Dump, desk: Desk) -> None:
    desk.progress.note(f"{dump.path.name}: counted alone; {dump.holds} have no rows in the catalogue")
    with desk.unpacked(dump.path) as stream:
        _add(dump.holds, sum(1 for _ in items(stream, str(dump.path), _WHOLE_ITEMS)), desk)


def _add(fact: str, count: int, desk: Desk) -> None:
    desk.note(fact, count + int(desk.facts.get(fact, 0)))


def _date(paths: Sequence[Path]) -> str:
    """Return the newest date that a file is named for, "" for none."""
    dates = []
    for path in paths:
        if found := _DATE.match(path.name):
            try:
                dates.append(datetime.date(int(found[1]), int(found[2]), int(found[3])).isoformat())
            except ValueError:
                continue
    return max(dates, default="")


KIND = Kind(NAME, "the monthly dumps of Discogs: releases.xml.gz, with masters, artists and labels or without", read)
