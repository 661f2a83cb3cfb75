"""What a delta is made of, and delta.json.

A delta is a folder:
    delta.json                           fonoteca-delta/1
    snapshot.json                        of the newer snapshot, as it is
    <table>/order.parquet                one row a row of the newer table: where it was in the older one
    <table>/added.parquet                whole rows that the older table has not
    <table>/<column>.parquet             values that changed: row in the newer table (from 0), value
    <table>/<column>.residuals.parquet   for numbers that nearly all changed: how far each is from what can be foretold
    recordings/removed.parquet, recordings/merged.parquet, recordings/changed.parquet     for people: not needed to apply it
    files/<path>                         files that their rows do not make again, whole
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from fonoteca.catalogue.duck import DuckSettings, duck_errors
from fonoteca.catalogue.layout import IDS_FILE, TABLES
from fonoteca.catalogue.snapshots import FORMAT as SNAPSHOT_FORMAT
from fonoteca.catalogue.snapshots import SNAPSHOT_FILE
from fonoteca.catalogue.sourcefile import parse_json, to_json
from fonoteca.model.errors import StoreError
from fonoteca.ports import Progress, Staging

FORMAT = "fonoteca-delta/1"
DELTA_FILE = "delta.json"
ORDER_FILE, ADDED_FILE = "order.parquet", "added.parquet"
WHOLE_FOLDER = "files"

OLD, ROW, SCALED, PREVIOUS, RATIO = "old", "row", "scaled", "previous", "ratio"
"""What a value is foretold from: the row's old value; its place, from 1; the old value times a factor; the value of the row before
it; the share's new value times the old ratio to the share. The first two have exceptions, the others residuals."""
MODES = (OLD, ROW, SCALED, PREVIOUS, RATIO)

_PATH = re.compile(rf"(?:{'|'.join(TABLES)})/[0-9]{{5}}\.parquet|{re.escape(IDS_FILE)}")


@dataclass(frozen=True, slots=True)
class DeltaPlace:
    """Where deltas are worked on. scratch: an empty folder below staging, for as many bytes as a snapshot. duck: for the joins."""

    staging: Staging
    scratch: Path
    duck: DuckSettings
    progress: Progress


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """How a column's kept rows of one file are found. file: its number in the table. count: of exceptions or residuals.

    factor: of SCALED, as float.hex has it, so that it comes back to the bit.
    """

    file: int
    column: str
    mode: str
    count: int
    factor: str = ""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file of the newer snapshot. whole: whether it is carried as it is."""

    path: str
    rows: int
    whole: bool


@dataclass(frozen=True, slots=True)
class TableDelta:
    """One table. same: every file is as it was, so there is nothing else. parts: only of columns that are not all as they were."""

    same: bool
    files: tuple[NewFile, ...]
    added: int
    parts: tuple[ColumnPart, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta. old_sha256, new_sha256: of the snapshots' snapshot.json, in which the digests of their files are.

    added, removed, merged, changed: recordings. merged: ids that are no recording of their own any more, but part of another.
    changed: those of which more than the listening changed. ids_whole: whether ids.index is carried as it is.
    writer: of the Parquet files; another version may not make the same bytes again.
    """

    old: str
    old_sha256: str
    new: str
    new_sha256: str
    added: int
    removed: int
    merged: int
    changed: int
    ids_whole: bool
    writer: str
    tables: Mapping[str, TableDelta]

    def to_bytes(self) -> bytes:
        """Return delta.json."""
        return to_json({"format": FORMAT, **asdict(self)})


def parse_delta(content: bytes, subject: str) -> Delta:
    """Return the delta that delta.json describes. Raises: StoreError when it is none."""
    facts = parse_json(content, subject, FORMAT)
    try:
        return Delta(
            old=str(facts["old"]),
            old_sha256=str(facts["old_sha256"]),
            new=str(facts["new"]),
            new_sha256=str(facts["new_sha256"]),
            added=int(facts["added"]),
            removed=int(facts["removed"]),
            merged=int(facts["merged"]),
            changed=int(facts["changed"]),
            ids_whole=bool(facts["ids_whole"]),
            writer=str(facts["writer"]),
            tables={table: _table(facts["tables"][table]) for table in TABLES},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(subject, f"lacks what {FORMAT} has: {error}", "Make or fetch the delta again.") from error


def _table(facts: Mapping[str, Any]) -> TableDelta:
    files = tuple(NewFile(str(f["path"]), int(f["rows"]), bool(f["whole"])) for f in facts["files"])
    parts = tuple(
        ColumnPart(int(p["file"]), str(p["column"]), str(p["mode"]), int(p["count"]), str(p["factor"])) for p in facts["parts"]
    )
    if any(part.mode not in MODES or not 0 <= part.file < len(files) or part.count < 0 for part in parts):
        raise ValueError("a part of no known mode or file")
    return TableDelta(bool(facts["same"]), files, int(facts["added"]), parts)


def snapshot_files(content: bytes, subject: str) -> dict[str, str]:
    """Return path to digest of the files that a snapshot.json names. Raises: StoreError when a path is none of a snapshot's."""
    facts = parse_json(content, subject, SNAPSHOT_FORMAT)
    try:
        files = {str(file["path"]): str(file["sha256"]) for file in facts["files"]}
        strange = [path for path in files if not _PATH.fullmatch(path)]
        if strange:
            raise ValueError(f"{strange[0]!r} is no file of a snapshot")
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(subject, f"lacks what {SNAPSHOT_FORMAT} has: {error}", "Build or fetch the snapshot again.") from error
    return files


def snapshot_name(content: bytes, subject: str) -> str:
    """Return the name in a snapshot.json. Raises: StoreError."""
    return str(parse_json(content, subject, SNAPSHOT_FORMAT).get("name", ""))


@contextmanager
def delta_errors(subject: str) -> Iterator[None]:
    """Turn what the disk and the libraries raise into StoreErrors about the subject."""
    try:
        with duck_errors(subject):
            yield
    except (OSError, pa.ArrowException) as error:
        raise StoreError(subject, f"failed: {str(error).splitlines()[0]}", "Check the files and the free space.") from error


def read_json_file(folder: Path, name: str = SNAPSHOT_FILE) -> bytes:
    """Return a JSON file of a folder. Raises: StoreError."""
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise StoreError(str(folder / name), f"cannot be read: {error.strerror}", "Name a folder that has one.") from error
