"""How an archive takes part in swarms: its settings, the hours that it keeps, and what a swarm says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from enum import StrEnum

from fonoteca.model.errors import UsageError

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_REMEDY = "Correct it in fonoteca.toml."

MINUTES_OF_A_WEEK = 10_080

SEEDS_MAX = 10_000_000
"""More than ever had one torrent: who says more is not believed."""


class Encryption(StrEnum):
    """Whether connections to peers are encrypted. It hides what is sent from those between, and proves nobody to be anyone."""

    ALLOWED = "allowed"
    REQUIRED = "required"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of each day, from the minute `begin` to before the minute `end`; over midnight when `end` is earlier."""

    begin: time
    end: time

    def have(self, at: time) -> bool:
        """Return whether a time of day is in these hours."""
        if self.begin < self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end


def parse_hours(text: str) -> Hours:
    """Return the hours that a text such as `22:00-06:00` names. Raises: UsageError."""
    match = _HOURS.fullmatch(text)
    if match is None or match[1] + match[2] == match[3] + match[4]:
        raise UsageError(f"swarm.schedule {text!r}", 'expected hours such as "22:00-06:00"', _REMEDY)
    return Hours(time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4])))


@dataclass(frozen=True, slots=True)
class Rates:
    """What may go each way in a second; 0: no limit. resting: nothing goes at all, and no peer is connected."""

    upload_bytes_per_s: int = 0
    download_bytes_per_s: int = 0
    resting: bool = False


@dataclass(frozen=True, slots=True)
class SwarmingSettings:
    """How an archive takes part in swarms. port: of `seed` and of `follow --keep`; 0 takes a free one.

    dht, local_discovery, port_mapping: for commands that look for peers anywhere. ipv6: listen there too, where there is any.
    schedule: the hours in which only the two rates limit; outside, at most `outside_bytes_per_s` goes each way, and with 0 nothing.
    queued_bytes_max: what may wait in memory for the disk. refresh_minutes: how often `follow --keep` looks for a new edition, and
    `seed` for new drops and rights.
    """

    port: int = 6881
    dht: bool = True
    local_discovery: bool = True
    port_mapping: bool = True
    utp: bool = False
    ipv6: bool = True
    encryption: str = Encryption.ALLOWED
    upload_bytes_per_s: int = 0
    download_bytes_per_s: int = 0
    schedule: str = ""
    outside_bytes_per_s: int = 0
    connections_max: int = 500
    queued_bytes_max: int = 100_000_000
    refresh_minutes: int = 60

    def __post_init__(self) -> None:
        """Check what has a range."""
        least_most = {
            "port": (0, 65_535),
            "upload_bytes_per_s": (0, None),
            "download_bytes_per_s": (0, None),
            "outside_bytes_per_s": (0, None),
            "connections_max": (2, 100_000),
            "queued_bytes_max": (1 << 20, None),
            "refresh_minutes": (1, MINUTES_OF_A_WEEK),
        }
        for name, (least, most) in least_most.items():
            value = getattr(self, name)
            if value < least or (most is not None and value > most):
                expected = f"{least} or more" if most is None else f"{least} to {most}"
                raise UsageError(f"swarm.{name} {value}", f"expected {expected}", _REMEDY)
        if self.encryption not in tuple(Encryption):
            raise UsageError(f"swarm.encryption {self.encryption!r}", f"expected {', '.join(Encryption)}", _REMEDY)
        if self.schedule:
            parse_hours(self.schedule)

    def rates_at(self, at: time) -> Rates:
        """Return what may go each way at a time of day, in local time."""
        if not self.schedule or parse_hours(self.schedule).have(at):
            return Rates(self.upload_bytes_per_s, self.download_bytes_per_s)
        return Rates(self.outside_bytes_per_s, self.outside_bytes_per_s, resting=not self.outside_bytes_per_s)


@dataclass(frozen=True, slots=True)
class SwarmNow:
    """What a swarm says of itself. uploaded_bytes and downloaded_bytes: payload since it was opened."""

    torrents: int
    peers: int
    upload_bytes_per_s: int
    download_bytes_per_s: int
    uploaded_bytes: int
    downloaded_bytes: int
    resting: bool


@dataclass(frozen=True, slots=True)
class TorrentNow:
    """What a swarm says of one torrent. seeds: how many have it whole, as trackers and known peers tell; None where nobody does.

    Trackers count us, too. peers: connected. uploaded_bytes: payload since it was added.
    """

    seeds: int | None
    peers: int
    uploaded_bytes: int
