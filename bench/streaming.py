"""Listeners at once: whether one of 200 ever waits for sound, what that takes of memory, and how fast files go out beside nginx.

Run: `python -m bench streaming`. Each figure is of `fonoteca serve` in a process of its own, over loopback.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench.audit import hold
from bench.music import fonoteca, program
from bench.report import Figure, Goal, Peer
from bench.stopwatch import Stopwatch
from fonoteca.serve.paths import file_url
from fonoteca.wiring import open_archive

LISTENERS, LISTENED_S = 200, 20
LISTENERS_VARIABLE = "FONOTECA_BENCH_LISTENERS"
RATE_BYTES_PER_S = 40_000
"""320 kbit/s: the most that an MP3 has."""

LEAD_S = 1.0
"""Of sound that a player gathers before it begins to play."""

FILES, FILE_BYTES = 40, 8 << 20
DOWNLOADS = 16
MEMORY_GOAL_MB = 32
_APART_S = 0.01
_READ_BYTES = 16_384
_DEADLINE_S = 60


def figures(scratch: Path) -> list[Figure]:
    """Return stalls and memory of listeners, and the speed of downloads beside nginx with the same files."""
    listeners = int(os.environ.get(LISTENERS_VARIABLE, LISTENERS))
    archive = scratch / "archive"
    hold(archive, FILES, FILE_BYTES)
    with open_archive(archive) as opened:
        rows = [opened.register.files(row.object_id)[0] for row in opened.register.objects()]
    assert len(rows) == FILES
    with _serving(archive) as (process, address):
        urls = [address + file_url(row.object_id, row.logical_path) for row in rows]
        ours = max(_download(urls) for _ in range(3))
        before_mb = _resident_mb(process.pid)
        heard = asyncio.run(_listen(urls, listeners, process.pid))
    with _nginx(scratch / "nginx", archive / "store") as address:
        theirs = max(_download([f"{address}/{quote(row.path)}" for row in rows]) for _ in range(3))
    name = f"{listeners} listeners at 320 kbit/s for {LISTENED_S} s"
    return [
        Figure(f"{name}: stalls", heard.stalls, "", goal=Goal(0, at_most=True), less_is_better=True),
        Figure(f"{name}: until the first second of sound is there, the slowest", heard.waited_ms, "ms", less_is_better=True),
        Figure(f"{name}: memory of one", 1000 * (heard.early_mb - before_mb) / listeners, "kB", less_is_better=True),
        Figure(
            f"{name}: memory grew meanwhile by",
            max(0.0, heard.late_mb - heard.early_mb),
            "MB",
            goal=Goal(MEMORY_GOAL_MB, at_most=True),
            less_is_better=True,
        ),
        Figure(f"{FILES} files of 8 MiB, {DOWNLOADS} at once", ours, "MB/s", Peer("nginx, the same files", theirs)),
    ]


@contextmanager
def _serving(archive: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give the site in a process of its own, and its address without a slash."""
    words = fonoteca("serve", "--port", "0", "--json", "--archive", archive)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = "".join(iter(process.stdout.readline, "}\n")) + "}"
            address = str(json.loads(said)["url"]).rstrip("/")
            _await(address)
            yield process, address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_DEADLINE_S)


@contextmanager
def _nginx(folder: Path, root: Path) -> Iterator[str]:
    """Give the address at which nginx serves a folder as Debian sets it up: sendfile, a worker for each core."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nworker_processes auto;\n"
        f"events {{ worker_connections 768; }}\nhttp {{ access_log off; sendfile on; tcp_nopush on;\n"
        f"client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n"
        f"uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
        f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    with subprocess.Popen([program("nginx", "nginx-light"), "-c", folder / "nginx.conf", "-p", folder]) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _await(address)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=_DEADLINE_S)


def _await(address: str) -> None:
    """Return once something listens at an address."""
    place = urlsplit(address)
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        try:
            socket.create_connection((place.hostname or "", place.port or 80), 1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens at {address}"
            time.sleep(0.05)
        else:
            return


def _download(urls: Sequence[str]) -> float:
    """Return the MB/s at which curl fetches all of them, several at once."""
    command = [
        program("curl", "curl"),
        "--silent",
        "--fail",
        "--parallel",
        "--parallel-immediate",
        "--parallel-max",
        str(DOWNLOADS),
    ]
    for url in urls:
        command += ["--output", os.devnull, url]
    with Stopwatch() as watch:
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return len(urls) * FILE_BYTES / watch.seconds / 1e6


@dataclass(frozen=True, slots=True)
class Heard:
    """What listeners met: how often one waited for sound, the ms until the slowest could begin, and the server's memory in MB
    once all had begun and before any had ended."""

    stalls: int
    waited_ms: float
    early_mb: float
    late_mb: float


async def _listen(urls: Sequence[str], listeners: int, pid: int) -> Heard:
    """Return what so many listeners met, who begin one after the other."""
    begun_s = listeners * _APART_S + 2 * LEAD_S
    watching = asyncio.gather(_resident_after(begun_s, pid), _resident_after(LISTENED_S, pid))
    each = await asyncio.gather(*(_hear(urls[number % len(urls)], number) for number in range(listeners)))
    early_mb, late_mb = await watching
    return Heard(sum(stalls for stalls, _ in each), max(waited_ms for _, waited_ms in each), early_mb, late_mb)


async def _resident_after(seconds: float, pid: int) -> float:
    await asyncio.sleep(seconds)
    return _resident_mb(pid)


async def _hear(url: str, number: int) -> tuple[int, float]:
    """Return how often one listener's sound stopped, and the ms until the first was there. It reads no faster than it plays."""
    await asyncio.sleep(number * _APART_S)
    place = urlsplit(url)
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2 * _READ_BYTES)
    writer.write(f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    got = stalls = 0
    while got < LEAD_S * RATE_BYTES_PER_S:
        got += len(await reader.read(_READ_BYTES))
    playing = time.perf_counter()
    waited_ms = 1000 * (playing - begun)
    while (played_s := time.perf_counter() - playing) < LISTENED_S:
        if got < played_s * RATE_BYTES_PER_S:
            stalls += 1
            playing += played_s - got / RATE_BYTES_PER_S  # what stood still is played later
        part = await reader.read(_READ_BYTES)
        assert part, "the file ended before the listener did"
        got += len(part)
        await asyncio.sleep(max(0.0, got / RATE_BYTES_PER_S - LEAD_S - (time.perf_counter() - playing)))
    writer.close()
    return stalls, waited_ms


def _resident_mb(pid: int) -> float:
    """Return the memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) * 1024 / 1e6
