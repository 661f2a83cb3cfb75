"""A small snapshot of any rows, and rows written wrongly in known ways: matching is fitted and tested on them, too."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from fonoteca.catalogue.keys import artist_words, title_words
from fonoteca.catalogue.layout import MERGED, RECORDINGS, schema_of, shard_name, write_shard
from fonoteca.catalogue.matching import Named
from fonoteca.catalogue.starter import starter_table

_ABSENT = {pa.string(): "", pa.bool_(): False, pa.uuid(): b"\0" * 16}


@dataclass(frozen=True)
class Row:
    """What a question or a recording says."""

    title: str
    artist: str
    duration_ms: int = 0
    isrc: str = ""


def id_of(rank: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(rank)))


def write_snapshot(folder: Path, rows: Sequence[Row], merged: Sequence[tuple[int, Row]] = ()) -> Path:
    """Write recordings of ranks 1, 2, ... and rows merged into some of them. Returns: the snapshot's folder."""
    for table, ranked in ((RECORDINGS, list(enumerate(rows, 1))), (MERGED, list(merged))):
        schema = schema_of(table)
        columns = {field.name: pa.array([_ABSENT.get(field.type, 0)] * len(ranked), field.type) for field in schema}
        columns["rank"] = pa.array([rank for rank, _ in ranked], pa.int64())
        columns["id"] = pa.array([uuid.UUID(id_of(rank)).bytes for rank, _ in ranked], pa.uuid())
        for name in ("title", "artist", "duration_ms", "isrc"):
            columns[name] = pa.array([getattr(row, name) for _, row in ranked], schema.field(name).type)
        (folder / table).mkdir(parents=True, exist_ok=True)
        write_shard(folder / shard_name(table, 0), pa.table(columns, schema=schema))
    return folder


def named(rows: Sequence[Row]) -> Named:
    return Named(
        title_words(pa.array([row.title for row in rows], pa.string())),
        artist_words(pa.array([row.artist for row in rows], pa.string())),
        np.array([row.duration_ms for row in rows], np.int64),
        pa.array([row.isrc for row in rows], pa.string()),
    )


def real_rows() -> list[Row]:
    """Return the rows of the starter catalogue, each title and artist once, with made-up ISRCs for half of them."""
    with starter_table() as (path, _):
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=["title", "artist", "duration_s"]))
    found: dict[tuple[str, str], Row] = {}
    for number, (title, artist, duration) in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True)):
        row = Row(str(title), str(artist), round(float(duration or 0) * 1000), f"QZAAA{number:07}" if number % 2 else "")
        if title and artist:
            found.setdefault((row.title.lower(), row.artist.lower()), row)
    return list(found.values())


ABSENT_EVERY = 10


def without_some(rows: Sequence[Row]) -> tuple[list[Row], np.ndarray]:
    """Return the rows but every tenth, and for each row its rank among the others, -1 for a tenth."""
    number = np.arange(len(rows))
    kept = [row for n, row in enumerate(rows) if n % ABSENT_EVERY]
    return kept, np.where(number % ABSENT_EVERY, number - number // ABSENT_EVERY, -1)


class Noise:
    """Writes rows wrongly, from one seed: slips, lost accents, capitals, guests, suffixes, articles, other durations."""

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)

    def _happens(self, share: float) -> bool:
        return bool(self._chance.random() < share)

    def _slip(self, text: str) -> str:
        place, letter = int(self._chance.integers(len(text))), "abcdefghijklmnopqrstuvwxyz"[self._chance.integers(26)]
        ways = (text[:place] + text[place + 1 :], text[:place] + letter + text[place:], text[:place] + letter + text[place + 1 :])
        return str(ways[self._chance.integers(3)]) if len(text) > 4 else text

    def spoilt(self, row: Row) -> Row:
        """Return the row as someone else might write it."""
        title, artist = row.title, row.artist
        if self._happens(0.25):
            title = self._slip(title)
        if self._happens(0.1):
            artist = self._slip(artist)
        if self._happens(0.1):
            title += (" (feat. Nobody)", " - Remastered 2011", " [Remaster]")[self._chance.integers(3)]
        if self._happens(0.05):
            artist = f"The {artist}"
        if self._happens(0.2):
            title = unicodedata.normalize("NFD", title).encode("ascii", "ignore").decode() or title
        if self._happens(0.2):
            title = title.upper()
        duration = 0 if self._happens(0.3) else max(0, row.duration_ms + int(self._chance.normal(0, 900)))
        return Row(title, artist, duration if row.duration_ms else 0, row.isrc if self._happens(0.2) else "")
