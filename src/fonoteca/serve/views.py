"""What pages show: nouns put together from the register, the store's rights and the catalogue, ready for a template."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fonoteca.formats.metainfo import Announce, Metainfo, magnet
from fonoteca.formats.swarmfile import DropSeen, SwarmSeen
from fonoteca.model.corridor import DropKind, Event
from fonoteca.model.errors import FonotecaError
from fonoteca.model.rights import Act, Kind
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import SOURCE_CONFIRMED, DropRow, FileRow, ObjectRow, VersionRow
from fonoteca.rights import describe, describe_term
from fonoteca.serve.passage import Passage, judge_passage
from fonoteca.serve.paths import file_url
from fonoteca.serve.rooms import ServeRooms

_FRONT = re.compile(r"(front|cover|folder|album)", re.IGNORECASE)

PICTURES_MAX = 12
"""Of one release; more are found on the artwork's own page."""

EVENTS_MAX = 20

STALE_AFTER = timedelta(days=1)
"""A service notes what it knows every few minutes: what is older than a day is of one that does not run."""

DAMAGED_MAX = 100
"""Objects whose drops are looked for, for one page: a healthy archive has none."""

_TOLD = frozenset({"version", "licence", "rule", "pieces", "shared"})
"""The facts of events that pages tell. Reasons are what a person wrote for this archive, and may name people."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An artwork file that may be shown. url: its address. page: that of its object, with licence and credit."""

    url: str
    object_id: str
    name: str
    credit: str


@dataclass(frozen=True, slots=True)
class Card:
    """A release in a grid."""

    row: ObjectRow
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class LicenceView:
    """A licence in words. links: (name, address) of each licence that must be obeyed. terms: what one may and must do."""

    name: str
    links: tuple[tuple[str, str], ...]
    terms: str


@dataclass(frozen=True, slots=True)
class ObjectView:
    """All that an object's page says."""

    row: ObjectRow
    files: list[FileRow]
    versions: list[VersionRow]
    passage: Passage
    licence: LicenceView
    pictures: tuple[Picture, ...]
    siblings: list[ObjectRow]
    events: list[Event]

    @property
    def confirmed_at(self) -> datetime | None:
        """When its source last said the same of the rights when it was asked again, None where it never was of late."""
        return next((each.at for each in self.events if each.what == SOURCE_CONFIRMED), None)

    @property
    def is_audio(self) -> bool:
        """Whether it holds music rather than artwork."""
        return self.row.kind == Kind.AUDIO

    @property
    def may(self) -> tuple[tuple[str, bool], ...]:
        """What the record grants, act by act."""
        acts = self.passage.record.acts
        words = (
            (Act.HOLD, "kept here"),
            (Act.SHARE, f"shared {describe_term(term)}" if (term := self.passage.record.term) else "shared with anyone"),
            (Act.DERIVE, "changed and built upon"),
            (Act.COMMERCIAL, "used for money"),
        )
        return tuple((text, act in acts) for act, text in words)


@dataclass(frozen=True, slots=True)
class DropView:
    """A drop with the addresses under which it is had, and how it is.

    seen: what the service that gives drops out noted of it at `seen_at`; None where none ran, or not for this drop. stale: that
    was more than a day ago. damaged: objects in it with known damage, here.
    """

    row: DropRow
    torrent_url: str
    magnet: str
    superseded: bool
    seen: DropSeen | None = None
    seen_at: datetime | None = None
    stale: bool = False
    damaged: int = 0


def licence_view(passage: Passage) -> LicenceView:
    """Return the licence on record in words; its bare address when today's table does not know it."""
    licence = passage.licence
    uris = passage.record.licence_uri.split(" AND ")
    if licence is None:
        return LicenceView(passage.record.licence_uri, tuple((uri, uri) for uri in uris), "")
    names = licence.name.split(" AND ")
    names = names if len(names) == len(uris) else uris
    return LicenceView(licence.name, tuple(zip(names, uris, strict=True)), describe(licence))


def object_view(rooms: ServeRooms, row: ObjectRow) -> ObjectView:
    """Return what an object's page says. Raises: StoreError when its rights cannot be read."""
    passage = judge_passage(rooms, row.object_id)
    sieve = rooms.register.withdrawals.sieve(Purpose.FINDING)
    others = [] if row.item is None else rooms.register.objects_of(row.item)
    siblings = sieve.objects(other for other in others if other.object_id != row.object_id)
    files = sieve.files(rooms.register.files(row.object_id))
    pictures = _shown(row, files, passage) if row.kind == Kind.ARTWORK else pictures_beside(rooms, siblings)
    return ObjectView(
        row=row,
        files=files,
        versions=rooms.register.versions(row.object_id),
        passage=passage,
        licence=licence_view(passage),
        pictures=pictures,
        siblings=siblings,
        events=[_as_told(event) for event in rooms.register.events(EVENTS_MAX, subject=row.object_id)],
    )


def _as_told(event: Event) -> Event:
    """Return an event with the facts that anyone may know."""
    return replace(event, facts=tuple((name, value) for name, value in event.facts if name in _TOLD))


def card(rooms: ServeRooms, row: ObjectRow) -> Card:
    """Return a release with the picture that stands for it, if one may be shown."""
    siblings = [] if row.item is None else rooms.register.objects_of(row.item)
    return Card(row, next(iter(pictures_beside(rooms, siblings)), None))


def pictures_beside(rooms: ServeRooms, siblings: Sequence[ObjectRow]) -> tuple[Picture, ...]:
    """Return the artwork among the objects of one item that may be shown, fronts first."""
    pictures: list[Picture] = []
    for sibling in siblings:
        if sibling.kind != Kind.ARTWORK:
            continue
        try:
            passage = judge_passage(rooms, sibling.object_id)
        except FonotecaError:
            continue  # closed when in doubt: a picture that cannot be judged is not shown, and its own page says why
        pictures += _shown(sibling, rooms.register.files(sibling.object_id), passage)
    pictures.sort(key=lambda picture: (not _FRONT.search(picture.name), picture.url))
    return tuple(pictures[:PICTURES_MAX])


def pictures_of(rooms: ServeRooms, row: ObjectRow) -> tuple[Picture, ...]:
    """Return the pictures of an artwork object that may be shown; none for any other."""
    return pictures_beside(rooms, [row])


def _shown(row: ObjectRow, files: Sequence[FileRow], passage: Passage) -> tuple[Picture, ...]:
    """Return the pictures of an object that rights and fixity let out."""
    if not passage.shared or row.quarantined_at is not None:
        return ()
    return tuple(
        Picture(file_url(row.object_id, each.logical_path), row.object_id, each.logical_path, passage.record.attribution)
        for each in files
        if not each.damage and passage.lets(each.stored.hashes.sha256)
    )


def drop_views(rooms: ServeRooms) -> list[DropView]:
    """Return the drops of the edition in order of publication, those that a later one replaced last.

    Those of other archives that are followed beside the first one are in no edition here: they are seeded alone.
    """
    there = set(rooms.editions.children("drops"))
    rows = [row for row in rooms.register.drops() if f"{row.id}.torrent" in there]
    replaced = {old for row in rows for old in (row.supersedes, *row.replaces)}
    noted = swarm_noted(rooms)
    seen = {each.id: each for each in noted.drops} if noted else {}
    stale = noted is not None and rooms.clock.now() - noted.at > STALE_AFTER
    damaged = _damaged_in(rooms)
    views = [
        DropView(
            row=row,
            torrent_url=f"/editions/drops/{row.id}.torrent",
            magnet=magnet_of(rooms, row),
            superseded=row.id in replaced,
            seen=seen.get(row.id),
            seen_at=noted.at if noted and row.id in seen else None,
            stale=stale and row.id in seen,
            damaged=damaged[row.infohash_v2],
        )
        for row in rows
    ]
    return sorted(views, key=lambda view: view.superseded)


def swarm_noted(rooms: ServeRooms) -> SwarmSeen | None:
    """Return what is noted of the swarm. What cannot be read is not known: the drops are to be had all the same."""
    try:
        return rooms.swarm_seen()
    except FonotecaError:
        return None


def _damaged_in(rooms: ServeRooms) -> Counter[str]:
    """Return how many objects of drops, by infohash, have known damage here. Cost: two queries, and one for each such object."""
    found: Counter[str] = Counter()
    for row in rooms.register.damaged_objects(DAMAGED_MAX):
        found.update(set(rooms.register.withdrawals.drops_with(row.object_id)))
    return found


def magnet_of(rooms: ServeRooms, row: DropRow) -> str:
    """Return the drop's magnet link, with the trackers and web seeds of the settings."""
    editions = rooms.settings.editions
    announce = Announce(editions.trackers, editions.web_seeds)
    named = Metainfo(rooms.settings.name, rooms.settings.piece_bytes, (), b"", row.infohash_v1, row.infohash_v2, announce)
    return magnet(named, announce)


def share_of(drops: Sequence[DropView]) -> float:
    """Return the share of all listening that the audio drops carry together, 0 to 1."""
    return min(1.0, sum(view.row.coverage_share for view in drops if view.row.kind is DropKind.AUDIO))
