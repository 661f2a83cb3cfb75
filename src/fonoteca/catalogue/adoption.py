"""Taking in a snapshot that another archive made: nothing of it is believed until its files are what it says and what we write."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from fonoteca.catalogue.duck import duck_errors
from fonoteca.catalogue.layout import (
    ARTISTS,
    COLUMNS,
    EMPTY_COLUMNS,
    IDS_FILE,
    MERGED,
    RECORDINGS,
    RELEASES,
    SHARD_ROWS,
    TABLES,
    shard_name,
    table_files,
)
from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.catalogue.snapshots import CURRENT, SNAPSHOT_FILE, parse_snapshot
from fonoteca.catalogue.sourcefile import sha256_of
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.errors import StoreError, TrustError
from fonoteca.ports import Blobs

_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-[0-9]{1,4})?")
_FILE = re.compile(rf"snapshot\.json|ids\.index|({'|'.join(TABLES)})/[0-9]{{5}}\.parquet")
_REMEDY = "Nothing was taken in. Follow another mirror of this archive."
_SHARE_SUM_MAX = 1.000001
"""A release's shares are added in floating point."""


_SUMS = f"""held_count BETWEEN 0 AND track_count AND track_count <= $count AND best_rank BETWEEN 1 AND $count
    AND share BETWEEN 0 AND {_SHARE_SUM_MAX}"""
_SOUND: Mapping[str, str] = {
    RECORDINGS: """rank = row + 1 AND least(duration_ms, file_bytes, listens, listeners) >= 0 AND copies >= 1
        AND 0 <= share_low AND share_low <= share::FLOAT AND share::FLOAT <= share_high AND share_high <= 1""",
    MERGED: "rank BETWEEN 1 AND $count AND duration_ms >= 0",
    RELEASES: _SUMS,
    ARTISTS: _SUMS,
}
"""What every row of a table meets, as SQL, with $count for the number of recordings and `row` for the row, from 0."""

_TYPES = {
    "extension<arrow.uuid>": "UUID",
    "string": "VARCHAR",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
}
"""Arrow's names of types to DuckDB's."""


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
    _check_basis(snapshot, made.basis)
    for table in TABLES:
        _check_table(duck, folder, table, snapshot)
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
    strange = [path for path in listed if not _FILE.fullmatch(path)]
    if found != listed or strange or not {SNAPSHOT_FILE, IDS_FILE} <= listed:
        raise TrustError(snapshot.name, f"expected the files {sorted(listed)}, found {sorted(found)}"[:1000], _REMEDY)
    for path, digest in snapshot.files:
        if (actual := sha256_of(folder / path)) != digest:
            raise TrustError(f"{snapshot.name}/{path}", f"expected sha256 {digest}, found {actual}", _REMEDY)


def _check_basis(snapshot: Snapshot, basis: ListeningBasis) -> None:
    """Raise TrustError unless shares can rest on this listening."""
    numbers = [n for s in basis.sources for n in (s.listens, s.pairs, s.unheard_share, s.effective_listeners)]
    sound = all(isinstance(n, int | float) and 0 <= n < math.inf for n in (*numbers, basis.unmatched_listens))
    sound = sound and all(s.effective_listeners > 0 and s.unheard_share <= 1 for s in basis.sources)
    if not sound or basis.recording_count != snapshot.recording_count or snapshot.recording_count < 1:
        raise TrustError(f"{snapshot.name}/{SNAPSHOT_FILE}", f"listening cannot be {basis}"[:1000], _REMEDY)


def _check_table(duck: duckdb.DuckDBPyConnection, folder: Path, table: str, snapshot: Snapshot) -> None:
    """Raise TrustError unless the files of a table have its columns and every row is sound."""
    subject, count = f"{snapshot.name}/{table}", snapshot.recording_count
    expected = {name: _TYPES[str(kind)] for name, kind in COLUMNS[table].items()}
    full = " AND ".join(f"{name} IS NOT NULL" for name in expected if name not in EMPTY_COLUMNS)
    row_count = 0
    paths = table_files(folder, table)
    for number, path in enumerate(paths):
        if path.name != Path(shard_name(table, number)).name:
            raise TrustError(subject, f"expected {shard_name(table, number)}, found {path.name}", _REMEDY)
        try:
            with duck_errors(subject):
                described = duck.execute("DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(path)}).fetchall()
                columns = {str(name): str(kind) for name, kind, *_ in described}
                if columns != expected:
                    raise TrustError(subject, f"expected the columns {expected}, found {columns}"[:1000], _REMEDY)
                found = duck.execute(
                    f"""
                    WITH rows AS (
                        SELECT * EXCLUDE (file_row_number), file_row_number + $first AS row
                        FROM read_parquet($path, file_row_number = true)
                    )
                    SELECT count(*), count(*) FILTER (WHERE ({full} AND {_SOUND[table]}) IS NOT TRUE) FROM rows WHERE $count > 0
                    """,
                    {"path": str(path), "count": count, "first": number * SHARD_ROWS},
                ).fetchone()
        except StoreError as error:
            raise TrustError(subject, error.problem, _REMEDY) from error
        assert found is not None
        if found[1]:
            raise TrustError(subject, f"{found[1]} of {found[0]} rows are not a catalogue's", _REMEDY)
        whole = found[0] == SHARD_ROWS or number == len(paths) - 1
        if table != MERGED and not (whole and (found[0] or number == 0)):
            raise TrustError(
                subject, f"{path.name} has {found[0]} rows, and only the last file may have fewer than {SHARD_ROWS}", _REMEDY
            )
        row_count += found[0]
    if table == RECORDINGS and row_count != count:
        raise TrustError(subject, f"{row_count} recordings, {count} were promised", _REMEDY)
