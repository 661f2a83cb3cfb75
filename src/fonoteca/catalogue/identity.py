"""Which rows are one recording: first by id, then by ISRC, then by name; always around a representative, never by chains.
What a person said of them comes last, and wins.

A pass takes the representatives of the last one, groups them by a key and lets each group's first one gather whoever agrees with
it; those who do not agree form the next group, until none is left. First comes who has an MBID, then who came first in order of
precedence; so two MBIDs that are alive never meet in one recording.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fonoteca.catalogue.gathering import Rows, mixed
from fonoteca.catalogue.lookup import id_keys
from fonoteca.catalogue.words import Told

U64, U32, I32 = np.uint64, np.uint32, np.int32

TOLERANCE_MS = 2000
"""Durations of one recording differ by this much at most: leading silence, rounding to seconds."""
ISRC_TOLERANCE_MS = 10_000
"""With an ISRC and a title in common they may differ by this much: other fades and gaps. On synthetic truth it finds 96 % of the
pairs of rows that are one recording, and 2 s find 92 %; of those found, 99.99 % are right either way."""
ROUNDS_MAX = 10_000
"""More different durations than this under one artist and title are no music; the rest stay apart."""
BLOCK_ROWS = 1 << 23
"""What is counted at once, since numpy widens what it counts."""
PARTS = 8
"""A pass works on an eighth of the keys at a time, which bounds its memory to some 10 B a row."""
REDIRECTS_MAX = 64
"""A longer chain of redirects goes round in a circle."""

Halves = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
"""The upper and the lower 64 bits of ids."""

ITSELF, BY_ID, BY_REDIRECT, BY_ISRC, BY_NAME, BY_WORD = range(6)
RULES = ("", "id", "redirect", "isrc", "name", "word")
"""What `merged.rule` says, by number."""

_UNKNOWN_LOW, _UNKNOWN_HIGH = np.iinfo(np.int32).max, -1


@dataclass(slots=True)
class Identity:
    """For each row, the row that stands for its recording (itself, if it does), and the rule that put it there.

    low_ms, high_ms: shortest and longest duration among the rows that a representative stands for; low above high when unknown.
    renamed: rows whose id was redirected, ascending, and the halves of the id that they had.
    unknown: ids to keep apart that no row has. unjoined: ids that a person said are one with others, and no row has.
    """

    into: npt.NDArray[np.uint32]
    rule: npt.NDArray[np.uint8]
    low_ms: npt.NDArray[np.int32]
    high_ms: npt.NDArray[np.int32]
    renamed: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64], npt.NDArray[np.uint64]] = field(
        default_factory=lambda: (np.empty(0, U32), np.empty(0, U64), np.empty(0, U64))
    )

    unknown: tuple[bytes, ...] = ()
    unjoined: tuple[bytes, ...] = ()

    def forget_durations(self) -> None:
        """Give back the memory that only merging needs."""
        self.low_ms = self.high_ms = np.empty(0, I32)

    def merged_by_rule(self) -> dict[str, int]:
        """Return how many rows each rule made part of a recording, or gave another id."""
        counts = np.zeros(len(RULES), np.int64)
        for first in range(0, len(self.rule), BLOCK_ROWS):
            counts += np.bincount(self.rule[first : first + BLOCK_ROWS], minlength=len(RULES))
        return {name: int(count) for name, count in zip(RULES, counts, strict=True) if name}


def identify(rows: Rows, redirects: Redirects, told: Told) -> Identity:
    """Return who is who. told: by persons; what they keep apart is out of every merge by ISRC or name, and out of redirects.

    Cost: three sorts of 64-bit keys; at 256 million rows some two minutes and 8 GB beside the rows.
    """
    count = rows.row_count
    known = rows.duration_ms > 0
    identity = Identity(
        np.arange(count, dtype=U32),
        np.zeros(count, np.uint8),
        np.where(known, rows.duration_ms, I32(_UNKNOWN_LOW)).astype(I32),
        np.where(known, rows.duration_ms, I32(_UNKNOWN_HIGH)).astype(I32),
    )
    redirects.apply(rows, identity)
    _merge_by_id(rows, identity)
    kept_out, identity.unknown = _rows_of(rows, told.apart)
    _merge(rows, identity, _Groups(_without(_isrc_groups(rows), kept_out), BY_ISRC, _Codes.of(rows)))
    rows.forget("isrc_key")
    _merge(rows, identity, _Groups(_without(rows.name_key, kept_out), BY_NAME))
    _join_told(rows, identity, redirects, told.joins)
    return identity


@dataclass(frozen=True, slots=True)
class Redirects:
    """MBIDs that are no more and what they became: upper and lower halves of each. None leads to another.

    keys: of the old ids, ascending, as all the rest are ordered. endless: how many others go round in a circle, and are left out.
    """

    keys: npt.NDArray[np.uint64]
    old_high: npt.NDArray[np.uint64]
    old_low: npt.NDArray[np.uint64]
    new_high: npt.NDArray[np.uint64]
    new_low: npt.NDArray[np.uint64]
    endless: int = 0

    @classmethod
    def of(cls, old: Halves, new: Halves, apart: Collection[bytes] = ()) -> Redirects:
        """Return redirects with chains followed to their ends, which go no further than ids that a person keeps apart."""
        target = dict(zip(zip(*(h.tolist() for h in old), strict=True), zip(*(h.tolist() for h in new), strict=True), strict=True))
        for one in apart:
            target.pop((int.from_bytes(one[:8], "big"), int.from_bytes(one[8:], "big")), None)
        ends: list[tuple[int, int, int, int]] = []
        for here in target:
            found = here
            for _ in range(REDIRECTS_MAX):
                if found not in target:
                    ends.append((*here, *found))
                    break
                found = target[found]
        found_ends = np.array(ends, U64).reshape(-1, 4)
        keys = id_keys(found_ends[:, 0], found_ends[:, 1])
        order = np.argsort(keys)
        old_high, old_low, new_high, new_low = found_ends[order].T.copy()
        return cls(keys[order], old_high, old_low, new_high, new_low, len(target) - len(ends))

    def followed(self, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> tuple[Halves, npt.NDArray[np.int64]]:
        """Return the ids that these have become, and where in the arrays one has become another."""
        if not len(self.old_high):
            return (high, low), np.empty(0, np.int64)
        near = np.flatnonzero(np.isin(high, self.old_high))
        place = np.minimum(np.searchsorted(self.keys, id_keys(high[near], low[near])), len(self.keys) - 1)
        moved = (self.old_high[place] == high[near]) & (self.old_low[place] == low[near])
        near, place = near[moved], place[moved]
        high, low = high.copy(), low.copy()
        high[near], low[near] = self.new_high[place], self.new_low[place]
        return (high, low), near

    def apply(self, rows: Rows, identity: Identity) -> None:
        """Give each row whose id is no more the id that it now has."""
        if not len(self.old_high):
            return
        near = np.flatnonzero(np.isin(rows.id_high, self.old_high))
        before_high, before_low = rows.id_high[near], rows.id_low[near]
        (high, low), moved = self.followed(before_high, before_low)
        rows.id_high[near], rows.id_low[near] = high, low
        identity.rule[near[moved]] = BY_REDIRECT
        identity.renamed = (near[moved].astype(U32), before_high[moved], before_low[moved])


def _rows_of(rows: Rows, ids: Collection[bytes]) -> tuple[npt.NDArray[np.int64], tuple[bytes, ...]]:
    """Return the rows of these ids, and those of the ids that no row has."""
    halves = np.frombuffer(b"".join(sorted(ids)), ">u8").reshape(-1, 2).astype(U64)
    if not len(halves):
        return np.empty(0, np.int64), ()
    near = np.flatnonzero(np.isin(rows.id_high, halves[:, 0]))
    found = {r: int(rows.id_high[r]).to_bytes(8, "big") + int(rows.id_low[r]).to_bytes(8, "big") for r in near.tolist()}
    rows_found = np.array([r for r, one in found.items() if one in ids], np.int64)
    return rows_found, tuple(sorted(set(ids) - set(found.values())))


def _join_told(rows: Rows, identity: Identity, redirects: Redirects, joins: Sequence[tuple[bytes, bytes]]) -> None:
    """Make one recording of what a person said is one, whatever each stands for. Who was named to stay represents.

    Cost: for each row a look whether its recording is meant, where there are joins at all.
    """
    if not joins:
        return
    named = sorted({one for join in joins for one in join})
    halves = np.frombuffer(b"".join(named), ">u8").reshape(-1, 2).astype(U64)
    (high, low), _ = redirects.followed(halves[:, 0], halves[:, 1])
    now = [int(a).to_bytes(8, "big") + int(b).to_bytes(8, "big") for a, b in zip(high.tolist(), low.tolist(), strict=True)]
    found, _ = _rows_of(rows, set(now))
    row_of = {int(rows.id_high[r]).to_bytes(8, "big") + int(rows.id_low[r]).to_bytes(8, "big"): r for r in found.tolist()}
    row_named = {one: row_of[after] for one, after in zip(named, now, strict=True) if after in row_of}
    identity.unjoined = tuple(one for one in named if one not in row_named)
    above: dict[int, int] = {}

    def head_of(one: bytes) -> int:
        head = int(identity.into[row_named[one]])
        while head in above:
            head = above[head]
        return head

    for stays, part in joins:
        if stays in row_named and part in row_named:
            head, joining = head_of(stays), head_of(part)
            if head != joining:
                above[joining] = head
    if not above:
        return
    gone = np.array(sorted(above), U32)
    heads = gone.copy()
    while (more := np.isin(heads, gone)).any():
        heads[more] = [above[each] for each in heads[more].tolist()]
    near = np.flatnonzero(np.isin(identity.into, gone))
    identity.into[near] = heads[np.searchsorted(gone, identity.into[near])]
    _join(identity, gone, heads, BY_WORD)


def _without(keys: npt.NDArray[np.uint64], left_out: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    if not len(left_out):
        return keys
    kept = np.array(keys)
    kept[left_out] = 0
    return kept


def _merge_by_id(rows: Rows, identity: Identity) -> None:
    """Give rows with one id one representative: the first with an MBID that is alive, else the first."""
    keys = rows.id_keys()
    order = np.argsort(keys).astype(U32)
    ordered = keys[order]
    del keys
    same = ordered[1:] == ordered[:-1]
    del ordered
    if not same.any():
        return
    near = np.unique(np.concatenate((order[:-1][same], order[1:][same])))
    del order, same
    near = near[np.lexsort((near, ~rows.live[near], rows.id_low[near], rows.id_high[near]))]
    new = np.ones(len(near), np.bool_)
    new[1:] = (rows.id_high[near[1:]] != rows.id_high[near[:-1]]) | (rows.id_low[near[1:]] != rows.id_low[near[:-1]])
    heads = near[np.maximum.accumulate(np.where(new, np.arange(len(near)), 0))]
    _join(identity, near[~new], heads[~new], BY_ID)


@dataclass(frozen=True, slots=True)
class _Codes:
    """All ISRCs, each with its title, of rows that have several. first: of every row. more_rows, more: of others, by rising row.

    pairs: one number for each row and ISRC after its first, ascending.
    """

    first: npt.NDArray[np.uint64]
    more_rows: npt.NDArray[np.uint32]
    more: npt.NDArray[np.uint64]
    pairs: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, rows: Rows) -> _Codes:
        """Return the codes of these rows."""
        more_rows, more = rows.more_isrcs
        return cls(rows.isrc_key, more_rows, more, np.sort(mixed(more_rows.astype(U64), more)))

    def shared(self, ones: npt.NDArray[np.uint32], others: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Return for each pair of rows whether they have a code in common."""
        first, theirs = self.first[ones], self.first[others]
        found: npt.NDArray[np.bool_] = first == theirs
        open_still = np.flatnonzero(~found)
        if not len(open_still):
            return found
        ones, others, first, theirs = ones[open_still], others[open_still], first[open_still], theirs[open_still]
        found[open_still] = self._has(others, first) | self._has(ones, theirs)
        # Codes after the first on both sides: each of the one's is looked for among the other's.
        begin, end = (np.searchsorted(self.more_rows, ones, side) for side in ("left", "right"))
        counts = end - begin
        which = np.repeat(np.arange(len(ones)), counts)
        places = np.arange(len(which)) + np.repeat(begin - (np.cumsum(counts) - counts), counts)
        found[open_still[which[self._has(others[which], self.more[places])]]] = True
        return found

    def _has(self, rows: npt.NDArray[np.uint32], codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Return whether each row has a code after its first."""
        wanted = mixed(rows.astype(U64), codes)
        return np.asarray(self.pairs[np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)] == wanted)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Rows that may be one recording. keys: of each row's group, 0 for none. codes: where a group's rows need not share one."""

    keys: npt.NDArray[np.uint64]
    rule: int
    codes: _Codes | None = None

    def shared(self, alive: npt.NDArray[np.uint32], head: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_] | None:
        """Return for each row whether it has in common with its head what its group is of; None where all of a group have."""
        if self.codes is None or not len(self.codes.more):
            return None
        return self.codes.shared(alive, head)


def _isrc_groups(rows: Rows) -> npt.NDArray[np.uint64]:
    """Return a key for each row such that rows that share any ISRC under one title have the same. Single ISRCs cost nothing."""
    more_rows, more_keys = rows.more_isrcs
    if not len(more_rows):
        return rows.isrc_key
    # The few rows with several ISRCs tie keys together: each key is renamed to the smallest that it is tied to.
    one, two = rows.isrc_key[more_rows], more_keys
    keys = np.unique(np.concatenate((one, two)))
    smallest = np.arange(len(keys))
    a, b = np.searchsorted(keys, one), np.searchsorted(keys, two)
    while True:
        least = np.minimum(smallest[a], smallest[b])
        renamed = smallest.copy()
        np.minimum.at(renamed, a, least)
        np.minimum.at(renamed, b, least)
        renamed = renamed[renamed]
        if (renamed == smallest).all():
            break
        smallest = renamed
    groups = np.array(rows.isrc_key)
    place = np.minimum(np.searchsorted(keys, groups), len(keys) - 1)
    tied = keys[place] == groups
    groups[tied] = keys[smallest[place[tied]]]
    return groups


def _merge(rows: Rows, identity: Identity, groups: _Groups) -> None:
    """Let the representatives with one key gather around the first of them, as far as durations agree."""
    keys = groups.keys
    for part in range(PARTS):
        mine = (keys >> U64(61)) == U64(part)
        mine &= keys != 0
        near = np.flatnonzero(mine).astype(U32)
        del mine
        near = near[identity.into[near] == near]
        near = _those_who_share(near, keys)
        if len(near):
            _gather(rows, identity, near[np.lexsort((near, ~rows.live[near], keys[near]))], groups)
    identity.into[:] = identity.into[identity.into]


def _those_who_share(near: npt.NDArray[np.uint32], keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """Return the rows whose key another of them has too."""
    mine = keys[near]
    order = np.argsort(mine)
    ordered = mine[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(near), np.bool_)
    shared[order[:-1][same]] = True
    shared[order[1:][same]] = True
    return near[shared]


def _gather(rows: Rows, identity: Identity, alive: npt.NDArray[np.uint32], groups: _Groups) -> None:
    """Merge rows in order of key. Each round, the first of each group takes all of the group that agree with it."""
    group, rule = groups.keys[alive], groups.rule
    for _ in range(ROUNDS_MAX):
        new = np.ones(len(alive), np.bool_)
        new[1:] = group[1:] != group[:-1]
        starts = np.flatnonzero(new)
        if len(starts) == len(alive):
            return
        lengths = np.diff(np.append(starts, len(alive)))
        head = np.repeat(alive[starts], lengths)
        shared = groups.shared(alive, head)
        durations = rows.duration_ms[alive]
        heads_ms = np.repeat(durations[starts], lengths) if rule == BY_NAME else _lent(durations, starts, lengths, shared)
        joins = _agree(identity, alive, durations, heads_ms, rule) & ~new
        joins &= ~(rows.live[alive] & rows.live[head])
        if shared is not None:
            joins &= shared
        _join(identity, alive[joins], head[joins], rule)
        # Groups of one are done; heads have had their turn.
        left = ~joins & ~new
        alive, group = alive[left], group[left]
        if not len(alive):
            return


def _lent(
    durations: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    shared: npt.NDArray[np.bool_] | None,
) -> npt.NDArray[np.int32]:
    """Return, for each row, the duration of its group's head; where that is unknown, an ISRC lends it the first known one.

    shared: which rows have an ISRC in common with their head, None for all: no other can lend.
    """
    heads = durations[starts]
    if (heads == 0).any():
        lends = durations > 0 if shared is None else (durations > 0) & shared
        places = np.where(lends, np.arange(len(durations)), len(durations))
        first = np.minimum.reduceat(places, starts)
        lent = np.where(first < len(durations), durations[np.minimum(first, len(durations) - 1)], 0)
        heads = np.where(heads == 0, lent, heads)
    return np.repeat(heads, lengths)


def _agree(
    identity: Identity,
    alive: npt.NDArray[np.uint32],
    own_ms: npt.NDArray[np.int32],
    head_ms: npt.NDArray[np.int32],
    rule: int,
) -> npt.NDArray[np.bool_]:
    """Return for each row whether it is as long as its group's head, and all that it stands for nearly so.

    By name, the row itself is within TOLERANCE_MS; those that an ISRC brought to it, and all by ISRC, within ISRC_TOLERANCE_MS.
    Unknown durations agree where an ISRC speaks for the two, and never where only names do.
    """
    low, high = identity.low_ms[alive], identity.high_ms[alive]
    agree = (high - head_ms <= ISRC_TOLERANCE_MS) & (head_ms - low <= ISRC_TOLERANCE_MS)
    known = (high >= 0) & (head_ms > 0)
    if rule == BY_ISRC:
        return agree & known | ~known
    near: npt.NDArray[np.bool_] = np.abs(own_ms - head_ms) <= TOLERANCE_MS
    return agree & known & near & (own_ms > 0)


def _join(identity: Identity, joining: npt.NDArray[np.uint32], heads: npt.NDArray[np.uint32], rule: int) -> None:
    """Put rows under their heads."""
    identity.into[joining] = heads
    plain = identity.rule[joining] == ITSELF
    identity.rule[joining[plain]] = rule
    np.minimum.at(identity.low_ms, heads, identity.low_ms[joining])
    np.maximum.at(identity.high_ms, heads, identity.high_ms[joining])
