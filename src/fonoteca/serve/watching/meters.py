"""What Prometheus reads: counts of this site's answers, and how register and store are. `/metrics`.

Several processes of one server add up: each writes its counts into files of a folder that they share, which
PROMETHEUS_MULTIPROC_DIR names before this module is imported; whichever process is asked adds them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from fonoteca.formats.ocfl import ROOT_DECLARATION
from fonoteca.model.errors import FonotecaError
from fonoteca.serve.rooms import ServeRooms

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FOUND_FOR_S = 10.0
"""How long what was found out of register and store is told again: several may ask, and each question is some queries."""

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_DAMAGED_MAX = 1000


class Meters:
    """The counts of one process."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        routes = ["route", "method", "status"]
        self.requests = Counter("fonoteca_requests", "Answers, by route, method and status.", routes, registry=own)
        began = "Time until an answer began, by route."
        self.seconds = Histogram("fonoteca_request_seconds", began, ["route"], buckets=_BUCKETS_S, registry=own)
        self.sent = Counter("fonoteca_sent_bytes", "Bytes of answers, without their headers, by route.", ["route"], registry=own)
        refused = "Requests that were refused, by the code of the problem."
        self.refused = Counter("fonoteca_refused", refused, ["code"], registry=own)
        open_now = "Fetches of blobs under way."
        self.streams = Gauge("fonoteca_streams_open", open_now, multiprocess_mode="livesum", registry=own)
        making = "Recordings being made in another format."
        self.renditions = Gauge("fonoteca_renditions_running", making, multiprocess_mode="livesum", registry=own)
        self.events = Counter("fonoteca_access_events", "Access events that were recorded.", registry=own)
        self.lost = Counter("fonoteca_access_events_lost", "Access events that could not be recorded.", registry=own)
        self._state = _State(rooms)

    def text(self) -> bytes:
        """Return all meters, those of the server's other processes added, in the text format of Prometheus."""
        counted = self._registry
        if os.environ.get(FOLDER_VARIABLE):
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        found = CollectorRegistry()
        found.register(self._state)
        return generate_latest(counted) + generate_latest(found)


def forget_dead_processes() -> None:
    """Remove what processes of this server that are gone said of the moment: what they counted stays counted."""
    folder = os.environ.get(FOLDER_VARIABLE)
    for file in Path(folder).glob("gauge_live*_*.db") if folder else ():
        pid = file.stem.rsplit("_", 1)[-1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            mark_process_dead(int(pid))  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Question:
    """One thing that is found out when Prometheus asks. ask: None for what is not known."""

    name: str
    words: str
    ask: Callable[[], float | None]


class _State(Collector):
    """How register and store are, found out at most once in FOUND_FOR_S."""

    def __init__(self, rooms: ServeRooms) -> None:
        self._rooms = rooms
        self._turn = Lock()
        self._found: tuple[float, list[Metric]] = (float("-inf"), [])

    def collect(self) -> Iterable[Metric]:
        """Return the gauges."""
        with self._turn:
            at, found = self._found
            if monotonic() - at > FOUND_FOR_S:
                found = list(self._ask())
                self._found = (monotonic(), found)
            return found

    def _ask(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("fonoteca_register_up", "1 where the register answers.", float(self._register_answers()))
        yield GaugeMetricFamily("fonoteca_store_up", "1 where the store answers.", float(self._store_answers()))
        for each in self._questions():
            try:
                value = each.ask()
            except FonotecaError:
                value = None  # what cannot be asked now is left out: the two gauges above say why
            if value is not None:
                yield GaugeMetricFamily(each.name, each.words, value)

    def _questions(self) -> tuple[_Question, ...]:
        register = self._rooms.register
        totals, standing = register.totals, self._rooms.people.notices.standing
        return (
            _Question("fonoteca_objects", "Objects that are held.", lambda: totals().objects),
            _Question("fonoteca_files", "Audio and artwork files that are held.", lambda: totals().files),
            _Question("fonoteca_held_bytes", "Bytes of these.", lambda: totals().bytes),
            _Question(
                "fonoteca_damaged_files",
                f"Files whose last check found damage, {_DAMAGED_MAX} at most.",
                lambda: len(register.damaged(_DAMAGED_MAX)),
            ),
            _Question(
                "fonoteca_quarantined_objects", "Objects that nothing could heal.", lambda: len(register.auditing.quarantined())
            ),
            _Question("fonoteca_notices_waiting", "Notices that wait for a decision or an answer.", lambda: standing().waiting),
            _Question("fonoteca_notices_overdue", "Of these, how many should be decided by now.", lambda: standing().overdue),
            _Question("fonoteca_oldest_notice_seconds", "For how long the oldest of them waits.", self._oldest_notice_s),
            _Question("fonoteca_free_bytes", "Room on the disk of the store.", self._free_bytes),
            _Question("fonoteca_oldest_check_seconds", "Age of the check that was made the longest ago.", self._oldest_s),
        )

    def _free_bytes(self) -> float | None:
        space = self._rooms.space()
        return None if space is None else space.free_bytes

    def _oldest_s(self) -> float | None:
        """Return how long ago the file was checked that was checked the longest ago; None where some file never was, or none is."""
        rows = self._rooms.register.next_to_audit(1)
        at = rows[0].checked_at if rows else None
        return None if at is None else (self._rooms.clock.now() - at).total_seconds()

    def _oldest_notice_s(self) -> float:
        """Return for how long the oldest notice waits, 0 where none does."""
        at = self._rooms.people.notices.standing().oldest
        return 0.0 if at is None else (self._rooms.clock.now() - at).total_seconds()

    def _register_answers(self) -> bool:
        try:
            self._rooms.register.totals()
        except FonotecaError:
            return False
        return True

    def _store_answers(self) -> bool:
        try:
            return self._rooms.blobs.size(ROOT_DECLARATION[0]) is not None
        except FonotecaError:
            return False
