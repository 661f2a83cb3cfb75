"""Import of MusicBrainz' JSON: the JSON dump, one entity a line, and answers of the web service, which have the same shape.

The dump's `recording` holds only recordings that are on no release (musicbrainz-server, lib/MusicBrainz/Script/JSONDump.pm); all
others come in `release`, once for each release that they are on. Both archives make a whole.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.desk import LINE_BYTES_MAX, RECORDINGS, Desk, Heading, Kind, RawRows, RawTable, numbered_lines
from fonoteca.catalogue.duck import PARQUET, DuckSettings, duck_errors, open_duck, quoted
from fonoteca.catalogue.kinds.musicbrainz import ATTRIBUTION, CC0, CC_BY_NC_SA
from fonoteca.catalogue.musicbrainz.dump import Facts, is_archive, parts
from fonoteca.catalogue.musicbrainz.entities import FIELDS, ORDER, Entity, UnfitError, entity_rows
from fonoteca.model.errors import SourceError, UsageError

NAME = "musicbrainz-json"
DOCUMENT_BYTES_MAX = LINE_BYTES_MAX
"""The longest `.json` file that is read as one document: an answer of the web service has 100 entities at most."""
JSON_SCHEMA = 1
"""JSON_DUMPS_SCHEMA_NUMBER, as in JSONDump.pm."""

_ENTITIES: dict[str, Entity] = {"recording": "recording", "release": "release"}
_ENDINGS = (".json", ".jsonl", ".ndjson")
_PACKED = ("", ".gz", ".bz2", ".xz", ".zst")
_SCHEMA = pa.schema([("line", pa.int64()), *((name, pa.string()) for name in (*FIELDS, *ORDER))])
_GENRE = FIELDS.index("genre")
_SHOWN_BYTES = 4000


class _Reading:
    """What has been read so far."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.facts = Facts()
        self.has_genres = False
        self.created = ""
        self._laid: list[tuple[Path, str]] = []

    def lay(self, documents: Iterable[tuple[int, bytes, object]], entity: Entity, file: str) -> None:
        """Lay the recordings of documents down. documents: the line where each begins, its bytes, and what they are in JSON."""
        path = self.desk.scratch / f"musicbrainz-json-{len(self._laid):06}.parquet"
        with pq.ParquetWriter(path, _SCHEMA, compression="zstd", compression_level=1) as writer:
            rows = RawRows(writer, _SCHEMA, self.desk.on_reject, file)
            for line, raw, document in documents:
                try:
                    found = list(entity_rows(document, entity))
                except UnfitError as unfit:
                    self.desk.reject(file, line, str(unfit), raw[:_SHOWN_BYTES].decode("utf-8", "backslashreplace"))
                    continue
                for row in found:
                    rows.put(line, row)
                    self.has_genres = self.has_genres or row[_GENRE] is not None
                if not entity and isinstance(document, dict):
                    self.created = max(self.created, _day(document.get("created")))
            rows.flush()
        self._laid.append((path, file))

    def put_in_order(self) -> None:
        """Lay the rows on the desk: earliest official releases first, so that of a recording's rows that one speaks for it."""
        with duck_errors("the rows of MusicBrainz' JSON"):
            duck = open_duck(DuckSettings(memory_bytes_max=2 << 30), self.desk.scratch / "spill")
            try:
                for path, file in self._laid:
                    ordered = path.with_suffix(".ordered.parquet")
                    order = f"{', '.join(ORDER)}, release_id, TRY_CAST(disc AS INTEGER), TRY_CAST(track AS INTEGER), line, id"
                    rows = f"SELECT line, {', '.join(FIELDS)} FROM read_parquet({quoted(path)}) ORDER BY {order}"
                    duck.execute(f"COPY ({rows}) TO {quoted(ordered)} ({PARQUET})")
                    self.desk.parquet(RawTable(RECORDINGS, ordered, {name: name for name in FIELDS}, file, "line"))
            finally:
                duck.close()


def read(paths: Sequence[Path], desk: Desk) -> Heading:
    """Lay the recordings of dumps and answers on the desk. paths: archives, folders of either, files of JSON or JSON lines."""
    reading = _Reading(desk)
    for path in paths:
        _read_path(path, reading)
    schema = reading.facts.number("JSON_DUMPS_SCHEMA_NUMBER")
    if schema not in (None, JSON_SCHEMA):
        remedy = "Use a newer Fonoteca, or the TSV dump."
        raise SourceError("JSON_DUMPS_SCHEMA_NUMBER", f"expected schema {JSON_SCHEMA}, found {schema}", remedy)
    reading.put_in_order()
    for fact in ("SCHEMA_SEQUENCE", "REPLICATION_SEQUENCE", "JSON_DUMPS_SCHEMA_NUMBER"):
        number = reading.facts.number(fact)
        if number is not None:
            desk.note(fact.lower(), number)
    # Tags, which genres are, are not under CC0, whichever way they come.
    licence = CC_BY_NC_SA if reading.has_genres else CC0
    note = "; genres from its tags" if reading.has_genres else ""
    return Heading(NAME, reading.facts.date or reading.created, licence, ATTRIBUTION + note)


def _read_path(path: Path, reading: _Reading) -> None:
    if is_archive(path) or _is_dump(path):
        for part in parts([path], reading.desk, _ENTITIES):
            if not reading.facts.take(part) and part.table in _ENTITIES:
                lines = _lines(part.member.stream, part.member.name)
                reading.lay(_parsed(lines, part.member.name, reading.desk), _ENTITIES[part.table], part.member.name)
    elif path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.is_file() and (is_archive(file) or _is_json(file))]
        if not files:
            problem = "holds neither mbdump/ nor an archive nor a file of JSON"
            raise UsageError(str(path), problem, "Name a JSON dump, or answers of the web service.")
        for file in files:
            _read_path(file, reading)
    elif _is_json(path) or path.name in _ENTITIES:
        _read_file(path, reading)
    else:
        raise UsageError(str(path), f"expected a name ending in {', '.join(_ENDINGS)} or .tar.xz", "Name a JSON dump, or answers.")


def _is_dump(path: Path) -> bool:
    return path.is_dir() and (path.name == "mbdump" or (path / "mbdump").is_dir())


def _is_json(path: Path) -> bool:
    return path.name.lower().endswith(tuple(ending + packed for ending in _ENDINGS for packed in _PACKED))


def _read_file(path: Path, reading: _Reading) -> None:
    entity = _ENTITIES.get(path.name, "")
    with reading.desk.unpacked(path) as stream:
        if not entity and ".json" in path.suffixes:
            reading.lay(_document(stream, path.name, reading.desk), "", path.name)
        else:
            reading.lay(_parsed(_lines(stream, path.name), path.name, reading.desk), entity, path.name)


def _document(stream: BinaryIO, file: str, desk: Desk) -> Iterator[tuple[int, bytes, object]]:
    """Yield the one document of a file, or those of its lines. Raises: SourceError where it is neither."""
    content = stream.read(DOCUMENT_BYTES_MAX + 1)
    if len(content) > DOCUMENT_BYTES_MAX:
        remedy = "Nothing was imported; give such a file one entity a line, and a name that ends in .jsonl."
        raise SourceError(file, f"a document of more than {DOCUMENT_BYTES_MAX} bytes", remedy)
    try:
        documents = [(1, content, _loads(content))]
    except ValueError as error:
        first, end, _ = content.partition(b"\n")
        if not end or not _is_sound(first):
            raise SourceError(file, f"is no JSON: {error}", "Nothing was imported; fetch the answer again.") from error
        yield from _parsed(_lines(cast(BinaryIO, io.BytesIO(content)), file), file, desk)
        return
    yield from documents


def _lines(stream: BinaryIO, file: str) -> Iterator[tuple[int, bytes, bool]]:
    for number, line in numbered_lines(stream, file):
        yield number, line, line.endswith(b"\n")


def _parsed(lines: Iterable[tuple[int, bytes, bool]], file: str, desk: Desk) -> Iterator[tuple[int, bytes, object]]:
    """Yield what lines say. Bad ones are set aside, but for a last one that was cut.

    lines: number, bytes, and whether it ended; the dump's last has no end, for JSONDump.pm joins them, and is sound.
    """
    for number, line, ended in lines:
        if not line.strip():
            continue
        try:
            yield number, line, _loads(line)
        except ValueError as error:
            if not ended:
                raise SourceError(
                    f"{file}:{number}", f"ends within a line: {error}", "Nothing was imported; fetch it again."
                ) from error
            why = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"no JSON: {error}"
            desk.reject(file, number, why, line[:_SHOWN_BYTES].decode("utf-8", "backslashreplace"))


def _is_sound(line: bytes) -> bool:
    try:
        _loads(line)
    except ValueError:
        return False
    return True


def _loads(content: bytes) -> object:
    """Return what JSON says. Raises: ValueError, for nesting too deep as well."""
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _day(created: object) -> str:
    """Return the day of a search answer's `created`, as in 2017-03-12T16:40:31.107Z."""
    day = created[:10] if isinstance(created, str) else ""
    return day if len(day) == 10 and day.replace("-", "").isdigit() else ""


KIND = Kind(NAME, "the MusicBrainz JSON dump (recording.tar.xz and release.tar.xz), and answers of its web service", read)
