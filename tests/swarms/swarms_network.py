"""Machines of one's own: network namespaces on one bridge, each with an address, a loopback and nothing else (Linux, root)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

WAIT_S = 120


@dataclass(frozen=True)
class Machine:
    """A namespace. address: its IPv4 address on the bridge."""

    name: str
    address: str

    def start(self, words: Sequence[str | Path], said: Path) -> subprocess.Popen[bytes]:
        """Start a program there, what it says going to a file."""
        with said.open("wb") as target:
            return subprocess.Popen([*_in(self.name), *map(str, words)], stdout=target, stderr=subprocess.STDOUT)

    def run(self, words: Sequence[str | Path]) -> str:
        """Return what a program says that ends well there."""
        ended = subprocess.run([*_in(self.name), *map(str, words)], capture_output=True, timeout=WAIT_S, check=False, text=True)
        assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def cut_off(self, *others: Machine) -> None:
        """Let nothing go out to others from now on."""
        for other in others:
            _ip("-n", self.name, "route", "add", "unreachable", f"{other.address}/32")

    def join(self, *others: Machine) -> None:
        """Let all go out to others again."""
        for other in others:
            _ip("-n", self.name, "route", "del", "unreachable", f"{other.address}/32")


def why_no_machines() -> str:
    """Return why there can be no namespaces here, "" where there can."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need root and `ip` (apt-get install iproute2)"
    name = f"fono{os.getpid()}try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False, text=True)
    if made.returncode == 0:
        _ip("netns", "del", name)
    return "" if made.returncode == 0 else f"network namespaces cannot be made here: {made.stderr.strip()}"


@contextmanager
def machines(count: int) -> Iterator[list[Machine]]:
    """Give so many machines that can reach each other, and take them away again."""
    prefix = f"fono{os.getpid()}"
    hub = f"{prefix}hub"
    with ExitStack() as made:
        _namespace(made, hub)
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        found = []
        for n in range(count):
            machine = Machine(f"{prefix}m{n}", f"10.213.77.{n + 1}")
            _namespace(made, machine.name)
            _ip("-n", hub, "link", "add", f"port{n}", "type", "veth", "peer", "name", "lan", "netns", machine.name)
            _ip("-n", hub, "link", "set", f"port{n}", "master", "bridge", "up")
            _ip("-n", machine.name, "address", "add", f"{machine.address}/24", "dev", "lan")
            _ip("-n", machine.name, "link", "set", "lan", "up")
            _ip("-n", machine.name, "link", "set", "lo", "up")
            found.append(machine)
        yield found


def await_that(happened: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
        time.sleep(0.2)


def _namespace(made: ExitStack, name: str) -> None:
    _ip("netns", "add", name)
    made.callback(_ip, "netns", "del", name)


def _in(name: str) -> list[str]:
    return ["ip", "netns", "exec", name]


def _ip(*words: str) -> None:
    ended = subprocess.run(["ip", *words], capture_output=True, check=False, text=True, timeout=20)
    assert ended.returncode == 0, f"ip {' '.join(words)}: {ended.stderr}"
