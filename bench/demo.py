"""The demo as a person runs it, in a process of its own: how long it takes, and whether all that it breaks is healed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.proof import prove
from bench.report import Figure, Goal, Peer
from bench.stopwatch import NotMeasurableError, Stopwatch

SECONDS_MAX = 180
_TIMEOUT_S = 900


def figures(scratch: Path) -> list[Figure]:
    """Return the demo's seconds, what it healed of what it flipped, and what others say of its archive and mirror."""
    command = [sys.executable, "-m", "fonoteca", "demo", str(scratch / "demo"), "--no-serve", "--json"]
    with Stopwatch() as watch:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if done.returncode:
        raise NotMeasurableError(f"`fonoteca demo` ended with exit status {done.returncode}: {done.stderr[-500:]}")
    told = json.loads(done.stdout)
    damage = told["damage"]
    flipped = damage["flipped"]
    allowed = damage["pieces_refetched"] * damage["piece_bytes"]
    refetched = Peer("damaged pieces x piece length", allowed)
    return [
        Figure("demo: the whole corridor", watch.seconds, "s", goal=Goal(SECONDS_MAX, at_most=True), less_is_better=True),
        Figure(f"demo: found of {flipped} flips", damage["found"], "", goal=Goal(flipped)),
        Figure(f"demo: healed of {flipped} flips", damage["healed"], "", goal=Goal(flipped)),
        Figure("demo: bytes refetched to heal", damage["bytes_refetched"], "B", refetched, Goal(allowed, at_most=True), True),
        Figure(
            f"demo: proved of {told['mirror_files']} files on the mirror",
            told["mirror_verified"],
            "",
            goal=Goal(told["mirror_files"]),
        ),
        *prove("demo", Path(told["archive"]), Path(told["mirror"]), scratch),
    ]
