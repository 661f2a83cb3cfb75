"""What the store's tests may ask for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ocfl
import pytest
from store_world import World, tree


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return an archive with an initialised store."""
    made = World(tmp_path / "archive")
    made.store.initialise()
    return made


@pytest.fixture(scope="session")
def validate() -> Callable[[Path], None]:
    """Return a check by ocfl-py that a root has no error and no warning but W004."""

    sound = set()

    def check(folder: Path) -> None:
        found = tree(folder)
        if found in sound:
            return
        root = ocfl.StorageRoot(root=str(folder))
        assert root.validate(log_warnings=True), (str(root.log), root.errors)
        assert root.num_objects == root.good_objects > 0
        said = [line for _, text in root.errors for line in text.splitlines() if line] + str(root.log).splitlines()
        assert said
        assert all("W004" in line for line in said), said
        sound.add(found)

    return check


@pytest.fixture(scope="session")
def validate_by_command() -> Callable[[Path], None]:
    """Return the same check by the command that ocfl-py installs."""

    def check(folder: Path) -> None:
        command = Path(sys.executable).parent / "ocfl-validate.py"
        done = subprocess.run([sys.executable, str(command), str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return check
