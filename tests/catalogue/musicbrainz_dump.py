"""Dumps in MusicBrainz' true format, made of small tables: what `COPY table TO stdout` and `tar --create | bzip2` would give."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard

from fonoteca.catalogue.desk import Desk, Heading, Kind
from fonoteca.catalogue.musicbrainz.schema import OFFICIAL, RECORDING_LICENCE, RELEASE_LICENCE, tables_of
from fonoteca.catalogue.rows import BadRow

TIMESTAMP = "2026-05-20 00:10:01.123456+00"
_STAMP = "2020-01-02 03:04:05.678901+00"
_ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(("last_updated", "created"), _STAMP),
    **dict.fromkeys(("edits_pending", "ref_count", "attribute_count", "link_order", "child_order"), 0),
    **dict.fromkeys(("comment", "entity0_credit", "entity1_credit", "join_phrase", "description"), ""),
    **dict.fromkeys(("video", "is_data_track", "ended", "is_deprecated"), "f"),
    **dict.fromkeys(("entity0_cardinality", "entity1_cardinality"), 0),
    **dict.fromkeys(("artist_count", "track_count", "position", "number", "artist", "artist_credit", "release_group"), 1),
    **dict.fromkeys(("link_phrase", "reverse_link_phrase", "long_link_phrase"), "is licensed under"),
    "quality": -1,
    "has_dates": "t",
    "country": 221,
}


def gid(kind: str, number: int) -> str:
    """Return the MBID of the number-th thing of a kind: random in looks (version 4), always the same."""
    made = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{number}")
    return str(uuid.UUID(bytes=made.bytes, version=4))


def escaped(value: object) -> str:
    """Return a value as PostgreSQL's COPY TO writes it (src/backend/commands/copyto.c, CopyAttributeOutText)."""
    return r"\N" if value is None else "".join(_ESCAPES.get(c, c) for c in str(value))


@dataclass
class Dump:
    """Tables of a dump: rows as column to value; columns left out get what MusicBrainz has by default."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    schema: int = 31
    replication: int = 180_001
    timestamp: str = TIMESTAMP
    raw: dict[str, bytes] = field(default_factory=dict)

    def add(self, table: str, **cells: Any) -> Dump:
        self.tables.setdefault(table, []).append(cells)
        return self

    def credit(self, number: int, *names: tuple[str, str], artist_count: int | None = None) -> Dump:
        joined = "".join(name + phrase for name, phrase in names)
        self.add("artist_credit", id=number, name=joined, artist_count=artist_count or len(names), gid=gid("credit", number))
        for position, (name, phrase) in enumerate(names):
            self.add("artist_credit_name", artist_credit=number, position=position, name=name, join_phrase=phrase)
        return self

    def recording(self, number: int, name: str, credit: int = 1, length: int | None = 180_000) -> Dump:
        return self.add("recording", id=number, gid=gid("recording", number), name=name, artist_credit=credit, length=length)

    def release(self, number: int, name: str, dates: Sequence[tuple[Any, Any, Any]] = (), **cells: Any) -> Dump:
        self.add("release", **{"id": number, "gid": gid("release", number), "name": name, "status": 1, **cells})
        for index, (year, month, day) in enumerate(dates):
            table, place = ("release_unknown_country", {}) if index else ("release_country", {"country": 221})
            self.add(table, release=number, date_year=year, date_month=month, date_day=day, **place)
        return self

    def medium(self, number: int, release: int, recordings: Sequence[int], position: int = 1) -> Dump:
        self.add("medium", id=number, release=release, position=position, format=None, name="", gid=gid("medium", number))
        for place, recording in enumerate(recordings, 1):
            self.add("track", recording=recording, medium=number, position=place, name="as on the sleeve", length=None)
        return self

    def licence(self, entity: str, number: int, url: str, ended: str = "f") -> Dump:
        types = {"recording": (302, RECORDING_LICENCE), "release": (301, RELEASE_LICENCE)}
        link = 1 + len(self.tables.get("link", []))
        known, link_gid = types[entity]
        if not any(row["id"] == known for row in self.tables.get("link_type", [])):
            self.add("link_type", id=known, gid=link_gid, name="license", entity_type0=entity, entity_type1="url")
        self.add("link", id=link, link_type=known, ended=ended)
        self.add("url", id=link, url=url)
        return self.add(f"l_{entity}_url", link=link, entity0=number, entity1=link)

    def text_of(self, table: str) -> bytes:
        """Return the table's file."""
        if table in self.raw:
            return self.raw[table]
        columns = tables_of(self.schema if self.schema in (30, 31) else 31)[table].columns
        lines = []
        for index, row in enumerate(self.tables[table], 1):
            found = {**_DEFAULTS, "id": index, "gid": gid(table, index), **row}
            lines.append("\t".join(escaped(found.get(column)) for column in columns) + "\n")
        return "".join(lines).encode()

    def files(self) -> dict[str, bytes]:
        """Return the members in the order of MBDump.pm: the small files, then the tables by name; empty ones are left out."""
        self.tables.setdefault("release_status", [{"id": 1, "name": "Official", "gid": OFFICIAL}])
        small = {
            "TIMESTAMP": f"{self.timestamp}\n",
            "COPYING": "CC0\n",
            "README": "Snapshots of the MusicBrainz database.\n",
            "REPLICATION_SEQUENCE": f"{self.replication}\n",
            "SCHEMA_SEQUENCE": f"{self.schema}\n",
        }
        tables = sorted({name for name, rows in self.tables.items() if rows} | set(self.raw))
        return {**{k: v.encode() for k, v in small.items()}, **{f"mbdump/{name}": self.text_of(name) for name in tables}}


def tar_of(files: Mapping[str, bytes], archive_format: int = tarfile.GNU_FORMAT) -> bytes:
    """Return an archive of these files, as GNU tar writes one."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=archive_format) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def packed(content: bytes, name: str) -> bytes:
    """Return the content packed as the ending of the name says."""
    packers = {"bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress, "tar": bytes}
    return packers[name.rpartition(".")[2]](content)  # type: ignore[operator]


def write_dump(folder: Path, dump: Dump, name: str = "mbdump.tar.bz2") -> Path:
    """Write a dump. name: of the archive; one without an ending is the folder to unpack it to."""
    path = folder / name
    if "." in name:
        path.write_bytes(packed(tar_of(dump.files()), name))
        return path
    for member, content in dump.files().items():
        (path / member).parent.mkdir(parents=True, exist_ok=True)
        (path / member).write_bytes(content)
    return path


class Quiet:
    """Progress that nobody sees."""

    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Any:
        yield lambda _: None

    def note(self, text: str) -> None:
        """Say nothing."""


@dataclass
class Laid:
    """What a kind laid on its desk."""

    heading: Heading
    desk: Desk
    rejects: list[BadRow]

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return the raw rows of one kind, fields by their names, with `line`."""
        found: list[dict[str, Any]] = []
        for table in self.desk.tables:
            if table.rows == kind:
                columns = {column: field for field, column in table.columns.items()} | {"line": "line"}
                read = pq.read_table(table.path).select(list(columns)).rename_columns(list(columns.values())).to_pylist()
                found += [{k: str(v) if isinstance(v, uuid.UUID) else v for k, v in row.items()} for row in read]
        return found

    @property
    def reasons(self) -> list[tuple[str, int, str]]:
        return [(bad.file, bad.line, bad.reason) for bad in self.rejects]


def lay(kind: Kind, scratch: Path, *paths: Path) -> Laid:
    """Let a kind read these paths."""
    scratch.mkdir(exist_ok=True, parents=True)
    rejects: list[BadRow] = []
    desk = Desk(scratch, Quiet(), rejects.append)
    return Laid(kind.read(list(paths), desk), desk, rejects)
