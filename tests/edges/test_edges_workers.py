from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fonoteca.edges.workers import IN_FLIGHT_PER_WORKER, ProcessWorkers, SerialWorkers
from fonoteca.model.errors import FonotecaError, SourceError, StoreError, UsageError
from fonoteca.ports import Workers

HERE = "test_edges_workers"


def scale(settings: int, item: int) -> int:
    if item == 0:
        time.sleep(0.2)
    return settings * item


def refuse_three(settings: None, item: int) -> int:
    if item == 3:
        raise SourceError(f"item {item}", "three is refused", "Leave it out.")
    return item


def stumble(settings: None, item: int) -> int:
    return 1 // item


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("made of a lock")
        self.lock = open(os.devnull)  # noqa: SIM115 - a thing that does not pickle


def raise_unpicklable(settings: None, item: int) -> int:
    raise UnpicklableError


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


@pytest.fixture(params=[1, 2, "serial"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    if request.param == "serial":
        yield SerialWorkers()
        return
    with ProcessWorkers(request.param) as pool:
        yield pool


def test_answers_come_in_the_order_of_the_items(workers: Workers) -> None:
    assert list(workers.run(f"{HERE}:scale", 10, range(20))) == [10 * i for i in range(20)]
    assert list(workers.run(f"{HERE}:scale", 7, range(3))) == [0, 7, 14]
    assert list(workers.run(f"{HERE}:scale", 7, [])) == []


def test_a_fonoteca_error_crosses_whole_after_the_answers_before_it(workers: Workers) -> None:
    answers = workers.run(f"{HERE}:refuse_three", None, range(10))
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceError) as caught:
        next(answers)
    assert (caught.value.subject, caught.value.remedy) == ("item 3", "Leave it out.")


def test_an_unknown_task_is_a_usage_error(workers: Workers) -> None:
    for task in ("no.such.module:f", f"{HERE}:no_such_function", "nonsense", ":f", f"{HERE}:HERE"):
        with pytest.raises(UsageError):
            list(workers.run(task, None, [1]))


def test_our_own_mistakes_cross_with_their_traceback() -> None:
    with ProcessWorkers(2) as pool:
        with pytest.raises(ZeroDivisionError) as caught:
            list(pool.run(f"{HERE}:stumble", None, [1, 0]))
        assert "1 // item" in "".join(caught.value.__notes__)
        with pytest.raises(RuntimeError, match="made of a lock"):
            list(pool.run(f"{HERE}:raise_unpicklable", None, [1, 0]))


def test_a_killed_worker_is_an_error_that_names_its_item() -> None:
    with ProcessWorkers(2) as pool:
        answers = pool.run(f"{HERE}:die", "SIGKILL", [f"song-{i}" for i in range(6)])
        assert [next(answers), next(answers)] == ["song-0", "song-1"]
        with pytest.raises(StoreError, match=r"song-2.*SIGKILL") as caught:
            next(answers)
        assert caught.value.subject == "song-2"
        assert list(pool.run(f"{HERE}:scale", 2, range(4))) == [0, 2, 4, 6]


def test_items_in_flight_are_bounded() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for i in range(1000):
            taken += 1
            yield i

    with ProcessWorkers(2) as pool:
        answers = pool.run(f"{HERE}:scale", 1, items())
        assert next(answers) == 0
        assert taken <= 2 * IN_FLIGHT_PER_WORKER
        answers.close()  # type: ignore[attr-defined]
    assert taken < 20


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
