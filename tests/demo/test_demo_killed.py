"""Demos that get in each other's way, and demos that are killed: the archive is sound, and the next one carries on."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from demo_checks import (
    assert_all_healed,
    assert_drops_are_in_order,
    assert_figures_are_true,
    assert_mirror_is_the_same,
    assert_payload_is_whole,
    assert_valid_ocfl,
)

from fonoteca.edges.disk import DiskBlobs
from fonoteca.flows.demo import choose_flips, flip
from fonoteca.register import Register

pytestmark = pytest.mark.xdist_group("demo-killed")

SEED = 1890
MOMENTS = (("1.", 0.8), ("2.", 1.2), ("4.", 1.2), ("5.", 0.6), ("6.", 1.0), ("7.", 0.4))
"""When to kill: so many seconds at most after the line that begins so."""

KILLED_MIN = 5
"""Of the moments, those at which a fast machine must not have come to the end."""

STEP_TIMEOUT_S = 240
WORKERS_END_TIMEOUT_S = 20

Run = Callable[..., subprocess.CompletedProcess[str]]


def start(command: Sequence[str], folder: Path, *options: str) -> subprocess.Popen[str]:
    """Return a demo that has been started in a session of its own."""
    words = [*command, "demo", str(folder), "--no-serve", *options]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def ended(demo: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return the status, stdout and stderr of a demo when it has ended."""
    out, err = demo.communicate(timeout=STEP_TIMEOUT_S)
    return demo.returncode, out, err


def figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be the same from one demo to the next. Drops hold dates, so their hashes and compressed sizes are not."""
    same = ("items", "files", "bytes", "audio_seconds", "refused", "held", "coverage", "plan", "mirror_files", "mirror_verified")
    found = {name: summary[name] for name in same}
    found["drops"] = [(drop["kind"], drop["files"], drop["coverage_share"]) for drop in summary["drops"]]
    found["damage"] = [summary["damage"][name] for name in ("flipped", "found", "healed", "pieces_refetched")]
    found["hits"] = [hit["id"] for hit in summary["search"]["hits"]]
    return found


def assert_sound(summary: Mapping[str, Any], scratch: Path) -> None:
    """Assert that a demo ended with all that it promises."""
    archive, mirror = Path(summary["archive"]), Path(summary["mirror"])
    assert_figures_are_true(summary)
    assert_drops_are_in_order(summary["drops"])
    assert_all_healed(summary["damage"])
    assert_mirror_is_the_same(archive, mirror, summary["drops"])
    for folder in (archive, mirror):
        assert_valid_ocfl(folder / "store")
        assert_payload_is_whole(folder, summary["drops"], scratch / folder.name)
        assert list((folder / "staging").iterdir()) == []


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory, fonoteca_command: list[str]) -> tuple[int, list[tuple[int, str, str]]]:
    """Return the winner's process id, and how three demos in one folder ended, the winner first.

    Two start at the same moment. When the winner is at its mirror it stands still, until two more have found it there.
    """
    folder = tmp_path_factory.mktemp("rivals")
    demos = [start(fonoteca_command, folder, "--json") for _ in range(2)]
    while all(demo.poll() is None for demo in demos):
        time.sleep(0.05)
    loser, winner = sorted(demos, key=lambda demo: demo.poll() is None)
    deadline = time.monotonic() + STEP_TIMEOUT_S
    while not (folder / "mirror" / "fonoteca.toml").exists():
        assert winner.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    winner.send_signal(signal.SIGSTOP)
    others = [ended(demo) for demo in (loser, *(start(fonoteca_command, folder, "--json") for _ in range(2)))]
    winner.send_signal(signal.SIGCONT)
    return winner.pid, [ended(winner), *others]


def test_a_demo_where_another_is_at_work_says_who_and_ends(rivals: tuple[int, list[tuple[int, str, str]]]) -> None:
    winner, (_, *others) = rivals
    for status, out, err in others:
        assert status == 1, err
        assert json.loads(out)["error"]["code"] == "usage.busy"
        assert re.search(rf"process {winner} \(`.*fonoteca demo .*`\) is writing in this archive", err)
        assert "run the same command again" in err


def test_a_demo_is_unharmed_by_others_in_its_folder(rivals: tuple[int, list[tuple[int, str, str]]], tmp_path: Path) -> None:
    status, out, err = rivals[1][0]
    assert status == 0, err
    assert_sound(json.loads(out), tmp_path)


def test_a_demo_killed_at_any_step_carries_on_and_ends_the_same(
    rivals: tuple[int, list[tuple[int, str, str]]], fonoteca_command: list[str], run_fonoteca: Run, tmp_path: Path
) -> None:
    """The same folder all through, so that each run begins with what the one before left, killed a step earlier."""
    chance = random.Random(SEED)
    killed = []
    for line, spread_s in MOMENTS:
        delay_s = chance.uniform(0, spread_s)
        demo = start(fonoteca_command, tmp_path / "demo")
        wait_for_line(demo, line)
        time.sleep(delay_s)
        demo.kill()
        status, _, err = ended(demo)
        assert status in (-signal.SIGKILL, 0), err
        if status:
            killed.append((demo.pid, f"{delay_s:.2f} s after {line}"))
    assert len(killed) >= KILLED_MIN, killed
    interrupted = start(fonoteca_command, tmp_path / "demo")
    wait_for_line(interrupted, "6.")
    interrupted.send_signal(signal.SIGINT)
    status, _, err = ended(interrupted)
    assert status == 130, err
    assert "run the same command again" in err
    assert "Traceback" not in err
    flip_some(tmp_path / "demo" / "archive")
    done = run_fonoteca("demo", tmp_path / "demo", "--no-serve", "--json")
    summary = json.loads(done.stdout)
    untroubled = json.loads(rivals[1][0][1])
    assert figures(summary) == figures(untroubled), killed
    assert_sound(summary, tmp_path)
    assert_no_process_is_left([pid for pid, _ in killed])


def wait_for_line(demo: subprocess.Popen[str], beginning: str) -> None:
    """Return when a demo has printed a line that begins so."""
    assert demo.stdout is not None
    seen = []
    for line in demo.stdout:
        seen.append(line)
        if line.startswith(beginning):
            return
    pytest.fail(f"never said {beginning!r}: {''.join(seen)} {ended(demo)}")


def flip_some(archive: Path) -> None:
    """Flip two bytes of the four that a demo flips: as if it was killed in the middle of that."""
    with Register.open(archive / "register.sqlite") as register:
        flip(DiskBlobs(archive / "store"), choose_flips(register)[:2])


def assert_no_process_is_left(sessions: Sequence[int]) -> None:
    """Assert that workers of killed demos end by themselves. Each demo led a session, whose number is its process id."""
    deadline = time.monotonic() + WORKERS_END_TIMEOUT_S
    while left := [pid for pid, session in sessions_now().items() if session in sessions]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def sessions_now() -> dict[int, int]:
    """Return the session of each process that runs."""
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            found[int(name)] = os.getsid(int(name))
        except ProcessLookupError:
            continue
    return found
