"""Taking in an index that another archive made: nothing of it is believed until it is of the snapshot that is here and finds it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from fonoteca.model.catalogue import Recording
from fonoteca.model.errors import FormatError, StoreError, TrustError
from fonoteca.search.building import SnapshotTables
from fonoteca.search.canonical import LOCKS, check_tier, digest_of
from fonoteca.search.hits import HitKind
from fonoteca.search.manifest import KINDS, MANIFEST, Manifest, origin_of, read_manifest
from fonoteca.search.reading import LIMIT_MAX, IndexReader
from fonoteca.search.shards import TABLES, files_of
from fonoteca.search.words import fold

_REMEDY = "Nothing was taken in. Follow another mirror of this archive."
_SHARE_ERROR_MAX = 1e-6
"""Cards have shares in single precision."""


def prove_index(folder: Path, tables: SnapshotTables, sample: Iterable[Recording]) -> None:
    """Return when a folder has an index of a snapshot, and finds recordings of a sample as they are there.

    Cost: one read of its files. Raises: TrustError when it is none; StoreError when this version of Tantivy cannot read it.
    """
    try:
        manifest = read_manifest(folder)
        _check_origins(manifest, tables)
        _check_files(folder, manifest)
    except (FormatError, OSError) as error:
        raise TrustError("search index", str(error), _REMEDY) from None
    reader = IndexReader(folder)
    for recording in sample:
        _check_found(reader, recording)


def _check_origins(manifest: Manifest, tables: SnapshotTables) -> None:
    """Raise FormatError unless an index has a shard for each file of the snapshot, of as many rows."""
    if manifest.snapshot != tables.name:
        raise FormatError(MANIFEST, f"it is of the snapshot {manifest.snapshot!r} and not of {tables.name!r}")
    for table in TABLES:
        files = tables.files.get(table.name, ())
        expected = []
        for number in range(len(manifest.of(table.name)) + 1):
            mine = [files[place] for place in files_of(number) if place < len(files)]
            rows = sum(pq.read_metadata(file.path).num_rows for file in mine)
            expected += [(origin_of(file.digest for file in mine), rows)] if rows else []
        if [(shard.origin, shard.rows) for shard in manifest.of(table.name)] != expected:
            raise FormatError(MANIFEST, f"its {table.name} are not those of the snapshot")


def _check_files(folder: Path, manifest: Manifest) -> None:
    """Raise FormatError unless a folder has the files of an index and nothing else, and each shard has its digest."""
    tiers = {name: shards for kind in KINDS for name, shards in manifest.tiers(kind).items()}
    there = {path.name for path in folder.iterdir() if path.name not in LOCKS}
    if there != {MANIFEST, *tiers}:
        raise FormatError(MANIFEST, f"its tiers are not the folders that are there: {sorted(there ^ {MANIFEST, *tiers})[:4]}")
    for name, shards in tiers.items():
        check_tier(folder / name, [(shard.number, shard.rows) for shard in shards])
        for shard in shards:
            if digest_of(folder / name, shard.number) != shard.digest:
                raise FormatError(shard.name, "the shard is not what its digest says")


def _check_found(reader: IndexReader, recording: Recording) -> None:
    """Raise TrustError when a recording is not found by its own words, or found as something else."""
    words = " ".join(fold(text) for text in (recording.title, recording.artist))
    try:
        hits = reader.search(f"{words} kind:{HitKind.TRACK}", LIMIT_MAX) if words.strip() else ()
    except StoreError as error:
        raise TrustError("search index", error.problem, _REMEDY) from None
    if not words.strip() or len(hits) == LIMIT_MAX:
        return  # nothing to ask by, or too many of the same words to tell
    hit = next((hit for hit in hits if hit.id == recording.id), None)
    if hit is None or (hit.title, hit.artist) != (recording.title, recording.artist) or not _same(hit.share, recording):
        problem = f"recording {recording.id} is not found as the catalogue has it"
        raise TrustError("search index", problem, _REMEDY)


def _same(share: float, recording: Recording) -> bool:
    return math.isclose(share, recording.popularity.share, rel_tol=_SHARE_ERROR_MAX)
