"""The questions asked of the snapshot in force. Any number of threads may ask at once; each question has a cursor of its own."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import duckdb

from fonoteca.catalogue.copying import copy_stream
from fonoteca.catalogue.coverage import survey
from fonoteca.catalogue.duck import DuckSettings, duck_errors, open_duck
from fonoteca.catalogue.ladder import Ladder
from fonoteca.catalogue.layout import ARTISTS, IDS_FILE, MERGED, RECORDINGS, RELEASES, SHARD_ROWS, shard_name
from fonoteca.catalogue.lookup import IdsIndex
from fonoteca.catalogue.mapping import STORE
from fonoteca.catalogue.matching.suggesting import suggest
from fonoteca.catalogue.snapshots import SNAPSHOT_FILE, StoredSnapshot, current_name, read_snapshot
from fonoteca.catalogue.statistics import Statistics, gather_statistics
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.catalogue import (
    PLAN_BYTES_MAX,
    Artist,
    Coverage,
    Head,
    KeptWithin,
    Popularity,
    Recording,
    Release,
    Snapshot,
    SourceRow,
    Suggestion,
)
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.ids import UUID_PATTERN, Isrc, RecordingId
from fonoteca.ports import Blobs, Staging

BATCH_ROWS = 8192
PAGE_RECORDINGS_MAX = 10_000
"""The most recordings in one page; `rows` streams all of them."""
COVERAGE_POINTS = 200
"""Smooth to the eye at any width of screen, and less than 20 kB of JSON."""
LAST_KEPT = 5
"""Recordings named where a budget ends."""


_UUID = re.compile(UUID_PATTERN)
_RECORDING = """id::VARCHAR, title, artist, release, coalesce(release_id::VARCHAR, ''), year, duration_ms, isrc, licence_uri,
    source_uri, source, file_bytes, held, share, share_low, share_high, rank, synthetic"""

_SAID = "id::VARCHAR, title, artist, release, year, duration_ms, isrc, source_uri, source"


class SnapshotReader:
    """The snapshot in force in a folder of blobs. Close it, or use it as a context.

    blobs: the archive's `catalogue/`. staging: for scratch, on the same disk.
    """

    def __init__(self, blobs: Blobs, staging: Staging, duck: DuckSettings | None = None) -> None:
        self._blobs = blobs
        self._staging = staging
        self._duck_settings = duck or DuckSettings()
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._known: StoredSnapshot | None = None
        self._ladder: tuple[str, Ladder] | None = None
        self._opening = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give DuckDB's memory back."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a cursor for one question, to be closed by the caller; threads may have one each.

        The database under it is opened once and kept: opening costs 10 to 30 ms, more than most questions.
        """
        with self._opening:
            if self._opened is None:
                self._opened = open_duck(self._duck_settings, None)
            return self._opened.cursor()

    def _local(self, key: str) -> Path:
        """Return the blob as a file: its own, or a copy in staging where blobs are not files (S3)."""
        path = self._blobs.local_path(key)
        if path is not None:
            return path
        folder = self._staging.folder("catalogue-copy-" + key.replace("/", "-"))
        copy = folder / Path(key).name
        with self._blobs.open(key) as source:
            copy_stream(source, copy, self._staging)
        return copy

    # The snapshot in force

    def stored_snapshot(self) -> StoredSnapshot | None:
        """Return the snapshot in force with the listening it rests on, None before the first build."""
        name = current_name(self._blobs)
        known = self._known
        if name is None or (known and known.snapshot.name == name):
            return known if name else None
        # What a name stands for never changes, and at 256 million tracks there are hundreds of files to list.
        self._known = read_snapshot(self._blobs, name)
        return self._known

    def snapshot(self) -> Snapshot | None:
        """Return the snapshot in force, None before the first build."""
        stored = self.stored_snapshot()
        return stored.snapshot if stored else None

    def snapshot_folder(self) -> Path:
        """Return the folder of the snapshot in force. Raises: UsageError before the first build, or where blobs are not files."""
        place = self._blobs.local_path(f"{self._stored().snapshot.name}/{SNAPSHOT_FILE}")
        if place is None:
            raise UsageError("catalogue", "its snapshot is not in a folder", "Copy the catalogue to this machine's disk first.")
        return place.parent

    def snapshot_files(self) -> tuple[tuple[str, Path], ...]:
        """Return the files of the snapshot in force, snapshot.json included, in order of path: path below its folder, and the file.

        Raises: UsageError before the first build.
        """
        name = self._stored().snapshot.name
        keys = sorted(key.removeprefix(f"{name}/") for key in self._blobs.keys(name))
        return tuple((key, self._local(f"{name}/{key}")) for key in keys)

    def _stored(self) -> StoredSnapshot:
        stored = self.stored_snapshot()
        if stored is None:
            raise UsageError("catalogue", "there is no snapshot yet", "Import a catalogue and run `fonoteca catalogue build`.")
        return stored

    def table_paths(self, table: str) -> list[str]:
        """Return the files of a table of the snapshot in force, in order. Raises: UsageError before the first build."""
        snapshot = self._stored().snapshot
        return [str(self._local(f"{snapshot.name}/{path}")) for path, _ in snapshot.files if path.startswith(f"{table}/")]

    def _ask(self, paths: Sequence[str], query: str, **parameters: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query over `read_parquet($paths)`, streamed, on a cursor of its own: threads may ask at once."""
        if not paths:
            return
        with duck_errors(paths[0]), self._cursor() as cursor:
            answer = cursor.execute(query, {"paths": list(paths), **parameters})
            while batch := answer.fetchmany(BATCH_ROWS):
                yield from batch

    def _shard(self, stored: StoredSnapshot, table: str, rank: int) -> list[str]:
        """Return the file of a table that has this rank, and nothing when none has."""
        path = shard_name(table, (rank - 1) // SHARD_ROWS)
        if not any(name == path for name, _ in stored.snapshot.files):
            return []
        return [str(self._local(f"{stored.snapshot.name}/{path}"))]

    def recordings(self, after_rank: int = 0, limit: int = 100) -> list[Recording]:
        """Return the recordings that come after a rank, most heard first, at most `limit`. Cost: a row group of one file or two.

        Raises: UsageError for a limit that is not between 1 and 10,000, and before the first build.
        """
        if not 1 <= limit <= PAGE_RECORDINGS_MAX:
            raise UsageError("recordings", f"a page of {limit}", f"Ask for 1 to {PAGE_RECORDINGS_MAX}.")
        stored = self._stored()
        after_rank = max(0, after_rank)
        shards = {path: None for rank in (after_rank + 1, after_rank + limit) for path in self._shard(stored, RECORDINGS, rank)}
        query = f"SELECT {_RECORDING} FROM read_parquet($paths) WHERE rank BETWEEN $first AND $last ORDER BY rank"
        return [_recording(row) for row in self._ask(list(shards), query, first=after_rank + 1, last=after_rank + limit)]

    def recording(self, recording_id: str) -> Recording | None:
        """Return the recording that has this id or into which it was merged, None when there is none or before the first build.

        Cost: four small reads and one row group. Raises: StoreError when the snapshot is spoilt.
        """
        stored = self.stored_snapshot()
        if stored is None or not _UUID.fullmatch(recording_id):
            return None
        name = stored.snapshot.name
        index = IdsIndex(lambda start, length: self._blobs.read_range(f"{name}/{IDS_FILE}", start, length))
        try:
            ranks = index.ranks(uuid.UUID(recording_id))
        except ValueError as error:
            raise StoreError(f"catalogue/{name}/{IDS_FILE}", str(error), "Build the catalogue again.") from error
        query = f"SELECT {_RECORDING} FROM read_parquet($paths) WHERE rank = $rank"
        for rank in ranks:
            for row in self._ask(self._shard(stored, RECORDINGS, rank), query, rank=rank):
                if row[0] == recording_id or self._is_merged(stored, rank, recording_id):
                    return _recording(row)
        return None

    def rows_of(self, recording: Recording) -> list[SourceRow]:
        """Return what each source says of a recording of the snapshot in force: its own row first, with the rule that brought each.

        Cost: two row groups.
        """
        stored, rank = self._stored(), recording.popularity.rank
        own = f"SELECT {_SAID}, '' FROM read_parquet($paths) WHERE rank = $rank"
        merged = f"SELECT {_SAID}, rule FROM read_parquet($paths) WHERE rank = $rank"
        rows = [*self._ask(self._shard(stored, RECORDINGS, rank), own, rank=rank)]
        rows += self._ask(self._shard(stored, MERGED, rank), merged, rank=rank)
        return [SourceRow(RecordingId(one), *said) for one, *said in rows]

    def unmatched(self, after_rank: int = 0, limit: int = 100) -> list[Recording]:
        """Return recordings that are held and that no other source has, after a rank, most heard first. Cost: one column's scan."""
        alone = "source = $source AND copies = 1 AND rank > $after ORDER BY rank LIMIT $limit"
        query = f"SELECT {_RECORDING} FROM read_parquet($paths) WHERE {alone}"
        rows = self._ask(self.table_paths(RECORDINGS), query, source=STORE, after=after_rank, limit=limit)
        return [_recording(row) for row in rows]

    def suggestions(self, track: Recording, isrc: str, some: Sequence[Recording]) -> list[Suggestion]:
        """Return what a track most likely is of some recordings, the likeliest first. isrc: of the track, "" for none."""
        with self._cursor() as cursor:
            return suggest(cursor, track, isrc, some)

    def _is_merged(self, stored: StoredSnapshot, rank: int, row_id: str) -> bool:
        """Whether a row of this id, or one that was redirected from it, became part of the recording of this rank."""
        query = "SELECT 1 FROM read_parquet($paths) WHERE rank = $rank AND id = $id::UUID"
        return any(True for _ in self._ask(self._shard(stored, MERGED, rank), query, rank=rank, id=row_id))

    def rows(self) -> Iterator[Recording]:
        """Yield every recording, most heard first, streamed: what the search index is built from. Raises: UsageError."""
        # The files are in order of rank, and DuckDB keeps the order in which it reads.
        return (
            _recording(row) for row in self._ask(self.table_paths(RECORDINGS), f"SELECT {_RECORDING} FROM read_parquet($paths)")
        )

    def recordings_of_isrc(self, isrc: str) -> list[Recording]:
        """Return the recordings that have an ISRC, most heard first, none before the first build. Cost: one column's scan."""
        if self.stored_snapshot() is None:
            return []
        query = f"SELECT {_RECORDING} FROM read_parquet($paths) WHERE contains(isrc, $isrc) ORDER BY rank"
        return [_recording(row) for row in self._ask(self.table_paths(RECORDINGS), query, isrc=isrc)]

    def release_recordings(self, release_id: str) -> list[Recording]:
        """Return a release's recordings in order of disc and track, empty when there is none such. Cost: one column's scan."""
        if not _UUID.fullmatch(release_id):
            return []
        query = f"SELECT {_RECORDING} FROM read_parquet($paths) WHERE release_id = $id::UUID ORDER BY disc, track, title, id"
        return [_recording(row) for row in self._ask(self.table_paths(RECORDINGS), query, id=release_id)]

    def releases(self) -> Iterator[Release]:
        """Yield every release, the one with the most heard recording first."""
        query = """SELECT release_id::VARCHAR, title, artist, artist_count, year, track_count, held_count, best_rank, share
            FROM read_parquet($paths)"""
        return (Release(*row) for row in self._ask(self.table_paths(RELEASES), query))

    def artists(self) -> Iterator[Artist]:
        """Yield every artist's name, the one with the most heard recording first."""
        query = "SELECT name, track_count, held_count, best_rank, share FROM read_parquet($paths)"
        return (Artist(*row) for row in self._ask(self.table_paths(ARTISTS), query))

    def standings(self, recording_ids: Collection[str]) -> dict[RecordingId, tuple[float, int]]:
        """Return the share of all listening and the rank of each of these recordings that the snapshot has.

        Cost: one scan of three columns.
        """
        query = "SELECT id::VARCHAR, share, rank FROM read_parquet($paths) WHERE id IN (SELECT unnest($ids::UUID[]))"
        wanted = sorted(recording for recording in set(recording_ids) if _UUID.fullmatch(recording))
        rows = self._ask(self.table_paths(RECORDINGS), query, ids=wanted)
        return {RecordingId(found): (share, rank) for found, share, rank in rows}

    def coverage(self, points: int = COVERAGE_POINTS) -> Coverage:
        """Return the coverage curve, from (0, 0) to (1, 1), and where the archive stands.

        Raises: UsageError for fewer than two points, and before the first build.
        """
        stored = self._stored()
        found, ladder = survey(self.table_paths(RECORDINGS), stored.basis, points)
        self._ladder = (stored.snapshot.name, ladder)
        return found

    def kept_within(self, budget_bytes: int) -> KeptWithin:
        """Return what the most heard recordings are that fit so many bytes.

        Cost: two reads of a row group, after one scan of the snapshot, which `coverage` makes too.
        Raises: UsageError for a budget that is not 0 B to 9 PB, and before the first build.
        """
        if not 0 <= budget_bytes <= PLAN_BYTES_MAX:
            raise UsageError("budget", f"a budget of {show_bytes(budget_bytes)}", "Give at most 9 PB, such as 300TB.")
        stored = self._stored()
        ladder = self._ladder_of(stored)
        files, whole = self.table_paths(RECORDINGS), ladder.whole
        kept, more_bytes = ladder.within(files, budget_bytes), step_of(budget_bytes)
        further = ladder.within(files, budget_bytes + more_bytes)
        sure = kept.count in (0, whole.count)
        low, high = (kept.share, kept.share) if sure else stored.basis.interval_of_sum(kept.share)
        around = self.recordings(max(0, kept.count - LAST_KEPT), LAST_KEPT + 1)
        return KeptWithin(
            budget_bytes=budget_bytes,
            kept=kept,
            low=low,
            high=high,
            whole=whole,
            more_bytes=more_bytes,
            more=Head(*(getattr(further, name) - getattr(kept, name) for name in Head.__slots__)),
            last=tuple(each for each in around if each.popularity.rank <= kept.count),
            left=next((each for each in around if each.popularity.rank == kept.count + 1), None),
            synthetic=stored.basis.synthetic,
            heard=stored.basis.heard,
        )

    def _ladder_of(self, stored: StoredSnapshot) -> Ladder:
        """Return the ladder of the snapshot in force: kept, since a snapshot never changes."""
        known = self._ladder
        if known is None or known[0] != stored.snapshot.name:
            self.coverage()
            known = self._ladder
        assert known is not None, "coverage makes it"
        return known[1]

    def statistics(self, points: int = COVERAGE_POINTS) -> Statistics:
        """Return the figures behind the catalogue's charts. Cost: a few scans of single columns; Parquet files must be local.

        Raises: UsageError before the first build.
        """
        folder = self.snapshot_folder()
        with duck_errors("catalogue"), open_duck(self._duck_settings, None) as duck:
            return gather_statistics(folder, self.coverage(points), duck)


def step_of(budget_bytes: int) -> int:
    """Return the step in which people think at such a budget: 1 MB, 1 GB or 1 TB."""
    return next(step for step in (10**12, 10**9, 10**6, 0) if budget_bytes >= step) or 10**6


def _recording(row: tuple[Any, ...]) -> Recording:
    """Return the recording of a row of `_RECORDING`."""
    identity, title, artist, release, release_id, year, duration_ms, isrc, licence, uri, source, file_bytes, held, *popularity = row
    return Recording(
        id=RecordingId(identity),
        title=title,
        artist=artist,
        release=release,
        release_id=release_id,
        year=year,
        duration_ms=duration_ms,
        isrcs=tuple(Isrc(one) for one in isrc.split()),
        licence_uri=licence,
        source_uri=uri,
        source=source,
        file_bytes=file_bytes,
        held=held,
        popularity=Popularity(*popularity),
    )
