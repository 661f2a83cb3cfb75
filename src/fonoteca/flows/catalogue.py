"""The catalogue brought up to date with what is held, and asked what to hold next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fonoteca.catalogue import Catalogue
from fonoteca.model.catalogue import Permit, Plan, PlanQuestion, Snapshot
from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import StoreError
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Admission, Evidence, Kind, Policy, Scheme
from fonoteca.ports import Clock, Progress
from fonoteca.register import Register
from fonoteca.rights import decide
from fonoteca.search import SearchIndex

PROVED_RECORDINGS = 32
"""From the most to the least heard, so many must be found in an index that another archive made."""


@dataclass(frozen=True, slots=True)
class CatalogueRooms:
    """The rooms that a catalogue flow needs."""

    catalogue: Catalogue
    search: SearchIndex
    register: Register
    policy: Policy
    clock: Clock
    progress: Progress


def refresh(rooms: CatalogueRooms) -> Snapshot:
    """Return the snapshot of all imports and all that is held now, with its search index built.

    When nothing has changed, the snapshot and index in force stay as they are.
    """
    rooms.catalogue.import_store(rooms.register.held_tracks(), rooms.progress)
    snapshot = rooms.catalogue.build(rooms.progress)
    index_for_search(rooms)
    return snapshot


def index_for_search(rooms: CatalogueRooms) -> None:
    """Build the search index of the snapshot in force, if there is one and it has none."""
    snapshot = rooms.catalogue.snapshot()
    if snapshot is not None and rooms.search.snapshot() != snapshot.name:
        rooms.progress.note(f"indexing {snapshot.recording_count} recordings for search")
        rooms.search.build(rooms.catalogue.rows(), snapshot.name)


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
    rooms.search.adopt(folder, name, last, sample)


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
