"""`RayWorkers` on a real cluster: the laws of the port, nodes that die, and nodes that are not fit to work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fonoteca.edges.answers import IN_FLIGHT_PER_WORKER
from fonoteca.edges.ray_nodes import NodeCheck
from fonoteca.edges.ray_workers import RayWorkers
from fonoteca.model.errors import UsageError
from fonoteca.ports import Workers
from fonoteca.testing import DyingWorkersSuite
from fonoteca.testing.cluster import LocalCluster, ray_cluster
from fonoteca.testing.workers_suite import HERE

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture(scope="module")
def joined(cluster: LocalCluster) -> Iterator[RayWorkers]:
    cluster.mend()
    with RayWorkers(cluster.address) as workers:
        yield workers


class TestRay(DyingWorkersSuite):
    in_flight_max = 2 * IN_FLIGHT_PER_WORKER

    @pytest.fixture
    def workers(self, joined: RayWorkers) -> Workers:
        return joined


def test_an_item_whose_worker_died_is_run_again(joined: RayWorkers, tmp_path: Path) -> None:
    names = [f"song-{i}" for i in range(4)]
    assert list(joined.run(f"{HERE}:die_once", str(tmp_path), names)) == names
    assert len(list(tmp_path.iterdir())) == 4


def test_a_node_that_does_not_see_the_archive_is_named(cluster: LocalCluster) -> None:
    check = NodeCheck("fonoteca.workshop:see_archive", (Path("/no/such/archive"), "mark"))
    with RayWorkers(cluster.address, check) as workers, pytest.raises(UsageError, match=r"Ray node 127\.0\.0\.[0-9]+: .*/no/such"):
        next(workers.run(f"{HERE}:scale", 3, [1]))


def test_nodes_of_another_fonoteca_are_named(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonoteca.edges.ray_nodes.version", lambda _name: "99.0")
    with RayWorkers(cluster.address) as workers, pytest.raises(UsageError, match=r"Ray node 127.*here is 99\.0"):
        next(workers.run(f"{HERE}:scale", 3, [1]))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", "no.such.host.invalid:6379"])
def test_a_cluster_that_is_not_there_is_said_at_once(address: str) -> None:
    started = time.monotonic()
    with RayWorkers(address) as workers, pytest.raises(UsageError, match=r"(?i)ray"):
        next(workers.run(f"{HERE}:scale", 3, [1]))
    assert time.monotonic() - started < 10


def test_another_cluster_in_the_same_process_is_refused(joined: RayWorkers) -> None:
    next(joined.run(f"{HERE}:scale", 3, [1]))
    with RayWorkers("127.0.0.1:1") as workers, pytest.raises(UsageError, match="already"):
        next(workers.run(f"{HERE}:scale", 3, [1]))


def test_memory_short_on_a_node_and_a_head_that_is_gone_are_told(tmp_path: Path) -> None:
    """The node's own watch over memory ends the worker: it is told that a hundredth of the machine's memory is all there is."""
    tight = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"}
    tight["RAY_gcs_rpc_server_reconnect_timeout_s"] = "600"  # a busy machine takes longer than the minute that Ray gives it
    with ray_cluster((1,), tight) as cluster:
        said, told = begin(cluster, tmp_path, "").communicate(timeout=120)
        assert "600: memory ran short on a Ray node 3 times" in told
        assert said == "begun\n"
        patient = begin(cluster, tmp_path, "ray_workers.TRIES_MAX, ray_workers._HEAD_TIMEOUT_S = 1000, 1\n")
        assert patient.stdout is not None
        assert patient.stdout.readline() == "begun\n"
        cluster.kill(0)
        said, told = patient.communicate(timeout=170)
    assert re.search(r"StoreError: (Ray cluster 127\.0\.0\.2:\d+: its head does not answer|600: Ray failed at)", told), told
    assert (patient.returncode, said) == (1, "")


def begin(cluster: LocalCluster, folder: Path, first: str) -> subprocess.Popen[str]:
    """Return a process that gives the cluster work for ten minutes, and says when it has begun."""
    code = (
        f"import sys; from fonoteca.edges import ray_workers\n{first}"
        "items = (number and print('begun', flush=True) or 600 for number in range(2))\n"  # the second: the first is given out
        f"with ray_workers.RayWorkers(sys.argv[1]) as workers: list(workers.run('{HERE}:tell_pid', sys.argv[2], items))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, cluster.address, str(folder)],
        env={**os.environ, **cluster.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
