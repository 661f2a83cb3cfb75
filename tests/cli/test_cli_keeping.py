"""A mirror that goes on as a service, and a seed: real processes, signals, health and lines of JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from cli_world import OPEN, Fonoteca, item

from fonoteca.formats.settings import FILE_NAME
from fonoteca.formats.swarmfile import SWARM, parse_swarm

COMMAND = [sys.executable, "-m", "fonoteca"]
PATIENCE_S = 120
QUIETLY = ("--host", "127.0.0.1", "--port", "0", "--private", "--health", "0", "--json")


@dataclass
class Service:
    """A service that runs. said: the lines that nobody has waited for yet."""

    process: subprocess.Popen[str]
    said: Queue[dict[str, Any]] = field(default_factory=Queue)

    def hear(self, what: str) -> dict[str, Any]:
        """Return the next thing of a kind that it says."""
        while True:
            line = self.said.get(timeout=PATIENCE_S)
            assert line, f"it ended before it said {what!r}"
            if line["event"] == what:
                return line

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Return the status that it ends with when it is told to."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)


def await_true(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def running(*words: str, environment: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Run a service; it is gone when the context ends."""
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    ) as process:
        service = Service(process)

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                service.said.put(json.loads(line))
            service.said.put({})

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield service
        finally:
            process.kill()
            reader.join()


def test_a_mirror_takes_what_is_new_tells_how_it_is_and_stops_in_order(tmp_path: Path, archive: Path, fonoteca: Fonoteca) -> None:
    mirror = tmp_path / "mirror"
    with running("follow", str(archive), "--keep", *QUIETLY, "--archive", str(mirror)) as service:
        at = service.hear("listening")
        assert at["address"].startswith("127.0.0.1:")
        drops = service.hear("seeding")["drops"]
        first = service.hear("refreshed")
        assert (first["edition"], first["new_drops"]) == (1, drops)
        assert drops >= 2
        with httpx.Client(base_url=f"http://{at['health']}", timeout=PATIENCE_S) as asked:
            ready = asked.get("/ready")
            health = asked.get("/health").json()
            assert ready.status_code == 200
            assert (health["ready"], health["edition"], health["drops"]["seeding"], health["trouble"]) == (True, 1, drops, None)
            assert health["swarm"]["torrents"] == drops
            assert health["refreshed_at"] >= health["since"]
            assert asked.head("/health").status_code == 200
            assert asked.get("/else").status_code == 404
            _publish_more(tmp_path, archive, fonoteca)
            service.process.send_signal(signal.SIGHUP)
            service.hear("reloaded")
            second = service.hear("refreshed")
            assert (second["edition"], second["new_drops"]) == (2, drops), "a catalogue, an index and music, as before"
            assert asked.get("/health").json()["edition"] == 2
        assert fonoteca("audit", "--archive", mirror).status == 0, "a service that waits keeps nobody from the archive"
        assert service.stop() == 0
        service.hear("stopping")
        assert service.process.stderr is not None
        assert service.process.stderr.read() == ""


def _publish_more(folder: Path, archive: Path, fonoteca: Fonoteca, licence: str = OPEN) -> None:
    item(folder / "more" / "another", licence, seconds=2)
    assert fonoteca("acquire", "folder", folder / "more", "--archive", archive).status == 0
    assert fonoteca("publish", "--archive", archive).status == 0


def test_what_may_not_be_shared_any_more_is_given_no_longer_once_the_service_is_told(
    tmp_path: Path, archive: Path, fonoteca: Fonoteca
) -> None:
    _publish_more(tmp_path, archive, fonoteca, 'licence = "CC-BY-NC-4.0"')
    with running("seed", *QUIETLY, "--archive", str(archive)) as service:
        at = service.hear("listening")
        drops = service.hear("seeding")["drops"]
        assert service.hear("refreshed")["edition"] == 2
        await_true(lambda: (archive / SWARM).is_file())
        noted = parse_swarm((archive / SWARM).read_bytes())
        assert {(each.withheld, each.seeds, each.uploaded_bytes) for each in noted.drops} == {("", None, 0)}
        settings = archive / FILE_NAME
        text = settings.read_text()
        settings.write_text("no = [toml")
        service.process.send_signal(signal.SIGHUP)
        assert service.hear("trouble")["code"] == "usage"
        settings.write_text(text.replace("refuse_noncommercial = false", "refuse_noncommercial = true"))
        service.process.send_signal(signal.SIGHUP)
        withheld = service.hear("withheld")
        assert "may not be shared" in withheld["reason"]
        health = httpx.get(f"http://{at['health']}/health", timeout=PATIENCE_S).json()
        assert (health["drops"]["seeding"], health["drops"]["withheld"], health["swarm"]["torrents"]) == (drops - 1, 1, drops - 1)
        assert service.stop(signal.SIGINT) == 0


def test_an_address_where_nothing_is_ends_it_at_once_and_one_that_is_away_for_a_while_does_not(
    tmp_path: Path, archive: Path, fonoteca: Fonoteca
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}/editions/"
    assert fonoteca("follow", archive, "--archive", tmp_path / "mirror").status == 0
    with running("follow", nobody, "--keep", *QUIETLY, "--archive", str(tmp_path / "mirror")) as service:
        at = service.hear("listening")
        assert service.hear("seeding")["drops"] >= 2
        assert service.hear("trouble")["code"] == "source"
        health = httpx.get(f"http://{at['health']}/health", timeout=PATIENCE_S).json()
        assert (health["ready"], health["trouble"]["code"], health["refreshed_at"]) == (True, "source", None)
        assert service.stop() == 0


@pytest.mark.parametrize("name", ["/notify", "@fonoteca-test"])
def test_systemd_is_told_when_it_is_ready_and_when_it_stops(tmp_path: Path, archive: Path, name: str) -> None:
    address = f"{tmp_path}{name}" if name.startswith("/") else f"{name}-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(PATIENCE_S)
        systemd.bind("\0" + address[1:] if address.startswith("@") else address)
        with running("seed", *QUIETLY, "--archive", str(archive), environment={"NOTIFY_SOCKET": address}) as service:
            assert systemd.recv(4096).decode().splitlines() == ["READY=1", "STATUS=looking at what is held"]
            heard = ""
            while not re.fullmatch(r"STATUS=edition 1, [1-9] drops given out", heard):
                heard = systemd.recv(4096).decode()
            assert service.stop() == 0
            while "STOPPING=1" not in heard:
                heard = systemd.recv(4096).decode()
