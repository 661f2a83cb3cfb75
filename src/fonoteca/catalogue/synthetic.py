"""A listening history that is made up, and says so: for demonstrations, tests and measurements where no real one covers us.

Its shape is that of the largest catalogue known: 33.6 % of recordings carry 99.6 % of listening. A recording's weight falls with
its place x (0 to 1, most heard first) as (x + 0.0046)^-2.2, which meets that figure at any size, with about 75 % on the first 1 %.
Artists and releases share in the fate of their recordings, as they do in life. The same recordings and seed give the same
counts: chance is SHA-256 of seed and id, not a stream of numbers.

One thing is arranged. What is held is given places spread evenly on a log scale, from the head down, because the demonstration's
archive is a few dozen recordings among thousands and would otherwise be at the mercy of chance. How much of this listening an
archive holds therefore says nothing about the music in it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

from fonoteca.catalogue.desk import LISTENING
from fonoteca.catalogue.mapping import TableMapping
from fonoteca.model.ids import RecordingId

ZIPF_EXPONENT = 2.2
ZIPF_OFFSET = 0.0046
"""Solved for 99.6 % of the weight on 33.6 % of places; see the first paragraph above."""
PLAYS_PER_LISTENER = 250
"""Listens a listener in the whole history: enough for a head, few enough that part of the tail is never heard."""
PLAYS_PER_TRACK = 4
"""Listens of one track by one listener, when few of the listeners have met it."""
ARTIST_WEIGHT, RELEASE_WEIGHT, TRACK_WEIGHT = 1.0, 0.6, 0.8
"""How much each decides of a recording's place; made up, with the artist first."""
HELD_QUANTILE_MIN = 0.2
"""What is held begins at this quantile of the log scale of ranks (rank 6 of 11,000), so that it does not lead the whole list."""

NAME = "synthetic-listening"
LICENCE = "https://creativecommons.org/publicdomain/zero/1.0/"


class Listenable(Protocol):
    """What the history needs of a recording. `fonoteca.model.catalogue.Recording` is one."""

    @property
    def id(self) -> RecordingId:
        """Its id."""

    @property
    def artist(self) -> str:
        """Its artist, whose recordings fare alike."""

    @property
    def release_id(self) -> str:
        """Its release, whose recordings fare more alike."""

    @property
    def held(self) -> bool:
        """Whether the archive has it."""


@dataclass(frozen=True, slots=True)
class Listening:
    """One row of a listening history. listeners: different people, at most listens."""

    recording: RecordingId
    listens: int
    listeners: int


def _chance(seed: int, *what: str) -> float:
    """Return a number between 0 and 1, both exclusive, that depends on nothing but the seed and the words."""
    digest = hashlib.sha256("\0".join((str(seed), *what)).encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48


def _score(seed: int, recording: Listenable) -> float:
    normal = NormalDist()
    return (
        ARTIST_WEIGHT * normal.inv_cdf(_chance(seed, "artist", recording.artist))
        + RELEASE_WEIGHT * normal.inv_cdf(_chance(seed, "release", recording.release_id))
        + TRACK_WEIGHT * normal.inv_cdf(_chance(seed, "track", recording.id))
    )


def _in_order(recordings: Iterable[Listenable], seed: int) -> list[Listenable]:
    """Return the recordings, most heard first: by score, what is held spread over the ranks on a log scale."""
    ordered = sorted(recordings, key=lambda r: (-_score(seed, r), r.id))
    held = [r for r in ordered if r.held]
    others = iter([r for r in ordered if not r.held])
    places: dict[int, Listenable] = {}
    for number, recording in enumerate(held):
        quantile = HELD_QUANTILE_MIN + (1 - HELD_QUANTILE_MIN) * (number + _chance(seed, "place", recording.id)) / len(held)
        place = min(int(len(ordered) ** quantile), len(ordered) - 1)
        while place in places:
            place = (place + 1) % len(ordered)
        places[place] = recording
    return [places[place] if place in places else next(others) for place in range(len(ordered))]


def synthetic_history(recordings: Iterable[Listenable], seed: int, listener_count: int) -> Iterator[Listening]:
    """Yield a made-up row for each recording, most heard first. Cost: O(n log n), all recordings in memory.

    listener_count: how many people listen, 1 or more. Some recordings in the tail are never heard.
    """
    ordered = _in_order(recordings, seed)
    weights = [((place + 1) / len(ordered) + ZIPF_OFFSET) ** -ZIPF_EXPONENT for place in range(len(ordered))]
    scale = listener_count * PLAYS_PER_LISTENER / math.fsum(weights) if weights else 0.0
    for recording, weight in zip(ordered, weights, strict=True):
        listens = int(weight * scale + _chance(seed, "round", recording.id))
        reach = 1 - math.exp(-listens / (PLAYS_PER_TRACK * listener_count))
        yield Listening(recording.id, listens, min(listens, math.ceil(listener_count * reach)))


def listening_csv(rows: Iterable[Listening]) -> bytes:
    """Return the rows as the CSV that `synthetic_mapping` reads: recording, listens, listeners."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("recording", "listens", "listeners"))
    writer.writerows((row.recording, row.listens, row.listeners) for row in rows)
    return stream.getvalue().encode()


def synthetic_mapping(seed: int, listener_count: int) -> TableMapping:
    """Return the mapping under which a synthetic history is imported, labelled as such. It has no date: it never happened."""
    return TableMapping(
        name=NAME,
        rows=LISTENING,
        licence=LICENCE,
        attribution=f"made up by Fonoteca for {listener_count} listeners that do not exist, seed {seed}",
        date="",
        columns={"id": "recording", "listens": "listens", "listeners": "listeners"},
        synthetic=True,
    )
