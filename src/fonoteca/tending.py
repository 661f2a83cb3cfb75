"""A service put together: the archive, its swarm, the clock, the operator's signals, and who asks how it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from fonoteca.edges.chance import throw
from fonoteca.edges.clock import SystemClock
from fonoteca.edges.health import health_served
from fonoteca.edges.notification import notify_systemd
from fonoteca.edges.signals import Signals
from fonoteca.flows.keep import Board, KeepRooms, Outside, Taken
from fonoteca.flows.seed import Seeding, seed_again
from fonoteca.formats.swarmfile import SWARM, DropSeen, SwarmSeen, swarm_json
from fonoteca.model.errors import UsageError
from fonoteca.model.service import Notice
from fonoteca.model.swarming import TorrentNow
from fonoteca.model.terms import ANYWHERE
from fonoteca.neighbours import SwarmChoice, open_swarm
from fonoteca.outputs import write_output
from fonoteca.ports import TendedSwarm
from fonoteca.wiring import load_settings, open_archive, seed_rooms

LOOPBACK = "127.0.0.1"
_SAID = {"started": {"READY": "1", "STATUS": "looking at what is held"}, "stopping": {"STOPPING": "1"}}
"""Ready for systemd is to be up and to obey: a first edition takes hours to arrive."""


@contextmanager
def tended(folder: Path, choice: SwarmChoice, take: Callable[[TendedSwarm], Taken] | None = None) -> Iterator[KeepRooms]:
    """Give what a service for the archive in a folder does, with its swarm, which is left when the context ends.

    take: takes what is new from somebody else, with the swarm. Without it the service gives out what is here.
    """
    with open_swarm(choice, load_settings(folder).swarm) as swarm:

        def give(before: Seeding) -> Seeding:
            with open_archive(folder) as opened:
                return seed_again(seed_rooms(opened, swarm), swarm, before)

        def look() -> Taken:
            with open_archive(folder) as opened:
                index = opened.editions.index()
                return Taken(index.number if index else None)

        def withdrawn() -> object:
            with open_archive(folder) as opened:
                said = [(each.tombstone, each.masks()) for each in opened.register.withdrawals.all()]
                return said, opened.register.terms.closed(SystemClock().now(), ANYWHERE)

        def note(seeding: Seeding) -> None:
            now = swarm.torrents()
            with open_archive(folder) as opened:
                infohashes = {row.id: row.infohash_v2 for row in opened.register.drops()}
            reasons = {**dict.fromkeys(seeding.drops, ""), **dict(seeding.withheld)}
            drops = []
            for drop_id, reason in reasons.items():
                seen = now.get(infohashes.get(drop_id, ""), TorrentNow(None, 0, 0))
                drops.append(DropSeen(drop_id, seen.seeds, seen.peers, seen.uploaded_bytes, reason))
            write_output(folder / SWARM, swarm_json(SwarmSeen(SystemClock().now(), tuple(drops))))

        yield KeepRooms(
            swarm=swarm,
            settings=lambda: load_settings(folder).swarm,
            give=give,
            take=look if take is None else lambda: take(swarm),
            follows=take is not None,
            withdrawn=withdrawn,
            note=note,
        )


@contextmanager
def outside(tell: Callable[[Notice], None]) -> Iterator[tuple[Outside, Board]]:
    """Give what a service lives in, and the board for its health, while the context lasts. For a program's main thread."""
    clock = SystemClock()
    board = Board(clock.now())

    def spread(notice: Notice) -> None:
        tell(notice)
        _tell_systemd(notice, board)

    with Signals() as orders:
        yield Outside(clock, orders, throw, spread), board


def answering(place: str, answer: Callable[[], Mapping[str, Any]]) -> AbstractContextManager[tuple[str, int]]:
    """Answer questions about health at a place such as `8421` or `0.0.0.0:8421` while the context lasts. Gives: host and port."""
    host, _, port = place.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"--health {place}", "expected PORT or HOST:PORT", "Give a port such as 8421; 0 takes a free one.")
    return health_served((host.strip("[]") or LOOPBACK, int(port)), answer)


def _tell_systemd(notice: Notice, board: Board) -> None:
    """Say to systemd that the service is up, what it shows of it, and that it stops."""
    health = board.health
    said = dict(_SAID.get(notice.what, {}))
    if not said and notice.what != "listening":
        trouble = f"; trouble: {health.trouble.code}" if health.trouble else ""
        said = {"STATUS": f"edition {health.edition}, {health.seeded} drops given out{trouble}"}
    if said:
        notify_systemd(**said)
