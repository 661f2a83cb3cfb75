"""What the site is made of: the rooms it asks and the settings it obeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from fonoteca.formats.objectjson import ObjectMetadata
from fonoteca.formats.swarmfile import SwarmSeen
from fonoteca.model.catalogue import Coverage, KeptWithin, Recording, Snapshot, SourceRow, Suggestion
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import RightsRecord
from fonoteca.model.settings import Settings
from fonoteca.model.terms import ANYWHERE, Place
from fonoteca.people import People
from fonoteca.ports import Blobs, Clock
from fonoteca.register import Register
from fonoteca.search import Answer, Facets, Hit
from fonoteca.serve.desk.side import DeskSide
from fonoteca.serve.proving import Remembered
from fonoteca.serve.standing import EditionSeen, Space


class Shelf(Protocol):
    """Where what objects say of themselves is read: the store."""

    def rights(self, object_id: ObjectId) -> RightsRecord:
        """Return the rights record of an object's head. Raises: StoreError when there is none."""
        ...

    def metadata(self, object_id: ObjectId) -> ObjectMetadata:
        """Return what metadata.json of an object's head says. Raises: UsageError when it is not held, FixityError."""
        ...


class Atlas(Protocol):
    """What the site asks of the catalogue."""

    def coverage(self) -> Coverage:
        """Return the coverage curve of the snapshot in force."""
        ...

    def kept_within(self, budget_bytes: int) -> KeptWithin:
        """Return what the most heard recordings are that fit so many bytes. Raises: UsageError."""
        ...

    def snapshot(self) -> Snapshot | None:
        """Return the snapshot in force, None before the first build."""
        ...

    def recording(self, recording_id: str) -> Recording | None:
        """Return the recording that has this id or into which it was merged, None when there is none."""
        ...

    def rows_of(self, recording: Recording) -> list[SourceRow]:
        """Return what each source says of a recording of the snapshot in force, its own row first."""
        ...

    def unmatched(self, after_rank: int = 0, limit: int = 100) -> list[Recording]:
        """Return recordings that are held and that no other source has, after a rank, most heard first."""
        ...

    def suggestions(self, track: Recording, isrc: str, some: Sequence[Recording]) -> list[Suggestion]:
        """Return what a track most likely is of some recordings, the likeliest first. isrc: of the track, "" for none."""
        ...

    def release_recordings(self, release_id: str) -> list[Recording]:
        """Return a release's recordings in order of disc and track, empty when there is no such release."""
        ...


class Finder(Protocol):
    """What the site asks of search."""

    def current(self) -> str | None:
        """Return the name of the index in use, None before the first is built."""
        ...

    def snapshot(self) -> str | None:
        """Return the name of the snapshot that the index in use is of, None before the first is built."""
        ...

    def search(self, words: str, limit: int) -> tuple[Hit, ...]:
        """Return the best hits of any kind for what a person typed."""
        ...

    def page(self, words: str, limit: int, after: str = "") -> Answer:
        """Return a page of hits after a cursor, "" for the first. Raises: UsageError for a cursor of another search."""
        ...

    def facets(self, words: str) -> Facets:
        """Return how many match."""
        ...


@dataclass(frozen=True, slots=True)
class ServeRooms:
    """All that `create_app` needs.

    store: reads rights and metadata. blobs: the storage root. editions, catalogue_blobs, search_blobs: the folders of these names.
    people: the accounts.
    coverage_png: the curve as a picture. swarm_seen: what the service that gives drops out noted, None where none ran.
    space: of the disk that the store is on, None where it is on none of this machine. edition: what is out, None before the first.
    last_backup: when, None where none is on record.
    remembered: what this process read whole. desk: where curators' decisions are carried out, None for a site without.
    place: where what is given out goes; `locating.asked_from` says it of a request.
    """

    settings: Settings
    clock: Clock
    store: Shelf
    blobs: Blobs
    register: Register
    editions: Blobs
    catalogue_blobs: Blobs
    catalogue: Atlas
    search_blobs: Blobs
    finder: Finder
    people: People
    coverage_png: Callable[[Coverage], bytes]
    swarm_seen: Callable[[], SwarmSeen | None] = lambda: None
    space: Callable[[], Space | None] = lambda: None
    edition: Callable[[], EditionSeen | None] = lambda: None
    last_backup: Callable[[], datetime | None] = lambda: None
    remembered: Remembered = field(default_factory=Remembered)
    desk: DeskSide | None = None
    place: Place = ANYWHERE
