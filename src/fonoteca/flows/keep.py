"""Keep: go on for months. Give drops out, take what is new now and then, obey the clock and the operator, say how it goes.

Rules of order:
  1. what is held is given out first, and what is new is looked for after that;
  2. between two looks nothing is open or locked: an audit, a repair or a `publish` has its turn;
  3. whatever fails is told, shown as the service's trouble, and tried again; what is held is given out all the same.
A first look ends it with its error when nothing can be right yet: a wrong address, or an edition that cannot be believed before
there is one that was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fonoteca.flows.seed import Seeding
from fonoteca.model.errors import BusyError, FonotecaError, TrustError, UsageError
from fonoteca.model.service import Health, Notice, Order, Stage, Trouble
from fonoteca.model.swarming import SwarmingSettings, SwarmNow
from fonoteca.ports import Clock, Orders, TendedSwarm

PULSE_S = 5.0
"""How soon an hour of rest begins, and how old what `Health` says of the swarm may be."""

STATUS_S = 60.0
"""How often a status is told while bytes flow."""

WATCH_S = 5.0
"""How soon a withdrawal here, by another command, is heeded: nobody gets what was withdrawn until the next look."""

RETRY_S = 300.0
"""After a look that failed: a host that is away for a moment is asked again sooner than in an hour."""

JITTER_SHARE = 0.1
"""So that a thousand mirrors, started by the same message, do not ask in the same second for ever."""


NOTE_S = 300.0
"""How often what is known of the swarm is noted between two looks."""

FIRST_NOTE_S = 30.0
"""After a look: trackers are asked when a torrent is added, and take some seconds to answer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look for what is new brought. edition: its number, None where there is none yet. withdrawn: new statements."""

    edition: int | None
    drops: int = 0
    fetched_bytes: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class Outside:
    """What a service lives in. chance: 0 to below 1. tell: hears of each thing that happens."""

    clock: Clock
    orders: Orders
    chance: Callable[[], float]
    tell: Callable[[Notice], None]


@dataclass(frozen=True, slots=True)
class KeepRooms:
    """What a service does. Each call opens what it needs and closes it again.

    settings: reads them anew. give: gives out what may be, told what was given before. take: looks for what is new, takes it, and
    says what there is. follows: whether it takes from somebody else; without an edition of its own it is not ready then.
    withdrawn: says what is withdrawn, in a form that differs when that does. note: notes what is known of the swarm, told what is
    given out.
    """

    swarm: TendedSwarm
    settings: Callable[[], SwarmingSettings]
    give: Callable[[Seeding], Seeding]
    take: Callable[[], Taken]
    follows: bool
    withdrawn: Callable[[], object] = lambda: None
    note: Callable[[Seeding], None] = lambda _: None


class Board:
    """The health of a service, for those who ask in other threads."""

    def __init__(self, since: datetime) -> None:
        self._lock = threading.Lock()
        self._health = Health(since)

    @property
    def health(self) -> Health:
        """How it is now."""
        return self._health

    def put(self, **changed: Any) -> None:
        """Change some of it, and leave the rest."""
        with self._lock:
            self._health = replace(self._health, **changed)


def keep(rooms: KeepRooms, outside: Outside, board: Board) -> None:
    """Return when the operator says so. Raises: FonotecaError from the first look alone, when it can come to nothing."""
    service = _Service(rooms, outside, board)
    with service.pulsing():
        try:
            with outside.orders.interruptible():
                service.first_look()
            while service.wait() is not Order.STOP:
                with outside.orders.interruptible():
                    service.look()
        except KeyboardInterrupt:
            # An order to stop came in the middle of something. All of it is safe to stop anywhere, and goes on next time.
            service.tell("interrupted")
        board.put(stage=Stage.STOPPING, ready=False)
        service.tell("stopping")


class _Service:
    def __init__(self, rooms: KeepRooms, outside: Outside, board: Board) -> None:
        self._rooms = rooms
        self._outside = outside
        self._board = board
        self._settings = rooms.settings()
        self._seeding = Seeding()
        self._note_at = outside.clock.now()

    def first_look(self) -> None:
        """Give and take for the first time."""
        self.tell("started")
        try:
            self._look()
        except FonotecaError as error:
            held = self._seeding.edition is not None
            hopeless = isinstance(error, UsageError) and not isinstance(error, BusyError)
            if hopeless or (isinstance(error, TrustError) and not held):
                raise
            self._trouble(error)

    def look(self) -> None:
        """Give and take once more; what fails is told."""
        try:
            self._look()
        except FonotecaError as error:
            self._trouble(error)

    def wait(self) -> Order:
        """Wait for the next look. Returns: an order to stop, or that it is time."""
        now = self._outside.clock.now()
        failed = self._board.health.trouble is not None
        wait_s = min(self._settings.refresh_minutes * 60.0, RETRY_S if failed else float("inf"))
        wait_s *= 1 + JITTER_SHARE * (2 * self._outside.chance() - 1)
        self._board.put(stage=Stage.WAITING, due_at=now + timedelta(seconds=wait_s))
        order = self._watch(wait_s)
        if order is Order.RELOAD:
            self._reload()
        return order

    def _watch(self, wait_s: float) -> Order:
        """Wait so long for an order, or until something is withdrawn here."""
        before = self._withdrawn(None)
        while wait_s > 0:
            order = self._outside.orders.wait(min(wait_s, WATCH_S))
            wait_s -= WATCH_S
            if self._outside.clock.now() >= self._note_at:
                self._note(NOTE_S)
            if order is not Order.GO_ON or self._withdrawn(before) != before:
                return order
        return Order.GO_ON

    def _withdrawn(self, before: object) -> object:
        """Return what is withdrawn; as before when nobody can say, of which the next look tells."""
        try:
            return self._rooms.withdrawn()
        except FonotecaError:
            return before

    def tell(self, what: str, **facts: str | int | float | bool | None) -> None:
        """Say that something happened."""
        self._outside.tell(Notice(self._outside.clock.now(), what, tuple(facts.items())))

    @contextmanager
    def pulsing(self) -> Iterator[None]:
        """Look after the swarm while the context lasts, whatever else is done: limits by the clock, and what it gives."""
        over = threading.Event()
        pulse = threading.Thread(target=self._pulse, args=(over,), name="pulse", daemon=True)
        self._beat()
        pulse.start()
        try:
            yield
        finally:
            over.set()
            pulse.join()

    def _look(self) -> None:
        self._board.put(stage=Stage.REFRESHING, due_at=None)
        self._give()
        taken = self._rooms.take()
        if taken.edition != self._seeding.edition or taken.withdrawn:
            self._give()
        self._board.put(refreshed_at=self._outside.clock.now(), trouble=None)
        self.tell("refreshed", edition=taken.edition, new_drops=taken.drops, bytes_fetched=taken.fetched_bytes)
        self._note(FIRST_NOTE_S)

    def _note(self, again_s: float) -> None:
        """Note what is known of the swarm, and when to do so again. What cannot be noted is told, and hinders nothing else."""
        self._note_at = self._outside.clock.now() + timedelta(seconds=again_s)
        try:
            self._rooms.note(self._seeding)
        except FonotecaError as error:
            self.tell("trouble", code=error.code, message=str(error))

    def _give(self) -> None:
        before = self._seeding
        self._seeding = found = self._rooms.give(before)
        self._board.put(
            ready=found.edition is not None or not self._rooms.follows,
            edition=found.edition,
            seeded=len(found.drops),
            seeded_bytes=found.payload_bytes,
            withheld=len(found.withheld),
        )
        if found != before:
            self.tell("seeding", drops=len(found.drops), bytes=found.payload_bytes, withheld=len(found.withheld))
        for drop_id, reason in sorted(set(found.withheld) - set(before.withheld)):
            self.tell("withheld", drop=drop_id, reason=reason)

    def _reload(self) -> None:
        try:
            self._settings = self._rooms.settings()
        except FonotecaError as error:
            self._trouble(error)
            return
        self._beat()
        self.tell("reloaded")

    def _trouble(self, error: FonotecaError) -> None:
        at = self._outside.clock.now()
        self._board.put(trouble=Trouble(at, error.code, str(error)))
        self.tell("trouble", code=error.code, message=str(error))

    def _pulse(self, over: threading.Event) -> None:
        told = self._board.health.swarm
        told_at = self._outside.clock.now()
        failed = ""
        while not over.wait(PULSE_S):
            try:
                found = self._beat()
            except FonotecaError as error:  # the next beat may go well; it is told once, not every few seconds
                if str(error) != failed:
                    self._trouble(error)
                failed = str(error)
                continue
            failed = ""
            now = self._outside.clock.now()
            if _moved(told, found) and (now - told_at).total_seconds() >= STATUS_S:
                told, told_at = found, now
                self.tell(
                    "status",
                    peers=found.peers,
                    upload_bytes_per_s=found.upload_bytes_per_s,
                    download_bytes_per_s=found.download_bytes_per_s,
                    uploaded_bytes=found.uploaded_bytes,
                )

    def _beat(self) -> SwarmNow:
        local = self._outside.clock.now().astimezone()
        self._rooms.swarm.limit(self._settings.rates_at(local.time()))
        found = self._rooms.swarm.now()
        self._board.put(swarm=found)
        return found


def _moved(before: SwarmNow | None, after: SwarmNow) -> bool:
    """Whether bytes went anywhere since."""
    return before is None or (before.uploaded_bytes, before.downloaded_bytes) != (after.uploaded_bytes, after.downloaded_bytes)
