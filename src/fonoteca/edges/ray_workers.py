"""Work spread over the machines of a Ray cluster, as `fonoteca.ports.Workers`.

An item is one Ray task. Whatever Fonoteca gives to workers may be done twice, so an item whose node died is simply given to
another. Ray's own retries are off: it would repeat without end a task that eats all memory, and could not say which item it was.
A worker process looks around before its first item (`NodeCheck`), so that a machine that joins in the middle of a run and
does not see the archive is an error too, never an item that seems to be missing.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fonoteca.edges.answers import IN_FLIGHT_PER_WORKER, Task, call_task, find_task, name_item, packed_error
from fonoteca.edges.ray_nodes import (
    RUN_AGAIN,
    NodeCheck,
    check_this_node,
    deaths,
    first_line,
    head_answers,
    join,
    leave,
    load_ray,
    look_at_nodes,
    processor_count,
)
from fonoteca.model.errors import StoreError

TRIES_MAX = 3
"""Deaths of a worker or a node that one item may outlive. An item that kills whatever works on it is named after so many."""

_WAIT_S = 5.0
_LISTEN_TIMEOUT_S, _END_TIMEOUT_S = 5.0, 10.0
_HEAD_TIMEOUT_S = 20.0
"""How long the head may not answer. After 60 s Ray ends this process, whatever it is at."""

_NO_NODE_TIMEOUT_S = 60.0
"""How long a cluster may be without any processor before a run gives up: a node may be starting anew."""

_PAUSE_S, _PAUSE_MAX_S = 1.0, 5.0
"""Before an item is tried again, times its tries: Ray needs a moment to know that a node is gone, memory to be given back."""

_ANSWERS_PER_COUNT = 100
"""After so many answers the processors are counted anew, because nodes come and go."""

_MORE_MEMORY = "Give the nodes more memory or fewer processors (`ray start --num-cpus`); then run the same command again."


class RayWorkers:
    """All processors of a Ray cluster. Close it, or use it as a context, to leave the cluster; it goes on running.

    address: HOST:PORT of the cluster's head, or `auto`. The machine that this runs on must be a node of the cluster.
    """

    def __init__(self, address: str, check: NodeCheck | None = None) -> None:
        self._address = address
        self._check = check
        self._joined = False
        self._looked: set[str] = set()

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the task's answer for each item, in the order of the items.

        Items are taken as processors become free, at most `IN_FLIGHT_PER_WORKER` times their number ahead of the answer to come.
        Raises: what the task raises, for the first item (in order) that fails; StoreError naming the item when what works on
            it dies `TRIES_MAX` times; UsageError naming the node when one is not fit to work for this archive. Either way,
            and when the iterator is dropped, what is under way is ended.
        """
        find_task(task)
        self._enter()
        run = _Run(pickle.dumps((self._check, task, settings)), task, iter(items), self._address)
        try:
            yield from run.answers()
        finally:
            run.end()

    def close(self) -> None:
        """Leave the cluster. Ray ends the processes that worked for us."""
        if self._joined:
            self._joined = False
            leave()

    def __enter__(self) -> RayWorkers:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster."""
        self.close()

    def _enter(self) -> None:
        """Join the cluster, and look at each node that was not there when this was last done."""
        if not self._joined:
            join(self._address)
            self._joined = True
        self._looked |= look_at_nodes(self._check, self._looked)


@dataclass(slots=True)
class _Pending:
    """An item under way. tries: this one is the nth."""

    item: Any
    packed: bytes
    answer: Any
    tries: int = 1


class _Run:
    """One task over one series of items."""

    def __init__(self, start: bytes, task: str, items: Iterator[Any], address: str) -> None:
        self._ray = load_ray()
        self._start = start
        self._task = task
        self._items = items
        self._address = address
        self._pending: deque[_Pending] = deque()
        self._more = True
        self._ill_since: float | None = None
        # SPREAD, because the work is as much on disks and networks as on processors.
        self._work = self._ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(_work)

    def answers(self) -> Iterator[Any]:
        """Yield answers in order."""
        given = 0
        while True:
            if given % _ANSWERS_PER_COUNT == 0:
                limit = IN_FLIGHT_PER_WORKER * max(1, processor_count())
            self._hand_out(limit)
            if not self._pending:
                return
            good, answer = self._first()
            given += 1
            if not good:
                raise answer
            yield answer

    def end(self) -> None:
        """End what is under way, so that none of it writes any more.

        Each is interrupted first, and its process killed only if it does not listen: Ray 2.60 ends the process that kills a task
        whose answer arrives in the same moment (`CompletePendingTask` of a task that is failed already).
        """
        answers = [pending.answer for pending in self._pending]
        self._pending.clear()
        for force, timeout_s in ((False, _LISTEN_TIMEOUT_S), (True, _END_TIMEOUT_S)):
            for answer in answers:
                self._ray.cancel(answer, force=force)
            if answers:
                _, answers = self._ray.wait(answers, num_returns=len(answers), timeout=timeout_s, fetch_local=False)

    def _hand_out(self, limit: int) -> None:
        """Give items to the cluster until none is left or enough are under way."""
        while self._more and len(self._pending) < limit:
            try:
                item = next(self._items)
            except StopIteration:
                self._more = False
                return
            packed = pickle.dumps(item)
            self._pending.append(_Pending(item, packed, self._work.remote(self._start, packed)))

    def _first(self) -> tuple[bool, Any]:
        """Return the answer to the first item, once there is one."""
        first = self._pending[0]
        while True:
            try:
                packed = self._ray.get(first.answer, timeout=_WAIT_S)
            except self._ray.exceptions.GetTimeoutError:
                self._check_the_cluster()
            except self._ray.exceptions.RayError as error:
                self._check_the_cluster()
                self._mourn(first, error)
            else:
                self._ill_since = None
                self._pending.popleft()
                return pickle.loads(packed)  # type: ignore[no-any-return]

    def _mourn(self, first: _Pending, error: Exception) -> None:
        """Give the first item to another worker, and every other whose worker died too. Raises: StoreError after too many."""
        if not isinstance(error, deaths()):
            raise StoreError(name_item(first.item), f"Ray failed at {self._task}: {first_line(error)}", RUN_AGAIN) from error
        if first.tries >= TRIES_MAX:
            raise self._too_many(first, error) from error
        time.sleep(min(_PAUSE_MAX_S, _PAUSE_S * first.tries))
        self._try_again(first)
        ready, _ = self._ray.wait([p.answer for p in self._pending], num_returns=len(self._pending), timeout=0, fetch_local=False)
        done = set(ready)
        for pending in self._pending:
            if pending.answer in done and pending.tries < TRIES_MAX and self._is_dead(pending):
                self._try_again(pending)

    def _is_dead(self, pending: _Pending) -> bool:
        """Return whether what worked on an item that is done with died instead of answering."""
        try:
            self._ray.get(pending.answer, timeout=_WAIT_S)
        except deaths():
            return True
        except self._ray.exceptions.RayError:
            return False  # told when its turn comes
        return False

    def _try_again(self, pending: _Pending) -> None:
        pending.tries += 1
        pending.answer = self._work.remote(self._start, pending.packed)

    def _too_many(self, pending: _Pending, error: Exception) -> StoreError:
        """Return the error of an item that nothing that worked on it outlived."""
        name = name_item(pending.item)
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return StoreError(name, f"memory ran short on a Ray node {pending.tries} times ({self._task})", _MORE_MEMORY)
        what = f"the process or node that worked on it ({self._task}) died {pending.tries} times, lastly: {first_line(error)}"
        return StoreError(name, what, f"If memory ran short: {_MORE_MEMORY}")

    def _check_the_cluster(self) -> None:
        """Take note of whether anybody can work. Raises: StoreError when nobody could for too long."""
        now = time.monotonic()
        since = self._ill_since or now
        if not head_answers():
            if now - since >= _HEAD_TIMEOUT_S:
                remedy = "Start the cluster anew with `ray start --head` and its nodes, then run the same command again."
                raise StoreError(f"Ray cluster {self._address}", "its head does not answer any more", remedy)
        elif processor_count():
            self._ill_since = None
            return
        elif now - since >= _NO_NODE_TIMEOUT_S:
            remedy = "Start a node with `ray start --address=HOST:PORT`, then run the same command again."
            raise StoreError(f"Ray cluster {self._address}", f"it has had no processor for {_NO_NODE_TIMEOUT_S:.0f} s", remedy)
        self._ill_since = since


def _work(start: bytes, packed: bytes) -> bytes:
    """Return the pickled answer to one item, or its error: what runs on the cluster. SystemExit is Ray's way to end a worker."""
    try:
        function, settings = _begin(start)
        return pickle.dumps((True, call_task(function, settings, pickle.loads(packed))))
    except Exception as error:  # noqa: BLE001 - carried whole to the caller, who raises it
        return packed_error(error)


@lru_cache(maxsize=4)
def _begin(start: bytes) -> tuple[Task, Any]:
    """Return the function and settings of a run, after a look around: once for each process that works for it."""
    check, task, settings = pickle.loads(start)
    if check is not None:
        check_this_node(check)
    return find_task(task), settings
