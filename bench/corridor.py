"""An hour and more of real music down the corridor: acquired from a Debian package, published, followed, proved.

The archive is the one that `fonoteca demo --debian wesnoth-1.16-music` makes, by the same flows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from bench.proof import prove
from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, NotMeasurableError, Stopwatch
from bench.swarm import TARGET_MB_PER_S
from fonoteca.cli.demo import DROP_BYTES_MAX_DEBIAN, LISTENERS, SEED
from fonoteca.cli.follow import ensure_mirror
from fonoteca.edges.packages import download_package
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.audit import audit
from fonoteca.flows.catalogue import refresh
from fonoteca.flows.follow import follow
from fonoteca.flows.publish import publish
from fonoteca.model.corridor import DropKind, FetchedPieces
from fonoteca.model.errors import SourceError
from fonoteca.model.settings import EditionSettings, Settings
from fonoteca.ports import Swarm
from fonoteca.wiring import (
    EXAMINE_TASK,
    Archive,
    Mirroring,
    SwarmChoice,
    acquire_rooms,
    audit_rooms,
    create_archive,
    follow_rooms,
    mirrors_at,
    open_archive,
    open_swarm,
    publish_rooms,
)

PACKAGE = "wesnoth-1.16-music"
_CHUNK_BYTES = 1 << 20


class TimedSwarm:
    """A swarm that remembers what each fetch cost: payload bytes and seconds, from asking to the last byte written."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self.fetched: list[tuple[int, float]] = []

    @property
    def address(self) -> tuple[str, int]:
        return self._swarm.address

    def unseed(self, torrent: bytes) -> None:
        self._swarm.unseed(torrent)

    def seed(self, torrent: bytes, root: Path, verify: bool = False, without: Collection[str] = ()) -> None:
        self._swarm.seed(torrent, root, verify, without)

    def fetch(self, *arguments: Any, **named: Any) -> int:
        with Stopwatch() as watch:
            fetched_bytes = self._swarm.fetch(*arguments, **named)
        self.fetched.append((fetched_bytes, watch.seconds))
        return fetched_bytes

    def fetch_pieces(self, torrent: bytes, folder: Path, pieces: Sequence[int], peers: Sequence[tuple[str, int]]) -> FetchedPieces:
        return self._swarm.fetch_pieces(torrent, folder, pieces, peers)

    def close(self) -> None:
        self._swarm.close()


def figures(scratch: Path) -> list[Figure]:
    """Return speeds of acquiring, publishing, following and auditing the package's music, and what others say of the result."""
    package = _package(scratch)
    folder, mirror = scratch / "archive", scratch / "mirror"
    settings = Settings("fonoteca-demo", "Fonoteca demo", editions=EditionSettings(drop_bytes_max=DROP_BYTES_MAX_DEBIAN))
    create_archive(folder, settings)
    with open_archive(folder, writing=True) as archive:
        found = [*_acquire(archive, package), _publish(archive)]
        music = [folder / "store" / path for path in _music_drop(archive)]
    found += _follow(folder, mirror, music)
    found.append(_audit(mirror))
    return found + prove(PACKAGE, folder, mirror, scratch)


def _package(scratch: Path) -> Path:
    """Return the package, fetched. Raises: NotMeasurableError where apt-get cannot."""
    folder = scratch / "package"
    folder.mkdir()
    try:
        return download_package(PACKAGE, folder)
    except SourceError as error:
        raise NotMeasurableError(str(error)) from error


def _acquire(archive: Archive, package: Path) -> list[Figure]:
    """Return how fast the package's music is acquired, from the package and from a folder, beside only examining it."""
    rooms = acquire_rooms(archive, SILENT)
    with as_file(files("fonoteca") / "sample") as sample:
        list(acquire(rooms, "folder", str(sample)))
    with Stopwatch() as unpacking:
        taken = [each for each in acquire(rooms, "debian", str(package)) if isinstance(each, Acquired)]
    acquired_mb = sum(each.acquired_bytes for each in taken) / 1e6
    paths = [path for each in taken for path in _audio_paths(archive, each)]
    with Stopwatch() as examining:
        list(archive.workers.run(EXAMINE_TASK, None, [(path, path.name) for path in paths]))
    copying_s = _acquire_folder(archive.folder.parent / "plain", paths)
    peer = Peer("examining it, all cores", acquired_mb / examining.seconds)
    name = f"acquiring {acquired_mb:.0f} MB of Vorbis from a"
    return [
        Figure(f"{name} .deb, xz unpacked on the way", acquired_mb / unpacking.seconds, "MB/s", peer),
        Figure(f"{name} folder", acquired_mb / copying_s, "MB/s", peer),
    ]


def _audio_paths(archive: Archive, acquired: Acquired) -> list[Path]:
    version = archive.store.read(acquired.object_id, acquired.version)
    assert archive.store_folder is not None, "the archive measured is on a disk"
    return [archive.store_folder / version.object_path / file.content_path for file in version.files]


def _acquire_folder(folder: Path, paths: Sequence[Path]) -> float:
    """Return the seconds that another archive takes to acquire these files from a folder, under what their package says."""
    source = folder / "source"
    source.mkdir(parents=True)
    for path in paths:
        os.link(path, source / path.name)
    terms = {"id": "wesnoth", "title": "Wesnoth", "artist": "Wesnoth Project", "licence": "GPL-2.0-or-later"}
    (source / "rights.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in terms.items()))
    create_archive(folder / "archive", Settings("bench", "Bench"))
    with open_archive(folder / "archive", writing=True) as archive:
        rooms = acquire_rooms(archive, SILENT)
        with Stopwatch() as watch:
            outcomes = list(acquire(rooms, "folder", str(source)))
    assert [type(each) for each in outcomes] == [Acquired], outcomes
    shutil.rmtree(folder)
    return watch.seconds


def _publish(archive: Archive) -> Figure:
    """Return how long publishing takes once the catalogue is built: judging again, cutting, manifests, member lists, index."""
    archive.catalogue.import_starter()
    archive.catalogue.import_store(archive.register.held_tracks())
    archive.catalogue.import_synthetic_history(SEED, LISTENERS)
    rooms = publish_rooms(archive, SILENT)
    refresh(rooms.catalogue)
    with Stopwatch() as watch:
        published = publish(rooms)
    return Figure(f"publishing {len(published.drops)} drops", watch.seconds, "s", less_is_better=True)


def _music_drop(archive: Archive) -> list[str]:
    """Return the paths in the largest audio drop: the package's music."""
    drops = [row for row in archive.register.drops() if row.kind is DropKind.AUDIO]
    largest = max(drops, key=lambda row: row.drop_bytes)
    versions = [archive.register.stored_version(m.object_id, m.version) for m in archive.register.members_of_drop(largest.id)]
    return [member.path for version in versions if version for member in version.members]


def _follow(folder: Path, mirror: Path, music: Sequence[Path]) -> list[Figure]:
    """Return how fast a mirror takes the music drop over loopback, and how fast the whole edition with all that `follow` does."""
    ensure_mirror(mirror, str(folder))
    with (
        open_archive(mirror, writing=True) as opened,
        mirrors_at([str(folder)]) as whereabouts,
        open_swarm(SwarmChoice()) as swarm,
    ):
        timed = TimedSwarm(swarm)
        rooms = follow_rooms(opened, Mirroring(str(folder), timed, whereabouts), SILENT)
        with Stopwatch() as watch:
            followed = follow(rooms)
    music_bytes, music_s = max(timed.fetched)
    copying_mb_per_s, proving_mb_per_s = _peers(folder.parent / "copy", music)
    return [
        Figure(
            f"loopback mirror, the music drop of {PACKAGE} ({music_bytes / 1e6:.0f} MB), transfer",
            music_bytes / music_s / 1e6,
            "MB/s",
            Peer("copying the files", copying_mb_per_s),
            Goal(TARGET_MB_PER_S),
        ),
        Figure(
            "the whole follow: transfer, proof of every hash, adoption, search index",
            followed.fetched_bytes / watch.seconds / 1e6,
            "MB/s",
            Peer("copying, syncing, sha256 by hashlib", proving_mb_per_s),
        ),
    ]


def _peers(target: Path, paths: Sequence[Path]) -> tuple[float, float]:
    """Return MB/s of copying these files, and of copying them, synchronising each copy and computing its sha256."""
    target.mkdir()
    copies = [target / f"{number:04d}" for number in range(len(paths))]
    with Stopwatch() as whole:
        with Stopwatch() as copying:
            for path, copy in zip(paths, copies, strict=True):
                shutil.copyfile(path, copy)
        for copy in copies:
            with copy.open("rb") as stream:
                os.fsync(stream.fileno())
                hashlib.file_digest(stream, "sha256")
    copied_bytes = sum(path.stat().st_size for path in paths)
    shutil.rmtree(target)
    return copied_bytes / copying.seconds / 1e6, copied_bytes / whole.seconds / 1e6


def _audit(folder: Path) -> Figure:
    """Return how fast an audit of the mirror reads and proves everything, beside reading it for sha256 alone on one core."""
    with open_archive(folder, writing=True) as archive:
        rooms = audit_rooms(archive, SILENT)
        with Stopwatch() as watch:
            audited = audit(rooms)
    assert not audited.damages, audited.damages
    paths = [path for path in (folder / "store").rglob("*") if path.is_file()]
    with Stopwatch() as alone:
        for path in paths:
            with path.open("rb") as stream:
                hashlib.file_digest(stream, "sha256")
    peer = Peer("sha256 by hashlib, one core", sum(path.stat().st_size for path in paths) / alone.seconds / 1e6)
    return Figure("audit of the mirror", audited.audited_bytes / watch.seconds / 1e6, "MB/s", peer)
