"""A snapshot for others: Parquet, SQLite or compressed JSON lines, each with its data dictionary and a citation.

An export is a folder. Besides the rows it has
    export.json            fonoteca-export/1: the citable id, the format, every file with its digest and row count
    data-dictionary.json, data-dictionary.md
    CITATION.cff, datacite.json
    snapshot.json          as the archive has it: sources, licences, attribution, and the digests that the id is made of
See docs/exports.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.citation import Citation, citation_of
from fonoteca.catalogue.copying import copy_file
from fonoteca.catalogue.dictionary import dictionary_json, dictionary_markdown
from fonoteca.catalogue.duck import duck_errors
from fonoteca.catalogue.exports_jsonl import write_jsonl
from fonoteca.catalogue.exports_parquet import write_parquet
from fonoteca.catalogue.exports_sqlite import write_sqlite
from fonoteca.catalogue.layout import IDS_FILE, TABLES, table_files
from fonoteca.catalogue.snapshots import SNAPSHOT_FILE
from fonoteca.catalogue.sourcefile import parse_json, sha256_of, to_json
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.ports import Progress, Staging

FORMAT = "fonoteca-export/1"
EXPORT_FILE = "export.json"
PARQUET, SQLITE, JSONL = "parquet", "sqlite", "jsonl"


@dataclass(frozen=True, slots=True)
class _Form:
    """A format. write: the rows below a folder, by way of staging. media_type: of the files."""

    write: Callable[[Path, Citation, Path, Staging, Callable[[int], None]], None]
    media_type: str


FORMATS: Mapping[str, _Form] = {
    PARQUET: _Form(write_parquet, "application/vnd.apache.parquet"),
    SQLITE: _Form(write_sqlite, "application/vnd.sqlite3"),
    JSONL: _Form(write_jsonl, "application/zstd"),
}


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export. path: below its folder."""

    path: str
    file_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Export:
    """An export as export.json describes it."""

    id: str
    form: str
    snapshot: str
    recording_count: int
    synthetic: bool
    files: tuple[ExportedFile, ...]

    @property
    def export_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.file_bytes for file in self.files)

    def to_bytes(self) -> bytes:
        """Return export.json."""
        return to_json({"format": FORMAT, **asdict(self)})


def parse_export(content: bytes, subject: str) -> Export:
    """Return the export that export.json describes. Raises: StoreError when it is none."""
    facts = parse_json(content, subject, FORMAT)
    try:
        files = tuple(ExportedFile(str(f["path"]), int(f["file_bytes"]), str(f["sha256"])) for f in facts["files"])
        return Export(
            str(facts["id"]),
            str(facts["form"]),
            str(facts["snapshot"]),
            int(facts["recording_count"]),
            bool(facts["synthetic"]),
            files,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(subject, f"lacks what {FORMAT} has: {error}", "Export the catalogue again.") from error


def export_snapshot(snapshot: Path, form: str, folder: Path, staging: Staging, progress: Progress) -> Export:
    """Write a snapshot as others read it into a new folder. snapshot: its folder. folder: empty, below staging.

    Streamed: memory is bounded by one row group's rows a table, disk by the export itself.
    Raises: UsageError for a format that is none of FORMATS, StoreError when the snapshot or the disk fails.
    """
    if form not in FORMATS:
        raise UsageError(form, "not a format of exports", f"Known are {', '.join(FORMATS)}.")
    with export_errors(str(folder)):
        snapshot_json = (snapshot / SNAPSHOT_FILE).read_bytes()
        citation = citation_of(snapshot_json, str(snapshot / SNAPSHOT_FILE))
        rows = sum(pq.read_metadata(path).num_rows for table in TABLES for path in table_files(snapshot, table))
        with progress.task(f"exporting as {form}", rows, "rows") as advance:
            FORMATS[form].write(snapshot, citation, folder, staging, advance)
        papers = {
            SNAPSHOT_FILE: snapshot_json,
            "data-dictionary.json": dictionary_json(),
            "data-dictionary.md": dictionary_markdown(),
            "CITATION.cff": citation.cff(),
            "datacite.json": citation.datacite([FORMATS[form].media_type]),
        }
        for name, content in papers.items():
            with staging.writer(folder / name) as stream:
                stream.write(content)
        if form != SQLITE and (snapshot / IDS_FILE).is_file():
            copy_file(snapshot / IDS_FILE, folder / IDS_FILE, staging)
        export = Export(citation.id, form, citation.name, citation.recording_count, citation.synthetic, _files_of(folder))
        with staging.writer(folder / EXPORT_FILE) as stream:
            stream.write(export.to_bytes())
    return export


def _files_of(folder: Path) -> tuple[ExportedFile, ...]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(ExportedFile(p.relative_to(folder).as_posix(), p.stat().st_size, sha256_of(p)) for p in paths)


@contextmanager
def export_errors(subject: str) -> Iterator[None]:
    """Turn what the disk and the libraries under an export raise into StoreErrors about the subject."""
    try:
        with duck_errors(subject):
            yield
    except (OSError, sqlite3.Error, pa.ArrowException) as error:
        raise StoreError(subject, f"failed: {error}", "Check the free space; nothing was put in place.") from error
