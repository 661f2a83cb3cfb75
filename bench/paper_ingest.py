"""The ingest by simulation: a stretch of it file by file, then whole runs with nodes and drivers that die.

A stretch follows the code: one driver hands files out in order, four ahead for each processor, takes answers in order, and makes
what came meanwhile durable in batches beside that (`flows.batches`). On S3 a batch goes up in five steps (`edges.s3_adoption`).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.paper_inputs import YEAR_S, Inputs
from fonoteca.catalogue.synth.chance import quantile_deck
from fonoteca.catalogue.synth.rows import DURATION_KNOTS_S
from fonoteca.edges.answers import IN_FLIGHT_PER_WORKER
from fonoteca.flows.batches import BYTES_AT_ONCE_MAX, THINGS_AT_ONCE_MAX

F64 = NDArray[np.float64]

STRETCH_OBJECTS = 6_000
STRETCHES = 8
RUNS = 4_000
WARM_UP = 0.25
DOCUMENTS_WITH_CONTENT = 3
"""metadata.json, rights.json and the declaration go up with the songs; two inventories and two sidecars after them, in order."""

STEPS_AFTER = 4
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How the machines are put together. archives: drivers side by side, each with its share of the nodes.

    latency_key: the line that says how long a small put takes.
    """

    name: str
    archives: int
    latency_key: str


@dataclass(frozen=True, slots=True)
class Spread:
    """5 %, 50 % and 95 % of what was simulated."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: F64) -> Spread:
        """Return the spread of simulated values."""
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
        return cls(float(low), float(middle), float(high))


def mean_duration_s() -> float:
    """Return how long a file plays in the mean, by the synthetic catalogue's lengths."""
    return float(_lengths_ms().mean()) / 1000


def _lengths_ms() -> NDArray[np.int64]:
    return quantile_deck([(share, 1000.0 * seconds) for share, seconds in DURATION_KNOTS_S])


def file_core_s(given: Inputs) -> float:
    """Return processor seconds of a worker for the mean file: hashing, examining, and what each file costs."""
    hashing_s = given["bytes"] / given["files"] / given["hashing"]
    return hashing_s + mean_duration_s() / given["examining"] + given["worker_ms"] / 1000


def makespan_days(given: Inputs, layout: Layout, seed: int) -> Spread:
    """Return how long the ingest takes, from the first byte to the last acknowledgement."""
    rng = np.random.default_rng(seed)
    rates = np.array([layout.archives * stretch_rate(given, layout, rng) for _ in range(STRETCHES)])
    return Spread.of(_runs(given, layout, rates, rng) / 86_400)


def stretch_rate(given: Inputs, layout: Layout, rng: np.random.Generator) -> float:
    """Return bytes a second of one driver in the middle of its run, simulated file by file."""
    songs = rng.geometric(1 / given["songs"], STRETCH_OBJECTS)
    lengths = rng.choice(_lengths_ms(), songs.sum())
    sizes = lengths * (given["bytes"] / given["files"] / lengths.mean())
    work_s = sizes / given["hashing"] + lengths / 1000 / given["examining"] + given["worker_ms"] / 1000
    return _Stretch(given, layout, rng).run(songs, sizes, work_s)


class _Stretch:
    """One driver and its processors over some objects."""

    def __init__(self, given: Inputs, layout: Layout, rng: np.random.Generator) -> None:
        nodes = given["nodes"] / layout.archives
        cores = max(1, round(nodes * given["cores"]))
        self._given, self._latency_s = given, given[layout.latency_key]
        slow = np.where(rng.random(cores) < given["slow_share"], given["slow_factor"], 1.0)
        self._slowness = (slow * rng.lognormal(0, given["speed_spread"], cores)).tolist()
        self._link = min(given["uplink"], given["staging_speed"], given["nodes"] * given["node_network"]) / layout.archives
        self._window = IN_FLIGHT_PER_WORKER * cores

    def run(self, songs: NDArray[np.int64], sizes: F64, work_s: F64) -> float:
        """Return bytes a second after warming up."""
        given = self._given
        free = [(0.0, core) for core in range(len(self._slowness))]
        finish = np.zeros(len(sizes))
        handed, link_free = 0, 0.0

        def hand_out(now: float) -> None:
            nonlocal handed, link_free
            if handed < len(sizes):
                at, core = free[0]
                start = max(at, now)
                link_free = max(link_free, start) + sizes[handed] / self._link  # first come, first served
                here = max(link_free, start + sizes[handed] / given["source_connection"])
                finish[handed] = here + work_s[handed] * self._slowness[core]
                heapq.heapreplace(free, (finish[handed], core))
                handed += 1

        item_s, object_s = given["ray_item_ms"] / 1000, given["driver_object_ms"] / 1000
        file_s = item_s + given["driver_file_ms"] / 1000
        now = 0.0
        for _ in range(self._window):
            hand_out(now)
            now += item_s
        clerk, waiting, index, begun = 0.0, [0, 0, 0.0], 0, (0.0, 0.0)
        done_bytes = 0.0
        for number, count in enumerate(songs.tolist()):
            for _ in range(count):
                now = max(now, finish[index]) + file_s
                hand_out(now)
                waiting[1] += 1
                waiting[2] += sizes[index]
                index += 1
            now += object_s
            waiting[0] += 1
            if waiting[0] >= THINGS_AT_ONCE_MAX or waiting[2] >= BYTES_AT_ONCE_MAX or clerk <= now:
                now = max(now, clerk)
                clerk = now + self._settle_s(*waiting)
                done_bytes += waiting[2]
                waiting = [0, 0, 0.0]
            if number == int(WARM_UP * len(songs)):
                begun = (now, done_bytes)
        return (done_bytes - begun[1]) / (max(now, clerk) - begun[0])

    def _settle_s(self, objects: float, files: float, batch_bytes: float) -> float:
        """Return how long a batch takes to be durable on S3, recorded and told."""
        given, latency_s = self._given, self._latency_s
        at_once = given["puts_at_once"]
        blobs = files + DOCUMENTS_WITH_CONTENT * objects
        sending_s = max(batch_bytes / given["connection"] / at_once, batch_bytes / given["node_network"])
        content_s = -(-blobs // at_once) * latency_s + sending_s
        after_s = STEPS_AFTER * -(-objects // at_once) * latency_s
        work_s = (blobs + STEPS_AFTER * objects) * given["blob_ms"] / 1000
        recorded_s = objects / given["postgres_objects"] + latency_s  # the register, and the event log's segment
        return 2 * given["sync_s"] + max(content_s + after_s, work_s) + recorded_s


def _runs(given: Inputs, layout: Layout, rates: F64, rng: np.random.Generator) -> F64:
    """Return seconds of whole runs.

    A dead node slows what the nodes bound; a dead driver stops its archive until it is started again.
    """
    cores = given["nodes"] * given["cores"]
    by_nodes = given["bytes"] / given["files"] * cores / file_core_s(given)
    alone_s = given["bytes"] / rng.choice(rates, RUNS)
    deaths = rng.poisson(given["node_failures"] * given["nodes"] * alone_s / YEAR_S)
    lost_share = deaths * given["node_down_h"] * HOUR_S / (given["nodes"] * alone_s)
    seconds = np.maximum(alone_s, given["bytes"] / (by_nodes * (1 - np.minimum(lost_share, 0.5))))
    last: F64 = np.zeros(RUNS)
    for _ in range(layout.archives):
        stops = rng.poisson(given["node_failures"] * seconds / YEAR_S)
        last = np.maximum(last, stops * (given["driver_idle_h"] + given["command_h"] / 2) * HOUR_S)
    return seconds + last
