"""How many small objects are taken in: durable, beside the rate that is wanted; and unsynchronised, beside ocfl-py.

Run: `python -m bench.small_objects`. An object is one file of 10 kB, its metadata.json and its rights.json.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ocfl.object import Object  # type: ignore[import-untyped]
from ocfl.version_metadata import VersionMetadata  # type: ignore[import-untyped]

from bench.music import make_albums
from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, Stopwatch
from fonoteca.edges.disk_calls import SystemCalls, UnsyncedCalls
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.batches import Batches, Pace
from fonoteca.formats.objectjson import METADATA, RIGHTS
from fonoteca.ingest import stage_all
from fonoteca.model.corridor import Candidate, StagedVersion
from fonoteca.model.errors import FixityError
from fonoteca.model.rights import Admission, Policy
from fonoteca.model.settings import Settings
from fonoteca.rights import decide
from fonoteca.sources import SOURCES
from fonoteca.store import Commit
from fonoteca.wiring import Archive, acquire_rooms, create_archive, load_settings

COUNT, FILE_BYTES = 50_000, 10_000
ALONE_COUNT = 5_000
"""Objects of the comparison with ocfl-py: it slows with nothing, and takes its time."""

COUNT_VARIABLE = "FONOTECA_BENCH_OBJECTS"
RATE_GOAL = 1_000_000 / 3600
DURABLE_GOAL, ALONE_GOAL = Goal(1, of_ratio=True), Goal(3, of_ratio=True)


@dataclass(frozen=True, slots=True)
class Rates:
    """Objects a second. durable, unsynced: the whole acquire. stored: ingest and store alone, unsynced. ocflpy: the same files."""

    durable: float
    unsynced: float
    stored: float
    ocflpy: float


def figures(scratch: Path) -> list[Figure]:
    """Return the rates, and what synchronising costs."""
    rates = measure(scratch)
    name = f"{_count():,} objects of {FILE_BYTES / 1000:.0f} kB"
    waiting_ms = 1000 / rates.durable - 1000 / rates.unsynced
    ocflpy = Peer("ocfl-py's Object.create of the same three files", rates.ocflpy)
    return [
        Figure(f"acquire of {name}, durable", rates.durable, "objects/s", Peer("1 M an hour", RATE_GOAL), DURABLE_GOAL),
        Figure(f"ingest and store of {name}, unsynchronised", rates.stored, "objects/s", ocflpy, ALONE_GOAL),
        Figure(f"acquire of {name}, unsynchronised", rates.unsynced, "objects/s"),
        Figure("what synchronising costs a small object", waiting_ms, "ms", less_is_better=True),
    ]


def measure(scratch: Path) -> Rates:
    """Return the rates over the same source."""
    music = scratch / "music"
    make_albums(music, _count(), 1, FILE_BYTES)
    alone = min(_count(), ALONE_COUNT)
    durable = _acquired(scratch / "durable", music, synced=True)
    unsynced = _acquired(scratch / "unsynced", music, synced=False)
    stored = _stored(scratch / "stored", music, alone)
    ocflpy = _by_ocflpy(scratch, scratch / "stored" / "store", alone)
    return Rates(durable, unsynced, stored, ocflpy)


def _count() -> int:
    return int(os.environ.get(COUNT_VARIABLE, COUNT))


def _opened(folder: Path, *, synced: bool) -> Archive:
    """Return a new archive that is open for writing."""
    create_archive(folder, Settings("bench", "Bench"))
    archive = Archive(folder, load_settings(folder), None if synced else UnsyncedCalls(SystemCalls()))
    archive.begin_writing()
    return archive


def _acquired(folder: Path, music: Path, *, synced: bool) -> float:
    """Return objects a second of a whole acquire: decided, staged, stored, recorded and told of."""
    archive = _opened(folder, synced=synced)
    try:
        with Stopwatch() as watch:
            outcomes = list(acquire(acquire_rooms(archive, SILENT, later=True), "folder", str(music)))
        assert all(isinstance(each, Acquired) for each in outcomes), outcomes[:3]
        return len(outcomes) / watch.seconds
    finally:
        archive.close()


def _stored(folder: Path, music: Path, count: int) -> float:
    """Return objects a second of ingest and store alone, from candidates to objects in the store, batched as acquire does it."""
    archive = _opened(folder, synced=False)
    try:
        rooms = acquire_rooms(archive, SILENT, later=True)
        admitted: list[tuple[Candidate, Admission]] = []
        for candidate in SOURCES["folder"].candidates(str(music), rooms.sources):
            decision = decide(candidate, Policy(), archive.clock.now())
            assert isinstance(decision, Admission), decision
            admitted.append((candidate, decision))
            if len(admitted) == count:
                break

        def store(batch: list[StagedVersion]) -> list[Commit | FixityError]:
            return archive.store.commit_many([(staged, ("",)) for staged in batch])

        commits: list[Commit | FixityError] = []
        with Stopwatch() as watch, Batches(Pace(), store) as batches:
            for staged in stage_all(admitted, rooms.ingest):
                assert isinstance(staged, StagedVersion), staged
                commits += batches.put(staged, FILE_BYTES)
            commits += batches.rest()
        assert all(isinstance(commit, Commit) and commit.made for commit in commits), commits[:3]
        return len(commits) / watch.seconds
    finally:
        archive.close()


def _by_ocflpy(scratch: Path, root: Path, count: int) -> float:
    """Return how many objects with the very same three files ocfl-py makes in a second, with sha256 as ours."""
    sources, target = scratch / "sources", scratch / "ocflpy"
    target.mkdir()
    for number, place in enumerate(sorted(root.glob("*/*/*/*/v1/content"))[:count]):
        if (place / METADATA).exists() and (place / RIGHTS).exists():
            shutil.copytree(place, sources / f"{number:06d}")
    folders = sorted(sources.iterdir())
    with Stopwatch() as watch:
        for folder in folders:
            made = Object(identifier=f"bench:{folder.name}", digest_algorithm="sha256")
            made.create(srcdir=str(folder), metadata=VersionMetadata(message="bench"), objdir=str(target / folder.name))
    return len(folders) / watch.seconds


if __name__ == "__main__":
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-", dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        found = measure(Path(temporary))
        print(json.dumps({name: getattr(found, name) for name in Rates.__dataclass_fields__}, indent=1))
