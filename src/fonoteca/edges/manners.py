"""Manners towards hosts: when one may be asked, by whom at once, how often, and what it asks not to be asked for.

One gate for every kind of source, every thread of a run and every process with the same notes. The law, measured at the host:
never more than `per_second` requests in any second, never more than `concurrent` at once, never more than `per_day` and
`bytes_per_day`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fonoteca import __version__
from fonoteca.edges.lanes import Lanes
from fonoteca.edges.manners_book import KeptRobots, Limits, MannersBook
from fonoteca.formats.robots import ALL_FORBIDDEN, BOTS, NOTHING_ASKED, Robots, parse_robots, preferences
from fonoteca.model.errors import SourceBusy, SourceRefused
from fonoteca.model.manners import Manners

PRODUCT = "Fonoteca"
ROBOTS_AGE_S = 86_400.0
"""RFC 9309 section 2.4: no cached version beyond 24 hours."""
UNREACHABLE_AGE_S = 600.0
"""A host that could not be asked for its robots.txt is taken to forbid everything, and asked again after this."""
GAP = 1.02
"""Between two requests, of the time that the rate leaves: a network that delays one of them brings the next one nearer."""
_DAY_S = 86_400
_SHORTEST_S = 0.0005


def user_agent(manners: Manners) -> str:
    """Return who we say we are: the product, its version, and whom to write to."""
    contact = f"; +{manners.contact}" if manners.contact else ""
    return f"{PRODUCT}/{__version__} (music archive{contact})"


@dataclass(slots=True)
class _Host:
    """One host in this run. lock: whose turn is next. delay_s: between two requests, as its robots.txt asks."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    robots_lock: threading.Lock = field(default_factory=threading.Lock)
    delay_s: float = 0.0


class Gate:
    """Lets requests through when they may be sent. now and sleep: the machine's, or a test's."""

    def __init__(
        self,
        manners: Manners,
        book: MannersBook,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.manners = manners
        self.book = book
        self.now = now
        self.sleep = sleep
        self._lanes = Lanes(book.path, manners.concurrent, sleep)
        self.sent = 0
        self._hosts: dict[str, _Host] = {}
        self._robots: dict[str, tuple[Robots, float]] = {}
        self._lock = threading.Lock()

    @property
    def day(self) -> int:
        """Today, as days since 1970 in UTC."""
        return int(self.now() // _DAY_S)

    def _host(self, host: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(host, _Host())

    @contextmanager
    def lane(self, host: str) -> Iterator[None]:
        """Hold one of the lanes to a host until the context ends."""
        with self._lanes.hold(host):
            yield

    def wait_turn(self, host: str) -> None:
        """Return when a request may be sent now, which is noted then. Raises: SourceBusy when it may not be today, or not soon."""
        known = self._host(host)
        with known.lock:  # who waits keeps the others of this run waiting
            while True:
                gap_s = max(GAP / self.manners.per_second, known.delay_s)
                limits = Limits(gap_s, self.manners.per_day, self.manners.bytes_per_day)
                turn = self.book.take_turn(host, self.day, self.now, limits)
                if turn.taken:
                    self.sent += 1
                    return
                self._check_caps(host, turn.requests, turn.came_bytes)
                if turn.left_s > self.manners.retry_wait_s_max:
                    problem = f"wants to be left alone for {turn.left_s:.0f} s more"
                    raise SourceBusy(host, problem, "Run the same command again after that.")
                self.sleep(max(turn.wait_s, turn.left_s, _SHORTEST_S))

    def _check_caps(self, host: str, requests: int, came_bytes: int) -> None:
        for found, most, what in (
            (requests, self.manners.per_day, "requests"),
            (came_bytes, self.manners.bytes_per_day, "bytes"),
        ):
            if found >= most:
                self.book.leave_until(host, (self.day + 1) * _DAY_S)
                problem = f"{found:,} {what} were asked of it today, of {most:,} that [sources] allows"
                raise SourceBusy(host, problem, "Run the same command again tomorrow (UTC).")

    def came(self, host: str, count: int) -> None:
        """Note that bytes came from a host. Raises: SourceBusy once they are as many as a day may bring."""
        self.book.note_bytes(host, self.day, count)
        self._check_caps(host, 0, self.book.today(host, self.day)[1])

    def leave(self, host: str, seconds: float) -> None:
        """Leave a host alone for so long, in this run and in others."""
        self.book.leave_until(host, self.now() + seconds)

    def free_at(self, host: str) -> float:
        """Return when a host may be asked again, in seconds since 1970; 0 for now."""
        at = self.book.free_at(host)
        return at if at > self.now() else 0.0

    # robots.txt -----------------------------------------------------------------------------------------------------

    def check_robots(self, url: str, fetch: Callable[[str], KeptRobots]) -> str:
        """Return what a host's robots.txt says of the use of an address. fetch: reads one that is not known or too old.

        Raises: SourceRefused for an address that it asks us not to fetch; SourceBusy where it cannot be asked now.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        robots = self._robots_of(origin, fetch)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if robots is ALL_FORBIDDEN:
            raise SourceBusy(
                origin, "its robots.txt cannot be read now, and so nothing is asked of it", "Run the same command later."
            )
        if not robots.allows(path):
            raise SourceRefused(shown(url), "its robots.txt asks not to fetch this", "Ask the host's operator, or leave it be.")
        usage = robots.usage(path)
        check_usage(url, usage)
        return usage

    def _robots_of(self, origin: str, fetch: Callable[[str], KeptRobots]) -> Robots:
        host = self._host(host_of(origin))
        with host.robots_lock:  # the first one asks, and the others wait for what it hears
            known = self._robots.get(origin)
            if known is None or self.now() >= known[1]:
                known = self._robots[origin] = self._look_up(origin, fetch)
                host.delay_s = known[0].delay_s
            return known[0]

    def _look_up(self, origin: str, fetch: Callable[[str], KeptRobots]) -> tuple[Robots, float]:
        """Return what a host asks, and until when that is good."""
        kept = self.book.robots(origin)
        if kept is None or self.now() >= kept.at + _age(kept):
            kept = fetch(f"{origin}/robots.txt")
            self.book.keep_robots(origin, kept)
        robots = {"none": NOTHING_ASKED, "unreachable": ALL_FORBIDDEN}.get(kept.state) or parse_robots(kept.content, PRODUCT)
        return robots, kept.at + _age(kept)


def _age(kept: KeptRobots) -> float:
    return UNREACHABLE_AGE_S if kept.state == "unreachable" else ROBOTS_AGE_S


def check_usage(url: str, usage: str) -> None:
    """Raise SourceRefused where a host prefers that nothing that goes by itself works with what is there."""
    if preferences([usage]).get(BOTS) is False:
        raise SourceRefused(shown(url), f"its Content-Usage says {usage!r:.80}", "Ask whoever runs the host, or leave it be.")


def shown(url: str) -> str:
    """Return an address as people may see it: without its query, which may hold a key."""
    return url.partition("?")[0]


def host_of(url: str) -> str:
    """Return whose manners count for an address: the host's name with its port, in small letters."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()
