"""Listeners at once: whether one of 200 ever waits for sound, what that takes of memory, and how fast files go out beside nginx.

Run: `python -m bench streaming`. Each figure is of `fonoteca serve` as it is set up by itself, with access events, over loopback.
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
DOWNLOADS, TURNS, PROCESSES = 16, 3, 2
MEMORY_GOAL_MB = 32
_APART_S = 0.01
_READ_BYTES = 16_384
_DEADLINE_S = 60

Server = tuple[subprocess.Popen[str], str]
"""A process, and its address without a slash."""


def figures(scratch: Path) -> list[Figure]:
    """Return stalls, memory and events of listeners, and the speed of downloads beside nginx with the same files."""
    listeners = int(os.environ.get(LISTENERS_VARIABLE, LISTENERS))
    archive = scratch / "archive"
    hold(archive, FILES, FILE_BYTES)
    with open_archive(archive) as opened:
        rows = [opened.register.files(row.object_id)[0] for row in opened.register.objects()]
    assert len(rows) == FILES
    paths = [file_url(row.object_id, row.logical_path) for row in rows]
    with _nginx(scratch / "nginx", archive / "store") as nginx:
        with serving(archive) as ours:
            loads = _in_turns([(ours, paths), (nginx, [f"/{quote(row.path)}" for row in rows])])
            before_mb = _resident_mb(ours[0].pid)
            heard = asyncio.run(_listen([ours[1] + path for path in paths], listeners, ours[0].pid))
        with serving(archive, "--processes", str(PROCESSES)) as several:
            [shared] = _in_turns([(several, paths)])
    with open_archive(archive) as opened:
        unheard = 2 * TURNS * FILES + listeners - opened.people.accesses.count()
    alone, theirs = loads
    name, files = f"{listeners} listeners at 320 kbit/s for {LISTENED_S} s", f"{FILES} files of 8 MiB, {DOWNLOADS} at once"
    grew_mb = max(0.0, heard.late_mb - heard.early_mb)
    return [
        Figure(f"{name}: stalls", heard.stalls, "", goal=Goal(0, at_most=True), less_is_better=True),
        Figure(f"{name}: until the first second of sound is there, the slowest", heard.waited_ms, "ms", less_is_better=True),
        Figure(f"{name}: memory of one", 1000 * (heard.early_mb - before_mb) / listeners, "kB", less_is_better=True),
        Figure(f"{name}: memory grew meanwhile by", grew_mb, "MB", goal=Goal(MEMORY_GOAL_MB, at_most=True), less_is_better=True),
        Figure("fetches of all of these that left no access event", unheard, "", goal=Goal(0, at_most=True), less_is_better=True),
        Figure(files, alone.best, "MB/s", Peer("nginx, the same files", theirs.best)),
        Figure(f"{files}, the first time, when all is proved", alone.first, "MB/s", Peer("nginx, likewise", theirs.first)),
        Figure(f"{files}, {PROCESSES} processes", shared.best, "MB/s", Peer("nginx, the same files", theirs.best)),
        Figure(
            f"{files}: processor time of 1 GB",
            alone.processor_ms,
            "ms",
            Peer("nginx, the same files", theirs.processor_ms),
            less_is_better=True,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Load:
    """How fast a server gave all files out, MB/s: the first time and at best; and the ms of its processors that 1 GB took then."""

    first: float
    best: float
    processor_ms: float


def _in_turns(servers: Sequence[tuple[Server, Sequence[str]]]) -> list[Load]:
    """Return what each server did, which take turns so that what else the machine does meets them alike."""
    speeds: list[list[float]] = [[] for _ in servers]
    spent: list[list[float]] = [[] for _ in servers]
    for _ in range(TURNS):
        for number, ((process, address), paths) in enumerate(servers):
            before_s = processor_s(process.pid)
            speeds[number].append(_download([address + path for path in paths]))
            spent[number].append(1000 * (processor_s(process.pid) - before_s) / (len(paths) * FILE_BYTES / 1e9))
    return [Load(all_of[0], max(all_of), min(spent[number])) for number, all_of in enumerate(speeds)]


def processor_s(pid: int) -> float:
    """Return the seconds that a process and those that it started have had of the processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_s(int(each)) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@contextmanager
def serving(archive: Path, *options: str) -> Iterator[Server]:
    """Give the site in a process of its own, and its address without a slash."""
    words = fonoteca("serve", "--port", "0", "--json", "--archive", archive, *options)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = "".join(iter(process.stdout.readline, "}\n")) + "}"
            address = str(json.loads(said)["url"]).rstrip("/")
            await_listening(address)
            yield process, address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_DEADLINE_S)


@contextmanager
def _nginx(folder: Path, root: Path) -> Iterator[Server]:
    """Give nginx and the address at which it serves a folder as Debian sets it up: sendfile, a worker for each core."""
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
    words = [program("nginx", "nginx-light"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with subprocess.Popen(words, text=True) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            await_listening(address)
            yield process, address
        finally:
            process.terminate()
            process.wait(timeout=_DEADLINE_S)


def await_listening(address: str) -> None:
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
