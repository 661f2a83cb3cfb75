"""The register at scale, on SQLite and PostgreSQL: synthetic versions recorded as the flows do it, then looked up at random.

`BENCH_REGISTER_FILES=10000000 python -m bench register` measures at the size that is promised: 16 GB of disk, an hour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import quantiles

from bench.report import Figure, Goal, Peer
from bench.stopwatch import NotMeasurableError, Stopwatch
from fonoteca.model.audio import AudioProbe, Loudness, Tags
from fonoteca.model.corridor import MemberFile, StoredFile, StoredVersion
from fonoteca.model.errors import StoreError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, ItemKey, LogicalPath, ObjectId, Sha256
from fonoteca.model.rights import Act, Kind, RightsRecord
from fonoteca.register import Check, Description, Register
from fonoteca.testing.postgres import DURABLE, Cluster, postgres_cluster, postgres_programs

FILES_DEFAULT = 700_000
SONGS, DOCUMENTS = 4, ("content/metadata.json", "inventory.json", "inventory.json.sha256")
MEMBERS = SONGS + len(DOCUMENTS)
BATCH = 500
"""Versions of one transaction."""

PARTS = 10
CHECKED = 2_000
"""Files that have been checked, of the 10 M: the rest waits."""

LOOKUPS, COLD_LOOKUPS = 2_000, 300
PIECE_BYTES = 262_144
LOOKUP_MS, SLOWER_AT_MOST, OBJECTS_PER_S = 5.0, 1.5, 2_000.0
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PROBE = AudioProbe("ogg", "vorbis", 200_000, 44_100, 2, 160_000, Loudness(-14.2, 5.5, -0.1), False)

SERVER: Mapping[str, str] = {
    **DURABLE,
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
}
"""As docs/many-machines.md advises, on a machine of this size."""

Recorded = tuple[StoredVersion, RightsRecord, Description]


@dataclass(frozen=True, slots=True)
class Known:
    """What some file can be looked up by."""

    object_id: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """How recording went. seconds: of each tenth of the files, in order."""

    seconds: tuple[float, ...]
    objects: int
    known: tuple[Known, ...]

    @property
    def objects_per_s(self) -> float:
        """Over the whole load."""
        return self.objects / sum(self.seconds)


def figures(folder: Path) -> list[Figure]:
    """Return rates, slowing, look-ups and disk use on both engines."""
    files = int(os.environ.get("BENCH_REGISTER_FILES", FILES_DEFAULT))
    objects = max(PARTS * BATCH, files // MEMBERS // (PARTS * BATCH) * PARTS * BATCH)
    try:
        postgres_programs()
    except StoreError as error:
        raise NotMeasurableError(str(error)) from None
    found = _of_sqlite(folder, objects)
    for each in (folder, folder.parent):
        each.chmod(0o711)  # the server may not run as root, and has to reach its files
    with postgres_cluster(SERVER, folder) as cluster:
        return found + _of_postgresql(cluster, objects)


def _of_sqlite(folder: Path, objects: int) -> list[Figure]:
    path = folder / "register.sqlite"
    loaded = _load(str(path), objects)
    disk_bytes = path.stat().st_size
    _forget(folder)
    found = _told("SQLite", str(path), loaded, disk_bytes)
    path.unlink()
    return found


def _of_postgresql(cluster: Cluster, objects: int) -> list[Figure]:
    size = "SELECT pg_database_size('fonoteca')"
    empty_bytes = int(cluster.run_sql(size))
    loaded = _load(cluster.url(), objects)
    cluster.run_sql("VACUUM ANALYZE", "fonoteca")  # as the server does by itself before long
    disk_bytes = int(cluster.run_sql(size)) - empty_bytes
    cluster.stop()
    _forget(cluster.folder)
    cluster.start()
    return _told("PostgreSQL", cluster.url(), loaded, disk_bytes)


def _load(address: str, objects: int) -> Loaded:
    """Return how recording synthetic versions went. Making them is not counted."""
    dice = Random(1890)
    seconds = [0.0] * PARTS
    known: list[Known] = []
    sampled = min(BATCH, 1 + LOOKUPS * BATCH // objects)
    with Register.open(address) as register:
        for start in range(0, objects, BATCH):
            batch = [_version(number, dice) for number in range(start, start + BATCH)]
            with Stopwatch() as watch:
                register.record_many(batch)
            seconds[start * PARTS // objects] += watch.seconds
            known += [_known(stored, dice) for stored, _, _ in dice.sample(batch, sampled)]
        checked = [Check(ObjectId(row.object_id), row.path, NOON, None) for row in register.next_to_audit(CHECKED)]
        register.record_checks(checked)
    return Loaded(tuple(seconds), objects, tuple(dice.sample(known, min(len(known), LOOKUPS))))


def _told(engine: str, address: str, loaded: Loaded, disk_bytes: int) -> list[Figure]:
    files = loaded.objects * MEMBERS
    name = f"register, {engine}, {files / 1e6:.3g} M files"
    most = Goal(LOOKUP_MS, at_most=True)
    found = [
        Figure(f"{name}: objects of {MEMBERS} files recorded", loaded.objects_per_s, "/s", goal=Goal(OBJECTS_PER_S)),
        Figure(
            f"{name}: inserts, the last tenth",
            loaded.seconds[-1],
            "s",
            Peer("the first tenth", loaded.seconds[0]),
            Goal(1 / SLOWER_AT_MOST, of_ratio=True),
            less_is_better=True,
        ),
        Figure(f"{name}: bytes a file on disk", disk_bytes / files, "B", less_is_better=True),
    ]
    with Register.open(address) as register:
        questions: Mapping[str, Callable[[Known], object]] = {
            "by digest": lambda each: register.files_by_digest(each.sha256),
            "by path": lambda each: register.file_by_path(each.path),
            "by object": lambda each: register.object(each.object_id),
            "next to audit": lambda _: register.next_to_audit(),
        }
        for question, ask in questions.items():
            assert all(ask(each) for each in loaded.known[:1]), f"{question}: nothing found"
            cold = _milliseconds(ask, loaded.known[:COLD_LOOKUPS])
            warm = _milliseconds(ask, loaded.known)
            found.append(Figure(f"{name}: {question}, p99", _p99(warm), "ms", goal=most, less_is_better=True))
            found.append(Figure(f"{name}: {question}, p99 from disk", _p99(cold), "ms", less_is_better=True))
    return found


def _milliseconds(ask: Callable[[Known], object], known: Sequence[Known]) -> list[float]:
    taken = []
    for each in known:
        begun = time.perf_counter()
        ask(each)
        taken.append(1000 * (time.perf_counter() - begun))
    return taken


def _p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100)[98]


def _forget(folder: Path) -> None:
    """Let the system drop what it keeps in memory of the files below a folder, all of which are on disk."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def _known(stored: StoredVersion, dice: Random) -> Known:
    member = dice.choice(stored.members[:SONGS])
    return Known(stored.object_id, member.path, member.hashes.sha256)


def _hashes(dice: Random) -> FileHashes:
    """Return hashes of a file of one piece: longer ones have 52 B more for each piece."""
    file_bytes = dice.randrange(1, PIECE_BYTES)
    digest = Sha256(dice.randbytes(32).hex())
    return FileHashes(file_bytes, PIECE_BYTES, digest, dice.randbytes(32), b"", dice.randbytes(20), dice.randbytes(20))


def _version(number: int, dice: Random) -> Recorded:
    """Return an album of four songs with its documents, its path where the store's layout puts it."""
    key = f"synthetic:album-{number:08}"
    object_id = ObjectId.of("audio", key)
    hashed = sha256(object_id.encode()).hexdigest()
    object_path = f"{hashed[:3]}/{hashed[3:6]}/{hashed[6:9]}/{hashed}"
    artist = f"Artist {number % 50_000}"
    files = tuple(_song(number, song, artist, dice) for song in range(1, SONGS + 1))
    members = [MemberFile(f"{object_path}/{each.content_path}", each.hashes) for each in files]
    members += [MemberFile(f"{object_path}/v1/{tail}", _hashes(dice)) for tail in DOCUMENTS]
    stored = StoredVersion(object_id, 1, NOON + timedelta(seconds=number), object_path, tuple(members), files)
    rights = RightsRecord(
        item=ItemKey(key),
        kind=Kind.AUDIO,
        licence_uri="https://creativecommons.org/licenses/by-sa/4.0/",
        acts=frozenset({Act.HOLD, Act.SHARE}),
        transcode="",
        attribution=f"{artist} (CC BY-SA 4.0)",
        notices="",
        evidence=(),
        rule="licence",
        decided_at=NOON,
        policy_digest="0" * 64,
        ai={},
    )
    return stored, rights, Description(f"Album {number}", artist, f"https://example.org/{number}")


def _song(number: int, song: int, artist: str, dice: Random) -> StoredFile:
    title = f"Song {song} of {number}"
    tags = Tags(title=title, artist=artist, album=f"Album {number}", date="2001-02-03", track_number=song)
    logical, content = LogicalPath(f"Album {number}/{song:02} - {title}.ogg"), ContentPath(f"v1/content/{song:02}-song.ogg")
    return StoredFile(logical, content, _hashes(dice), "audio/ogg", PROBE, tags)
