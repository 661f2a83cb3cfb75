"""Taking in a snapshot that another archive made: nothing of it is believed until its files are what it says and what we write."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fonoteca.catalogue.building import ARTISTS_FILE, RECORDINGS_FILE, RELEASES_FILE
from fonoteca.catalogue.duck import duck_errors
from fonoteca.catalogue.popularity import ListeningTotals
from fonoteca.catalogue.snapshots import CURRENT, SNAPSHOT_FILE, parse_snapshot
from fonoteca.catalogue.sourcefile import sha256_of
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.errors import StoreError, TrustError
from fonoteca.ports import Blobs

_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-[0-9]{1,4})?")
_REMEDY = "Nothing was taken in. Follow another mirror of this archive."
_SHARE_SUM_MAX = 1.000001
"""A release's shares are added in floating point."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A Parquet file as `building` writes it. columns: to their DuckDB types. empty: those that may be NULL.

    sound: an SQL condition that every row meets, with $count for the number of recordings and `row` for the row, from 0.
    """

    columns: Mapping[str, str]
    empty: frozenset[str]
    sound: str


_TEXTS = ("title", "artist", "release", "release_id")
_SUMMED = {
    **dict.fromkeys(("track_count", "held_count", "best_rank"), "BIGINT"),
    "share": "DOUBLE",
    "synthetic": "BOOLEAN",
}
_SUMS = f"""held_count BETWEEN 0 AND track_count AND track_count <= $count AND best_rank BETWEEN 1 AND $count
    AND share BETWEEN 0 AND {_SHARE_SUM_MAX}"""

TABLES: Mapping[str, _Table] = {
    RECORDINGS_FILE: _Table(
        {
            "rank": "BIGINT",
            "id": "UUID",
            **dict.fromkeys(_TEXTS, "VARCHAR"),
            **dict.fromkeys(("disc", "track", "year"), "SMALLINT"),
            "duration_ms": "BIGINT",
            **dict.fromkeys(("licence_uri", "source_uri", "genre", "source"), "VARCHAR"),
            "file_bytes": "BIGINT",
            **dict.fromkeys(("file_bytes_estimated", "held"), "BOOLEAN"),
            **dict.fromkeys(("listens", "listeners"), "BIGINT"),
            **dict.fromkeys(("share", "share_low", "share_high"), "DOUBLE"),
            "synthetic": "BOOLEAN",
        },
        frozenset({"disc", "track", "year"}),
        """rank = row + 1 AND least(duration_ms, file_bytes, listens, listeners) >= 0
            AND 0 <= share_low AND share_low <= share AND share <= share_high AND share_high <= 1""",
    ),
    RELEASES_FILE: _Table(
        {
            **dict.fromkeys(("release_id", "title", "artist"), "VARCHAR"),
            "artist_count": "BIGINT",
            "year": "SMALLINT",
            **_SUMMED,
        },
        frozenset({"year"}),
        _SUMS,
    ),
    ARTISTS_FILE: _Table({"name": "VARCHAR", **_SUMMED}, frozenset(), _SUMS),
}
"""The files of a snapshot."""


def adopt_snapshot(blobs: Blobs, folder: Path, duck: duckdb.DuckDBPyConnection) -> Snapshot:
    """Move a snapshot that another archive made in, and make it current; the folder, below staging, is used up.

    Cost: one read of its files to prove their digests, one scan of each to check the rows.
    Raises: TrustError when its files are not those that its snapshot.json names, or hold other tables or figures than a
    catalogue's, or another snapshot of its name is here.
    """
    try:
        made = parse_snapshot((folder / SNAPSHOT_FILE).read_bytes(), SNAPSHOT_FILE)
    except (OSError, StoreError) as error:
        raise TrustError(SNAPSHOT_FILE, f"cannot be read: {error}", _REMEDY) from error
    snapshot = made.snapshot
    if not _NAME.fullmatch(snapshot.name):
        raise TrustError(SNAPSHOT_FILE, f"{snapshot.name!r} is not a snapshot's name", _REMEDY)
    _check_files(folder, snapshot)
    _check_totals(snapshot, made.totals)
    for name, table in TABLES.items():
        _check_table(duck, folder / name, f"{snapshot.name}/{name}", table, snapshot.recording_count)
    key = f"{snapshot.name}/{SNAPSHOT_FILE}"
    if blobs.size(key) is None:
        blobs.adopt(folder, snapshot.name)
    elif blobs.read(key) != (folder / SNAPSHOT_FILE).read_bytes():
        raise TrustError(snapshot.name, "another snapshot of this name is here already", _REMEDY)
    blobs.write(CURRENT, snapshot.name.encode() + b"\n")
    return snapshot


def _check_files(folder: Path, snapshot: Snapshot) -> None:
    """Raise TrustError unless the folder has the files of a snapshot and nothing else, with the digests that it names."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    listed = {SNAPSHOT_FILE, *(path for path, _ in snapshot.files)}
    if not found == listed == {SNAPSHOT_FILE, *TABLES}:
        raise TrustError(snapshot.name, f"expected the files {sorted(listed | {*TABLES})}, found {sorted(found)}", _REMEDY)
    for path, digest in snapshot.files:
        if (actual := sha256_of(folder / path)) != digest:
            raise TrustError(f"{snapshot.name}/{path}", f"expected sha256 {digest}, found {actual}", _REMEDY)


def _check_totals(snapshot: Snapshot, totals: ListeningTotals) -> None:
    """Raise TrustError unless shares can rest on this listening."""
    counts = (totals.recording_count - 1, totals.listens, totals.unmatched_listens)
    if totals.recording_count != snapshot.recording_count or min(counts) < 0 or not 1 <= totals.plays_a_listener < math.inf:
        raise TrustError(f"{snapshot.name}/{SNAPSHOT_FILE}", f"listening cannot be {totals}", _REMEDY)


def _check_table(duck: duckdb.DuckDBPyConnection, path: Path, subject: str, table: _Table, recording_count: int) -> None:
    """Raise TrustError unless a file has the table's columns and every row is sound."""
    try:
        with duck_errors(subject):
            described = duck.execute("DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(path)}).fetchall()
            columns = {str(name): str(kind) for name, kind, *_ in described}
            if columns != table.columns:
                raise TrustError(subject, f"expected the columns {dict(table.columns)}, found {columns}"[:1000], _REMEDY)
            full = " AND ".join(f"{name} IS NOT NULL" for name in columns if name not in table.empty)
            found = duck.execute(
                f"""
                WITH rows AS (SELECT * RENAME (file_row_number AS row) FROM read_parquet($path, file_row_number = true))
                SELECT count(*), count(*) FILTER (WHERE ({full} AND {table.sound}) IS NOT TRUE) FROM rows WHERE $count > 0
                """,
                {"path": str(path), "count": recording_count},
            ).fetchone()
    except StoreError as error:
        raise TrustError(subject, error.problem, _REMEDY) from error
    assert found is not None
    row_count, unsound_count = found
    if unsound_count or (subject.endswith(f"/{RECORDINGS_FILE}") and row_count != recording_count):
        problem = f"{unsound_count} of {row_count} rows are not a catalogue's; {recording_count} recordings were promised"
        raise TrustError(subject, problem, _REMEDY)
