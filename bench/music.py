"""Made-up music to take in, programs to hold Fonoteca against, and what a process needs of memory."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.stopwatch import NotMeasurableError

SAMPLE_RATE_HZ = 44_100
_HEADER_BYTES = 44
_ROOT = Path(__file__).resolve().parents[1]


def wav_header(file_bytes: int) -> bytes:
    """Return the header of a mono 16-bit WAV of this length."""
    audio_bytes = file_bytes - _HEADER_BYTES
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", file_bytes - 8, b"WAVE") + fmt + struct.pack("<4sI", b"data", audio_bytes)


def make_albums(folder: Path, albums: int, tracks: int, file_bytes: int) -> list[Path]:
    """Return the audio files of so many items, each with its rights.toml; no two files are the same. Written without waiting."""
    pool = random.Random(albums).randbytes(2 * file_bytes)
    header = wav_header(file_bytes)
    paths = []
    for album in range(albums):
        place = folder / f"{album:05d}"
        place.mkdir(parents=True)
        said = f'id = "bench-{album}"\ntitle = "Item {album}"\nartist = "Bench"\nsource = "https://example.org/{album}"\n'
        (place / "rights.toml").write_text(f'{said}licence = "CC-BY-4.0"\n')
        for track in range(tracks):
            number = album * tracks + track
            start = number * 6151 % file_bytes
            path = place / f"{track + 1:02d} made up.wav"
            with path.open("wb") as target:
                target.write(header)
                target.write(struct.pack("<I", number))
                target.write(memoryview(pool)[start : start + file_bytes - _HEADER_BYTES - 4])
            paths.append(path)
    os.sync()
    return paths


def program(name: str, package: str) -> str:
    """Return the path of a program, installed from Debian where it is missing. Raises: NotMeasurableError."""
    found = shutil.which(name)
    if found is None:
        done = subprocess.run([_ROOT / "tools" / "debian.sh", f"{name}={package}"], capture_output=True, text=True, check=False)
        found = shutil.which(name)
        if found is None:
            raise NotMeasurableError(f"{name} is missing: {done.stderr.strip()}")
    return found


def run_quietly(command: Sequence[str | Path], words: Sequence[str | Path] = ()) -> None:
    """Run a command over more words than a command line takes. Raises: CalledProcessError."""
    for part in _parts(words) if words else [[]]:
        subprocess.run([*command, *part], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _parts(words: Sequence[str | Path]) -> Iterator[Sequence[str | Path]]:
    for start in range(0, len(words), 5000):
        yield words[start : start + 5000]


def peak_memory(command: Sequence[str]) -> int:
    """Return the largest resident memory, in bytes, of a command and of every process that it waited for."""
    running = os.spawnv(os.P_NOWAIT, command[0], list(command))
    _, status, used = os.wait4(running, 0)
    if status:
        raise NotMeasurableError(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss * 1024


def fonoteca(*words: str | Path) -> list[str]:
    """Return the command that runs Fonoteca in a process of its own."""
    return [sys.executable, "-m", "fonoteca", *map(str, words)]
