"""The catalogue of one archive: imports, snapshots, and the questions asked of the snapshot in force."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import duckdb

from fonoteca.catalogue.adoption import adopt_snapshot
from fonoteca.catalogue.building import ARTISTS_FILE, RECORDINGS_FILE, RELEASES_FILE, gather, write_files
from fonoteca.catalogue.coverage import measure_coverage
from fonoteca.catalogue.duck import DuckSettings, duck_errors, open_duck
from fonoteca.catalogue.imports import ROWS_FILE, ImportArea
from fonoteca.catalogue.mapping import LISTENING, TableMapping
from fonoteca.catalogue.planning import make_plan
from fonoteca.catalogue.popularity import ListeningTotals
from fonoteca.catalogue.snapshots import StoredSnapshot, current_snapshot, put_snapshot
from fonoteca.catalogue.sourcefile import digests_of
from fonoteca.catalogue.starter import starter_table
from fonoteca.catalogue.synthetic import listening_csv, synthetic_history, synthetic_mapping
from fonoteca.model.catalogue import (
    Artist,
    Coverage,
    HeldTrack,
    Plan,
    Popularity,
    Recording,
    Release,
    Snapshot,
    SnapshotSource,
)
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import RecordingId
from fonoteca.ports import Blobs, Clock, Staging

BATCH_ROWS = 8192
PAGE_RECORDINGS_MAX = 10_000
"""The most recordings in one page; `rows` streams all of them."""
COVERAGE_POINTS = 200
"""Smooth to the eye at any width of screen, and less than 20 kB of JSON."""

COPY_BYTES = 1 << 20

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECORDING = """id::VARCHAR, title, artist, release, release_id, year, duration_ms, licence_uri, source_uri, source,
    file_bytes, held, share, share_low, share_high, rank, synthetic"""


class Catalogue:
    """The catalogue in a folder of blobs. Readers may ask at any time and from several threads; writers hold the archive's lock.

    blobs: the archive's `catalogue/`. staging: for scratch, on the same disk. Close it, or use it as a context.
    """

    def __init__(self, blobs: Blobs, staging: Staging, clock: Clock, duck: DuckSettings | None = None) -> None:
        self._blobs = blobs
        self._staging = staging
        self._clock = clock
        self._duck_settings = duck or DuckSettings()
        self._imports = ImportArea(blobs, staging, self._duck_settings)
        self._opened: duckdb.DuckDBPyConnection | None = None
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

    # Imports

    def import_table(self, path: Path, mapping: TableMapping) -> SnapshotSource:
        """Import a CSV, JSON lines or Parquet table in place of what the same source gave before, all or nothing.

        Bad rows go to the import's quarantine.jsonl with line and reason, and are counted. The same table under the same mapping
        changes nothing. Raises: UsageError, SourceError with the position where a file is broken; the old rows stay then.
        """
        return self._imports.import_table(path, mapping)

    def import_starter(self) -> SnapshotSource:
        """Import the starter catalogue that ships with Fonoteca, like any other table."""
        with starter_table() as (path, mapping):
            return self.import_table(path, mapping)

    def import_store(self, tracks: Iterable[HeldTrack]) -> SnapshotSource:
        """Import what is held in place of what was held at the last import; no tracks means nothing is held any more."""
        return self._imports.import_store(tracks, self._clock.now().date().isoformat())

    def import_synthetic_history(self, seed: int, listener_count: int) -> SnapshotSource:
        """Make up a listening history that covers all imported recordings and what is held, and import it, labelled synthetic.

        Raises: UsageError when nothing is imported or fewer than one listener is asked for.
        """
        if listener_count < 1:
            raise UsageError("synthetic history", f"{listener_count} listeners", "Ask for one or more.")
        name = "catalogue-synthetic"
        scratch = self._staging.folder(name)
        try:
            with self._gathered(f"{name}-gather") as (duck, _, _), duck_errors("catalogue"):
                answer = duck.execute("SELECT id::VARCHAR, artist, release_id, held FROM merged ORDER BY id")
                listenable = [_Listenable(RecordingId(i), artist, release, held) for i, artist, release, held in answer.fetchall()]
            if not listenable:
                raise UsageError("synthetic history", "no recordings are imported", "Import a catalogue first.")
            with self._staging.writer(scratch / "listening.csv") as stream:
                stream.write(listening_csv(synthetic_history(listenable, seed, listener_count)))
            return self.import_table(scratch / "listening.csv", synthetic_mapping(seed, listener_count))
        finally:
            self._staging.discard(scratch)

    def sources(self) -> tuple[SnapshotSource, ...]:
        """Return the imports in force, in order of name; the next build is made of them."""
        return tuple(imported.source for _, imported in self._imports.sources())

    # Build

    def build(self) -> Snapshot:
        """Make a snapshot of all imports and put it in force; the same imports as last time give the snapshot that is in force.

        Its name is today's date in UTC, with -2, -3, ... when another of today differs. Until it is whole and durable, the old one
        stays in force. Cost: about 0.3 s for 11,000 recordings; sorts spill to staging.
        Raises: UsageError when no recordings are imported.
        """
        now = self.stored_snapshot()
        folder = self._staging.folder("catalogue-build")
        try:
            with self._gathered("catalogue-build-gather") as (duck, totals, sources):
                if not totals.recording_count:
                    raise UsageError("catalogue", "no recordings are imported", "Import a catalogue first.")
                with duck_errors("catalogue"):
                    write_files(duck, totals, folder)
            files = tuple(digests_of(folder, (ARTISTS_FILE, RECORDINGS_FILE, RELEASES_FILE)).items())
            made = StoredSnapshot(Snapshot("", totals.recording_count, sources, files), totals)
            if now and now.same_content(made):
                return now.snapshot
            return put_snapshot(self._blobs, self._staging, folder, made, self._clock.now().date())
        finally:
            self._staging.discard(folder)

    @contextmanager
    def _gathered(self, scratch: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, ListeningTotals, tuple[SnapshotSource, ...]]]:
        """Give a database with all imports gathered, their totals and their sources, for as long as the context lasts."""
        imports = self._imports.sources()
        sources = tuple(imported.source for _, imported in imports)
        # What is made up taints every share, since shares are of one whole.
        synthetic = any(imported.source.synthetic for _, imported in imports if imported.rows == LISTENING)
        spill = self._staging.folder(scratch)
        try:
            tables = [(i.source.name, i.rows, self._local(f"{folder}/{ROWS_FILE}")) for folder, i in imports]
            with open_duck(self._duck_settings, spill) as duck:
                with duck_errors("catalogue"):
                    totals = gather(duck, tables, synthetic)
                yield duck, totals, sources
        finally:
            self._staging.discard(spill)

    def _local(self, key: str) -> Path:
        """Return the blob as a file: its own, or a copy in staging where blobs are not files (S3)."""
        path = self._blobs.local_path(key)
        if path is not None:
            return path
        folder = self._staging.folder("catalogue-copy-" + key.replace("/", "-"))
        copy = folder / Path(key).name
        with self._blobs.open(key) as source, self._staging.writer(copy) as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
        return copy

    # The snapshot in force

    def stored_snapshot(self) -> StoredSnapshot | None:
        """Return the snapshot in force with the listening it rests on, None before the first build."""
        return current_snapshot(self._blobs)

    def snapshot(self) -> Snapshot | None:
        """Return the snapshot in force, None before the first build."""
        stored = self.stored_snapshot()
        return stored.snapshot if stored else None

    def snapshot_files(self) -> tuple[tuple[str, Path], ...]:
        """Return the files of the snapshot in force, snapshot.json included, in order of path: path below its folder, and the file.

        Raises: UsageError before the first build.
        """
        name = self._stored().snapshot.name
        keys = sorted(key.removeprefix(f"{name}/") for key in self._blobs.keys(name))
        return tuple((key, self._local(f"{name}/{key}")) for key in keys)

    def adopt_snapshot(self, folder: Path) -> Snapshot:
        """Put a snapshot in force that another archive made; the folder, which is below staging, is used up.

        Raises: TrustError when it is not as its snapshot.json says, or no catalogue; the old one stays in force then.
        """
        with self._cursor() as cursor:
            return adopt_snapshot(self._blobs, folder, cursor)

    def _stored(self) -> StoredSnapshot:
        stored = self.stored_snapshot()
        if stored is None:
            raise UsageError("catalogue", "there is no snapshot yet", "Import a catalogue and run `fonoteca catalogue build`.")
        return stored

    def _file(self, name: str) -> Path:
        return self._local(f"{self._stored().snapshot.name}/{name}")

    def _ask(self, file: str, query: str, **parameters: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query over `read_parquet($path)`, streamed, on a cursor of its own: threads may ask at once."""
        path = self._file(file)
        with duck_errors(str(path)), self._cursor() as cursor:
            answer = cursor.execute(query, {"path": str(path), **parameters})
            while batch := answer.fetchmany(BATCH_ROWS):
                yield from batch

    def recordings(self, after_rank: int = 0, limit: int = 100) -> list[Recording]:
        """Return the recordings that come after a rank, most heard first, at most `limit`. Cost: the row groups it needs.

        Raises: UsageError for a limit that is not between 1 and 10,000, and before the first build.
        """
        if not 1 <= limit <= PAGE_RECORDINGS_MAX:
            raise UsageError("recordings", f"a page of {limit}", f"Ask for 1 to {PAGE_RECORDINGS_MAX}.")
        query = f"SELECT {_RECORDING} FROM read_parquet($path) WHERE rank > $after ORDER BY rank LIMIT $limit"
        return [_recording(row) for row in self._ask(RECORDINGS_FILE, query, after=after_rank, limit=limit)]

    def recording(self, recording_id: str) -> Recording | None:
        """Return one recording, None when the snapshot has none of this id or before the first build."""
        if self.stored_snapshot() is None or not _UUID.fullmatch(recording_id):
            return None
        query = f"SELECT {_RECORDING} FROM read_parquet($path) WHERE id = $id::UUID"
        return next((_recording(row) for row in self._ask(RECORDINGS_FILE, query, id=recording_id)), None)

    def rows(self) -> Iterator[Recording]:
        """Yield every recording, most heard first, streamed: what the search index is built from. Raises: UsageError as above."""
        query = f"SELECT {_RECORDING} FROM read_parquet($path) ORDER BY rank"
        return (_recording(row) for row in self._ask(RECORDINGS_FILE, query))

    def release_recordings(self, release_id: str) -> list[Recording]:
        """Return a release's recordings in order of disc and track, empty when there is no such release."""
        query = f"SELECT {_RECORDING} FROM read_parquet($path) WHERE release_id = $id ORDER BY disc, track, title, id"
        return [_recording(row) for row in self._ask(RECORDINGS_FILE, query, id=release_id)]

    def releases(self) -> Iterator[Release]:
        """Yield every release, the one with the most heard recording first."""
        query = """SELECT release_id, title, artist, artist_count, year, track_count, held_count, best_rank, share
            FROM read_parquet($path) ORDER BY best_rank"""
        return (Release(*row) for row in self._ask(RELEASES_FILE, query))

    def artists(self) -> Iterator[Artist]:
        """Yield every artist's name, the one with the most heard recording first."""
        query = "SELECT name, track_count, held_count, best_rank, share FROM read_parquet($path) ORDER BY best_rank"
        return (Artist(*row) for row in self._ask(ARTISTS_FILE, query))

    def shares(self, recording_ids: Collection[str]) -> dict[RecordingId, float]:
        """Return the share of all listening of each of these recordings that the snapshot has. Cost: one scan of two columns."""
        query = "SELECT id::VARCHAR, share FROM read_parquet($path) WHERE id IN (SELECT unnest($ids::UUID[]))"
        wanted = sorted(recording for recording in set(recording_ids) if _UUID.fullmatch(recording))
        return {RecordingId(found): share for found, share in self._ask(RECORDINGS_FILE, query, ids=wanted)}

    def coverage(self, points: int = COVERAGE_POINTS) -> Coverage:
        """Return the coverage curve, from (0, 0) to (1, 1), and where the archive stands.

        Raises: UsageError for fewer than two points, and before the first build.
        """
        stored = self._stored()
        path = self._local(f"{stored.snapshot.name}/{RECORDINGS_FILE}")
        with self._cursor() as cursor:
            return measure_coverage(cursor, path, stored.totals, points)

    def plan(self, budget_bytes: int, permits: Callable[[str], bool]) -> Plan:
        """Return what to hold next in so many bytes. permits: whether rights allow holding under a licence URI, "" for none known.

        Raises: UsageError for a negative budget and before the first build.
        """
        stored = self._stored()
        path = self._local(f"{stored.snapshot.name}/{RECORDINGS_FILE}")
        with self._cursor() as cursor:
            return make_plan(cursor, path, budget_bytes, permits, stored.totals.synthetic)


@dataclass(frozen=True, slots=True)
class _Listenable:
    """A recording as the synthetic history needs it, before any snapshot has ranked it."""

    id: RecordingId
    artist: str
    release_id: str
    held: bool


def _recording(row: tuple[Any, ...]) -> Recording:
    """Return the recording of a row of `_RECORDING`."""
    identity, title, artist, release, release_id, year, duration_ms, licence, uri, source, file_bytes, held, *popularity = row
    return Recording(
        id=RecordingId(identity),
        title=title,
        artist=artist,
        release=release,
        release_id=release_id,
        year=year,
        duration_ms=duration_ms,
        licence_uri=licence,
        source_uri=uri,
        source=source,
        file_bytes=file_bytes,
        held=held,
        popularity=Popularity(*popularity),
    )
