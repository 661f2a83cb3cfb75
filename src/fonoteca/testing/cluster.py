"""A Ray cluster on this one machine, started for a test or a demo and gone afterwards: a head and nodes, which can be killed.

Each node has a loopback address of its own, 127.0.0.2 upwards: Ray swaps 127.0.0.1 for the machine's own address. It listens
on all interfaces whatever it is told, and runs whatever it is sent, so the cluster wants a token of those who join it.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

OBJECT_STORE_BYTES = 80_000_000
"""Ray takes no less than 75 MiB. Answers are small, and none is kept."""

_START_TIMEOUT_S = 120.0
_START_TRIES = 3
_END_TIMEOUT_S = 15.0
_TICK_S = 0.05
_SAID_BYTES_MAX = 100_000
_BOOT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
"""Has the kernel kill a node with the process that started it (PR_SET_PDEATHSIG): one that was killed itself can stop nothing."""

_STARTED = b"Ray runtime started"
_TOKEN = secrets.token_hex(32)
"""One a process: Ray reads it once."""

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": _TOKEN,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(slots=True)
class _Node:
    """A node: `ray start --block` and all that it starts. processors: 0 once another stands in for it."""

    host: str
    processors: int
    started: subprocess.Popen[bytes]
    said: IO[bytes]


@dataclass(slots=True)
class LocalCluster:
    """A cluster that runs. Node 0 is the head.

    address: HOST:PORT of its head, for `ray.address`. environment: what its nodes have, and who joins it must have.
    """

    address: str
    folder: Path
    environment: Mapping[str, str]
    nodes: list[_Node] = field(default_factory=list)

    def add(self, processors: int) -> int:
        """Start one more node and wait until it is there. Returns: its index. Raises: RuntimeError with what it said instead."""
        for tries_left in reversed(range(_START_TRIES)):
            try:
                self.nodes.append(self._start(processors))
                break
            except RuntimeError:  # on a busy machine Ray loses patience with itself after 30 s
                if not tries_left:
                    raise
        return len(self.nodes) - 1

    def mend(self) -> int:
        """Start a node in the place of each that was killed. Returns: the index of the last node."""
        for node in self.nodes[1:]:
            if node.started.returncode is not None and node.processors:
                node.processors, processors = 0, node.processors
                self.add(processors)
        return len(self.nodes) - 1

    def kill(self, index: int) -> None:
        """End a node as a power cut would: SIGKILL to every process of it at once."""
        node = self.nodes[index]
        _kill_tree(node.started.pid)
        node.started.wait(_END_TIMEOUT_S)
        node.said.close()

    def close(self) -> None:
        """End all nodes, the head last. Nothing of them runs when it returns."""
        for index in reversed(range(len(self.nodes))):
            if self.nodes[index].started.returncode is None:
                self.kill(index)

    def _start(self, processors: int) -> _Node:
        host = f"127.0.0.{len(self.nodes) + 2}"
        first = not self.nodes
        where = ["--head", f"--port={self.address.rpartition(':')[2]}"] if first else [f"--address={self.address}"]
        if first:
            where += ["--include-dashboard=false", "--no-monitor", f"--temp-dir={self.folder}"]
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the node
        started = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _BOOT,
                str(Path(sys.executable).with_name("ray")),
                "start",
                *where,
                f"--node-ip-address={host}",
                f"--num-cpus={processors}",
                f"--object-store-memory={OBJECT_STORE_BYTES}",
                "--min-worker-port=0",
                "--max-worker-port=0",
                "--include-log-monitor=false",
                "--block",
            ],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        node = _Node(host, processors, started, said)
        try:
            _wait_until_started(node)
        except BaseException:
            _kill_tree(started.pid)
            started.wait(_END_TIMEOUT_S)
            said.close()
            raise
        return node


@contextmanager
def ray_cluster(processors: Sequence[int] = (1, 1), environment: Mapping[str, str] | None = None) -> Iterator[LocalCluster]:
    """Run a cluster until the context ends. processors: of the head, then of each node. environment: added to theirs."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:  # short: sockets lie below it
        cluster = LocalCluster(f"127.0.0.2:{_free_port('127.0.0.2')}", Path(folder), {**_ENVIRONMENT, **(environment or {})})
        try:
            for count in processors:
                cluster.add(count)
            yield cluster
        finally:
            cluster.close()


def _wait_until_started(node: _Node) -> None:
    """Return when the node has said that it runs. Raises: RuntimeError with what it said instead."""
    end = time.monotonic() + _START_TIMEOUT_S
    while True:
        said = os.pread(node.said.fileno(), _SAID_BYTES_MAX, 0)  # not seek: the node writes at the same position
        if _STARTED in said:
            return
        if node.started.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the Ray node {node.host} did not start:\n{said.decode(errors='replace')}")
        time.sleep(_TICK_S)


def _kill_tree(pid: int) -> None:
    """Kill a process and all that it started, and wait until they are gone. What they start meanwhile is killed too."""
    tree = _below({pid})
    end = time.monotonic() + _END_TIMEOUT_S
    while alive := _alive(tree):
        assert time.monotonic() < end, f"processes {alive} outlive SIGKILL"
        tree |= _below(alive)
        for each in alive:
            _kill(each)
        time.sleep(_TICK_S)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # gone already


def _below(tree: Set[int]) -> set[int]:
    """Return the processes that these have started, and what those have, and so on."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if status := _status(int(folder.name)):
            parents[int(folder.name)] = int(status[1])
    found = set(tree)
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return found


def _alive(pids: Set[int]) -> set[int]:
    """Return those that still run; a zombie does not."""
    return {pid for pid in pids if (status := _status(pid)) and status[0] != "Z"}


def _status(pid: int) -> list[str]:
    """Return the state, the parent and what else the system says of a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])
