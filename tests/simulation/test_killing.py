"""`kill -9` of the real command, again and again over one acquire, on a real disk and on a real S3."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ocfl
import pytest

KILLS = {"disk": 40, "s3": 10}
"""`make kill` kills 200 times on each."""


@pytest.fixture(scope="module")
def validate() -> Callable[[Path], None]:
    """Return a check of a storage root by other software."""

    def check(folder: Path) -> None:
        root = ocfl.StorageRoot(root=str(folder))
        assert root.validate(log_warnings=True), (str(root.log), root.errors)

    return check


@pytest.mark.parametrize("where", KILLS)
def test_an_acquire_killed_again_and_again_holds_everything_exactly_once(
    where: str, tmp_path: Path, validate: Callable[[Path], None]
) -> None:
    words = [sys.executable, "-m", "fonoteca.testing.simulation.killing", "--kills", str(KILLS[where]), "--folder", str(tmp_path)]
    done = subprocess.run([*words, *(["--s3"] if where == "s3" else [])], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    killed: dict[str, Any] = json.loads(done.stdout)
    assert killed["kills"] == KILLS[where]
    assert killed["promised"] > 0
    validate(tmp_path / ("copy" if where == "s3" else "archive/store"))
