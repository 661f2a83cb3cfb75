"""`make demo-cluster`: the corridor on SeaweedFS, PostgreSQL and two Ray nodes, one of which is killed on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("cluster")

TOOL = Path(__file__).resolve().parents[2] / "tools" / "demo_cluster.py"


def test_the_corridor_on_real_engines_loses_a_node_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, str(TOOL), "--json"], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-4000:])
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert (told["objects"], told["damaged"], told["edition"]) == (6, 0, 1)
    assert told["drops"] >= 3
    assert told["audited_bytes"] > told["bytes"] > 9_000_000
    assert [each["step"] for each in told["steps"]][:3] == ["start SeaweedFS", "start PostgreSQL", "start Ray, two nodes"]
