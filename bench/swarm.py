"""How fast a mirror fetches over loopback: two sessions, real files read and written, everything flushed at the end.

(a) 2,000 files of about 1 MB; (b) 150 files of 1 to 8 MB; (c) 20,000 files of 50 kB. Each beside libtorrent alone, as well tuned
as we could (`bench.plain_swarm`), in turns: ours against a plain pair of which the seed proves pieces before it sends them, as
ours does; and our mirror alone, with the same plain seed that proves nothing as the plain mirror has. `python -m bench swarm`
prints the figures; FONOTECA_BENCH_SWARM=0.05 makes all of it so much smaller, to see whether it works.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.report import Figure, Goal, Peer
from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce, hybrid_torrent
from fonoteca.model.corridor import MemberFile

PIECE_BYTES = 262_144
TARGET_MB_PER_S = 150
_NAMES = {"many_files": "loopback mirror, 2,000 files of about 1 MB", "large_files": "loopback mirror, 150 files of 1 to 8 MB"}


def write_root(root: Path, sizes: list[int]) -> bytes:
    """Return the torrent of files of these sizes, written below `root` in a layout like the store's."""
    source = random.Random(1)
    members = []
    for index, size in enumerate(sizes):
        content = source.randbytes(size)
        path = f"{index % 64:03x}/{index % 61:03x}/o{index:05d}/v1/content/track.ogg"
        (root / path).parent.mkdir(parents=True)
        (root / path).write_bytes(content)
        members.append(MemberFile(path, hash_bytes(content, PIECE_BYTES)))
    return hybrid_torrent("bench", members, PIECE_BYTES, Announce()).content


def mirror(folder: Path, sizes: list[int]) -> dict[str, float]:
    """Return what one mirror of files of these sizes took, and for comparison a plain copy of them."""
    torrent = write_root(folder / "root", sizes)
    with LibtorrentSwarm() as seeder, LibtorrentSwarm() as fetcher:
        seeder.seed(torrent, folder / "root")
        start = time.perf_counter()
        fetcher.fetch(torrent, folder / "copy", [seeder.address], lambda _: None)
        seconds = time.perf_counter() - start
    for path in (folder / "root").rglob("*.ogg"):
        assert path.read_bytes() == (folder / "copy" / path.relative_to(folder / "root")).read_bytes()
    shutil.rmtree(folder / "copy")
    start = time.perf_counter()
    shutil.copytree(folder / "root", folder / "copy")
    copying_s = time.perf_counter() - start
    speeds = {"mb_per_s": sum(sizes) / seconds / 1e6, "copying_mb_per_s": sum(sizes) / copying_s / 1e6}
    return {"files": len(sizes), "bytes": sum(sizes), "seconds": seconds} | speeds


def measure(place: Path | None = None, many: int = 2000, large: int = 150) -> dict[str, dict[str, float]]:
    """Return files, bytes, seconds and MB/s of the mirrors (a) and (b). place: on the disk to measure; needs 5 GB."""
    sizes = random.Random(2)
    cases = {
        "many_files": [sizes.randint(500_000, 1_500_000) for _ in range(many)],
        "large_files": [sizes.randint(1_000_000, 8_000_000) for _ in range(large)],
    }
    figures = {}
    for name, case in cases.items():
        folder = Path(tempfile.mkdtemp(prefix="fonoteca-bench-", dir=place))
        try:
            figures[name] = mirror(folder, case)
        finally:
            shutil.rmtree(folder)
    return figures


def figures(scratch: Path) -> list[Figure]:
    """Return the speed of both mirrors beside that of copying the same files, which is as fast as this disk goes."""
    return [
        Figure(
            _NAMES[name],
            found["mb_per_s"],
            "MB/s",
            Peer("copying the files", found["copying_mb_per_s"]),
            Goal(TARGET_MB_PER_S),
        )
        for name, found in measure(scratch).items()
    ]


if __name__ == "__main__":
    found = measure(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    print(json.dumps(found, indent=2))
    sys.exit(any(each["mb_per_s"] < TARGET_MB_PER_S for each in found.values()))
