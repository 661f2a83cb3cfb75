"""How fast blobs go to SeaweedFS and come back, beside obstore alone: the same server, sizes and concurrency, turn by turn.

`python -m bench s3`. Each size is put and got by both in turns, and the best turn of each counts: what the server and its disk
do in between is neither's.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import obstore
from obstore.store import S3Store

from bench.report import Figure, Goal, Peer
from bench.stopwatch import NotMeasurableError, Stopwatch
from fonoteca.edges.disk import DiskStaging
from fonoteca.edges.s3 import S3Blobs, S3Keys, S3Place, open_s3
from fonoteca.model.errors import UsageError
from fonoteca.testing.seaweed import KEY_ID, SECRET, Seaweed, seaweed

AT_ONCE = 16
TARGET_RATIO = 0.7
_BUCKET = "bench"
_TURNS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """Blobs of one size. count: in one turn."""

    name: str
    blob_bytes: int
    count: int


CASES = (Case("10 kB", 10_000, 2000), Case("1 MB", 1_000_000, 200), Case("32 MB", 32_000_000, 16))


def figures(scratch: Path, cases: tuple[Case, ...] = CASES) -> list[Figure]:
    """Return MB/s in and out for each size, ours and obstore's, and how many small objects a second are adopted."""
    try:
        with seaweed(scratch / "seaweed") as server:
            server.make_bucket(_BUCKET)
            found = [figure for case in cases for figure in _measure(server, case)]
            return [*found, _adoption(server, scratch)]
    except UsageError as error:
        raise NotMeasurableError(str(error)) from error


def _measure(server: Seaweed, case: Case) -> list[Figure]:
    """Return the figures of one size."""
    blobs = open_s3(S3Place(_BUCKET, "ours", server.endpoint), S3Keys(KEY_ID, SECRET))
    store = S3Store(
        _BUCKET,
        prefix="theirs",
        endpoint=server.endpoint,
        region="us-east-1",
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
        client_options={"allow_http": True, "timeout": timedelta(seconds=120)},
    )
    contents = [Random(number).randbytes(case.blob_bytes) for number in range(4)]
    names = [f"{case.blob_bytes}/{number}" for number in range(case.count)]

    def turn_by_turn(ours: Callable[[str, int], object], theirs: Callable[[str, int], object]) -> tuple[float, float]:
        """Return the best MB/s of each. What they are given: the number of the turn, and of the blob in it."""
        best = [0.0, 0.0]
        for turn in range(_TURNS):
            for which, deed in enumerate((ours, theirs) if turn % 2 else (theirs, ours)):
                place = which if turn % 2 else 1 - which
                best[place] = max(best[place], _speed(case, lambda n, deed=deed, turn=turn: deed(f"{turn}/{names[n]}", n)))
        return best[0], best[1]

    in_ours, in_theirs = turn_by_turn(
        lambda key, n: blobs.write(key, contents[n % 4]), lambda key, n: obstore.put(store, key, contents[n % 4])
    )
    out_ours, out_theirs = turn_by_turn(
        lambda key, n: _checked(blobs.read(key), case), lambda key, n: _checked(obstore.get(store, key).bytes().to_bytes(), case)
    )
    blobs.close()
    goal = Goal(TARGET_RATIO, of_ratio=True)
    peers = [Peer("obstore alone", value) for value in (in_theirs, out_theirs)]
    name = f"SeaweedFS, {AT_ONCE} at once, blobs of {case.name}"
    return [
        Figure(f"{name}: put", in_ours, "MB/s", peers[0], goal),
        Figure(f"{name}: get", out_ours, "MB/s", peers[1], goal),
    ]


def _speed(case: Case, deed: Callable[[int], object]) -> float:
    """Return MB/s of doing something to each blob of a case, many at once."""
    with ThreadPoolExecutor(AT_ONCE) as threads, Stopwatch() as watch:
        list(threads.map(deed, range(case.count)))
    return case.count * case.blob_bytes / watch.seconds / 1e6


def _checked(content: bytes, case: Case) -> None:
    assert len(content) == case.blob_bytes


def _adoption(server: Seaweed, scratch: Path, count: int = 200) -> Figure:
    """Return how many objects of one 10 kB file a second go up, durable, a hundred at one point: seven blobs each, in order."""
    blobs: S3Blobs = open_s3(S3Place(_BUCKET, "objects", server.endpoint), S3Keys(KEY_ID, SECRET))
    staging = DiskStaging(scratch / "staging").unsynced
    content = Random(9).randbytes(10_000)
    parts = {"v1/content/01.ogg": content, "v1/content/metadata.json": content[:2000], "0=ocfl_object_1.1": b"ocfl_object_1.1\n"}
    parts |= {f"{folder}inventory.json{end}": content[:900] for folder in ("", "v1/") for end in ("", ".sha256")}
    trees = []
    for number in range(count):
        folder = staging.folder(f"object-{number}")
        for name, part in parts.items():
            with staging.writer(folder / name) as target:
                target.write(part)
        trees.append((folder, f"{number:03x}/object"))
    with Stopwatch() as watch:
        for start in range(0, count, 100):
            blobs.adopt_all(trees[start : start + 100])
    blobs.close()
    return Figure("SeaweedFS: objects of seven small blobs adopted", count / watch.seconds, "objects/s")
