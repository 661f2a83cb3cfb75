"""`fonoteca promote` and `follow --beside`, as they are typed: what they answer, and with which status they end."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from cli_world import Fonoteca

pytestmark = pytest.mark.xdist_group("swarm")


def test_a_mirror_is_promoted_followed_by_name_and_followed_beside(prepared: Path, tmp_path: Path, fonoteca: Fonoteca) -> None:
    heir, other, both = (tmp_path / name for name in ("heir", "other", "both"))
    assert fonoteca("follow", prepared, "--archive", heir).status == 0
    for name in (other, both):
        shutil.copytree(heir, name)
    assert fonoteca("promote", "--archive", prepared).status == 2, "it is no mirror"
    alive = fonoteca("promote", "--archive", heir)
    assert (alive.status, "the origin may be alive" in alive.err) == (2, True)
    told = fonoteca("promote", "--fork", "--archive", heir, "--json")
    assert (told.status, told.err) == (0, "")
    root = sha256((heir / "editions/metadata/1.root.json").read_bytes()).hexdigest()
    old = sha256((prepared / "editions/metadata/1.root.json").read_bytes()).hexdigest()
    assert (told.answer["edition"], told.answer["new"], told.answer["root_sha256"]) == (2, True, root)
    assert told.answer["promoted_from"]["roots"] == [old]
    assert (told.answer["left_out"], told.answer["withdrawals_inherited"]) == ([], 0)
    assert fonoteca("promote", "--archive", heir, "--json").answer["new"] is False
    refused = fonoteca("follow", heir, "--archive", other, "--json")
    assert (refused.status, refused.answer["error"]["code"]) == (5, "trust")
    assert f"--root-sha256 {root}" in refused.err
    assert fonoteca("follow", heir, "--archive", other, "--root-sha256", root, "--json").answer["bytes_fetched"] == 0
    assert fonoteca("follow", prepared, "--archive", heir).status == 2
    beside = fonoteca("follow", heir, "--beside", "--archive", both, "--json")
    assert (beside.status, beside.answer["bytes_fetched"], beside.answer["conflicts"]) == (0, 0, [])
    assert fonoteca("follow", prepared, "--beside", "--archive", both).status == 2, "the first one"
    assert fonoteca("follow", prepared, "--archive", both).status == 0
    assert fonoteca("follow", prepared, "--beside", "--archive", tmp_path / "nothing").status == 2
    assert not (tmp_path / "nothing").exists()
