"""Work spread over the cores of one machine, as `fonoteca.ports.Workers`.

Each worker is a fresh Python process on the other end of a socket pair, never a fork of a process that has threads and
open databases. It holds one item at a time, so that when the kernel kills it the item in its hands is known; a pool with
a shared queue can only say that some worker died. It imports the task's module and nothing of the caller's main program.
A worker leads its own process group, so Ctrl-C reaches the parent alone, and ends when the parent's end of the pair closes,
even when the parent was killed and could say nothing.
"""

from __future__ import annotations

import json
import multiprocessing.connection
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from fonoteca.edges.answers import IN_FLIGHT_PER_WORKER, MORE_MEMORY, Task, call_task, find_task, name_item, packed_error
from fonoteca.model.errors import StoreError, UsageError

_EXIT_TIMEOUT_S = 5.0

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from fonoteca.edges.workers import serve_connection; serve_connection(int(sys.argv[2]))"
)


class SerialWorkers:
    """Work done here and now, one item after another."""

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the task's answer for each item, in the order of the items. Raises: what the task raises."""
        function = find_task(task)
        for item in items:
            yield call_task(function, settings, item)


class ProcessWorkers:
    """Up to `count` processes, started when there is work and kept for the next run; 0 or 1 work in this process.

    Close it, or use it as a context, to end the processes; they end with this process in any case.
    """

    def __init__(self, count: int) -> None:
        if count < 0:
            raise UsageError("workers", f"{count} is not a number of processes", "Give 0 or more.")
        self._count = count
        self._idle: list[_Worker] = []
        self._idle_lock = threading.Lock()
        self._finalizer = weakref.finalize(self, _stop_all, self._idle)

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the task's answer for each item, in the order of the items.

        Items are taken as workers become free, at most `IN_FLIGHT_PER_WORKER` times `count` ahead of the answer to come.
        Raises: what the task raises, for the first item (in order) that fails; StoreError naming the item when the
            process that held it was killed. Either way, and when the iterator is dropped, no worker is left busy.
        """
        if self._count <= 1:
            yield from SerialWorkers().run(task, settings, items)
            return
        find_task(task)
        run = _Run(self, task, settings, iter(items))
        try:
            yield from run.answers()
        finally:
            run.end()

    def close(self) -> None:
        """End the processes."""
        with self._idle_lock:
            _stop_all(self._idle)

    def __enter__(self) -> ProcessWorkers:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self.close()

    def _take(self) -> _Worker:
        with self._idle_lock:
            return self._idle.pop() if self._idle else _Worker()

    def _give_back(self, worker: _Worker) -> None:
        with self._idle_lock:
            self._idle.append(worker)


class _Worker:
    """A process and this end of its socket pair."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        with there:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, json.dumps(sys.path), str(there.fileno())],
                stdin=subprocess.DEVNULL,
                # Standard output belongs to the command's result; what a library prints goes with the diagnostics.
                stdout=2,
                pass_fds=(there.fileno(),),
                process_group=0,
            )
        self.connection = multiprocessing.connection.Connection(here.detach())

    def stop(self) -> None:
        """Kill and reap the process."""
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Reap a process that has closed its end. Returns: its exit status, minus the signal where one ended it."""
        self.connection.close()
        try:
            return self.process.wait(_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _stop_all(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().stop()


class _Run:
    """One task over one series of items."""

    def __init__(self, owner: ProcessWorkers, task: str, settings: Any, items: Iterator[Any]) -> None:
        self._owner = owner
        self._start = pickle.dumps(("task", task, settings))
        self._task = task
        self._items = items
        self._free: list[_Worker] = []
        self._busy: dict[_Worker, tuple[int, Any]] = {}
        self._done: dict[int, tuple[bool, Any]] = {}
        self._taken = 0
        self._more = True

    def answers(self) -> Iterator[Any]:
        """Yield answers in order."""
        for index in _count_up():
            while index not in self._done:
                self._hand_out(index)
                if not self._busy:
                    return
                self._collect()
            good, answer = self._done.pop(index)
            if not good:
                raise answer
            yield answer

    def end(self) -> None:
        """Give idle workers back and stop those that still hold an item whose answer nobody waits for."""
        for worker in self._free:
            self._owner._give_back(worker)
        _stop_all(list(self._busy))

    def _hand_out(self, index: int) -> None:
        """Give items to workers until none is free, none is left, or enough answers wait for item `index`."""
        limit = index + self._owner._count * IN_FLIGHT_PER_WORKER
        while self._more and self._taken < limit and len(self._busy) < self._owner._count:
            try:
                item = next(self._items)
            except StopIteration:
                self._more = False
                return
            worker = self._free.pop() if self._free else self._owner._take()
            self._busy[worker] = (self._taken, item)
            self._taken += 1
            message = pickle.dumps(("item", item))
            try:
                worker.connection.send_bytes(self._start)
                worker.connection.send_bytes(message)
            except OSError:
                self._bury(worker)

    def _collect(self) -> None:
        """Take in what has arrived, waiting for at least one answer or death."""
        owners = {worker.connection: worker for worker in self._busy}
        for connection in multiprocessing.connection.wait(list(owners)):
            worker = owners[connection]  # type: ignore[index]
            try:
                answer = pickle.loads(worker.connection.recv_bytes())
            except (EOFError, OSError):
                self._bury(worker)
                continue
            index, _ = self._busy.pop(worker)
            self._done[index] = answer
            self._free.append(worker)

    def _bury(self, worker: _Worker) -> None:
        """Note that a worker died with an item in its hands."""
        index, item = self._busy.pop(worker)
        status = worker.end()
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"gone with exit status {status}"
        self._done[index] = (
            False,
            StoreError(
                name_item(item),
                f"the process that worked on it ({self._task}) was {how}",
                f"If memory ran short: {MORE_MEMORY}",
            ),
        )


def _count_up() -> Iterator[int]:
    index = 0
    while True:
        yield index
        index += 1


def serve_connection(descriptor: int) -> None:
    """Answer items until the other end closes: what a worker process does. descriptor: its end of the socket pair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, args=(descriptor,), daemon=True).start()
    connection = multiprocessing.connection.Connection(descriptor)
    start = b""
    function: Task | None = None
    settings: Any = None
    while True:
        try:
            first, second = connection.recv_bytes(), connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            if first != start:
                _, task, settings = pickle.loads(first)
                function, start = find_task(task), first
            assert function is not None
            _, item = pickle.loads(second)
            answer = pickle.dumps((True, call_task(function, settings, item)))
        except BaseException as error:  # noqa: BLE001 - carried whole to the caller, who raises it
            answer = packed_error(error)
        connection.send_bytes(answer)


def _leave_with_parent(descriptor: int) -> None:
    """End this process when the parent's end closes, also in the middle of an item."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    os._exit(1)
