"""How much faster a drop is cut from stored hashes than libtorrent hashes its files: 2,000 files, 2 GB, one run.

Run: `python -m bench.cutting`. The files are real bytes on disk, in the page cache when libtorrent reads them.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import libtorrent

from bench.report import Figure, Goal, Peer
from fonoteca.editions import cut, member_list, plan_drops
from fonoteca.formats.hashing import FileHasher
from fonoteca.formats.metainfo import Announce
from fonoteca.formats.ocfl import object_path
from fonoteca.model.corridor import Candidate, CandidateFile, MemberFile, Shareable, StoredVersion
from fonoteca.model.ids import ItemKey, LogicalPath, ObjectId
from fonoteca.model.rights import Evidence, Kind, Policy, Scheme, SharingAdmission
from fonoteca.model.settings import PIECE_BYTES_DEFAULT, EditionSettings
from fonoteca.rights import decide

OBJECTS = 250
TRACKS = 6
TRACK_BYTES = 1_333_000
SIDECARS = {"inventory.json": 4_000, "inventory.json.sha256": 80}
ROUNDS = 5
ROOT = "bench"
GOAL = Goal(50, of_ratio=True)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def admission(item: str) -> SharingAdmission:
    """Return what the gate says of an item under CC BY."""
    evidence = Evidence(Scheme.LICENCE_URI, "https://creativecommons.org/licenses/by/4.0/", "https://example.org/", "bench", NOW)
    offer = CandidateFile(LogicalPath("x"), 1, lambda: BytesIO(b"x"))
    candidate = Candidate(ItemKey(item), Kind.AUDIO, "x", "x", "https://example.org/", (offer,), (evidence,), "x")
    decision = decide(candidate, Policy(), NOW)
    assert isinstance(decision, SharingAdmission)
    return decision


def _versions(root: Path) -> Iterator[StoredVersion]:
    """Yield objects of six tracks and two sidecars, written below `root` and hashed: what ingest and store leave behind."""
    pool = random.Random(52).randbytes(2 * TRACK_BYTES)
    for number in range(OBJECTS):
        object_id = ObjectId.of("audio", f"bench:{number:04d}")
        home = object_path(object_id)
        lengths = {f"content/{track:02d}-track.ogg": TRACK_BYTES + 97 * track for track in range(TRACKS)} | SIDECARS
        members = []
        for index, (name, file_bytes) in enumerate(sorted(lengths.items())):
            start = (number * 8 + index) * 641 % TRACK_BYTES
            content = sha256(f"{number}/{name}".encode()).digest() + pool[start : start + file_bytes - 32]
            target = root / home / "v1" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            hasher = FileHasher(PIECE_BYTES_DEFAULT)
            hasher.update(content)
            members.append(MemberFile(f"{home}/v1/{name}", hasher.finish()))
        yield StoredVersion(object_id, 1, NOW, home, tuple(members), ())


def _cut(shareables: list[Shareable]) -> tuple[float, bytes, str]:
    """Return seconds to plan, list and cut the drop, its torrent and its v2 infohash."""
    started = time.perf_counter()
    (plan,) = plan_drops(shareables, {}, EditionSettings())
    member_list(plan)
    drop = cut(plan, ROOT, PIECE_BYTES_DEFAULT, Announce(), NOW)
    return time.perf_counter() - started, drop.torrent, drop.drop.infohash_v2


def _libtorrent(folder: Path, versions: list[StoredVersion]) -> tuple[float, str]:
    """Return seconds that libtorrent takes to hash the files and make a hybrid of them, and its v2 infohash."""
    paths = sorted((member.path.split("/"), member) for version in versions for member in version.members)
    entries = [libtorrent.create_file_entry(f"{ROOT}/{m.path}", m.hashes.file_bytes) for _, m in paths]
    flags = int(libtorrent.create_torrent.canonical_files_no_tail_padding)
    started = time.perf_counter()
    creator = libtorrent.create_torrent(entries, PIECE_BYTES_DEFAULT, flags)
    libtorrent.set_piece_hashes(creator, str(folder))
    info = libtorrent.bencode(creator.generate()[b"info"])
    return time.perf_counter() - started, sha256(info).hexdigest()


def measure(place: Path | None = None) -> dict[str, float]:
    """Return the ratio and both times in seconds: our best of five, since it is short, and libtorrent's best of two.

    place: a folder with 2 GB of room, the machine's own for temporary files unless given.
    """
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-", dir=place) as folder:
        versions = list(_versions(Path(folder) / ROOT))
        offers = ((version, admission(version.object_id.key)) for version in versions)
        shareables = [Shareable(*offer, 1 / (index + 2) / 10) for index, offer in enumerate(offers)]
        cuts = [_cut(shareables) for _ in range(ROUNDS)]
        theirs = [_libtorrent(Path(folder), versions) for _ in range(2)]
    ours_s, torrent, infohash = min(cuts)
    theirs_s, their_infohash = min(theirs)
    assert infohash == their_infohash, "both must have made the same torrent"
    return {
        "cutting_ratio": theirs_s / ours_s,
        "cutting_ratio_target": GOAL.limit,
        "cutting_s": ours_s,
        "libtorrent_hashing_s": theirs_s,
        "cutting_files": sum(len(version.members) for version in versions),
        "cutting_gb": sum(version.version_bytes for version in versions) / 1e9,
        "cutting_torrent_bytes": len(torrent),
    }


def figures(scratch: Path) -> list[Figure]:
    """Return the time to cut a drop beside that of libtorrent's own hashing."""
    found = measure(scratch)
    name = f"cutting a torrent of {found['cutting_files']:,} files, {found['cutting_gb']:.1f} GB"
    peer = Peer("libtorrent hashing them, files in memory", found["libtorrent_hashing_s"])
    return [Figure(name, found["cutting_s"], "s", peer, GOAL, less_is_better=True)]


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
