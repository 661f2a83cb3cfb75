"""A seed that starts anew with many files: how long until all are given out, what it reads for that, and what it needs of memory.

`fonoteca seed` is started as a process of its own, twice, and measured the second time: from the start to its word that it
gives every drop, Python's own start and the judging of rights among it. Nothing is hashed again: what the process read is
told beside what it seeds. Python keeps what it compiled, as it does where Fonoteca is installed, whatever it is told here.
Run: `python -m bench seeding`; FONOTECA_BENCH_SEEDED=0.05 makes it so much smaller.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.audit import hold
from bench.music import fonoteca
from bench.report import Figure, Goal, Peer

FILES_AN_OBJECT = 5
"""A track, metadata.json, rights.json, inventory and sidecar."""

SOME_FILES, MANY_FILES, TRACK_BYTES = 20_000, 100_000, 50_000
SHARE_VARIABLE = "FONOTECA_BENCH_SEEDED"
RESTART_S = 5.0
READ_SHARE = 0.5
"""Of the bytes that are seeded, beside what a seed of one object reads: a start reads rights and torrents, and no track."""

SETTLE_S = 3.0
_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Start:
    """How a seed started. processor_s: of all cores. read_bytes: by system calls, libraries and all. resident_bytes: when it has
    settled.
    """

    seconds: float
    processor_s: float
    files: int
    seeded_bytes: int
    read_bytes: int
    resident_bytes: int


def figures(scratch: Path) -> list[Figure]:
    """Return the time of a start with 20,000 files, and the memory of seeding these and 100,000."""
    share = float(os.environ.get(SHARE_VARIABLE, "1"))
    idle = _started(_archive(scratch / "one", FILES_AN_OBJECT))
    some = _started(_archive(scratch / "some", int(SOME_FILES * share)))
    many = _started(_archive(scratch / "many", int(MANY_FILES * share)))
    name = f"restart of a seed with {some.files:,} files"
    growth_kb = (many.resident_bytes - some.resident_bytes) / (many.files - some.files) / 1000
    return [
        Figure(name, some.seconds, "s", Peer("the limit", RESTART_S), Goal(RESTART_S, at_most=True), less_is_better=True),
        Figure(f"{name}: processor time", some.processor_s, "s", less_is_better=True),
        Figure(
            f"{name}: read for it",
            (some.read_bytes - idle.read_bytes) / some.seeded_bytes,
            "of what it seeds",
            goal=Goal(READ_SHARE, at_most=True),
            less_is_better=True,
        ),
        Figure(f"restart of a seed with {many.files:,} files", many.seconds, "s", less_is_better=True),
        Figure("memory of a seed of one object", idle.resident_bytes / 1e6, "MB", less_is_better=True),
        Figure(f"memory of a seed of {some.files:,} files", some.resident_bytes / 1e6, "MB", less_is_better=True),
        Figure(f"memory of a seed of {many.files:,} files", many.resident_bytes / 1e6, "MB", less_is_better=True),
        Figure("memory of a seeded file", growth_kb, "kB", less_is_better=True),
    ]


def _archive(folder: Path, files: int) -> Path:
    """Return an archive that has published so many files of audio objects."""
    hold(folder, files // FILES_AN_OBJECT, TRACK_BYTES)
    subprocess.run(
        fonoteca("publish", "--archive", folder, "--json"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return folder


def _started(folder: Path) -> Start:
    """Return how a seed of an archive starts, once it and what it needs were read before."""
    _start(folder)
    return _start(folder)


def _start(folder: Path) -> Start:
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.parent / "compiled")}
    words = ("seed", "--private", "--host", "127.0.0.1", "--port", "0", "--json", "--archive", folder)
    begun = time.perf_counter()
    with subprocess.Popen(
        fonoteca(*words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | compiled
    ) as process:
        try:
            assert process.stdout is not None
            said: dict[str, int] = {}
            for line in process.stdout:
                heard = json.loads(line)
                if heard["event"] == "seeding":
                    said = heard
                if heard["event"] == "refreshed":
                    break
            seconds = time.perf_counter() - begun
            processor_s = _processor_s(process.pid)
            read_bytes = _counted(process.pid, "io", "rchar")
            time.sleep(SETTLE_S)
            resident_bytes = _counted(process.pid, "status", "VmRSS") * 1024
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=_DEADLINE_S) == 0
    listed = subprocess.run(fonoteca("torrents", "--json", "--archive", folder), check=True, capture_output=True, text=True)
    drops = json.loads(listed.stdout)["drops"]
    files = sum(drop["files"] for drop in drops)
    assert said.get("drops", 0) == len(drops), said
    return Start(seconds, processor_s, files, said.get("bytes", 0), read_bytes, resident_bytes)


def _processor_s(pid: int) -> float:
    """Return what a process has used of all cores: utime and stime, proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _counted(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/{pid}/{file} has no {name}")
