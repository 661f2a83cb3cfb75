"""The server as it is started: by several processes, with slow clients, and stopped."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from fonoteca.cli.output import TerminalProgress
from fonoteca.edges.workers import SerialWorkers
from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.model.settings import Settings
from fonoteca.serve.paths import file_url
from fonoteca.wiring import acquire_rooms, create_archive, open_archive

SLOW = 250
"""Of either kind: those who read a byte a second, and those whose request never ends."""

WAIT_S = 120.0


@dataclass(frozen=True)
class Served:
    """A server under way. song: the address of a recording, and its sha256. log: what it writes to stderr."""

    address: str
    process: subprocess.Popen[str]
    song: str
    sha256: str
    log: Path

    @property
    def place(self) -> tuple[str, int]:
        found = urlsplit(self.address)
        return str(found.hostname), int(found.port or 0)

    def get(self, path: str) -> bytes:
        with urlopen(self.address + path, timeout=60) as answer:
            return bytes(answer.read())

    def meter(self, name: str) -> float:
        lines = self.get("/metrics").decode().splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == name), 0.0)

    def workers(self) -> list[int]:
        """Return the processes that answer: those of the server that have the socket and are not its helpers."""
        task = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        found = [int(pid) for pid in Path(task).read_text().split()]
        return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "archive"
    create_archive(folder, Settings("served", "Served"))
    sample = str(resources.files("fonoteca").joinpath("sample", "endgame-singularity"))
    with open_archive(folder, writing=True) as opened:
        vars(opened)["workers"] = SerialWorkers()
        assert all(isinstance(each, Acquired) for each in acquire(acquire_rooms(opened, TerminalProgress()), "folder", sample))
    return folder


@contextmanager
def serving(archive: Path, command: Sequence[str], *options: str) -> Iterator[Served]:
    with open_archive(archive) as opened:
        row = next(each for row in opened.register.objects() for each in opened.register.files(row.object_id) if each.duration_ms)
    log = archive.parent / "served.log"
    words = [*command, "serve", "--archive", str(archive), "--port", "0", "--json", *options]
    with log.open("w") as errors, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            song = file_url(row.object_id, row.logical_path)
            served = Served(said["url"].rstrip("/"), process, song, row.stored.hashes.sha256, log)
            await_true(lambda: answers(served))
            yield served
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=WAIT_S) in (0, 130)


def answers(served: Served) -> bool:
    try:
        return b"ready" in served.get("/ready")
    except OSError:
        return False


def await_true(asked: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not asked():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def served(archive: Path, fonoteca_command: list[str]) -> Iterator[Served]:
    with serving(archive, fonoteca_command, "--processes", "2", "--log-format", "json") as served:
        await_true(lambda: len(served.workers()) == 2)
        yield served
        left = served.workers()
    assert not any(Path(f"/proc/{pid}").exists() for pid in left)


ASKED = 'fonoteca_requests_total{method="GET",route="/files/{rest:rest}",status="200"}'


def test_slow_clients_keep_no_listener_waiting(served: Served) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for number in range(2 * SLOW):
            line = opened.enter_context(socket.socket())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            line.settimeout(60)
            line.connect(served.place)
            request = f"GET {served.song} HTTP/1.1\r\nHost: x\r\n".encode()
            line.sendall(request + b"\r\n" if number % 2 else request + b"X-Slow: ")
            sockets.append(line)
        begun = time.monotonic()
        for step in range(3):
            for number, line in enumerate(sockets):
                if number % 2:
                    assert line.recv(1)
                else:
                    with suppress(ConnectionError):  # on a slow machine the server has waited long enough by now
                        line.sendall(b"%d" % step)
            connection = http.client.HTTPConnection(*served.place, timeout=60)
            connection.request("GET", served.song)
            assert hashlib.sha256(connection.getresponse().read()).hexdigest() == served.sha256
            connection.close()
        assert time.monotonic() - begun < 60, "a listener hears music meanwhile"
        for pid in served.workers():
            status = Path(f"/proc/{pid}/status").read_text()
            assert int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) < 600_000


def test_several_processes_serve_as_one(archive: Path, served: Served) -> None:
    await_true(lambda: served.meter("fonoteca_streams_open") == 0)
    first, before = served.workers(), served.meter(ASKED)
    for _ in range(40):
        assert hashlib.sha256(served.get(served.song)).hexdigest() == served.sha256
    await_true(lambda: served.meter(ASKED) >= before + 40)
    assert served.meter(ASKED) == before + 40, "whichever process is asked tells of all"
    with open_archive(archive) as opened:
        await_true(lambda: opened.people.accesses.count() >= 40)  # what is gathered dies with its process
    os.kill(first[0], signal.SIGKILL)
    await_true(lambda: len(set(served.workers()) - {first[0]}) == 2)
    assert hashlib.sha256(served.get(served.song)).hexdigest() == served.sha256
    await_true(lambda: served.meter(ASKED) >= before + 41)
    assert served.meter(ASKED) == before + 41, "what a dead process counted stays counted"
    assert served.meter("fonoteca_streams_open") == 0
    lines = [json.loads(line) for line in served.log.read_text().splitlines()]
    assert sum(line.get("route") == "/files/{rest:rest}" for line in lines) >= 41
    with open_archive(archive) as opened:
        events = [access for _, access in opened.people.accesses.each()]
    assert len({access.visitor for access in events}) == 1, "both processes call one network the same"
