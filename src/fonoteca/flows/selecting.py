"""Which drops of an edition a mirror takes: chosen, and proved to fit together before a byte of them is fetched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from fonoteca.editions import Choice, Index, IndexEntry, Situation, check_drops, choose, options_of, read_drop
from fonoteca.model.corridor import Drop
from fonoteca.model.errors import SourceMissing, TrustError
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.model.withdrawal import Purpose
from fonoteca.ports import Fetch, Staging
from fonoteca.register import DropRow, Register
from fonoteca.store import Store

FOLLOW_PREFIX = "follow-"
"""How the names of staging folders begin in which downloads are under way: they are kept for the next run."""


def nobody_knows(entries: Sequence[IndexEntry]) -> Mapping[DropId, int]:
    """Return how many seeds drops have: of none of them is it known."""
    return {}


@dataclass(frozen=True, slots=True)
class Appetite:
    """How much a mirror takes. space_bytes: for all that it holds, None for everything there is. seeds: asks how many seeds drops
    have, and leaves out those of which nobody knows; asked once, and only where there is a choice.
    """

    space_bytes: int | None = None
    seeds: Callable[[Sequence[IndexEntry]], Mapping[DropId, int]] = nobody_knows


class SelectRooms(Protocol):
    """What a selection needs of a mirror."""

    @property
    def store(self) -> Store:
        """What is held."""
        ...

    @property
    def register(self) -> Register:
        """Which drops are."""
        ...

    @property
    def staging(self) -> Staging:
        """Where downloads are under way."""
        ...

    @property
    def fetch(self) -> Fetch:
        """Reads the edition that is followed."""
        ...

    @property
    def appetite(self) -> Appetite:
        """How much is wanted."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """What a mirror is to hold. wanted: what is to be fetched, in that order. kept: what it has then."""

    choice: Choice
    wanted: tuple[IndexEntry, ...]
    kept: frozenset[DropId]


def preview(rooms: SelectRooms, index: Index) -> Choice:
    """Return what a mirror would choose, if all of it can be had. Nothing is fetched."""
    return _Selecting(rooms, index).choice()


def select(rooms: SelectRooms, index: Index, seen: Set[IndexEntry]) -> Selection:
    """Return what to take of an edition, after its drops were proved to fit together: all, or those that are chosen or held.

    seen: those of an edition that is mirrored: they were proved then. A snapshot that another one replaced is not wanted any more,
    but a mirror of everything names it in its own edition, so it is proved all the same. A mirror with less space passes over what
    the mirror that it follows has not got.
    Raises: TrustError for a drop that lies, or is another than the one of this name that is held; SourceError.
    """
    return _Selecting(rooms, index).selection(seen)


class _Selecting:
    def __init__(self, rooms: SelectRooms, index: Index) -> None:
        self._rooms = rooms
        self._index = index
        self._rows = {row.id: row for row in rooms.register.drops()}
        self._proved: dict[DropId, Drop] = {}
        self._all = rooms.appetite.space_bytes is None
        self._seeds = nobody_knows(()) if self._all else rooms.appetite.seeds(index.entries)
        for entry in index.entries:
            _check_same(self._rows.get(entry.id), entry)

    def choice(self, absent: Set[DropId] = frozenset()) -> Choice:
        """Return what to hold when some drops cannot be had."""
        begun = (name.removeprefix(FOLLOW_PREFIX) for name in self._rooms.staging.left() if name.startswith(FOLLOW_PREFIX))
        ids = {str(entry.id): entry.id for entry in self._index.entries}
        situation = Situation(
            space_bytes=self._rooms.appetite.space_bytes,
            held=self._rows.keys() & set(ids.values()),
            begun=frozenset(ids[name] for name in begun if name in ids),
            seeds=self._seeds,
            absent=absent,
        )
        return choose(options_of(self._index.entries), situation)

    def selection(self, seen: Set[IndexEntry]) -> Selection:
        """Return the selection, proved."""
        absent: frozenset[DropId] = frozenset()
        while True:  # each time around something more is absent
            choice = self.choice(absent)
            kept = frozenset((*choice.order, *(entry.id for entry in self._index.entries if entry.id in self._rows)))
            missing = self._prove(kept, seen)
            if not missing:
                break
            absent |= missing
        check_drops([self._proved[entry.id] for entry in self._index.entries if entry.id in self._proved])
        entries = {entry.id: entry for entry in self._index.entries}
        chosen, lifted = set(choice.order), self._lifted()
        order = [entry.id for entry in self._index.entries if entry.id in chosen] if self._all else choice.order
        lacking = [entry for entry in self._index.entries if entry.id in self._rows and self._lacks(entry, lifted)]
        return Selection(choice, (*(entries[each] for each in order), *lacking), kept)

    def _prove(self, kept: Collection[DropId], seen: Set[IndexEntry]) -> set[DropId]:
        """Prove the drops that will be here. Returns: those that cannot be had, which a mirror of everything does not pass over."""
        superseded = {entry.supersedes for entry in self._index.entries}
        missing: set[DropId] = set()
        for entry in self._index.entries:
            if entry.id in self._proved or not (self._all or entry.id in kept):
                continue
            if entry.id in self._rows:
                self._proved[entry.id] = entry.with_members(self._rooms.register.members_of_drop(entry.id))
            elif entry.id in superseded and entry in seen:
                self._proved[entry.id] = entry.with_members(())
            else:
                try:
                    self._proved[entry.id] = read_drop(self._rooms.fetch.read, self._index, entry).drop
                except SourceMissing:
                    if self._all:
                        raise
                    missing.add(entry.id)
        return missing

    def _lifted(self) -> set[ObjectId]:
        """Return what was withdrawn once, and may be held now."""
        said = self._rooms.register.withdrawals.all()
        masked = {w.tombstone.object_id for w in said if w.purged_at or w.masks(Purpose.SHARING)}
        return {w.tombstone.object_id for w in said} - masked

    def _lacks(self, entry: IndexEntry, lifted: Set[ObjectId]) -> bool:
        """Return whether something of a drop that is held was withdrawn when it was fetched, and may be held now."""
        members = self._proved[entry.id].members if lifted else ()
        return any(m.object_id in lifted and self._rooms.store.head(m.object_id) < m.version for m in members)


def _check_same(row: DropRow | None, entry: IndexEntry) -> None:
    """Raise TrustError when a drop is held under this name that is another one."""
    if row is not None and (row.infohash_v1, row.infohash_v2) != (entry.infohash_v1, entry.infohash_v2):
        problem = f"held with infohash {row.infohash_v2}, the index says {entry.infohash_v2}"
        raise TrustError(f"drop {entry.id}", problem, "Ask the archive's operator.")
