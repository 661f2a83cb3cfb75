"""An acquire whose files two Ray nodes take, beside the same on this machine's own processes: the same files, as many processors.

Run: `python -m bench ray`. Both nodes are on this machine, so what differs is what Ray costs: handing out, answers, and files that
appear in staging under their names only when they are flushed.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from bench.music import make_albums
from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, NotMeasurableError, Stopwatch
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.model.settings import RAY, RaySettings, Settings
from fonoteca.testing.cluster import ray_cluster
from fonoteca.wiring import acquire_rooms, create_archive, open_archive

ALBUMS, TRACKS, FILE_BYTES = 100, 10, 1_000_000
ROUNDS = 2
GOAL = Goal(0.5, of_ratio=True)
NODES = (1, 1)
"""Processors of the head, and of the other node."""


def figures(scratch: Path) -> list[Figure]:
    """Return MB/s by two Ray nodes, beside the same by two processes, and what an item costs more."""
    music, warm = scratch / "music", scratch / "warm"
    files = len(make_albums(music, ALBUMS, TRACKS, FILE_BYTES))
    make_albums(warm, 1, 2, FILE_BYTES)
    rights = warm / "00000/rights.toml"
    rights.write_text(rights.read_text().replace('"bench-0"', '"warm"'))
    try:
        with ray_cluster(NODES) as cluster:
            os.environ.update(cluster.environment)
            here, there = (
                Settings("bench", "Bench", workers=sum(NODES)),
                Settings("bench", "Bench", workers=RAY, ray=RaySettings(cluster.address)),
            )
            rounds = [
                (_acquired(scratch / "archive", here, (warm, music)), _acquired(scratch / "archive", there, (warm, music)))
                for _ in range(ROUNDS)
            ]
    except RuntimeError as error:
        raise NotMeasurableError(str(error)) from error
    total_mb = files * FILE_BYTES / 1e6
    name = f"acquire without decoding, {files:,} files, {total_mb / 1000:.1f} GB, two Ray nodes"
    own_s, ray_s = (min(each[place][0] for each in rounds) for place in (0, 1))
    own_driver_s, ray_driver_s = (min(each[place][1] for each in rounds) for place in (0, 1))
    peer = Peer("two processes of one machine", total_mb / own_s)
    more = "what Ray costs a file"
    return [
        Figure(name, total_mb / ray_s, "MB/s", peer, GOAL),
        Figure(f"{more}, from end to end", 1000 * (ray_s - own_s) / files, "ms", less_is_better=True),
        Figure(f"{more}, processor of the driver", 1000 * (ray_driver_s - own_driver_s) / files, "ms", less_is_better=True),
    ]


def _acquired(folder: Path, settings: Settings, sources: tuple[Path, Path]) -> tuple[float, float]:
    """Return seconds to acquire the second source, and those of this process's processors; the first one starts workers."""
    warm, music = sources
    create_archive(folder, settings)
    with open_archive(folder, writing=True) as archive:
        rooms = acquire_rooms(archive, SILENT, later=True)
        list(acquire(rooms, "folder", str(warm)))
        used = time.process_time()
        with Stopwatch() as watch:
            outcomes = list(acquire(rooms, "folder", str(music)))
        used = time.process_time() - used
    assert all(isinstance(each, Acquired) for each in outcomes), outcomes[:3]
    shutil.rmtree(folder)
    os.sync()
    return watch.seconds, used
