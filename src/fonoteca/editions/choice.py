"""Which drops a mirror holds in the space it has: those that save most listening per byte, and why each one is taken or not.

What a drop is worth: its share of all listening, halved for each seed it has beside this mirror, up to `SEEDS_COUNTED_MAX`. If
every other seed is lost with a chance of one half, that is the listening that this mirror saves. So of drops as popular as each
other the scarcer one is taken, and the most popular are taken even where they are not scarce: popularity differs by far more.

Rules, in order:
  1. what is held stays, whatever it is worth: nothing is deleted without being asked;
  2. the catalogue, then the search index: without them nobody finds what else there is;
  3. corrections of what is held, and what replaces purged parts of it;
  4. audio, as much worth as fits, each drop with all that it needs (a precedence-constrained knapsack);
  5. corrections of that, then artwork, in order, when all audio has its place.
A drop that a killed run has begun counts a quarter more, so that another one takes its place for a real gain only.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import fsum, inf

from fonoteca.editions.index import IndexEntry
from fonoteca.model.corridor import DropKind
from fonoteca.model.ids import DropId

SEEDS_COUNTED_MAX = 4
"""With more seeds than this a drop is as good as safe: one chance in sixteen that all are lost."""

SEEDS_UNKNOWN = 1
"""Somebody put the drop out, so one seed is assumed where nobody could tell."""

BEGUN_FACTOR = 1.25

FILE_EXTRA_BYTES = 4096
"""What a file costs beside its bytes: half a block of the disk (2 KiB) and its rows in the register (1.6 kB, bench/register.py)."""

_FORCED_MAX = 100
"""With so few drops, every one is tried as the first one taken: the fewer there are, the more one unlucky choice costs."""

_SWAPS_MAX = 500
"""Drops that are tried in place of another, those of most worth first."""


class Why(StrEnum):
    """Why a drop is taken, or why not."""

    HELD = "held"
    FIRST = "first"
    CORRECTION = "correction"
    WORTH = "worth"
    NEEDED = "needed"
    ROOM = "room"
    REPLACED = "replaced"
    SUPERSEDED = "superseded"
    ABSENT = "absent"
    SPACE = "space"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Option:
    """A drop that a mirror may hold. space_bytes: all that it takes on disk; listing_bytes: of that its torrent and manifests.

    superseded: a newer snapshot took its place. replaced_by: the drops with what is left of it after something was purged: who has
    not got it takes its list alone, to prove the others by.
    """

    id: DropId
    kind: DropKind
    space_bytes: int
    share: float = 0.0
    needs: tuple[DropId, ...] = ()
    replaces: tuple[DropId, ...] = ()
    superseded: bool = False
    replaced_by: tuple[DropId, ...] = ()
    listing_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a mirror stands. space_bytes: None for as much as there is. seeds: of each drop, this mirror's own among them where
    the drop is held; a drop that is not in it has an unknown number. absent: drops that nobody who was asked has.
    """

    space_bytes: int | None = None
    held: Set[DropId] = frozenset()
    begun: Set[DropId] = frozenset()
    seeds: Mapping[DropId, int] = field(default_factory=dict)
    absent: Set[DropId] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a drop is to be held. by: the drop that needs it, or that it corrects or replaces a part of. worth: see above."""

    option: Option
    taken: bool
    why: Why
    worth: float
    seeds: int | None
    by: DropId | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a mirror is to hold. verdicts: one for each option, in their order, with the space that it takes beside what is held.
    order: what is new, in the order in which to fetch it: what is needed first, then the most worth per byte. coverage_share: of
    all listening, held and new together.
    """

    verdicts: tuple[Verdict, ...]
    order: tuple[DropId, ...]
    held_bytes: int
    new_bytes: int
    coverage_share: float


def options_of(entries: Sequence[IndexEntry]) -> tuple[Option, ...]:
    """Return the drops of an edition as a mirror may hold them, in the edition's order."""
    superseded = {entry.supersedes for entry in entries}
    replaced_by: dict[DropId, list[DropId]] = {}
    for entry in entries:
        for old in entry.replaces:
            replaced_by.setdefault(old, []).append(entry.id)
    return tuple(
        Option(
            id=entry.id,
            kind=entry.kind,
            space_bytes=entry.drop_bytes + FILE_EXTRA_BYTES * entry.file_count + sum(file.file_bytes for file in entry.files),
            share=entry.coverage_share if entry.kind is DropKind.AUDIO else 0.0,
            needs=entry.needs,
            replaces=entry.replaces,
            superseded=entry.id in superseded,
            replaced_by=tuple(replaced_by.get(entry.id, ())),
            listing_bytes=sum(file.file_bytes for file in entry.files),
        )
        for entry in entries
    )


def choose(options: Sequence[Option], situation: Situation) -> Choice:
    """Return which of an edition's drops a mirror is to hold. The same arguments give the same choice.

    options: each after those that it needs.
    Laws: what is taken needs nothing that is not; new drops fit into the space beside what is held; the audio is never worth
        less than what taking drops in order would give.
    Cost: O(n log n), about 1 s for 20,000 drops.
    """
    return _Choosing(options, situation).choice()


def scarcity(seeds: int | None) -> float:
    """Return by how much a drop with so many seeds counts: 1 without any, half of it with each one more."""
    return 0.5 ** min(SEEDS_UNKNOWN if seeds is None else max(seeds, 0), SEEDS_COUNTED_MAX)


class _Choosing:
    """One choice being made. taken: new drops, in the order in which they were taken, with why."""

    def __init__(self, options: Sequence[Option], situation: Situation) -> None:
        self._said = {option.id: option for option in options}
        self._situation = situation
        self._held = {option.id for option in options if option.id in situation.held}
        self._options = tuple(self._as_it_is_here(option) for option in options)
        self._by_id = {option.id: option for option in self._options}
        self._taken: dict[DropId, tuple[Why, DropId | None]] = {}
        self._worth = {option.id: self._worth_of(option) for option in self._options}
        self._room: float = inf
        held_bytes = sum(self._by_id[each].space_bytes for each in self._held)
        if situation.space_bytes is not None:
            self._room = max(0, situation.space_bytes - held_bytes)

    def choice(self) -> Choice:
        """Return the choice."""
        self._take_snapshots()
        self._take_corrections()
        room = self._room
        self._take_worth()
        self._take_corrections()
        self._take_rest()
        lists = self._lists()
        verdicts = tuple(self._verdict(option, room) for option in self._options)
        order = tuple(dict.fromkeys((*lists, *self._taken)))
        there = self._held | self._taken.keys()
        counted = [self._said[each] for each in there if not there.intersection(self._said[each].replaced_by)]
        return Choice(
            verdicts=verdicts,
            order=order,
            held_bytes=sum(self._by_id[each].space_bytes for each in self._held),
            new_bytes=sum(self._by_id[each].space_bytes for each in order),
            coverage_share=min(1.0, fsum(option.share for option in counted)),
        )

    def _as_it_is_here(self, option: Option) -> Option:
        """Return a drop with what it takes here, and needs here: what replaced drops had, their successors have."""
        listed = sum(self._said[each].listing_bytes for each in self._replaced(option))
        held = option.id in self._held
        elsewhere = (
            self._held.intersection(option.replaced_by) if held else option.replaced_by or self._held.issuperset(option.replaces)
        )
        space_bytes = option.listing_bytes if elsewhere and (option.replaced_by or option.replaces) else option.space_bytes
        share = option.share if held or not option.replaced_by else 0.0
        needs = tuple(dict.fromkeys(each for need in option.needs for each in self._successors(need)))
        return replace(option, space_bytes=space_bytes + (0 if held else listed), share=share, needs=needs)

    def _successors(self, drop_id: DropId) -> list[DropId]:
        """Return the drops that have what a drop had: itself, if it is held or none replaces it."""
        found: dict[DropId, None] = {}
        stack = [drop_id]
        while stack:
            each = stack.pop()
            later = self._said[each].replaced_by
            if each in self._held or not later:
                found[each] = None
            else:
                stack += [one for one in later if one not in found]
        return list(found)

    def _replaced(self, option: Option) -> list[DropId]:
        """Return the drops whose lists prove a drop, and that nobody fetches any more."""
        others = (self._said[each] for each in (*option.needs, *option.replaces))
        return [each.id for each in others if each.replaced_by and each.id not in self._held]

    def _lists(self) -> dict[DropId, None]:
        """Return the replaced drops whose lists prove what is taken, in order; and say that they are taken for that."""
        needed: set[DropId] = set()
        stack = list(self._taken)
        while stack:
            for each in self._replaced(self._said[stack.pop()]):
                if each not in needed:
                    needed.add(each)
                    stack.append(each)
        self._taken.update((each, (Why.REPLACED, None)) for each in needed)
        return {option.id: None for option in self._options if option.id in needed}

    def _worth_of(self, option: Option) -> float:
        """Return what a drop is worth to the archive if this mirror has it."""
        begun = BEGUN_FACTOR if option.id in self._situation.begun else 1.0
        return option.share * scarcity(self._others(option)) * begun

    def _others(self, option: Option) -> int | None:
        """Return how many seeds a drop has beside this mirror, None where nobody knows."""
        seeds = self._situation.seeds.get(option.id)
        return seeds - 1 if seeds is not None and option.id in self._held else seeds

    def _is_open(self, option: Option) -> bool:
        """Return whether a drop may still be taken."""
        there = option.id in self._held or option.id in self._taken
        return not there and not option.superseded and not option.replaced_by and option.id not in self._situation.absent

    def _take(self, option: Option, why: Why, by: DropId | None = None) -> bool:
        """Return whether a drop fitted and is taken now."""
        if option.space_bytes > self._room:
            return False
        self._room -= option.space_bytes
        self._taken[option.id] = (why, by)
        return True

    def _take_snapshots(self) -> None:
        """Take the catalogue and the search index that are in force; an index without its catalogue would be refused."""
        for kind in (DropKind.METADATA, DropKind.SEARCH):
            for option in self._options:
                if option.kind is kind and self._is_open(option):
                    self._take(option, Why.FIRST)
            there = self._held | self._taken.keys()
            if any(option.kind is kind and not option.superseded and option.id not in there for option in self._options):
                return

    def _take_corrections(self) -> None:
        """Take what builds on drops that are held or taken and needs nothing else, and what replaces purged parts of them."""
        for option in self._options:
            others = (*option.needs, *option.replaces)
            there = [each for each in others if each in self._held or each in self._taken]
            closed = all(each in self._held or each in self._taken for each in option.needs)
            if there and closed and self._is_open(option):
                self._take(option, Why.CORRECTION, there[0])

    def _take_worth(self) -> None:
        """Take the audio that saves most listening."""
        pool = [option for option in self._options if option.kind is DropKind.AUDIO and self._is_open(option)]
        there = self._held | self._taken.keys()
        packing = _Packing(pool, self._worth, there, self._room)
        for option, by in packing.best():
            taken = self._take(option, Why.WORTH if by is None else Why.NEEDED, by)
            assert taken, "what was packed fits"

    def _take_rest(self) -> None:
        """Take artwork, and audio that nobody is known to hear, in order, when all audio that is heard has its place."""
        if any(option.share and self._is_open(option) for option in self._options):
            return
        for option in self._options:
            closed = all(each in self._held or each in self._taken for each in option.needs)
            if closed and self._is_open(option) and not option.kind.is_snapshot:
                self._take(option, Why.ROOM)

    def _verdict(self, option: Option, room: float) -> Verdict:
        """Return what became of a drop. room: what there was for audio."""
        taken, by = True, None
        if option.id in self._held:
            why = Why.HELD
        elif option.id in self._taken:
            why, by = self._taken[option.id]
        else:
            taken = False
            why = self._why_not(option, room)
        return Verdict(option, taken, why, self._worth[option.id], self._situation.seeds.get(option.id), by)

    def _why_not(self, option: Option, room: float) -> Why:
        """Return why a drop is not taken."""
        if option.superseded or option.replaced_by:
            return Why.SUPERSEDED if option.superseded else Why.REPLACED
        if option.id in self._situation.absent:
            return Why.ABSENT
        return Why.SPACE if option.space_bytes > room or option.kind.is_snapshot else Why.LESS


class _Packing:
    """Drops to be packed into a room, each with all that it needs. there: what is there already."""

    def __init__(self, pool: Sequence[Option], worth: Mapping[DropId, float], there: Set[DropId], room: float) -> None:
        self._by_id = {option.id: option for option in pool}
        self._worth = worth
        self._there = there
        self._room = room
        self._closable = self._closable_ids(pool)
        self._needed_by: dict[DropId, list[DropId]] = {}
        for each in self._closable:
            for need in self._by_id[each].needs:
                self._needed_by.setdefault(need, []).append(each)

    def best(self) -> list[tuple[Option, DropId | None]]:
        """Return what is packed, what is needed before what needs it, else by worth per byte; and the drop that needs it."""
        heard = {each for one in self._closable if self._worth[one] for each in self._closure(one, ())}
        if self._space(heard) <= self._room:
            return self._in_order(heard)
        packed = [self._improved(self._greedy(())), self._improved(self._as_they_come())]
        if len(self._closable) <= _FORCED_MAX:
            packed += [self._improved(self._greedy(self._closure(each, ()))) for each in self._closable]
        best = max(packed, key=self._value)
        return self._in_order({each for one in best if self._worth[one] for each in self._closure(one, ())})

    def _closable_ids(self, pool: Sequence[Option]) -> list[DropId]:
        """Return the drops all of whose needs can be had, in order."""
        gone = {option.id for option in pool if any(need not in self._there and need not in self._by_id for need in option.needs)}
        before = -1
        while len(gone) > before:  # once where drops come after those that they need, which successors do not
            before = len(gone)
            gone.update(option.id for option in pool if not gone.isdisjoint(option.needs))
        return [option.id for option in pool if option.id not in gone]

    def _value(self, packed: Iterable[DropId]) -> float:
        return fsum(self._worth[each] for each in packed)

    def _space(self, packed: Iterable[DropId]) -> int:
        return sum(self._by_id[each].space_bytes for each in packed)

    def _closure(self, drop_id: DropId, packed: Collection[DropId]) -> list[DropId]:
        """Return a drop and what it needs that is neither there nor packed, what is needed first."""
        found: dict[DropId, None] = {}
        stack = [(drop_id, False)]
        while stack:
            each, ready = stack.pop()
            if ready:
                found[each] = None
            elif each not in found and each not in packed and each not in self._there:
                stack.append((each, True))
                stack += [(need, False) for need in self._by_id[each].needs if need not in self._there]
        return list(found)

    def _greedy(self, forced: Sequence[DropId]) -> set[DropId]:
        """Return drops taken by worth per byte, each with all that it needs. forced: taken first, if they fit."""
        packed = set(forced) if self._space(forced) <= self._room else set()
        room = self._room - self._space(packed)
        heap = [self._rated(each, packed) for each in self._closable if self._worth[each]]
        heapq.heapify(heap)
        while heap:
            rated = heapq.heappop(heap)
            drop_id = rated[2]
            if drop_id in packed:
                continue
            now = self._rated(drop_id, packed)
            if now != rated:  # something that it needs was taken meanwhile
                heapq.heappush(heap, now)
                continue
            closure = self._closure(drop_id, packed)
            space_bytes = self._space(closure)
            if space_bytes > room:
                continue
            packed.update(closure)
            room -= space_bytes
            for each in self._dependents(closure, packed):
                heapq.heappush(heap, self._rated(each, packed))
        return packed

    def _rated(self, drop_id: DropId, packed: Collection[DropId]) -> tuple[float, int, DropId]:
        """Return what a drop gives per byte, with all that it needs, as a heap wants it: the least is the best."""
        option = self._by_id[drop_id]
        if not option.needs:
            return -self._worth[drop_id] / max(1, option.space_bytes), option.space_bytes, drop_id
        closure = self._closure(drop_id, packed)
        return -self._value(closure) / max(1, self._space(closure)), self._space(closure), drop_id

    def _dependents(self, taken: Sequence[DropId], packed: Collection[DropId]) -> Iterable[DropId]:
        """Return the drops whose needs became fewer, those that need them in turn too."""
        found: dict[DropId, None] = {}
        stack = list(taken)
        while stack:
            for each in self._needed_by.get(stack.pop(), ()):
                if each not in found and each not in packed:
                    found[each] = None
                    stack.append(each)
        return [each for each in found if self._worth[each]]

    def _as_they_come(self) -> set[DropId]:
        """Return drops taken in order, each if it fits and all that it needs was taken."""
        packed: set[DropId] = set()
        room = self._room
        for each in self._closable:
            option = self._by_id[each]
            if option.space_bytes <= room and all(need in packed or need in self._there for need in option.needs):
                packed.add(each)
                room -= option.space_bytes
        return packed

    def _improved(self, packed: set[DropId]) -> set[DropId]:
        """Return the drops with some put in place of one that is worth less, where that fits, and with what still has room."""
        needed = {need for each in packed for need in self._by_id[each].needs}
        free = sorted((each for each in packed if each not in needed), key=lambda each: (self._worth[each], each))
        room = self._room - self._space(packed)
        outside = [each for each in self._closable if each not in packed and self._worth[each]]
        for each in heapq.nlargest(_SWAPS_MAX, outside, key=lambda each: self._worth[each]):
            closure = self._closure(each, packed)
            short, value = self._space(closure) - room, self._value(closure)
            before = {need for one in closure for need in self._by_id[one].needs}
            given = None
            if short > 0:
                given = next(
                    (
                        one
                        for one in free
                        if self._worth[one] >= value or (self._by_id[one].space_bytes >= short and one not in before)
                    ),
                    None,
                )
                if given is None or self._worth[given] >= value:
                    continue
                free.remove(given)
                packed.remove(given)
                room += self._by_id[given].space_bytes
            packed.update(closure)
            room -= self._space(closure)
            # What the newcomer needs is bound now; the newcomer itself may go again for something better.
            free = [one for one in free if one not in before]
        return packed

    def _in_order(self, packed: Set[DropId]) -> list[tuple[Option, DropId | None]]:
        """Return what is packed in the order in which to fetch it."""
        done: dict[DropId, DropId | None] = {}
        for _, _, drop_id in sorted(self._rated(each, ()) for each in packed):
            for each in self._closure(drop_id, done):
                done[each] = None if each == drop_id or self._worth[each] >= self._worth[drop_id] else drop_id
        return [(self._by_id[each], by) for each, by in done.items()]
