"""What the tests of flows may ask for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import ocfl
import pytest

from fonoteca.edges.disk_tree import DiskTree
from fonoteca.formats import ocfl_validation


@pytest.fixture(scope="session")
def validate() -> Callable[[Path], None]:
    """Return a check that a storage root has no error, and no warning but W004, by ocfl-py and by our own validator."""

    def check(folder: Path) -> None:
        root = ocfl.StorageRoot(root=str(folder))
        assert root.validate(log_warnings=True), (str(root.log), root.errors)
        assert root.num_objects == root.good_objects > 0
        said = [line for _, text in root.errors for line in text.splitlines() if line] + str(root.log).splitlines()
        assert said
        assert all("W004" in line for line in said), said
        with DiskTree(folder) as tree:
            report = ocfl_validation.validate(tree, ocfl_validation.TreeKind.ROOT)
        assert report.counts.keys() == {"W004"}, report.findings
        assert report.object_count == root.num_objects

    return check


@pytest.fixture
def fast_path(tmp_path: Path) -> Iterator[Path]:
    """Give an empty folder in memory where the system has one: what a killed process leaves is the same there, and sooner."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="fonoteca-test-", dir=memory))
    yield folder
    shutil.rmtree(folder)
