"""Small catalogues as the files of a snapshot, and indexes of them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from fonoteca.catalogue.layout import schema_of, shard_name, write_shard
from fonoteca.edges.disk import DiskBlobs, DiskStaging
from fonoteca.model.catalogue import Popularity, Recording
from fonoteca.model.ids import RecordingId
from fonoteca.search import SearchIndex, SnapshotFile, SnapshotTables

NAME = "2026-11-22"


def recording(
    title: str,
    artist: str = "Nobody",
    release: str = "",
    rank: int = 1000,
    *,
    held: bool = False,
    year: int | None = None,
    licence: str = "",
) -> Recording:
    return Recording(
        id=RecordingId.of("test", f"{title}/{artist}/{release}/{rank}"),
        title=title,
        artist=artist,
        release=release,
        release_id=str(RecordingId.of("release", release)) if release else "",
        year=year,
        duration_ms=0,
        isrcs=(),
        licence_uri=licence,
        source_uri="",
        source="test",
        file_bytes=0,
        held=held,
        popularity=Popularity(1 / rank, 0.0, 1.0, rank, True),
    )


def catalogue() -> list[Recording]:
    """Return 316 recordings: 300 of made-up words, and those that the tests ask for."""
    source = random.Random(7)
    syllables = ["ka", "lo", "mi", "ten", "zur", "pel", "vod", "rin", "sta", "que"]
    made = [
        recording(
            " ".join("".join(source.choices(syllables, k=3)) for _ in range(2)), f"Maker {i % 20}", f"Record {i % 40}", 100 + i
        )
        for i in range(300)
    ]
    by, zero = "https://creativecommons.org/licenses/by/4.0/", "http://creativecommons.org/publicdomain/zero/1.0/"
    return [
        *made,
        recording("Svefn-g-englar", "Sigur Rós", "Ágætis byrjun", 2, held=True, year=1999, licence=by),
        recording("Starálfur", "Sigur Rós", "Ágætis byrjun", 3, year=1999, licence=zero),
        recording("Sigur", "Someone Else", "Ros Album", 4, year=2004, licence="https://example.org/terms"),
        recording("Щелкунчик: Вальс цветов", "Пётр Чайковский", "Балеты", 5),
        recording("戦場のメリークリスマス", "坂本龍一", "戦メリ", 6, year=1983),
        recording("Don't Stop the Music", "The Dancers", "Dance", 7, year=1990),
        recording("Dont Look Now", "The Dancers", "Dance", 8, year=1991),
        recording("Anthem", "Well Known Band", "First", 1),
        recording("Anthem", "Little Known Band", "Second", 900),
        recording("Anthem for Nobody", "Third Band", "Third", 9),
        recording("Arthropod", "Insects", "Bugs", 10),
        recording("Art", "Insects", "Bugs", 11),
        recording("", "", "", 12),
        recording("", "Silent Artist", "", 13),
        recording("نسم علينا الهوى", "فيروز", "", 14),
        recording("ירושלים של זהב", "נעמי שמר", "", 15),
        recording("봄날", "방탄소년단", "", 16),
        recording("月亮代表我的心", "鄧麗君", "", 17),
        recording("Τα παιδιά του Πειραιά", "Μάνος Χατζιδάκις", "", 18),
        recording("Πειραιάς", "Κανείς", "", 19),
        recording("word " * 500, "Long", "Long", 20),
        recording("x" * 5000, "Longer", "Longer", 21),
    ]


def tables(folder: Path, recordings: Sequence[Recording], name: str = NAME, *, file_rows: int = 1 << 20) -> SnapshotTables:
    """Write a snapshot's files of recordings, and of their artists and releases, each in order of rank."""
    ordered = sorted(recordings, key=lambda one: one.popularity.rank)
    rows = {
        "recordings": [_recording_row(one) for one in ordered],
        "artists": list(_summed(ordered, ("artist",))),
        "releases": list(_summed([one for one in ordered if one.release_id], ("release_id", "release"))),
    }
    files = {table: tuple(_written(folder, table, each, file_rows)) for table, each in rows.items()}
    return SnapshotTables(name, files)


def _written(folder: Path, table: str, rows: list[dict[str, object]], file_rows: int) -> Iterator[SnapshotFile]:
    for number, first in enumerate(range(0, len(rows), file_rows)):
        path = folder / shard_name(table, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = schema_of(table)
        columns = [
            pa.array([row.get(field.name, _nothing(field)) for row in rows[first : first + file_rows]], _storage(field.type))
            for field in schema
        ]
        arrays = [
            pa.ExtensionArray.from_storage(f.type, c) if isinstance(f.type, pa.UuidType) else c
            for f, c in zip(schema, columns, strict=True)
        ]
        write_shard(path, pa.Table.from_arrays(arrays, schema=schema))
        yield SnapshotFile(path, hashlib.sha256(path.read_bytes()).hexdigest())


def _storage(kind: pa.DataType) -> pa.DataType:
    return pa.binary(16) if isinstance(kind, pa.UuidType) else kind


def _nothing(field: pa.Field) -> object:
    if field.nullable:
        return None
    return "" if pa.types.is_string(field.type) else False if pa.types.is_boolean(field.type) else 0


def _recording_row(one: Recording) -> dict[str, object]:
    return {
        "rank": one.popularity.rank,
        "id": _octets(one.id),
        "title": one.title,
        "artist": one.artist,
        "release": one.release,
        "release_id": _octets(one.release_id) if one.release_id else None,
        "year": one.year,
        "licence_uri": one.licence_uri,
        "held": one.held,
        "share": one.popularity.share,
    }


def _octets(identity: str) -> bytes:
    return bytes.fromhex(identity.replace("-", ""))


def _summed(recordings: Sequence[Recording], key: tuple[str, ...]) -> Iterator[dict[str, object]]:
    groups: dict[str, list[Recording]] = {}
    for one in recordings:
        if getattr(one, key[0]):
            groups.setdefault(getattr(one, key[0]), []).append(one)
    for found in groups.values():
        best = found[0]
        yield {
            "name": best.artist,
            "release_id": _octets(best.release_id) if best.release_id else None,
            "title": best.release,
            "artist": best.artist,
            "artist_count": 1,
            "year": best.year,
            "track_count": len(found),
            "held_count": sum(one.held for one in found),
            "best_rank": best.popularity.rank,
            "share": sum(one.popularity.share for one in found),
        }


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a catalogue and its indexes."""

    folder: Path

    def index(self) -> SearchIndex:
        """Return the indexes here, as another process would open them."""
        return SearchIndex(DiskBlobs(self.folder / "search"), DiskStaging(self.folder / "staging"))

    def tables(self, recordings: Sequence[Recording], name: str = NAME, *, file_rows: int = 1 << 20) -> SnapshotTables:
        """Write a snapshot here."""
        return tables(self.folder / "catalogue" / name, recordings, name, file_rows=file_rows)


def contents(index: SearchIndex) -> dict[str, bytes]:
    """Return the files of the index in use."""
    return {name: path.read_bytes() for name, path in index.files()}
