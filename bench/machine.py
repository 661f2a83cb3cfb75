"""The machine that is measured on: what it is, and how busy others keep it."""

from __future__ import annotations

import os
import platform
import ssl
import time
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("libtorrent", "av", "duckdb", "tantivy", "sqlalchemy", "pyarrow", "mutagen", "ocfl-py")

BUSY_CORES_MAX = 0.25
"""Others may use so much of the machine, in cores, for it to count as quiet."""

_SAMPLE_S = 2.0
_PROBE_BYTES = 256 * 2**20


def describe(scratch: Path) -> dict[str, str | int | float]:
    """Return facts of the machine that figures depend on, and none that name it. Writes and removes 256 MiB below `scratch`."""
    fields = dict(_pairs(Path("/proc/cpuinfo").read_text().split("\n\n")[0]))
    memory_kib = int(dict(_pairs(Path("/proc/meminfo").read_text()))["MemTotal"].split()[0])
    flags = set(fields.get("flags", "").split())
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": fields.get("model name", platform.processor()),
        "cpu_sha_extensions": "yes" if "sha_ni" in flags else "no",
        "memory_gib": round(memory_kib / 2**20, 1),
        "disk": _file_system(scratch),
        "disk_write_fsynced_mb_per_s": round(_disk_speed(scratch)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        **{name: version(name) for name in LIBRARIES},
    }


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return [(name.strip(), value.strip()) for name, _, value in lines]


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on: its longest mount point wins."""
    place = str(folder.resolve())
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    over = [(point, kind) for point, kind in mounts if place == point or place.startswith(point.rstrip("/") + "/")]
    return max(over, key=lambda one: len(one[0]))[1]


def _disk_speed(folder: Path) -> float:
    """Return MB/s of one file written from start to end and synchronised."""
    block = os.urandom(2**20)
    probe = folder / "disk-probe"
    start = time.perf_counter()
    with probe.open("wb") as target:
        for _ in range(_PROBE_BYTES // len(block)):
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    seconds = time.perf_counter() - start
    probe.unlink()
    return _PROBE_BYTES / seconds / 1e6


class BusyMeter:
    """How many cores are in use from now on, as `/proc/stat` tells; steal counts as use by others."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._before = _busy_s()
        self._own_before = _own_s()

    def others(self) -> float:
        """Return the cores that other programs used since this was made. Children count as ours once they are reaped."""
        own_s = _own_s() - self._own_before
        return max(0.0, (_busy_s() - self._before - own_s) / (time.perf_counter() - self._started))


def _busy_s() -> float:
    """Return seconds of processor time used by anyone since the machine started: proc(5), "cpu" line of /proc/stat."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def await_quiet(patience_s: float) -> tuple[float, float]:
    """Return how many cores others use now, and the seconds waited for that to be little: at most `patience_s`, or a sample.

    The load average would not do: for a minute it tells of the benchmark before. What that left to write is written first.
    """
    os.sync()
    start = time.perf_counter()
    while True:
        meter = BusyMeter()
        time.sleep(_SAMPLE_S)
        busy, waited_s = meter.others(), time.perf_counter() - start
        if busy <= BUSY_CORES_MAX or waited_s >= patience_s:
            return busy, waited_s
