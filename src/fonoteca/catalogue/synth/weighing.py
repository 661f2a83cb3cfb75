"""The listening of every recording and row of a world, block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteca.catalogue.ahead import in_order
from fonoteca.catalogue.synth.chance import F64, U64
from fonoteca.catalogue.synth.listening import Listening, People
from fonoteca.catalogue.synth.settings import ROW_GROUP_ROWS, SynthSettings
from fonoteca.catalogue.synth.world import Appearances, World
from fonoteca.ports import Progress

HISTORY, HELD_OUT = "history", "held-out"
"""The listeners whose counts are in the catalogue, and others, with whom to evaluate."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one row group: facts, and the weight of listening of recording and row."""

    number: int
    of: Appearances
    love: F64
    weight: F64


class Weighed:
    """A world, and how its listening is spread over rows. Memory: 3 B a row. Cost: two passes over the facts, 0.2 us a row."""

    def __init__(self, settings: SynthSettings, progress: Progress) -> None:
        self.settings = settings
        self.world = World(settings)
        self._splits = np.zeros(settings.tracks, np.uint16)
        self.love = 0.0
        self.recording_count = 0
        self._weigh(progress)

    def people(self, name: str) -> Listening:
        """Return the counts of a set of listeners of the usual size."""
        settings = self.settings
        plays = settings.tracks * settings.listens_per_track / settings.listeners
        return Listening(self.world, People(name, settings.listeners, plays), self.love)

    def block_count(self) -> int:
        """Return how many blocks the rows make."""
        return -(-self.settings.tracks // ROW_GROUP_ROWS)

    def rows_of(self, block: int) -> U64:
        """Return the numbers of the rows of a block."""
        return np.arange(block * ROW_GROUP_ROWS, min((block + 1) * ROW_GROUP_ROWS, self.settings.tracks), dtype=np.uint64)

    def _weigh(self, progress: Progress) -> None:
        """Sum up the listening of all recordings, and how many ways each is split."""

        def facts(number: int) -> tuple[U64, NDArray[np.uint16], float, int]:
            of = self.world.appearances(self.rows_of(number))
            home = ~of.copied
            return of.home, self.world.split(of), float(self.world.love(of)[home].sum()), int(home.sum())

        with progress.task("weighing recordings", self.settings.tracks, "rows") as advance:
            for home, split, love, count in in_order(facts, range(self.block_count())):
                np.add.at(self._splits, home, split)
                self.love += love
                self.recording_count += count
                advance(len(home))

    def block(self, number: int) -> Block:
        """Return a block's facts."""
        of = self.world.appearances(self.rows_of(number))
        love = self.world.love(of)
        return Block(number, of, love, love * (self.world.split(of) / self._splits[of.home]))
