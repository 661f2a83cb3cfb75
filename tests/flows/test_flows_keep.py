"""A service looks after its swarm for as long as it runs, whatever goes wrong in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flows_world import StoppedClock

from fonoteca.flows import keep as keeping
from fonoteca.flows.keep import Board, KeepRooms, Outside, Taken, keep
from fonoteca.model.errors import StoreError
from fonoteca.model.service import Order
from fonoteca.model.swarming import Rates, SwarmingSettings, SwarmNow

PATIENCE_S = 30


class FailsTwice:
    """A swarm that fails at two looks, and is well at the others. well: it was, after that."""

    def __init__(self) -> None:
        self.looks = 0
        self.well = threading.Event()

    def limit(self, rates: Rates) -> None:
        """Take any limit."""

    def now(self) -> SwarmNow:
        self.looks += 1
        if self.looks in (2, 3):
            raise StoreError("swarm", "libtorrent failed", "Run the same command again.")
        if self.looks > 3:
            self.well.set()
        return SwarmNow(0, 0, 0, 0, 0, 0, resting=False)

    def unseed(self, torrent: bytes) -> None:
        """Seed nothing."""


class StopsWhenWell:
    """An operator who stops the service when its swarm is well again."""

    def __init__(self, swarm: FailsTwice) -> None:
        self._swarm = swarm

    def wait(self, timeout_s: float) -> Order:
        assert self._swarm.well.wait(PATIENCE_S), "nobody looks after the swarm any more"
        return Order.STOP

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        yield


def test_a_swarm_that_failed_once_is_looked_after_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PULSE_S", 0.01)
    swarm, clock = FailsTwice(), StoppedClock()
    told: list[str] = []
    rooms = KeepRooms(swarm, SwarmingSettings, lambda before: before, lambda: Taken(None), follows=False)
    keep(rooms, Outside(clock, StopsWhenWell(swarm), lambda: 0.5, lambda notice: told.append(notice.what)), Board(clock.now()))
    assert told.count("trouble") == 1, "the same trouble is told once"
