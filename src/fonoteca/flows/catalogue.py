"""The catalogue brought up to date with what is held, and asked what to hold next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fonoteca.catalogue import Catalogue
from fonoteca.flows.words import words_of
from fonoteca.model.catalogue import Heard, Permit, Plan, PlanQuestion, Snapshot, SnapshotSource
from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import StoreError
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Admission, Evidence, Kind, Policy, Scheme
from fonoteca.ports import Clock, Progress
from fonoteca.register import Register
from fonoteca.rights import decide
from fonoteca.search import SearchIndex, SnapshotFile, SnapshotTables

PROVED_RECORDINGS = 32
"""From the most to the least heard, so many must be found in an index that another archive made."""


@dataclass(frozen=True, slots=True)
class CatalogueRooms:
    """The rooms that a catalogue flow needs. heard: gives what listeners heard here, and forgets who they were once it is time."""

    catalogue: Catalogue
    search: SearchIndex
    register: Register
    policy: Policy
    clock: Clock
    progress: Progress
    heard: Callable[[], Sequence[Heard]] = tuple


def import_listening(rooms: CatalogueRooms) -> SnapshotSource | None:
    """Import what this archive's listeners heard, as far as enough of them did; None where there is and was nothing.

    The catalogue counts it with the next build. It is not part of `refresh`, so that publishing makes no new snapshot of every song
    that somebody hears.
    """
    return rooms.catalogue.import_heard(rooms.heard(), rooms.progress)


def refresh(rooms: CatalogueRooms) -> Snapshot:
    """Return the snapshot of all imports and all that is held now, with its search index built.

    When nothing has changed, the snapshot and index in force stay as they are.
    """
    rooms.catalogue.import_store(rooms.register.held_tracks(), rooms.progress)
    snapshot = rooms.catalogue.build(rooms.progress, words_of(rooms.register))
    index_for_search(rooms)
    return snapshot


def index_for_search(rooms: CatalogueRooms) -> None:
    """Build the search index of the snapshot in force, if there is one and it has none."""
    snapshot = rooms.catalogue.snapshot()
    if snapshot is not None and not rooms.search.is_of(snapshot.name):
        rooms.progress.note(f"indexing {snapshot.recording_count} recordings for search")
        rooms.search.build(tables_of(rooms.catalogue, snapshot), rooms.progress)


def tables_of(catalogue: Catalogue, snapshot: Snapshot) -> SnapshotTables:
    """Return what an index of the snapshot in force is built from."""
    digests = dict(snapshot.files)
    files = {
        table: tuple(SnapshotFile(Path(path), digests[f"{table}/{Path(path).name}"]) for path in catalogue.table_paths(table))
        for table in ("recordings", "artists", "releases")
    }
    return SnapshotTables(snapshot.name, files)


def adopt_index(rooms: CatalogueRooms, folder: Path, name: str) -> None:
    """Take the search index of the snapshot in force into use that another archive made; the folder, below staging, is used up.

    Raises: StoreError when another snapshot is in force here, or it cannot be read; TrustError when it does not find what the
    catalogue has.
    """
    snapshot = rooms.catalogue.snapshot()
    if snapshot is None or snapshot.name != name:
        problem = f"it is of the catalogue {name}, and {snapshot.name if snapshot else 'none'} is in force"
        raise StoreError("search index", problem, "Run `fonoteca catalogue build`: it indexes what is in force.")
    last = snapshot.recording_count
    ranks = sorted({1 + (last - 1) * step // (PROVED_RECORDINGS - 1) for step in range(PROVED_RECORDINGS)})
    sample = (recording for rank in ranks for recording in rooms.catalogue.recordings(rank - 1, 1))
    rooms.search.adopt(folder, tables_of(rooms.catalogue, snapshot), sample)


def plan(rooms: CatalogueRooms, question: PlanQuestion) -> Plan:
    """Return what to hold next, without what rights would refuse or hold for a person; it is in force then."""
    now = rooms.clock.now()

    @cache
    def permits(licence_uri: str) -> Permit:
        evidence = Evidence(Scheme.LICENCE_URI, licence_uri, "", "catalogue", now)
        candidate = Candidate(ItemKey("plan:want"), Kind.AUDIO, "title", "artist", "", (), (evidence,) if licence_uri else ())
        decision = decide(candidate, rooms.policy, now)
        if not isinstance(decision, Admission):
            return Permit.REFUSED
        # The gate says which act or clause lets another format be made, and nothing where none does.
        return Permit.ANY_FORMAT if decision.transcode else Permit.AS_OFFERED

    return rooms.catalogue.plan(question, permits, rooms.progress)
