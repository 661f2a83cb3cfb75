"""What the paper model needs and nothing else measures: costs of the process that drives, bytes that are written beside the music.

python -m bench.paper_measure    prints lines for `bench/paper.toml`; a minute or two, 0.5 GB of disk

Costs are processor time, so that a busy machine tells nearly the same as a quiet one.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench import paper_requests, register
from bench.audit import hold
from bench.music import make_albums
from bench.stopwatch import SILENT
from fonoteca.edges.disk import DiskStaging
from fonoteca.edges.s3 import S3Keys, S3Place, open_s3
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.audit import audit
from fonoteca.flows.publish import publish
from fonoteca.model.settings import Settings
from fonoteca.store.logs import LOGS
from fonoteca.testing.seaweed import KEY_ID, SECRET, seaweed
from fonoteca.wiring import Archive, acquire_rooms, audit_rooms, create_archive, open_archive, publish_rooms

SONGS, SONG_BYTES, PER_ALBUM = 2000, 10_000, 5
DOCUMENTS = 4
"""Of an object, in its version's folder: metadata.json, rights.json, inventory, sidecar."""

BLOBS, SMALL_BLOB_BYTES = 2100, 2000
REGISTER_FILES = 200_000


@dataclass(frozen=True, slots=True)
class Grown:
    """What an audit and a publication of one archive cost the driving process, in processor seconds, and wrote, in bytes."""

    audit_s: float
    publish_s: float
    register_bytes: int
    log_bytes: int
    torrent_bytes: int
    manifest_bytes: int


def acquire_s(folder: Path, albums: int, songs: int) -> float:
    """Return what the acquire of so many albums costs the driving process, with two workers and without decoding."""
    make_albums(folder / "music", albums, songs, SONG_BYTES)
    create_archive(folder / "archive", Settings("paper", "Paper", workers=2))
    with open_archive(folder / "archive", writing=True) as archive:
        return _processor_s(lambda: _acquired(archive, folder / "music"))


def _acquired(archive: Archive, music: Path) -> None:
    outcomes = list(acquire(acquire_rooms(archive, SILENT, later=True), "folder", str(music)))
    assert all(isinstance(each, Acquired) for each in outcomes), outcomes[:3]


def grown(folder: Path) -> Grown:
    """Return what an audit of everything and the first edition cost an archive of objects of one song."""
    hold(folder, SONGS, SONG_BYTES)
    register_bytes, log_bytes = (folder / "register.sqlite").stat().st_size, _bytes_below(folder / "store" / LOGS)
    with open_archive(folder, writing=True) as archive:
        audit_s = _processor_s(lambda: audit(audit_rooms(archive, SILENT)))
    register_bytes = (folder / "register.sqlite").stat().st_size - register_bytes
    log_bytes = _bytes_below(folder / "store" / LOGS) - log_bytes
    with open_archive(folder, writing=True) as archive:
        publish_s = _processor_s(lambda: publish(publish_rooms(archive, SILENT)))
    torrents, manifests = _bytes_below(folder / "editions", ".torrent"), _bytes_below(folder / "editions" / "manifests")
    return Grown(audit_s, publish_s, register_bytes, log_bytes, torrents, manifests)


def _bytes_below(folder: Path, ending: str = "") -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name.endswith(ending))


def _processor_s(deed: Callable[[], object]) -> float:
    """Return the processor time of this process, all threads, without what it has others do."""
    begun = time.process_time()
    deed()
    return time.process_time() - begun


def blob_ms(scratch: Path) -> float:
    """Return processor milliseconds of the driver for each small blob that it puts on S3."""
    with seaweed(scratch / "seaweed") as server:
        server.make_bucket("paper")
        blobs = open_s3(S3Place("paper", "blobs", server.endpoint), S3Keys(KEY_ID, SECRET))
        staging = DiskStaging(scratch / "staging").unsynced
        content = Random(1).randbytes(SMALL_BLOB_BYTES)
        trees = []
        for number in range(BLOBS // 7):
            folder = staging.folder(f"object-{number}")
            for part in range(7):
                with staging.writer(folder / f"{part}") as target:
                    target.write(content)
            trees.append((folder, f"{number:03x}/object"))
        used = _processor_s(lambda: blobs.adopt_all(trees))
        blobs.close()
    return 1000 * used / BLOBS


def measure(scratch: Path) -> dict[str, float]:
    """Return the measured lines by key."""
    lone_s = acquire_s(scratch / "lone", SONGS, 1)
    object_s = (lone_s - acquire_s(scratch / "albums", SONGS // PER_ALBUM, PER_ALBUM)) / (SONGS - SONGS // PER_ALBUM)
    archive = grown(scratch / "grown")
    members = SONGS + DOCUMENTS * SONGS
    os.environ["BENCH_REGISTER_FILES"] = str(REGISTER_FILES)
    (scratch / "register").mkdir()
    rows = {figure.name: figure.value for figure in register.figures(scratch / "register")}
    return {
        "driver_object_ms": 1000 * object_s,
        "driver_file_ms": 1000 * (lone_s / SONGS - object_s),
        "audit_file_ms": 1000 * archive.audit_s / members,
        "publish_file_ms": 1000 * archive.publish_s / members,
        "audit_register_bytes": archive.register_bytes / members,
        "audit_log_bytes": archive.log_bytes / members,
        "torrent_file_bytes": archive.torrent_bytes / members,
        "manifest_file_bytes": archive.manifest_bytes / members,
        "blob_ms": blob_ms(scratch / "s3"),
        **{f"{_engine(name)}_file_bytes": value for name, value in rows.items() if "bytes a file" in name},
        **{f"{_engine(name)}_objects": value for name, value in rows.items() if name.endswith("files recorded")},
    }


def _engine(name: str) -> str:
    return "postgres" if "PostgreSQL" in name else "sqlite"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-") as temporary:
        found: dict[str, object] = dict(measure(Path(temporary)))
        found["requests"] = paper_requests.measure(Path(temporary) / "requests")
        print(json.dumps(found, indent=1))
