"""Recordings in order of how much they are heard, and what releases and artists add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fonoteca.catalogue.counts import Recordings
from fonoteca.catalogue.gathering import Rows, dense, is_held
from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.catalogue.popularity_pools import Groups
from fonoteca.catalogue.popularity_shares import SourceCounts, estimate

U32, I32, I64 = np.uint32, np.int32, np.int64
BLOCK_ROWS = 1 << 23
"""What is worked on at once where numpy makes copies: some 64 MB each."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What releases or artists add up to, by number. share: of all listening. best_rank: of the most heard recording."""

    track_count: npt.NDArray[np.int32]
    held_count: npt.NDArray[np.int32]
    best_rank: npt.NDArray[np.uint32]
    share: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Recordings by rank, the most heard first; ties in order of import, which keeps a release's tracks together.

    head_rank: by row, of the rows that stand for a recording: its rank, from 1. All others by rank - 1: share, low and high (90 %),
    listens and listeners added over sources, numbers of release and artist (-1: none). release_artists, release_year: by release.
    """

    recording_count: int
    head_rank: npt.NDArray[np.uint32]
    share: npt.NDArray[np.float64]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    listens: npt.NDArray[Any]
    listeners: npt.NDArray[Any]
    release: npt.NDArray[np.int32]
    artist: npt.NDArray[np.int32]
    releases: Sums
    artists: Sums
    release_artists: npt.NDArray[np.int32]
    release_year: npt.NDArray[np.int16]
    basis: ListeningBasis


def rank_recordings(rows: Rows, recordings: Recordings, counts: Sequence[SourceCounts]) -> Ranking:
    """Return how recordings rank by these counts. Cost: a few sorts; some 60 B a recording of memory."""
    release, release_count = _groups_of(rows.release_key, recordings)
    artist, artist_count = _groups_of(rows.artist_key, recordings)
    rows.forget("release_key", "artist_key")
    found = estimate(counts, Groups(release, artist), recordings.count)
    share, low, high, basis = found.share, found.low, found.high, found.parameters
    del found
    order = _order(share)
    # One column at a time: at 256 million rows each old one weighs a gigabyte and more.
    share = share[order]
    low = low[order]
    high = high[order]
    release = release[order]
    artist = artist[order]
    head_rank = np.zeros(rows.row_count, U32)
    head_rank[recordings.heads[order]] = np.arange(1, recordings.count + 1, dtype=U32)
    held = np.zeros(recordings.count, np.bool_)
    held[recordings.number[is_held(rows)]] = True
    held = held[order]
    return Ranking(
        recordings.count,
        head_rank,
        share,
        low,
        high,
        _added([(s.recordings, s.listens) for s in counts], order),
        _added([(s.recordings, s.listeners) for s in counts if s.listeners is not None], order),
        release,
        artist,
        _sums(release, release_count, share, held),
        _sums(artist, artist_count, share, held),
        _artists_of(release, artist, release_count),
        _years_of(rows, recordings, order, release, release_count),
        basis,
    )


def _order(share: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
    """Return recordings by falling share, ties in order of import."""
    np.negative(share, out=share)
    order = np.argsort(share, kind="stable").astype(U32)
    np.negative(share, out=share)
    return order


def _groups_of(keys: npt.NDArray[np.uint64], recordings: Recordings) -> tuple[npt.NDArray[np.int32], int]:
    """Return each recording's dense group number: of its representative, or of its first row that has any."""
    mine = keys[recordings.heads]
    lacking = mine == 0
    if lacking.any():
        others = np.flatnonzero((keys != 0) & lacking[recordings.number])[::-1]
        mine[recordings.number[others]] = keys[others]
    return dense(mine)


def _added(counts: Sequence[tuple[npt.NDArray[np.uint32], npt.NDArray[Any]]], order: npt.NDArray[np.uint32]) -> npt.NDArray[Any]:
    """Return counts by recording added over sources, in this order, in as few bytes as they need."""
    most = sum(int(count.max()) for _, count in counts if len(count))
    total: npt.NDArray[Any] = np.zeros(len(order), U32 if most < 1 << 32 else I64)
    for recording, count in counts:
        total[recording] += count.astype(total.dtype)
    return total[order]


def _sums(number: npt.NDArray[np.int32], count: int, share: npt.NDArray[np.float64], held: npt.NDArray[np.bool_]) -> Sums:
    """Return what groups of recordings in order of rank add up to."""
    tracks, holds, best, summed = np.zeros(count, I32), np.zeros(count, I32), np.zeros(count, U32), np.zeros(count)
    for first in reversed(range(0, len(number), BLOCK_ROWS)):
        mine, places = _grouped(number, first)
        # The last to be assigned stays, so the best rank comes last.
        best[mine[::-1]] = places[::-1].astype(U32) + U32(1)
        np.add.at(tracks, mine, I32(1))
        np.add.at(holds, mine[held[places]], I32(1))
        np.add.at(summed, mine[::-1], share[places[::-1]])
    return Sums(tracks, holds, best, summed)


def _grouped(number: npt.NDArray[np.int32], first: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the group and the place of those in a block that have one: numpy widens what it is indexed by, so not all at once."""
    block = number[first : first + BLOCK_ROWS]
    places = np.flatnonzero(block >= 0)
    return block[places].astype(np.intp), places + first


def _artists_of(release: npt.NDArray[np.int32], artist: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    """Return how many artists each release has."""
    first, last = np.full(count, np.iinfo(I32).max, I32), np.full(count, -1, I32)
    for start in range(0, len(release), BLOCK_ROWS):
        mine, theirs = _paired(release, artist, start)
        np.minimum.at(first, mine, theirs)
        np.maximum.at(last, mine, theirs)
    artists = (last >= 0).astype(I32)
    # Most releases are by one; only the others are looked at pair by pair.
    found = [np.empty(0, np.uint64)]
    for start in range(0, len(release), BLOCK_ROWS):
        mine, theirs = _paired(release, artist, start)
        several = (first < last)[mine]
        found.append(np.unique((mine[several].astype(np.uint64) << np.uint64(32)) | theirs[several].astype(np.uint64)))
    pairs = np.unique(np.concatenate(found))
    which, how_many = np.unique(pairs >> np.uint64(32), return_counts=True)
    artists[which.astype(I64)] = how_many
    return artists


def _paired(
    release: npt.NDArray[np.int32], artist: npt.NDArray[np.int32], first: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]:
    """Return release and artist of those in a block that have both."""
    mine, places = _grouped(release, first)
    theirs = artist[places]
    return mine[theirs >= 0], theirs[theirs >= 0]


def _years_of(
    rows: Rows, recordings: Recordings, order: npt.NDArray[np.uint32], release: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.int16]:
    """Return the latest year among the recordings of each release, 0 for none."""
    latest = np.zeros(count, np.int16)
    for first in range(0, len(release), BLOCK_ROWS):
        mine, places = _grouped(release, first)
        np.maximum.at(latest, mine, rows.year[recordings.heads[order[places]]])
    return latest
