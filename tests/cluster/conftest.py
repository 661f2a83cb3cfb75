"""A Ray cluster of a head and a node on this machine, started once for all tests that work on it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fonoteca.testing import cluster as clusters
from fonoteca.testing.cluster import LocalCluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Return a cluster of two processors on two nodes. This process may join it while it runs."""
    with clusters.ray_cluster((1, 1)) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setitem(os.environ, name, value)
        yield running
