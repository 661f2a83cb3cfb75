"""The build: rows of all imports to the files of one snapshot. See `layout` for what they are.

gather   text to keys, once over all rows
identify rows to recordings: by id, by ISRC, by name
rank     counts to shares, shares to ranks
write    rows to files in order of rank, once more over all rows
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa

from fonoteca.catalogue.counts import Heard, Listening, Recordings, counts_apart, counts_of_rows
from fonoteca.catalogue.desk import HELD, LISTENING, RECORDINGS, REDIRECTS
from fonoteca.catalogue.gathering import chunks_of, gather_rows, numbered, read_chunk
from fonoteca.catalogue.identity import BY_REDIRECT, Identity, Redirects, identify
from fonoteca.catalogue.layout import IDS_FILE
from fonoteca.catalogue.lookup import id_keys, write_ids
from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.catalogue.rank_ids import uuid_halves
from fonoteca.catalogue.ranking import rank_recordings
from fonoteca.catalogue.words import Told
from fonoteca.catalogue.writing import Building, write_tables
from fonoteca.model.catalogue import SnapshotSource
from fonoteca.model.errors import StoreError
from fonoteca.ports import Progress, Staging

APART = "apart"
"""What a person calls the ids that are to be kept out of merges."""
WORDS = "words"
"""What is counted under this name: ids that curators' words make one, and that no row has."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """One import as the build reads it. files: kind of rows to Parquet files, in order."""

    source: SnapshotSource
    files: dict[str, tuple[Path, ...]]


@dataclass(frozen=True, slots=True)
class BuildPlace:
    """Where a build works. scratch: an empty folder below staging; folder: below staging too, for the snapshot's files."""

    staging: Staging
    scratch: Path
    folder: Path
    progress: Progress


@dataclass(frozen=True, slots=True)
class Built:
    """What was made. merged: rows of the table of that name, by rule. unused: of what was told, that told nothing."""

    recording_count: int
    merged: dict[str, int]
    unused: dict[str, int]
    basis: ListeningBasis


def build_files(sources: Sequence[SourceFiles], told: Told, place: BuildPlace) -> Built:
    """Write the files of a snapshot of these sources. Of sources that tell of one recording, the earlier speaks.

    told: by persons, of which ids are one recording and which are not.
    Cost: about 5 us a row on 2 cores; 70 B a row of scratch disk.
    """
    described = [s.source for s in sources]
    named = [(n, rows, path) for n, s in enumerate(sources) for rows in (RECORDINGS, HELD) for path in s.files.get(rows, ())]
    files = numbered(named)
    total = sum(file.row_count for file in files)
    with place.progress.task("reading rows", total, "rows") as advance:
        rows = gather_rows(files, tuple(s.name for s in described), place.scratch, advance)
    if not rows.row_count:
        return Built(0, {}, {}, ListeningBasis(0, ()))
    place.progress.note("finding rows that are one recording")
    redirects = _redirects([p for s in sources for p in s.files.get(REDIRECTS, ())], told.apart)
    identity = identify(rows, redirects, told)
    unused = {REDIRECTS: redirects.endless, APART: len(identity.unknown), WORDS: len(identity.unjoined)}
    _say_unused(unused, identity, place.progress)
    rows.forget("duration_ms")
    rows.set_down("name_key", "live")
    place.progress.note("estimating what is heard")
    identity.forget_durations()
    recordings = Recordings.of(identity)
    listening = [
        Listening(s.source, tuple(numbered([(n, LISTENING, path) for path in s.files[LISTENING]])))
        for n, s in enumerate(sources)
        if s.files.get(LISTENING)
    ]
    apart_counts = list(counts_apart(Heard(rows, recordings, redirects), listening))
    unmatched = sum(lost for _, lost in apart_counts)
    counts = [*counts_of_rows(rows, recordings, described), *(found for found, _ in apart_counts)]
    rows.forget("listens", "listeners", "name_key")
    ranking = rank_recordings(rows, recordings, counts)
    del recordings, counts, apart_counts
    rows.forget("year", "live")
    with place.staging.writer(place.folder / IDS_FILE) as stream:
        keys = rows.id_keys()
        ranks = ranking.head_rank[identity.into]
        renamed, *before = identity.renamed
        if len(renamed):
            # As the tables have them: merged rows under the id that they had, and what they stand for under its own too.
            heads = renamed[identity.into[renamed] == renamed]
            now = keys[heads]
            keys[renamed] = id_keys(*before)
            keys, ranks = np.concatenate((keys, now)), np.concatenate((ranks, ranks[heads]))
        write_ids(stream, keys, ranks)
        del keys, ranks
    rows.forget(*(("id_high", "id_low") if not (identity.rule == BY_REDIRECT).any() else ()))
    basis = replace(ranking.basis, unmatched_listens=unmatched)
    with place.progress.task("writing the snapshot", 2 * total, "rows") as advance:
        write_tables(Building(rows, identity, ranking, place.scratch, basis.synthetic), place.folder, advance)
    return Built(ranking.recording_count, identity.merged_by_rule(), unused, basis)


def _say_unused(unused: dict[str, int], identity: Identity, progress: Progress) -> None:
    """Say what a person or a source told that tells nothing of any row."""
    if unused[REDIRECTS]:
        progress.note(f"{unused[REDIRECTS]} redirects go round in a circle and are left out")
    if identity.unjoined:
        progress.note(f"{unused[WORDS]} ids that curators merged are no row's: {UUID(bytes=identity.unjoined[0])} ...")
    if identity.unknown:
        progress.note(f"{unused[APART]} ids to keep apart are no row's: {UUID(bytes=identity.unknown[0])} ...")


@contextmanager
def build_errors() -> Iterator[None]:
    """Turn what the disk, and Arrow on it, refuse a build into a StoreError in words."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        code = error.errno if isinstance(error, OSError) else None
        full = code in (errno.ENOSPC, errno.EDQUOT)
        said = "the disk is full" if full else f"cannot be built: {os.strerror(code) if code else str(error).splitlines()[0]}"
        remedy = "Free space on the archive's disk and build again" if full else "Look into the system's log and build again"
        raise StoreError("catalogue", said, f"{remedy}; the snapshot that was current still is.") from error


def _redirects(paths: Sequence[Path], apart: Collection[bytes]) -> Redirects:
    """Return all redirects of these files but those of ids that a person keeps apart."""
    none = np.empty(0, np.uint64)
    found = [(none, none, none, none)]
    for file in numbered([(0, REDIRECTS, path) for path in paths]):
        for chunk in chunks_of(file):
            table = read_chunk(chunk)
            found.append((*uuid_halves(table["id"].combine_chunks()), *uuid_halves(table["into"].combine_chunks())))
    old_high, old_low, new_high, new_low = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Redirects.of((old_high, old_low), (new_high, new_low), apart)
