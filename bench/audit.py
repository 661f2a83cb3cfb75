"""How fast an audit proves what is held: large files beside `openssl` and the disk, small objects beside ocfl-py's validation.

Each figure is a ratio in one run on the same files. The store is made without waiting for the disk: only reading is measured.
"""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import ocfl  # type: ignore[import-untyped]

from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, NotMeasurableError, Stopwatch
from fonoteca.edges.disk_calls import SystemCalls, UnsyncedCalls
from fonoteca.flows.audit import Audited, audit
from fonoteca.formats.hashing import hash_bytes
from fonoteca.model.audio import AudioProbe, Loudness, Tags
from fonoteca.model.corridor import Candidate, CandidateFile, StagedFile, StagedVersion
from fonoteca.model.ids import ItemKey, LogicalPath
from fonoteca.model.rights import Evidence, Kind, Policy, RightsRecord, Scheme, SharingAdmission
from fonoteca.model.settings import PIECE_BYTES_DEFAULT, Settings
from fonoteca.register import Description
from fonoteca.rights import decide
from fonoteca.store import Commit
from fonoteca.wiring import Archive, audit_rooms, create_archive, load_settings, open_archive

LARGE_COUNT, LARGE_BYTES = 512, 16 << 20
SMALL_COUNT, SMALL_BYTES = 50_000, 10_000
OBJECTS_AT_ONCE = 100
SMALL_VARIABLE, LARGE_VARIABLE = "FONOTECA_BENCH_OBJECTS", "FONOTECA_BENCH_LARGE"
"""Environment variables that give other counts, for runs that are only to see whether it works."""

LARGE_GOAL, SMALL_GOAL = Goal(0.9, of_ratio=True), Goal(5, of_ratio=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_LICENCE = "https://creativecommons.org/licenses/by/4.0/"
_PROBE = AudioProbe("ogg", "vorbis", 1000, 44_100, 2, 128_000, Loudness(-14.5, None, -0.25), lossless=False)
_READ_ALL = """
import mmap, os, sys
buffer = mmap.mmap(-1, 1 << 20)
for path in sys.stdin.read().split("\\n"):
    descriptor = os.open(path, os.O_RDONLY | int(sys.argv[1]))
    while os.readv(descriptor, [buffer]) == 1 << 20: pass
    os.close(descriptor)
"""


def figures(scratch: Path) -> list[Figure]:
    """Return how fast large files and small objects are audited."""
    return [*_large(scratch / "large"), *_small(scratch / "small")]


def _large(folder: Path) -> list[Figure]:
    """Return the speed of an audit of large files, cold, beside the lesser of OpenSSL on all cores and of the disk.

    The disk's is that of a process for each core that only reads: through the page cache or past it, whichever is the faster.
    """
    count = int(os.environ.get(LARGE_VARIABLE, LARGE_COUNT))
    hold(folder, count, LARGE_BYTES)
    paths = sorted((folder / "store").rglob("*.ogg"))
    total_mb = sum(path.stat().st_size for path in paths) / 1e6
    _audited(folder)  # the first run of anything pays for what the others find
    evict(paths)
    audit_s, audited = _audited(folder)
    assert audited.file_count > count, audited
    disk = 0.0
    for flags in (0, os.O_DIRECT):
        evict(paths)
        disk = max(disk, total_mb / _side_by_side([sys.executable, "-c", _READ_ALL, str(flags)], paths, by_stdin=True))
    for path in paths:
        path.read_bytes()
    openssl = total_mb / _side_by_side(["openssl", "dgst", "-sha256"], paths)
    lesser = Peer("a reader for each core that only reads" if disk < openssl else "openssl sha256, all cores", min(disk, openssl))
    name = f"audit of {count} files of {LARGE_BYTES >> 20} MiB"
    return [
        Figure(f"{name}, from disk, beside the lesser of openssl and the disk", total_mb / audit_s, "MB/s", lesser, LARGE_GOAL),
        Figure("openssl sha256 of them in memory, all cores", openssl, "MB/s"),
    ]


def _small(folder: Path) -> list[Figure]:
    """Return how many small objects an audit proves a second, beside ocfl-py's validation of the same storage root."""
    count = int(os.environ.get(SMALL_VARIABLE, SMALL_COUNT))
    hold(folder, count, SMALL_BYTES)
    audit_s, audited = _audited(folder)
    assert audited.file_count == 5 * count, audited
    again_s, _ = _audited(folder)
    logging.getLogger("ocfl").setLevel(logging.ERROR)
    root = ocfl.StorageRoot(root=str(folder / "store"))
    with Stopwatch() as validating:
        sound = root.validate(log_warnings=False, log_errors=False)
    assert sound, root.errors
    peer = Peer("ocfl-py's validation", count / validating.seconds)
    name = f"audit of {count:,} objects of {SMALL_BYTES / 1000:.0f} kB"
    return [
        Figure(f"{name}, the first", count / audit_s, "objects/s", peer, SMALL_GOAL),
        Figure(f"{name}, again", count / again_s, "objects/s", peer, SMALL_GOAL),
    ]


def _audited(folder: Path) -> tuple[float, Audited]:
    """Return what a whole audit takes, in processes of its own, and what it found. The archive is opened before."""
    with open_archive(folder, writing=True) as archive:
        rooms = audit_rooms(archive, SILENT)
        with Stopwatch() as watch:
            audited = audit(rooms)
    assert audited.sound, audited.damages[:3]
    return watch.seconds, audited


def evict(paths: Sequence[Path]) -> None:
    """Have the system forget what it holds of these files in memory."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # what is not on disk yet cannot be forgotten
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _side_by_side(command: Sequence[str], paths: Sequence[Path], *, by_stdin: bool = False) -> float:
    """Return the seconds that a command takes for all paths, a process for each core with its share of them."""
    cores = os.cpu_count() or 1
    shares = [[str(path) for path in paths[number::cores]] for number in range(cores)]
    with Stopwatch() as watch:
        running = []
        for share in shares:
            words = list(command) if by_stdin else [*command, *share]
            try:
                process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            except FileNotFoundError as error:
                raise NotMeasurableError(f"{command[0]} is not installed: {error}") from error
            assert process.stdin is not None
            process.stdin.write("\n".join(share) if by_stdin else "")
            process.stdin.close()
            running.append(process)
        for process in running:
            assert process.wait() == 0, command
    return watch.seconds


def hold(folder: Path, count: int, file_bytes: int) -> None:
    """Make an archive that holds so many objects of one file of made-up bytes, each with its metadata and rights."""
    create_archive(folder, Settings("bench", "Bench"))
    archive = Archive(folder, load_settings(folder), UnsyncedCalls(SystemCalls()))
    try:
        archive.begin_writing()
        dice = random.Random(count)
        rights: RightsRecord | None = None
        for start in range(0, count, OBJECTS_AT_ONCE):
            numbers = range(start, min(count, start + OBJECTS_AT_ONCE))
            staged = [(_staged(archive, number, dice.randbytes(file_bytes)), ("",)) for number in numbers]
            committed = archive.store.commit_many(staged)
            stored = [each.version for each in committed if isinstance(each, Commit)]
            assert len(stored) == len(staged), committed
            rights = rights or archive.store.rights(stored[0].object_id)
            described = Description("made up", "bench", "")
            archive.register.record_many((v, replace(rights, item=ItemKey(v.object_id.key)), described) for v in stored)
    finally:
        archive.close()


def _staged(archive: Archive, number: int, content: bytes) -> StagedVersion:
    """Return an item of one file, staged under a licence that admits it."""
    item = ItemKey(f"bench:{number:06d}")
    path = LogicalPath("01 made up.ogg")
    evidence = (Evidence(Scheme.LICENCE_URI, _LICENCE, "bench", "bench", NOW, b""),)
    offered = (CandidateFile(path, len(content), lambda: BytesIO(content)),)
    candidate = Candidate(item, Kind.AUDIO, "made up", "bench", "bench", offered, evidence, attribution="bench")
    admission = decide(candidate, Policy(), NOW)
    assert isinstance(admission, SharingAdmission), admission
    folder = archive.staging.folder(f"ingest-{number}")
    with archive.staging.writer(folder / "01.ogg") as target:
        target.write(content)
    file = StagedFile(path, folder / "01.ogg", hash_bytes(content, PIECE_BYTES_DEFAULT), "audio/ogg", _PROBE, Tags(title="made up"))
    return StagedVersion(candidate, admission, folder, (file,), ())
