"""How fast a mirror fetches over loopback: two sessions, real files read and written, everything flushed at the end.

(a) 2,000 files of about 1 MB; (b) 150 files of 1 to 8 MB; (c) 20,000 files of 50 kB. Each beside libtorrent alone, as well tuned
as we could (`bench.plain_swarm`), in turns: ours against a plain pair of which the seed proves pieces before it sends them, as
ours does; and our mirror alone, with the same plain seed that proves nothing as the plain mirror has. `python -m bench swarm`
prints the figures; FONOTECA_BENCH_SWARM=0.05 makes all of it so much smaller, to see whether it works.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from bench.plain_swarm import fetch_plainly, plain_seed
from bench.report import Figure, Goal, Peer
from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce, hybrid_torrent
from fonoteca.model.corridor import MemberFile

PIECE_BYTES = 262_144
TARGET_MB_PER_S = 150
RATIO_GOAL = Goal(0.8, of_ratio=True)
TURNS = 3
"""Of each kind, one after the other: a machine is never as quiet for one as for the other."""

SHARE_VARIABLE = "FONOTECA_BENCH_SWARM"
_NAMES = {
    "many_files": "loopback mirror, 2,000 files of about 1 MB",
    "large_files": "loopback mirror, 150 files of 1 to 8 MB",
    "small_files": "loopback mirror, 20,000 files of 50 kB",
}
_OURS, _PROVING, _MIRROR, _PLAIN, _COPY = "ours", "plain, proving", "our mirror", "plain", "copying"


def write_root(root: Path, sizes: list[int]) -> bytes:
    """Return the torrent of files of these sizes, written below `root` in a layout like the store's; `root` is named for it."""
    dice = random.Random(1)
    members = []
    for index, size in enumerate(sizes):
        content = dice.randbytes(size)
        path = f"{index % 64:03x}/{index % 61:03x}/o{index:05d}/v1/content/track.ogg"
        (root / path).parent.mkdir(parents=True)
        (root / path).write_bytes(content)
        members.append(MemberFile(path, hash_bytes(content, PIECE_BYTES)))
    return hybrid_torrent(root.name, members, PIECE_BYTES, Announce()).content


def measure(place: Path | None = None) -> dict[str, dict[str, float]]:
    """Return the MB/s of each kind for each case. place: on the disk to measure; needs 5 GB."""
    share = float(os.environ.get(SHARE_VARIABLE, "1"))
    dice = random.Random(2)
    cases = {
        "many_files": [dice.randint(500_000, 1_500_000) for _ in range(int(2000 * share))],
        "large_files": [dice.randint(1_000_000, 8_000_000) for _ in range(int(150 * share))],
        "small_files": [50_000] * int(20_000 * share),
    }
    return {name: _mirrored(sizes, place) for name, sizes in cases.items()}


def _mirrored(sizes: list[int], place: Path | None) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="fonoteca-bench-", dir=place))
    root, copy = folder / "bench", folder / "copy"
    try:
        torrent = write_root(root, sizes)
        kinds: Mapping[str, Callable[[], float]] = {
            _PLAIN: lambda: _plain(torrent, folder, copy, proving=False),
            _MIRROR: lambda: _our_mirror(torrent, folder, copy),
            _PROVING: lambda: _plain(torrent, folder, copy, proving=True),
            _OURS: lambda: _ours(torrent, root, copy),
            _COPY: lambda: _copied(root, copy),
        }
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(TURNS):
            for kind, run in kinds.items():
                seconds[kind].append(run())
                _check(root, copy / "bench" if (copy / "bench").is_dir() else copy)
                shutil.rmtree(copy)
        return {kind: sum(sizes) / median(each) / 1e6 for kind, each in seconds.items()}
    finally:
        shutil.rmtree(folder)


def _ours(torrent: bytes, root: Path, copy: Path) -> float:
    with LibtorrentSwarm() as seeder, LibtorrentSwarm() as mirror:
        seeder.seed(torrent, root)
        start = time.perf_counter()
        mirror.fetch(torrent, copy, [seeder.address], lambda _: None)
        return time.perf_counter() - start


def _our_mirror(torrent: bytes, folder: Path, copy: Path) -> float:
    with plain_seed(torrent, folder) as peer, LibtorrentSwarm() as mirror:
        start = time.perf_counter()
        mirror.fetch(torrent, copy, [peer], lambda _: None)
        return time.perf_counter() - start


def _plain(torrent: bytes, folder: Path, copy: Path, *, proving: bool) -> float:
    with plain_seed(torrent, folder, proving=proving) as peer:
        return fetch_plainly(torrent, copy, peer)


def _copied(root: Path, copy: Path) -> float:
    start = time.perf_counter()
    shutil.copytree(root, copy)
    return time.perf_counter() - start


def _check(root: Path, copy: Path) -> None:
    """Hold that every byte arrived."""
    for path in root.rglob("*.ogg"):
        assert path.read_bytes() == (copy / path.relative_to(root)).read_bytes(), path


def figures(scratch: Path) -> list[Figure]:
    """Return the speed of each mirror, beside a copy of the same files and beside libtorrent alone."""
    found = measure(scratch)
    made = []
    for case, name in _NAMES.items():
        speeds = found[case]
        if case != "small_files":
            copying = Peer("copying the files", speeds[_COPY])
            made.append(Figure(name, speeds[_OURS], "MB/s", copying, Goal(TARGET_MB_PER_S)))
        proving = Peer("libtorrent alone, its seed proving too", speeds[_PROVING])
        made.append(Figure(f"{name}, both ends", speeds[_OURS], "MB/s", proving, RATIO_GOAL))
        plain = Peer("libtorrent alone, from the same seed", speeds[_PLAIN])
        made.append(Figure(f"{name}, from a seed that proves nothing", speeds[_MIRROR], "MB/s", plain, RATIO_GOAL))
    return made


if __name__ == "__main__":
    speeds = measure(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    print(json.dumps(speeds, indent=2))
