"""How much each item that is held is heard, and how popular its recordings are: for every item at once, in few bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import groupby, islice

import numpy as np

from fonoteca.catalogue import Catalogue
from fonoteca.model.catalogue import HeldTrack
from fonoteca.model.corridor import RankRange
from fonoteca.model.ids import ObjectId, RecordingId
from fonoteca.register import Register

_TRACKS_AT_ONCE = 500_000
"""Asked of the catalogue at once: a scan of three of its columns each time, 3 s at 256 million recordings."""

Heard = tuple[float, RankRange | None]
"""A share of all listening, and the ranks of the most and of the least heard recording; None where none has a rank."""

UNHEARD: Heard = (0.0, None)


class Listening:
    """What items carry, by item key: audio and its artwork have the same. Memory: 32 B an item.

    Items are told apart by 8 bytes of their key's digest: among 10**8 two are mixed up with probability 3e-4, and then take each
    other's place in the order of publication.
    """

    def __init__(self, heard: Iterable[tuple[str, Heard]]) -> None:
        """Take what items carry, each item once."""
        marks, shares, firsts, lasts = array("Q"), array("d"), array("Q"), array("Q")
        for key, (share, ranks) in heard:
            marks.append(_mark(key))
            shares.append(share)
            firsts.append(ranks.first if ranks else 0)
            lasts.append(ranks.last if ranks else 0)
        order = np.argsort(np.frombuffer(marks, dtype=np.uint64), kind="stable") if marks else np.empty(0, np.int64)
        self._marks, self._shares, self._firsts, self._lasts = (
            _sorted(column, kind, order) for column, kind in ((marks, "Q"), (shares, "d"), (firsts, "Q"), (lasts, "Q"))
        )

    def of(self, object_id: ObjectId) -> Heard:
        """Return what the item of an object carries."""
        mark = _mark(object_id.key)
        at = bisect_left(self._marks, mark)
        if at == len(self._marks) or self._marks[at] != mark:
            return UNHEARD
        first = self._firsts[at]
        return self._shares[at], RankRange(first, self._lasts[at]) if first else None


def listening(register: Register, catalogue: Catalogue) -> Listening:
    """Return what every item that is held carries. Cost: a pass over all tracks, and some scans of the catalogue."""
    return Listening(_by_item(register.held_tracks(), catalogue))


def _by_item(tracks: Iterator[HeldTrack], catalogue: Catalogue) -> Iterator[tuple[str, Heard]]:
    """Yield what each item carries, of tracks in order of their objects."""
    rest = ((ObjectId(track.object_id).key, track.recording) for track in tracks)
    told = ((key, standing) for some in _batches(rest) for key, standing in _standings(some, catalogue))
    for key, of_item in groupby(told, key=lambda each: each[0]):
        share, ranks = 0.0, []
        for _, standing in of_item:
            if standing is not None:
                share += standing[0]
                ranks.append(standing[1])
        yield key, (share, RankRange(min(ranks), max(ranks)) if ranks else None)


def _batches(rest: Iterator[tuple[str, RecordingId]]) -> Iterator[list[tuple[str, RecordingId]]]:
    while some := list(islice(rest, _TRACKS_AT_ONCE)):
        yield some


def _standings(some: list[tuple[str, RecordingId]], catalogue: Catalogue) -> Iterator[tuple[str, tuple[float, int] | None]]:
    known: Mapping[RecordingId, tuple[float, int]] = catalogue.standings([recording for _, recording in some])
    return ((key, known.get(recording)) for key, recording in some)


def _mark(key: str) -> int:
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big")


def _sorted(column: array[int] | array[float], kind: str, order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> array[int]:
    """Return a column in an order."""
    kinds = {"Q": np.uint64, "d": np.float64}
    found: array[int] = array(kind)
    if len(column):
        found.frombytes(np.frombuffer(column, dtype=kinds[kind])[order].tobytes())
    return found
