"""A year of storage by simulation: disks that fail, sectors and bytes that go bad, mirrors that are lost, and what heals them.

Each mirror is everything once, on plain disks, each in a place of its own: what two of them lose at once is a matter of chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import expm1, prod

import numpy as np
from numpy.typing import NDArray

from bench.paper_inputs import DAY_S, YEAR_S, Inputs

F64 = NDArray[np.float64]

YEARS = 200_000
"""Simulated: a mirror meets some 1.7 things a year."""

_DISK, _SECTORS, _ROT, _MIRROR = range(4)
NAMES = ("disks that failed", "unreadable sectors", "wrong bytes", "mirrors lost whole")


@dataclass(frozen=True, slots=True)
class Events:
    """What happened to one mirror over all years, one after another.

    share: of all bytes. start, end: in seconds; at its end it is healed.
    """

    kind: NDArray[np.int64]
    start: F64
    end: F64
    share: F64
    pieces: F64
    files: F64

    @classmethod
    def drawn(cls, given: Inputs, cycle_days: float, rng: np.random.Generator) -> Events:
        """Return events by chance."""
        disks = -(-given["bytes"] // given["disk_bytes"])
        rates = np.array(
            [disks * given[key] for key in ("disk_failures", "sector_incidents", "rot_incidents")] + [given["mirror_loss"]]
        )
        counts = rng.poisson(rates * YEARS)
        kind = np.repeat(np.arange(4), counts)
        start = rng.random(len(kind)) * YEARS * YEAR_S
        pieces = rng.geometric(1 / given["incident_pieces"], len(kind)).astype(float)
        files = _files_hit(given, pieces, rng)
        whole = given["bytes"]
        share = np.select(
            [kind == _DISK, kind == _MIRROR], [given["disk_bytes"] / whole, 1.0], pieces * given["piece_bytes"] / whole
        )
        unseen_s = rng.random(len(kind)) * cycle_days * DAY_S  # until the next audit
        heal_s = share * whole / given["mirror_link"]
        wait_s = np.select(
            [kind == _DISK, kind == _MIRROR], [given["disk_swap_d"] * DAY_S, given["mirror_notice_d"] * DAY_S], unseen_s
        )
        order = np.argsort(start)
        fields = (kind, start, start + wait_s + heal_s, share, pieces, files)
        return cls(*(each[order] for each in fields))

    def missing_at(self, moments: F64) -> F64:
        """Return the share of all bytes that the mirror lacks at each moment, moments in ascending order."""
        moment = np.concatenate((self.start, self.end))
        change = np.concatenate((self.share, -self.share))
        order = np.argsort(moment)
        level = np.concatenate(([0.0], np.cumsum(change[order])))
        return np.clip(level[np.searchsorted(moment[order], moments, side="left")], 0.0, 1.0)

    def mean_missing(self) -> float:
        """Return the share of all bytes that the mirror lacks in the mean of time."""
        return float((self.share * (self.end - self.start)).sum() / (YEARS * YEAR_S))

    def undetected_mean(self, given: Inputs) -> float:
        """Return the bytes that are wrong or unreadable and not known to be, in the mean of time."""
        silent = (self.kind == _SECTORS) | (self.kind == _ROT)
        return float((self.share * (self.end - self.start))[silent].sum() / (YEARS * YEAR_S) * given["bytes"])


def _files_hit(given: Inputs, pieces: F64, rng: np.random.Generator) -> F64:
    """Return in how many different files so many damaged pieces lie, thrown into a span of the disk at random."""
    files_in_span = max(1.0, given["incident_span"] / (given["bytes"] / given["files"]))
    expected = files_in_span * (1 - (1 - 1 / files_in_span) ** pieces)
    return np.maximum(1.0, np.floor(expected + rng.random(len(pieces))))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a mirror fetches to heal, bytes a year: only damaged pieces, and, for comparison, whole files. per_year: how often."""

    name: str
    per_year: float
    by_pieces: float
    by_files: float


@dataclass(frozen=True, slots=True)
class Durability:
    """mirrors: how many. lost_bytes: expected a year; seen: share of years with a loss; each by simulation and in closed form.

    Losses that come less than once in the simulated years only the closed form knows.
    """

    mirrors: int
    lost_bytes: float
    lost_by_formula: float
    seen: float
    by_formula: float


def traffic(given: Inputs, seed: int) -> list[Traffic]:
    """Return a year's repair traffic of one mirror by what happened."""
    events = Events.drawn(given, given["cycle_days"], np.random.default_rng(seed))
    found = []
    file_bytes = given["bytes"] / given["files"]
    for kind, name in enumerate(NAMES):
        of_kind = events.kind == kind
        whole = float((events.share * given["bytes"])[of_kind].sum() / YEARS)
        small = kind in (_SECTORS, _ROT)
        by_files = float(events.files[of_kind].sum() * file_bytes / YEARS) if small else whole
        found.append(Traffic(name, float(of_kind.sum() / YEARS), whole, by_files))
    return found


def at_risk(given: Inputs, cycle_days: float, seed: int) -> float:
    """Return the damaged bytes of a mirror that nobody knows of yet, in the mean of time, for a cycle of audits."""
    return Events.drawn(given, cycle_days, np.random.default_rng(seed)).undetected_mean(given)


def durability(given: Inputs, mirrors_max: int, seed: int) -> list[Durability]:
    """Return what is lost for good with one mirror, two, and so on: what all of them lack at one moment."""
    rng = np.random.default_rng(seed)
    mirrors = [Events.drawn(given, given["cycle_days"], rng) for _ in range(mirrors_max)]
    return [_lost(given, mirrors[:count]) for count in range(1, mirrors_max + 1)]


def _lost(given: Inputs, mirrors: list[Events]) -> Durability:
    """Return what these mirrors lose together. Each overlap counts once, where its last event begins."""
    of_year = np.zeros(YEARS)
    for index, mirror in enumerate(mirrors):
        lost = mirror.share * given["bytes"]
        for other in (*mirrors[:index], *mirrors[index + 1 :]):
            lost = lost * other.missing_at(mirror.start)
        of_year += np.bincount((mirror.start / YEAR_S).astype(int), lost, minlength=YEARS)[:YEARS]
    seen = float((1 - np.exp(-of_year / given["piece_bytes"])).mean())
    expected, any_loss = _formula(given, len(mirrors))
    return Durability(len(mirrors), float(of_year.mean()), expected, seen, any_loss)


def _formula(given: Inputs, mirrors: int) -> tuple[float, float]:
    """Return expected bytes lost a year, and how often a year anything is.

    For each kind of event on one mirror, and each kind that the others may be in the midst of: the rate, times the chance of
    that, times what all of them lack together.
    """
    disks = -(-given["bytes"] // given["disk_bytes"])
    whole = given["bytes"]
    incident = given["incident_pieces"] * given["piece_bytes"]
    kinds = (
        (disks * given["disk_failures"], given["disk_bytes"], given["disk_swap_d"]),
        (disks * (given["sector_incidents"] + given["rot_incidents"]), incident, given["cycle_days"] / 2),
        (given["mirror_loss"], whole, given["mirror_notice_d"]),
    )
    states = [(rate * (delay_d * DAY_S + size / given["mirror_link"]) / YEAR_S, size / whole) for rate, size, delay_d in kinds]
    expected = often = 0.0
    for rate, size, _ in kinds:
        for others in product(states, repeat=mirrors - 1):
            chance = mirrors * rate * prod(one for one, _ in others)
            lost = size * prod(share for _, share in others)
            expected += chance * lost
            often += chance * -expm1(-lost / given["piece_bytes"])
    return expected, often
