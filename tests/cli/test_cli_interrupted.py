"""Ctrl-C and worse, at a real process, and then the same command again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_world import OPEN, Fonoteca, item

ITEMS = 60
COMMAND = [sys.executable, "-m", "fonoteca"]


def _acquire(archive: Path, music: Path) -> list[str]:
    return [*COMMAND, "acquire", "folder", str(music), "--archive", str(archive), "--json"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_acquire_interrupted_and_run_again_holds_everything_once(
    number: signal.Signals, status: int, tmp_path: Path, fonoteca: Fonoteca
) -> None:
    archive, music = tmp_path / "archive", tmp_path / "music"
    assert fonoteca("init", archive).status == 0
    for n in range(ITEMS):
        item(music / f"item-{n:02}", OPEN, seconds=3)
    process = subprocess.Popen(_acquire(archive, music), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(list((archive / "store").glob("*/*/*/*audio*/v1"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert out == ""
    if number == signal.SIGINT:
        assert "run the same command again to carry on" in err
        assert "Traceback" not in err
    held = len(list((archive / "store").glob("*/*/*/*audio*/v1")))
    assert 2 <= held < ITEMS
    again = subprocess.run(_acquire(archive, music), capture_output=True, text=True, check=True)
    outcomes = json.loads(again.stdout)["outcomes"]
    assert [(each["outcome"], each["version"]) for each in outcomes] == [("held", 1)] * ITEMS
    assert held <= sum(not each["new"] for each in outcomes) + 1
    assert subprocess.run([*COMMAND, "audit", "--archive", str(archive)], capture_output=True, check=False).returncode == 0
    assert list((archive / "staging").iterdir()) == []
    assert list(archive.rglob(".fonoteca-tmp-*")) == []


@contextmanager
def _lasting(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Give a command that goes on, and the object that it printed before it did. It is gone when the context ends."""
    with subprocess.Popen([*COMMAND, *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            while lines[-1] not in ("}\n", ""):
                lines.append(process.stdout.readline())
            yield process, json.loads("".join(lines))
        finally:
            process.kill()


def test_serve_says_where_at_once_and_ends_when_it_is_told_to(archive: Path) -> None:
    with _lasting("serve", "--port", "0", "--archive", str(archive)) as (process, said):
        assert httpx.get(f"{said['url']}editions/index.json").json()["number"] == 1
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (out, "Traceback" in err) == ("", False)
        assert process.returncode in (0, 130)
