from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fonoteca.edges.answers import IN_FLIGHT_PER_WORKER
from fonoteca.edges.workers import ProcessWorkers, SerialWorkers
from fonoteca.model.errors import FonotecaError, StoreError
from fonoteca.ports import Workers
from fonoteca.testing import DyingWorkersSuite, WorkersSuite

HERE = "test_edges_workers"


def die(settings: str, item: str) -> str:
    if item == "song-2":
        os.kill(os.getpid(), getattr(signal, settings))
    return item


def my_pid(settings: None, item: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def write_pid_and_hang(settings: str, item: int) -> None:
    Path(settings, f"{item}.pid").write_text(str(os.getpid()))
    time.sleep(600)


class TestSerial(WorkersSuite):
    @pytest.fixture
    def workers(self) -> Workers:
        return SerialWorkers()


class TestOneProcess(WorkersSuite):
    @pytest.fixture
    def workers(self) -> Iterator[Workers]:
        with ProcessWorkers(1) as pool:
            yield pool


class TestProcesses(DyingWorkersSuite):
    in_flight_max = 2 * IN_FLIGHT_PER_WORKER

    @pytest.fixture
    def workers(self) -> Iterator[Workers]:
        with ProcessWorkers(2) as pool:
            yield pool


def test_a_killed_worker_is_an_error_that_names_its_item() -> None:
    with ProcessWorkers(2) as pool:
        answers = pool.run(f"{HERE}:die", "SIGKILL", [f"song-{i}" for i in range(6)])
        assert [next(answers), next(answers)] == ["song-0", "song-1"]
        with pytest.raises(StoreError, match=r"song-2.*SIGKILL") as caught:
            next(answers)
        assert caught.value.subject == "song-2"


def test_processes_are_kept_between_runs_and_are_as_many_as_asked() -> None:
    with ProcessWorkers(2) as pool:
        first = set(pool.run(f"{HERE}:my_pid", None, range(6)))
        second = set(pool.run(f"{HERE}:my_pid", None, range(6)))
        assert len(first) == 2
        assert first == second
        assert os.getpid() not in first
    assert not any(_alive(pid) for pid in first)


def test_one_item_starts_one_process() -> None:
    with ProcessWorkers(8) as pool:
        assert len(list(pool.run(f"{HERE}:my_pid", None, [1]))) == 1
        assert len(pool._idle) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_orphans(tmp_path: Path, how: signal.Signals) -> None:
    code = (
        "from fonoteca.edges.workers import ProcessWorkers\n"
        f"list(ProcessWorkers(2).run('{HERE}:write_pid_and_hang', {str(tmp_path)!r}, range(4)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    _wait_until(lambda: len([p for p in tmp_path.glob("*.pid") if p.read_text()]) == 2)
    pids = [int(p.read_text()) for p in tmp_path.glob("*.pid")]
    parent.send_signal(how)
    assert parent.wait(10) != 0
    _wait_until(lambda: not any(_alive(pid) for pid in pids))


def test_errors_of_bad_counts() -> None:
    with pytest.raises(FonotecaError):
        ProcessWorkers(-1)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _wait_until(condition: object, timeout_s: float = 15) -> None:
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
