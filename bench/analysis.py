"""How fast what was acquired with `--later` is analysed: on all cores beside one, and beside `ffmpeg -f null` on the same files.

Run: `python -m bench.analysis`. The music is the sample that Fonoteca ships, several times over: Vorbis, Opus and MP3.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from bench.music import program
from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, Stopwatch
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.analyse import Analysed, Budget, analyse
from fonoteca.intake import analyse_rooms
from fonoteca.model.settings import Settings
from fonoteca.wiring import acquire_rooms, create_archive, open_archive

COPIES = 8
COPIES_VARIABLE = "FONOTECA_BENCH_COPIES"
"""Environment variable that gives another count of copies, for runs that are only to see whether it works."""

CORES_GOAL = Goal(1.8, of_ratio=True)
FFMPEG_GOAL = Goal(1 / 1.15, of_ratio=True)
RIGHTS_FILE = "rights.toml"
AUDIO_ENDINGS = (".ogg", ".opus", ".mp3", ".flac")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds for the same files. played_s: how long they play."""

    all_cores: float
    one_core: float
    ffmpeg: float
    file_count: int
    played_s: float


def figures(scratch: Path) -> list[Figure]:
    """Return how fast analysis is."""
    times = measure(scratch)
    cores = os.cpu_count() or 1
    name = f"analysis of {times.file_count} files, {times.played_s / 3600:.1f} h, {cores} cores"
    one, ffmpeg = Peer("one core", times.one_core), Peer(f"ffmpeg -f null, {cores} at once", times.ffmpeg)
    return [
        Figure(f"{name}, beside one", times.all_cores, "s", one, CORES_GOAL, less_is_better=True),
        Figure(f"{name}, beside ffmpeg", times.all_cores, "s", ffmpeg, FFMPEG_GOAL, less_is_better=True),
        Figure("analysis, times real time", times.played_s / times.all_cores, "x"),
    ]


def measure(scratch: Path) -> Times:
    """Return the times."""
    music = scratch / "music"
    paths = _copies(music, int(os.environ.get(COPIES_VARIABLE, COPIES)))
    one_s, _ = _analysed(scratch / "one", music, 1)
    all_s, played_s = _analysed(scratch / "all", music, os.cpu_count() or 1)
    return Times(all_s, one_s, _ffmpeg(paths), len(paths), played_s)


def _copies(music: Path, count: int) -> list[Path]:
    """Return the audio files of the sample's items, each item so many times under ids of its own."""
    with as_file(files("fonoteca") / "sample") as sample:
        for number in range(count):
            for item in sorted(path for path in Path(sample).iterdir() if (path / RIGHTS_FILE).exists()):
                place = music / f"{number:03d}-{item.name}"
                shutil.copytree(item, place)
                said = (item / RIGHTS_FILE).read_text()
                (place / RIGHTS_FILE).write_text(re.sub(r'^id = "', f'id = "{number:03d}-', said, flags=re.MULTILINE))
    return sorted(path for path in music.rglob("*") if path.suffix in AUDIO_ENDINGS)


def _analysed(folder: Path, music: Path, workers: int) -> tuple[float, float]:
    """Return the seconds of an analysis of everything, and how long it plays. Acquiring and starting workers are not counted."""
    create_archive(folder, Settings("bench", "Bench", workers=workers))
    with open_archive(folder, writing=True) as archive:
        outcomes = list(acquire(acquire_rooms(archive, SILENT, later=True), "folder", str(music)))
        assert all(isinstance(each, Acquired) for each in outcomes), outcomes[:3]
        with Stopwatch() as watch:
            results = list(analyse(analyse_rooms(archive, SILENT), Budget()))
        assert all(isinstance(each, Analysed) and not each.left_out for each in results), results[:3]
        return watch.seconds, archive.register.totals("audio").duration_ms / 1000


def _ffmpeg(paths: Sequence[Path]) -> float:
    """Return the seconds in which ffmpeg decodes the files to nothing, one for each core at a time. Loudness is not asked of it."""
    ffmpeg = program("ffmpeg", "ffmpeg")

    def decode(path: Path) -> None:
        command = [ffmpeg, "-nostdin", "-v", "error", "-i", str(path), "-map", "0:a", "-f", "null", "-"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, Stopwatch() as watch:
        list(pool.map(decode, paths))
    return watch.seconds


if __name__ == "__main__":
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-", dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        found = measure(Path(temporary))
        print(json.dumps({name: getattr(found, name) for name in Times.__dataclass_fields__}, indent=1))
