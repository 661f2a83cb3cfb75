"""Import of the MusicBrainz database dump: one row a recording, with its earliest official release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from fonoteca.catalogue.desk import RECORDINGS, REDIRECTS, Desk, Heading, Kind, RawTable
from fonoteca.catalogue.duck import DuckSettings, duck_errors, open_duck
from fonoteca.catalogue.musicbrainz.copytext import batches, schema_of
from fonoteca.catalogue.musicbrainz.dump import Facts, Part, parts
from fonoteca.catalogue.musicbrainz.joins import RECORDING_FIELDS, Joins
from fonoteca.catalogue.musicbrainz.schema import CORE, DERIVED, SCHEMA_SEQUENCES, Table, tables_of
from fonoteca.model.errors import SourceError, UsageError

CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
CC_BY_NC_SA = "https://creativecommons.org/licenses/by-nc-sa/3.0/"
"""The licence of mbdump-derived, where tags come from (musicbrainz.org/doc/MusicBrainz_Database/Download)."""
ATTRIBUTION = "MusicBrainz, https://musicbrainz.org, by the MetaBrainz Foundation and its contributors"

_NAMES = frozenset(tables_of(SCHEMA_SEQUENCES[-1]))
_DUCK = DuckSettings(memory_bytes_max=3 << 30)


class _Shelf:
    """The tables that were read, each in a Parquet file below scratch."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.facts = Facts()
        self.tables: Mapping[str, Table] = {}
        self.paths: dict[str, Path] = {}
        self._from: dict[str, Path] = {}

    def take(self, part: Part) -> None:
        """Keep what a member of the dump says."""
        if self.facts.take(part) or part.table not in _NAMES:
            return
        if not self.tables:
            self.tables = _tables(self.facts, part)
        table = self.tables[part.table]
        if table.name in self.paths:
            raise UsageError(
                str(part.source), f"{table.file} was already in {self._from[table.name]}", "Name each archive of one dump once."
            )
        path = self._desk.scratch / f"musicbrainz-{table.name}.parquet"
        self.paths[table.name], self._from[table.name] = path, part.source

        def reject(line: int, reason: str, row: str) -> None:
            self._desk.reject(table.file, line, reason, row)

        rows = 0
        # Dictionaries pay for none of these columns; lines rise by one.
        options = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
        with pq.ParquetWriter(path, schema_of(table), column_encoding={"line": "DELTA_BINARY_PACKED"}, **options) as writer:
            for batch in batches(part.member.stream, table, reject):
                writer.write_batch(batch)
                rows += len(batch)
        self._desk.note(f"rows_{table.name}", rows)


def _tables(facts: Facts, part: Part) -> Mapping[str, Table]:
    """Return the tables under the dump's schema. Raises: SourceError for another schema, or one not named before the tables."""
    sequence = facts.number("SCHEMA_SEQUENCE")
    if sequence in SCHEMA_SEQUENCES and sequence is not None:
        return tables_of(sequence)
    supported = " and ".join(map(str, SCHEMA_SEQUENCES))
    if sequence is None:
        raise SourceError(
            f"{part.source}: SCHEMA_SEQUENCE",
            f"expected a number before {part.member.name}, found none",
            "Name a dump as MusicBrainz publishes it, or the folder that it was unpacked to, with the small files beside mbdump/.",
        )
    newer = sequence > SCHEMA_SEQUENCES[-1]
    remedy = "Use a newer Fonoteca, or a dump from before the schema changed." if newer else "Fetch a newer dump."
    raise SourceError(f"{part.source}: SCHEMA_SEQUENCE", f"expected schema {supported}, found {sequence}", remedy)


def read(paths: Sequence[Path], desk: Desk) -> Heading:
    """Lay the recordings and redirects of a dump on the desk. paths: its archives, or the folder that they were unpacked to."""
    shelf = _Shelf(desk)
    for part in parts(paths, desk, _NAMES):
        shelf.take(part)
    if missing := CORE - set(shelf.paths):
        raise UsageError(
            ", ".join(map(str, paths)),
            f"expected the tables {', '.join(sorted(CORE))}, found no {' and no '.join(sorted(missing))}",
            "Name mbdump.tar.bz2; mbdump-derived.tar.bz2 adds genres to it.",
        )
    for fact in ("SCHEMA_SEQUENCE", "REPLICATION_SEQUENCE"):
        number = shelf.facts.number(fact)
        if number is not None:
            desk.note(fact.lower(), number)
    _join(shelf, desk)
    derived = bool(DERIVED & set(shelf.paths))
    licence = CC_BY_NC_SA if derived else CC0
    return Heading("musicbrainz", shelf.facts.date, licence, ATTRIBUTION + ("; genres from its tags" if derived else ""))


def _join(shelf: _Shelf, desk: Desk) -> None:
    recordings, redirects = desk.scratch / "recordings.parquet", desk.scratch / "redirects.parquet"
    spill = desk.scratch / "spill"
    with desk.progress.task("joining tables", 3, "steps") as advance, duck_errors("the joins of a MusicBrainz dump"):
        duck = open_duck(_DUCK, spill)
        try:
            joins = Joins(duck, shelf.tables, shelf.paths, desk.reject)
            joins.prepare()
            advance(1)
            joins.write_redirects(redirects)
            advance(1)
            joins.write_recordings(recordings)
            advance(1)
        finally:
            duck.close()
    columns = {name: name for name in RECORDING_FIELDS}
    desk.parquet(RawTable(RECORDINGS, recordings, columns, "mbdump/recording", "line"))
    if "recording_gid_redirect" in shelf.paths:
        desk.parquet(RawTable(REDIRECTS, redirects, {"id": "id", "into": "into"}, "mbdump/recording_gid_redirect", "line"))


KIND = Kind(
    "musicbrainz",
    "the MusicBrainz database dump: mbdump.tar.bz2, with mbdump-derived.tar.bz2 for genres, packed or unpacked",
    read,
)
