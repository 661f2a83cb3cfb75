"""The suite that every `Workers` passes: one process, many, a Ray cluster, and whoever writes another.

Use: a pytest class that inherits `WorkersSuite`, with `in_flight_max` set and a fixture `workers`; or `DyingWorkersSuite`
where the work runs in processes that can die. The names of the tests are the laws. The tasks are here, where every worker
can import them.
"""

# ruff: noqa: D102

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from fonoteca.model.errors import SourceError, StoreError, UsageError
from fonoteca.ports import Workers

HERE = "fonoteca.testing.workers_suite"
_PATIENCE_S = 60.0
_TICK_S = 0.02
_MEMORY_BYTES = 1 << 30
"""More than a worker may have in the test of memory that runs short; never really used."""

_ROOM_BYTES = _MEMORY_BYTES // 4


def scale(settings: int, item: int) -> int:
    """Return the product; the first item is the slowest."""
    if item == 0:
        time.sleep(0.2)
    return settings * item


def refuse_three(_settings: None, item: int) -> int:
    """Return the item unless it is 3."""
    if item == 3:
        raise SourceError(f"item {item}", "three is refused", "Leave it out.")
    return item


def divide(settings: int, item: int) -> float:
    """Return a quotient: our own mistake for 0."""
    return settings / item


class UnpicklableError(Exception):
    """An error that cannot leave its process."""

    def __init__(self) -> None:
        super().__init__("holds a function of its own")
        self.held = lambda: self


def raise_unpicklable(_settings: None, _item: int) -> int:
    """Raise it."""
    raise UnpicklableError


def outgrow(settings: str, item: str) -> str:
    """Return the item; allocate more than there is for the one that settings name."""
    if item != settings:
        return item
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _ROOM_BYTES, before[1]))
    try:
        return str(len(bytearray(_MEMORY_BYTES)))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def die(settings: str, item: str) -> str:
    """Return the item; end the process at the one that settings name, as the kernel does when memory runs out."""
    if item == settings:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def die_once(settings: str, item: str) -> str:
    """Return the item; end the process the first time that it comes. settings: a folder to note it in."""
    seen = Path(settings, item)
    if not seen.exists():
        seen.mkdir()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def tell_pid(settings: str, item: int) -> int:
    """Return the process that this is, which is noted in the folder that settings name, after `item` seconds."""
    Path(settings, str(os.getpid())).mkdir(exist_ok=True)
    time.sleep(item)
    return os.getpid()


def _raised(kind: type[Exception], call: Callable[[], object]) -> Any:
    """Return the error of this kind that a call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when a condition holds; AssertionError when it takes too long."""
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(_TICK_S)


class WorkersSuite:
    """The laws of the port, one a test. in_flight_max: items taken ahead of the answer to come."""

    in_flight_max: ClassVar[int] = 1

    def test_answers_come_in_the_order_of_the_items(self, workers: Workers) -> None:
        assert list(workers.run(f"{HERE}:scale", 10, range(20))) == [10 * i for i in range(20)]
        assert list(workers.run(f"{HERE}:scale", 7, range(3))) == [0, 7, 14]
        assert list(workers.run(f"{HERE}:scale", 7, [])) == []

    def test_two_runs_may_be_under_way_at_once(self, workers: Workers) -> None:
        pairs = zip(workers.run(f"{HERE}:scale", 2, range(5)), workers.run(f"{HERE}:scale", 3, range(5)), strict=True)
        assert list(pairs) == [(2 * i, 3 * i) for i in range(5)]

    def test_a_fonoteca_error_crosses_whole_after_the_answers_before_it(self, workers: Workers) -> None:
        answers = workers.run(f"{HERE}:refuse_three", None, range(10))
        assert [next(answers) for _ in range(3)] == [0, 1, 2]
        error = _raised(SourceError, lambda: next(answers))
        assert (error.subject, error.remedy) == ("item 3", "Leave it out.")
        assert list(workers.run(f"{HERE}:scale", 1, range(3))) == [0, 1, 2]

    def test_our_own_mistakes_cross_as_what_they_are(self, workers: Workers) -> None:
        _raised(ZeroDivisionError, lambda: list(workers.run(f"{HERE}:divide", 1, [1, 0])))

    def test_an_unknown_task_is_a_usage_error(self, workers: Workers) -> None:
        for task in ("no.such.module:f", f"{HERE}:no_such_function", "nonsense", ":f", f"{HERE}:HERE"):
            _raised(UsageError, lambda task=task: list(workers.run(task, None, [1])))  # type: ignore[misc]

    def test_items_are_taken_as_they_are_worked_on(self, workers: Workers) -> None:
        taken = 0

        def items() -> Iterator[int]:
            nonlocal taken
            for item in count():
                taken += 1
                yield item

        answers = workers.run(f"{HERE}:scale", 1, items())
        assert next(answers) == 0
        assert taken <= self.in_flight_max
        answers.close()  # type: ignore[attr-defined]

    def test_an_error_of_the_items_themselves_is_raised(self, workers: Workers) -> None:
        def items() -> Iterator[int]:
            yield 1
            raise StoreError("register", "it is gone")

        _raised(StoreError, lambda: list(workers.run(f"{HERE}:scale", 1, items())))

    def test_memory_that_runs_short_is_an_error_that_names_the_item(self, workers: Workers) -> None:
        error = _raised(StoreError, lambda: list(workers.run(f"{HERE}:outgrow", "song-2", ["song-1", "song-2"])))
        assert error.subject == "song-2"
        assert "memory ran short" in error.problem
        assert "fewer" in error.remedy


class DyingWorkersSuite(WorkersSuite):
    """The laws of workers that are processes of their own."""

    def test_an_item_that_kills_its_worker_is_named(self, workers: Workers) -> None:
        answers = workers.run(f"{HERE}:die", "song-2", [f"song-{i}" for i in range(6)])
        assert [next(answers), next(answers)] == ["song-0", "song-1"]
        error = _raised(StoreError, lambda: next(answers))
        assert error.subject == "song-2"
        assert "memory" in error.remedy
        assert list(workers.run(f"{HERE}:scale", 2, range(4))) == [0, 2, 4, 6]

    def test_an_error_that_does_not_pickle_is_told_as_text(self, workers: Workers) -> None:
        error = _raised(RuntimeError, lambda: list(workers.run(f"{HERE}:raise_unpicklable", None, [1, 0])))
        assert "holds a function of its own" in str(error)

    def test_an_error_tells_where_in_the_worker_it_was(self, workers: Workers) -> None:
        error = _raised(ZeroDivisionError, lambda: list(workers.run(f"{HERE}:divide", 1, [0])))
        assert "settings / item" in "".join(error.__notes__)

    def test_a_run_that_is_dropped_leaves_no_worker_busy(self, workers: Workers, tmp_path: Path) -> None:
        answers = workers.run(f"{HERE}:tell_pid", str(tmp_path), [0, 600, 600])
        next(answers)
        wait_until(lambda: len(list(tmp_path.iterdir())) >= 2)
        answers.close()  # type: ignore[attr-defined]
        busy = {int(path.name) for path in tmp_path.iterdir()}
        assert os.getpid() not in busy
        list(workers.run(f"{HERE}:scale", 1, [1]))
        wait_until(lambda: sum(map(_alive, busy)) <= 1)  # the one that was free again may be kept
