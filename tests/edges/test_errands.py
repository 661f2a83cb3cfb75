"""A command beside this process runs when there is something to do, one at a time, and ends with it. Who holds a lock is seen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fonoteca.edges.disk_lock import ArchiveLock, holder_of
from fonoteca.edges.errands import Errand

SLOW = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('begun'); time.sleep(60)"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_a_command_runs_while_something_waits_and_again_after_a_nudge(tmp_path: Path) -> None:
    left, runs = [2], tmp_path / "runs"
    count = f"open({str(runs)!r}, 'a').write('x')"

    def waits() -> bool:
        left[0] -= 1
        return left[0] >= 0

    with Errand([sys.executable, "-c", count], waits, 0.05) as errand:
        wait_for(lambda: runs.exists() and runs.read_text() == "xx")
        left[0] = 1
        errand.nudge()
        wait_for(lambda: runs.read_text() == "xxx")
    assert runs.read_text() == "xxx"


def test_a_command_under_way_ends_with_whoever_started_it(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with Errand([sys.executable, "-c", SLOW, str(begun)], lambda: True, 0.05) as errand:
        wait_for(begun.exists)
        child = errand._child
        assert child
        assert child.poll() is None
    assert child.wait(10) != 0


def test_who_writes_is_seen_without_being_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    assert holder_of(path) == ""
    with ArchiveLock(path):
        assert f"process {os.getpid()} " in holder_of(path)
    assert holder_of(path) == ""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for left in (f'{{"pid": {gone.pid}, "command": "x"}}', "not json", '{"pid": -1}', "[]"):
        path.write_text(left)
        assert holder_of(path) == "", left
