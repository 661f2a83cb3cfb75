"""The tables of the MusicBrainz dump that recordings are made of, column by column in the order of the dump.

Source: the package mbdata (sql/CreateTables.sql, models.py), whose major version is the schema sequence: 30.0.1 and 31.0.1. Of
the tables here the two differ in `isrc` alone, which lost `source` in 31. A dump is `COPY table TO stdout`, so that the order of
CreateTables.sql is that of the dump (musicbrainz-server, lib/MusicBrainz/Script/DatabaseDump.pm). `artist` and `release_group`
are not read: a credit is kept as written, and the catalogue keeps nothing of the artist or group behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SCHEMA_SEQUENCES = (30, 31)
"""31 came in May 2026, 30 in May 2025."""

RECORDING_LICENCE = "f25e301d-b87b-4561-86a0-5d2df6d26c0a"
RELEASE_LICENCE = "004bd0c3-8a45-4309-ba52-fa99f3aa3d50"
"""Link types "license" between recording and URL, and between release and URL (musicbrainz.org/relationship/<gid>)."""
OFFICIAL = "4e304316-386d-3409-af2e-78857eec5cfe"
"""Release status "Official" (sql/InsertDefaultRows.sql)."""

Kind = Literal["int", "text", "uuid"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is kept. required: NOT NULL in the schema."""

    name: str
    kind: Kind
    required: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the dump. columns: all, in order. kept: those that recordings need. key: what tells rows apart, "" if unasked."""

    name: str
    columns: tuple[str, ...]
    kept: tuple[Column, ...]
    key: str = ""

    @property
    def file(self) -> str:
        """The table's name in the archive."""
        return f"mbdump/{self.name}"


def _table(name: str, columns: str, kept: str, key: str = "id") -> Table:
    """Return a table. kept: words `column:kind`, with a `?` after the kind of a column that may be NULL."""
    words = [word.split(":") for word in kept.split()]
    found = tuple(Column(column, kind.rstrip("?"), not kind.endswith("?")) for column, kind in words)  # type: ignore[arg-type]
    return Table(name, tuple(columns.split()), found, key)


_LINKED = "id link entity0 entity1 edits_pending last_updated link_order entity0_credit entity1_credit"
_TABLES = (
    _table("artist_credit", "id name artist_count ref_count created edits_pending gid", "id:int name:text artist_count:int"),
    _table(
        "artist_credit_name",
        "artist_credit position artist name join_phrase",
        "artist_credit:int position:int name:text join_phrase:text",
        "",
    ),
    _table(
        "recording",
        "id gid name artist_credit length comment edits_pending last_updated video",
        "id:int gid:uuid name:text artist_credit:int length:int?",
    ),
    _table(
        "release",
        "id gid name artist_credit release_group status packaging language script barcode comment edits_pending quality"
        " last_updated",
        "id:int gid:uuid name:text release_group:int status:int?",
    ),
    _table("release_status", "id name parent child_order description gid", "id:int gid:uuid"),
    _table(
        "release_country",
        "release country date_year date_month date_day",
        "release:int date_year:int? date_month:int? date_day:int?",
        "",
    ),
    _table(
        "release_unknown_country",
        "release date_year date_month date_day",
        "release:int date_year:int? date_month:int? date_day:int?",
        "",
    ),
    _table(
        "medium", "id release position format name edits_pending last_updated track_count gid", "id:int release:int position:int"
    ),
    _table(
        "track",
        "id gid recording medium position number name artist_credit length edits_pending last_updated is_data_track",
        "recording:int medium:int position:int",
        "",
    ),
    _table("isrc", "id recording isrc edits_pending created", "recording:int isrc:text", ""),
    _table("recording_gid_redirect", "gid new_id created", "gid:uuid new_id:int", ""),
    _table("url", "id gid url edits_pending last_updated", "id:int url:text"),
    _table("l_recording_url", _LINKED, "link:int entity0:int entity1:int", ""),
    _table("l_release_url", _LINKED, "link:int entity0:int entity1:int", ""),
    _table(
        "link",
        "id link_type begin_date_year begin_date_month begin_date_day end_date_year end_date_month end_date_day attribute_count"
        " created ended",
        "id:int link_type:int ended:text",
    ),
    _table(
        "link_type",
        "id parent child_order gid entity_type0 entity_type1 name description link_phrase reverse_link_phrase long_link_phrase"
        " last_updated is_deprecated has_dates entity0_cardinality entity1_cardinality",
        "id:int gid:uuid",
    ),
    _table("genre", "id gid name comment edits_pending last_updated", "name:text", ""),
    _table("tag", "id name ref_count", "id:int name:text"),
    _table("recording_tag", "recording tag count last_updated", "recording:int tag:int count:int", ""),
    _table("release_group_tag", "release_group tag count last_updated", "release_group:int tag:int count:int", ""),
)
DERIVED = frozenset({"tag", "recording_tag", "release_group_tag"})
"""Tables of mbdump-derived, which is not CC0."""
CORE = frozenset({"artist_credit", "recording"})
"""Without these a dump says nothing of recordings. MusicBrainz leaves empty tables out of its archives, so others may lack."""

_OLDER: Mapping[int, Table] = {
    30: _table("isrc", "id recording isrc source edits_pending created", "recording:int isrc:text", ""),
}


def tables_of(schema_sequence: int) -> Mapping[str, Table]:
    """Return the tables by name. schema_sequence: one of SCHEMA_SEQUENCES."""
    tables = {table.name: table for table in _TABLES}
    if older := _OLDER.get(schema_sequence):
        tables[older.name] = older
    return tables
