"""How fast an acquire is that decodes nothing: beside hashing alone, copying alone, and three programs one after the other.

Run: `python -m bench.acquire`. All on the same files, which are in memory when they are read, as far as they fit there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import libtorrent

from bench.music import fonoteca, make_albums, peak_memory, program, run_quietly, wav_header
from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, NotMeasurableError, Stopwatch
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.model.hashes import BLOCK_BYTES
from fonoteca.model.settings import PIECE_BYTES_DEFAULT, Settings
from fonoteca.wiring import acquire_rooms, create_archive, open_archive

FILES, FILE_BYTES, TRACKS = 2000, 4_000_000, 10
HUGE_BYTES = 3_000_000_000
FILES_VARIABLE = "FONOTECA_BENCH_FILES"
"""Environment variable that gives another count of files, for runs that are only to see whether it works."""

LESSER_GOAL, PROGRAMS_GOAL = Goal(0.85, of_ratio=True), Goal(2, of_ratio=True)
MEMORY_GOAL = Goal(500, at_most=True)
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Rates:
    """What was reached over the same files, in MB/s. torrents: the program that hashed for a torrent."""

    acquire: float
    hashing: float
    copying: float
    programs: float
    torrents: str


def figures(scratch: Path) -> list[Figure]:
    """Return how fast an acquire is beside what bounds it, and what memory it needs for a huge file."""
    rates = measure(scratch)
    lesser = ("the three hashes, all cores", rates.hashing)
    if rates.copying < rates.hashing:
        lesser = ("copying with fsync", rates.copying)
    count = _count()
    name = f"acquire without decoding, {count:,} files, {count * FILE_BYTES / 1e9:.1f} GB"
    one_by_one = f"sha256sum, {rates.torrents} and cp, one after the other"
    return [
        Figure(f"{name}, beside the lesser of hashing and copying", rates.acquire, "MB/s", Peer(*lesser), LESSER_GOAL),
        Figure(f"{name}, beside three programs", rates.acquire, "MB/s", Peer(one_by_one, rates.programs), PROGRAMS_GOAL),
        Figure("the three hashes alone, all cores", rates.hashing, "MB/s"),
        Figure("copying alone, each file synchronised", rates.copying, "MB/s"),
        Figure(f"memory to acquire one file of {HUGE_BYTES / 1e9:.0f} GB", huge_mb(scratch / "huge"), "MB", goal=MEMORY_GOAL),
    ]


def measure(scratch: Path) -> Rates:
    """Return the rates. What is written for one is removed before the next: at most twice the files are on disk at once."""
    music = scratch / "music"
    paths = make_albums(music, _count() // TRACKS, TRACKS, FILE_BYTES)
    total_mb = sum(path.stat().st_size for path in paths) / 1e6
    archive_s = _acquire(scratch / "archive", music)
    _remove(scratch / "archive")
    hashing_mb_per_s = _hashing(paths)
    copying_s = _copying(paths, scratch / "copy")
    programs_s, torrents = _programs(music, paths, scratch / "programs")
    return Rates(total_mb / archive_s, hashing_mb_per_s, total_mb / copying_s, total_mb / programs_s, torrents)


def _remove(folder: Path) -> None:
    """Remove a folder, and let the disk be done with it."""
    shutil.rmtree(folder)
    os.sync()


def huge_mb(folder: Path) -> float:
    """Return the memory, in MB, of the largest process of an acquire, decoding too, of one huge file that is mostly a hole."""
    place = folder / "music"
    place.mkdir(parents=True)
    (place / "rights.toml").write_text('id = "huge"\ntitle = "Huge"\nartist = "Bench"\nsource = "bench"\nlicence = "CC-BY-4.0"\n')
    with (place / "huge.wav").open("wb") as target:
        target.write(wav_header(HUGE_BYTES))
        target.truncate(HUGE_BYTES)
    create_archive(folder / "archive", Settings("bench", "Bench", workers=1))
    output = os.dup(1)
    try:
        os.dup2(2, 1)  # the command's result is no result of ours
        return peak_memory(fonoteca("acquire", "folder", place, "--archive", folder / "archive", "--json")) / 1e6
    finally:
        os.dup2(output, 1)
        os.close(output)
        shutil.rmtree(folder)


def _count() -> int:
    return int(os.environ.get(FILES_VARIABLE, FILES))


def _acquire(folder: Path, music: Path) -> float:
    """Return the seconds of an acquire, from opening the archive until the last item is acknowledged and the archive closed."""
    create_archive(folder, Settings("bench", "Bench"))
    with Stopwatch() as watch, open_archive(folder, writing=True) as archive:
        outcomes = list(acquire(acquire_rooms(archive, SILENT, later=True), "folder", str(music)))
    assert all(isinstance(each, Acquired) for each in outcomes), outcomes[:3]
    return watch.seconds


def _hashing(paths: Sequence[Path]) -> float:
    """Return MB/s of hashlib's three hashes, each a pass of its own over bytes in memory, in a process for each core."""
    cores = os.cpu_count() or 1
    shares = [list(paths[core : 256 * cores : cores]) for core in range(cores)]
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_hash_share, shares))
    return sum(found)


def _hash_share(paths: Sequence[Path]) -> float:
    """Return MB/s of the three hashes over these files, which are read before."""
    contents = [memoryview(path.read_bytes()) for path in paths]
    with Stopwatch() as watch:
        for content in contents:
            hashlib.sha256(content).digest()
            for at in range(0, len(content), BLOCK_BYTES):
                hashlib.sha256(content[at : at + BLOCK_BYTES]).digest()
            for at in range(0, len(content), PIECE_BYTES_DEFAULT):
                hashlib.sha1(content[at : at + PIECE_BYTES_DEFAULT]).digest()
    return sum(map(len, contents)) / watch.seconds / 1e6


def _copying(paths: Sequence[Path], target: Path) -> float:
    """Return the seconds in which the files are copied, each synchronised before the next: by whichever way is the faster."""
    cores = os.cpu_count() or 1
    seconds = []
    for workers in {1, cores}:
        place = target / str(workers)
        place.mkdir(parents=True)
        shares = [[(str(path), str(place / f"{n:06d}")) for n, path in enumerate(paths)][core::workers] for core in range(workers)]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(len, shares))
            with Stopwatch() as watch:
                list(pool.map(_copy_share, shares))
        seconds.append(watch.seconds)
        _remove(place)
    return min(seconds)


def _copy_share(pairs: Sequence[tuple[str, str]]) -> None:
    """Copy files as a program does that does nothing else, and synchronise each."""
    buffer = memoryview(bytearray(_COPY_BYTES))
    for source_path, target_path in pairs:
        with open(source_path, "rb", buffering=0) as source, open(target_path, "wb", buffering=0) as target:
            while count := source.readinto(buffer):
                target.write(buffer[:count])
            os.fsync(target.fileno())


def _programs(music: Path, paths: Sequence[Path], folder: Path) -> tuple[float, str]:
    """Return the seconds of sha256sum, a torrent maker and cp, one after the other, and which torrent maker it was."""
    folder.mkdir()
    try:
        maker: str | None = program("mktorrent", "mktorrent")
    except NotMeasurableError:
        maker = None
    with Stopwatch() as watch:
        run_quietly(["sha256sum", "--"], paths)
        if maker:
            piece_power = PIECE_BYTES_DEFAULT.bit_length() - 1
            run_quietly([maker, "-l", str(piece_power), "-o", folder / "music.torrent", music])
        else:
            _torrent(music)
        run_quietly(["cp", "-r", music, folder / "copy"])
    return watch.seconds, "mktorrent" if maker else "libtorrent's create_torrent"


def _torrent(music: Path) -> None:
    """Hash for a torrent with libtorrent."""
    storage = libtorrent.file_storage()
    libtorrent.add_files(storage, str(music))
    creator = libtorrent.create_torrent(storage, PIECE_BYTES_DEFAULT)
    libtorrent.set_piece_hashes(creator, str(music.parent))
    creator.generate()


def _lines(rates: Rates) -> Iterator[tuple[str, float | str]]:
    for name in Rates.__dataclass_fields__:
        yield name, getattr(rates, name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-", dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        print(json.dumps(dict(_lines(measure(Path(place)))), indent=1))
