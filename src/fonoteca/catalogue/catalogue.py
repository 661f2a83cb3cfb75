"""The catalogue of one archive: imports, snapshots, and the questions asked of the snapshot in force."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fonoteca.catalogue.adoption import adopt_snapshot
from fonoteca.catalogue.building import APART, BuildPlace, SourceFiles, build_errors, build_files
from fonoteca.catalogue.desk import HELD, LISTENING, RECORDINGS, REDIRECTS, Kind
from fonoteca.catalogue.duck import DuckSettings
from fonoteca.catalogue.imports import ImportArea
from fonoteca.catalogue.layout import COLUMNS
from fonoteca.catalogue.lookup import MAGIC
from fonoteca.catalogue.mapping import STORE, TableMapping
from fonoteca.catalogue.plans import PlanArea
from fonoteca.catalogue.reading import SnapshotReader
from fonoteca.catalogue.snapshots import FORMAT, SNAPSHOT_FILE, StoredSnapshot, put_snapshot
from fonoteca.catalogue.sourcefile import ImportedSource, digests_of
from fonoteca.catalogue.starter import starter_table
from fonoteca.catalogue.synthetic import listening_csv, synthetic_history, synthetic_mapping
from fonoteca.catalogue.words import id_bytes, told_of
from fonoteca.model.catalogue import Heard, HeldTrack, KeptWithin, Permit, Plan, PlanQuestion, Snapshot, SnapshotSource
from fonoteca.model.corridor import Want
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import RecordingId
from fonoteca.model.words import Word
from fonoteca.ports import SILENCE, Blobs, Clock, Progress, Staging

RULES_FILE = "identity.toml"
"""In `catalogue/`: which rows a person keeps out of merges, as `apart = ["<id>", ...]`."""


class Catalogue(SnapshotReader):
    """The catalogue in a folder of blobs. Readers may ask at any time and from several threads; writers hold the archive's lock."""

    def __init__(self, blobs: Blobs, staging: Staging, clock: Clock, duck: DuckSettings | None = None) -> None:
        super().__init__(blobs, staging, duck)
        self._clock = clock
        self._imports = ImportArea(blobs, staging, clock, self._duck_settings)
        self._plans = PlanArea(blobs, staging, self._duck_settings, self._local)

    # Imports

    def import_kind(self, kind: Kind, paths: Sequence[Path], progress: Progress = SILENCE) -> SnapshotSource:
        """Import files as a kind of source publishes them, in place of what the same source gave before, all or nothing.

        Bad rows go to the import's quarantine.jsonl with file, line and reason, and are counted. The same files again change
        nothing. Raises: UsageError, SourceError with the position where a file is broken; the old rows stay then.
        """
        return self._imports.import_kind(kind, paths, progress)

    def import_table(self, paths: Sequence[Path], mapping: TableMapping, progress: Progress = SILENCE) -> SnapshotSource:
        """Import CSV, JSON lines or Parquet tables under one mapping, as one source. Raises: as `import_kind`."""
        return self._imports.import_table(paths, mapping, progress)

    def import_starter(self) -> SnapshotSource:
        """Import the starter catalogue that ships with Fonoteca, like any other table."""
        with starter_table() as (path, mapping):
            return self.import_table([path], mapping)

    def import_store(self, tracks: Iterable[HeldTrack], progress: Progress = SILENCE) -> SnapshotSource:
        """Import what is held in place of what was held at the last import; no tracks means nothing is held any more."""
        return self._imports.import_store(tracks, progress)

    def import_heard(self, rows: Sequence[Heard], progress: Progress = SILENCE) -> SnapshotSource | None:
        """Import what this archive's listeners heard in place of what they had heard before; None for nothing, then and now."""
        return self._imports.import_heard(rows, progress)

    def import_synthetic_history(self, seed: int, listener_count: int) -> SnapshotSource:
        """Make up a listening history that covers all imported recordings and what is held, and import it, labelled synthetic.

        Raises: UsageError when nothing is imported or fewer than one listener is asked for.
        """
        if listener_count < 1:
            raise UsageError("synthetic history", f"{listener_count} listeners", "Ask for one or more.")
        scratch = self._staging.folder("catalogue-synthetic")
        try:
            listenable = self._listenable()
            if not listenable:
                raise UsageError("synthetic history", "no recordings are imported", "Import a catalogue first.")
            with self._staging.writer(scratch / "listening.csv") as stream:
                stream.write(listening_csv(synthetic_history(listenable, seed, listener_count)))
            return self.import_table([scratch / "listening.csv"], synthetic_mapping(seed, listener_count))
        finally:
            self._staging.discard(scratch)

    def _listenable(self) -> list[_Listenable]:
        """Return all imported recordings in order of id, each once."""
        found: dict[str, _Listenable] = {}
        for key, imported in self._imports.sources():
            for rows in (HELD, RECORDINGS):
                paths = [str(self._local(f"{key}/{name}")) for name in imported.tables(rows)]
                query = "SELECT id::VARCHAR, artist, coalesce(release_id::VARCHAR, '') FROM read_parquet($paths)"
                for row, artist, release in self._ask(paths, query):
                    held = rows == HELD or (row in found and found[row].held)
                    found[row] = _Listenable(RecordingId(row), artist, release, held)
        return [found[row] for row in sorted(found)]

    def sources(self) -> tuple[SnapshotSource, ...]:
        """Return the imports in force, in order of name; the next build is made of them."""
        return tuple(imported.source for _, imported in self._imports.sources())

    # Build

    def build(self, progress: Progress = SILENCE, words: Sequence[Word] = ()) -> Snapshot:
        """Make a snapshot of all imports and put it in force; the same imports as last time give the snapshot that is in force.

        words: of curators, which win over what is found by rule; the same imports with other words give another snapshot.

        Its name is today's date in UTC, with -2, -3, ... when another of today differs. Until it is whole and durable, the old one
        stays in force. Cost: some 5 us a row on 2 cores, 16 GB at 256 million rows, and 130 B a row of disk while it works.
        Raises: UsageError when no recordings are imported, StoreError when the disk fails or is full.
        """
        imports = self._imports.sources()
        rules = self._blobs.read(RULES_FILE) if self._blobs.size(RULES_FILE) is not None else b""
        inputs = _inputs_of(imports, rules, words)
        now = self.stored_snapshot()
        scratch, folder = self._staging.folder("catalogue-build-scratch"), self._staging.folder("catalogue-build")
        try:
            if now and now.inputs == inputs:
                return now.snapshot
            place = BuildPlace(self._staging, scratch, folder, progress)
            told = told_of(words, _apart(rules))
            for each in told.contradictions:
                progress.note(f"the word of entry {each.word.entry} does not count: entry {each.earlier.entry} says otherwise")
            # What is held speaks last of names, since its tags are often worse than a catalogue.
            ordered = sorted(imports, key=lambda i: (i[1].source.kind == STORE, i[1].source.name))
            with build_errors():
                built = build_files([self._files_of(*one) for one in ordered], told, place)
            if not built.recording_count:
                raise UsageError("catalogue", "no recordings are imported", "Import a catalogue first.")
            names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
            files = tuple(digests_of(folder, names).items())
            sources = tuple(imported.source for _, imported in imports)
            made = StoredSnapshot(
                Snapshot("", built.recording_count, sources, files), built.basis, built.merged, inputs, built.unused
            )
            if now and now.same_content(made):
                return now.snapshot
            return put_snapshot(self._blobs, self._staging, folder, made, self._clock.now().date())
        finally:
            self._staging.discard(folder)
            self._staging.discard(scratch)

    def _files_of(self, key: str, imported: ImportedSource) -> SourceFiles:
        kinds = (RECORDINGS, HELD, LISTENING, REDIRECTS)
        files = {rows: tuple(self._local(f"{key}/{name}") for name in imported.tables(rows)) for rows in kinds}
        return SourceFiles(imported.source, files)

    def adopt_snapshot(self, folder: Path) -> Snapshot:
        """Put a snapshot in force that another archive made; the folder, which is below staging, is used up.

        Raises: TrustError when it is not as its snapshot.json says, or no catalogue; the old one stays in force then.
        """
        with self._cursor() as cursor:
            return adopt_snapshot(self._blobs, folder, cursor)

    def snapshot_names(self) -> list[str]:
        """Return the names of the snapshots that are here, in order."""
        return sorted(name for name in self._blobs.children() if self._blobs.size(f"{name}/{SNAPSHOT_FILE}") is not None)

    def discard_snapshot(self, name: str) -> None:
        """Remove a snapshot that is not the one in force; nothing there is no error."""
        now = self.snapshot()
        if name in self.snapshot_names() and (now is None or now.name != name):
            self._blobs.delete(name)

    # Plans

    def plan(self, question: PlanQuestion, permits: Callable[[str], Permit], progress: Progress = SILENCE) -> Plan:
        """Return what to hold next, and put it in force in place of the plan before. permits: asked once a licence, "" for none.

        Cost: some 0.7 us a recording, 25 B of memory; the same question about the same snapshot finds its answer again.
        Raises: UsageError when nothing fits the budget, and before the first build.
        """
        return self._plans.put(self._stored(), question, permits, progress)

    def current_plan(self) -> Plan | None:
        """Return the plan in force with its first wants, None before the first."""
        return self._plans.current()

    def kept_within(self, budget_bytes: int) -> KeptWithin:
        """Return what the most heard recordings are that fit so many bytes, and what the plan brings in what is held leaves free.

        Cost: as of the reader's, and some ten row groups of the plan's wants.
        """
        found = super().kept_within(budget_bytes)
        beside = max(0, budget_bytes - found.whole.held_bytes)
        return replace(found, planned=self._plans.within(self._stored().snapshot.name, beside))

    def wants(self, after_place: int = 0, limit: int = 100) -> list[Want]:
        """Return the wants of the plan in force that come after a place, in order of worth, at most `limit`.

        Raises: UsageError for a limit that is not between 1 and 10,000, and before the first plan.
        """
        return self._plans.wants(after_place, limit)

    def export_wants(self, target: Path) -> None:
        """Write all wants of the plan in force, with titles, to a new .parquet, .csv or .jsonl file. Raises: UsageError."""
        self._plans.export(target)


@dataclass(frozen=True, slots=True)
class _Listenable:
    """A recording as the synthetic history needs it, before any snapshot has ranked it."""

    id: RecordingId
    artist: str
    release_id: str
    held: bool


def _inputs_of(imports: Sequence[tuple[str, ImportedSource]], rules: bytes, words: Sequence[Word]) -> str:
    """Return a digest of all that a build is made of, and of what it makes."""
    made = [FORMAT, MAGIC.decode(), json.dumps({table: list(columns) for table, columns in COLUMNS.items()})]
    said = sorted((word.at.isoformat(), word.entry, word.kind, word.recording, *word.ids) for word in words)
    facts = [*made, hashlib.sha256(rules).hexdigest(), *(f"{key}:{imported.digest}" for key, imported in imports), *said]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _apart(rules: bytes) -> frozenset[bytes]:
    """Return the ids that a person keeps out of merges. Raises: UsageError when the file does not say so."""
    subject = f"catalogue/{RULES_FILE}"
    try:
        found = tomllib.loads(rules.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(subject, f"not TOML: {error}", 'Write apart = ["<id>", ...].') from error
    if unknown := sorted(set(found) - {APART}):
        raise UsageError(subject, f"unknown rules: {', '.join(unknown)}", 'Write apart = ["<id>", ...].')
    ids = found.get(APART, [])
    try:
        return frozenset(id_bytes(RecordingId(one)) for one in ids)
    except (TypeError, AttributeError, ValueError, FormatError) as error:
        raise UsageError(subject, f"`apart` is not a list of ids: {error}", "Write ids as `fonoteca show` does.") from error
