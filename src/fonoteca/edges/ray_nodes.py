"""This process in a Ray cluster: joining it, and looking at its nodes before they are given work.

Ray is imported when there is work: it takes a second, and is there only with the extra `many`.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from fonoteca.edges.answers import find_task, packed_error
from fonoteca.model.errors import FonotecaError, StoreError, UsageError

RUN_AGAIN = "See that the node is well (`ray status`), then run the same command again."

_AUTO = "auto"
_REACH_TIMEOUT_S = 5.0
_CHECK_TIMEOUT_S = 120.0
"""For a node to start its first worker and import Fonoteca: 2 to 4 s on a machine at rest."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of its own future on standard error
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # else it tells of dead nodes on standard output, which is the command's result's
}
"""What Ray reads when it is imported."""


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """What each worker does before its first item: a task, called with these settings and None, that raises what is wrong."""

    task: str
    settings: Any


def load_ray() -> Any:
    """Return Ray, imported. Raises: UsageError when it is not installed.

    Its hook for errors that nobody catches is taken out: it tells the head of them, and waits for a head that is gone.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    hook = sys.excepthook
    try:
        import ray
    except ImportError as error:
        raise UsageError('workers = "ray"', "Ray is not installed", "Install Fonoteca with the extra `many`.") from error
    finally:
        sys.excepthook = hook
    return ray


def deaths() -> tuple[type[Exception], ...]:
    """Return the errors that say that what worked on a task, or kept its answer, is gone."""
    of = import_module("ray.exceptions")
    return of.WorkerCrashedError, of.NodeDiedError, of.OutOfMemoryError, of.ObjectLostError


def first_line(error: Exception) -> str:
    """Return the first line of an error that says something; Ray's go on for pages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def processor_count() -> int:
    """Return how many tasks the cluster can work on at once."""
    return int(load_ray().cluster_resources().get("CPU", 0))


def head_answers() -> bool:
    """Return whether the head of the cluster that this process is in takes connections."""
    host, _, port = str(load_ray().get_runtime_context().gcs_address).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_TIMEOUT_S).close()
    except OSError:
        return False
    return True


_turn = threading.Lock()
_joined: list[str] = []
"""The address that each user in this process joined at, the same for all: Ray has one connection a process."""


def join(address: str) -> None:
    """Connect this process to the cluster, or share the connection that it has.

    Raises: UsageError when there is no such cluster, this machine is no node of it, or this process is in another one.
    """
    with _turn:
        if not _joined:
            _connect(address)
        elif _joined[0] != address:
            problem = f"this process works on {_joined[0]} already"
            raise UsageError(f"Ray cluster {address}", problem, "Use one cluster, or one process for each.")
        _joined.append(address)


def leave() -> None:
    """Give the connection up when nobody in this process uses it any more."""
    with _turn:
        _joined.pop()
        if not _joined:
            load_ray().shutdown()


def _connect(address: str) -> None:
    """Connect this process, with Ray's own words kept from standard output."""
    library = load_ray()
    _reach(address)
    try:
        with _own_signals():
            library.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        remedy = "Make this machine a node of it: `ray start --address=HOST:PORT`, with --num-cpus=0 if it is not to work."
        raise UsageError(f"Ray cluster {address}", f"cannot be joined: {first_line(error)}", remedy) from error


def _reach(address: str) -> None:
    """Check that something answers at an address, in seconds where Ray takes minutes. Raises: UsageError."""
    if address == _AUTO:
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"ray.address {address!r}", "expected HOST:PORT or auto", "Correct it in fonoteca.toml.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_TIMEOUT_S).close()
    except OSError as error:
        remedy = "Start it with `ray start --head`, or correct `ray.address` in fonoteca.toml."
        raise UsageError(f"Ray cluster {address}", f"nothing answers there: {error}", remedy) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does at SIGTERM: Ray puts its own in place. Signals are the main thread's alone."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def look_at_nodes(check: NodeCheck | None, known: Set[str]) -> set[str]:
    """Return the ids of nodes that were not known, each fit to work for us.

    Raises: UsageError naming the node when its Fonoteca or Python is another one, or the check fails there; StoreError when
        it does not answer.
    """
    library = load_ray()
    on = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    nodes = [n for n in library.nodes() if n["Alive"] and n["Resources"].get("CPU") and n["NodeID"] not in known]
    here = {n["NodeID"]: library.remote(num_cpus=0, max_retries=0, scheduling_strategy=on(n["NodeID"], soft=False)) for n in nodes}
    versions = [(node, here[node["NodeID"]](_versions_there()).remote()) for node in nodes]
    for node, answer in versions:
        _compare_versions(node, _from_node(node, answer))
    checks = [(node, here[node["NodeID"]](_check_there).remote(pickle.dumps(check))) for node in nodes if check is not None]
    for node, answer in checks:
        packed = _from_node(node, answer)
        _raise_error(packed or pickle.dumps((True, None)))
    return {node["NodeID"] for node in nodes}


def _raise_error(packed: bytes) -> None:
    """Raise the error of a pickled outcome, if it is one."""
    good, error = pickle.loads(packed)
    if not good:
        raise error


def _from_node(node: dict[str, Any], answer: Any) -> Any:
    """Return what a node answered, None when it is gone: then it does no harm."""
    of = import_module("ray.exceptions")
    name = f"Ray node {node['NodeManagerAddress']}"
    try:
        return load_ray().get(answer, timeout=_CHECK_TIMEOUT_S)
    except of.GetTimeoutError as error:
        raise StoreError(name, f"it did not answer for {_CHECK_TIMEOUT_S:.0f} s", RUN_AGAIN) from error
    except (*deaths(), of.TaskUnschedulableError):
        return None
    except of.RayError as error:
        raise StoreError(name, f"it cannot work: {first_line(error)}", "Install the same Fonoteca there as here.") from error


def _versions_there() -> Any:
    """Return a function that gives the versions where it runs. It is sent whole, so that it works where Fonoteca is not."""

    def versions() -> tuple[str, str]:
        import sys
        from importlib.metadata import PackageNotFoundError, version

        try:
            fonoteca = version("fonoteca")
        except PackageNotFoundError:
            fonoteca = "none"
        return fonoteca, ".".join(map(str, sys.version_info[:2]))

    return versions


def _compare_versions(node: dict[str, Any], there: tuple[str, str] | None) -> None:
    """Raise UsageError when a node has another Fonoteca or Python: pickled items and answers would not fit."""
    here = version("fonoteca"), ".".join(map(str, sys.version_info[:2]))
    if there is None or there == here:
        return
    found = f"it has Fonoteca {there[0]} on Python {there[1]}, here is {here[0]} on {here[1]}"
    raise UsageError(f"Ray node {node['NodeManagerAddress']}", found, "Install the same there as here, and start the node anew.")


def check_this_node(check: NodeCheck) -> None:
    """Do the check in this process, on whichever node it is. Raises: UsageError that names the node."""
    try:
        find_task(check.task)(check.settings, None)
    except FonotecaError as error:
        node = f"Ray node {load_ray().util.get_node_ip_address()}"
        raise UsageError(node, f"{error.subject}: {error.problem}", error.remedy) from error


def _check_there(packed: bytes) -> bytes:
    """Return the pickled outcome of a check on the node where this runs."""
    try:
        check_this_node(pickle.loads(packed))
    except Exception as error:  # noqa: BLE001 - carried whole to the caller, who raises it
        return packed_error(error)
    return pickle.dumps((True, None))
