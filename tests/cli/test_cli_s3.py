"""An archive whose store is on S3, as its operator meets it: made, filled, lost, taken over, and refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_world import OPEN, Fonoteca, item

from fonoteca.testing.seaweed import Seaweed

PLACE = "s3://music/cli/jazz"


def test_a_store_on_s3_outlives_its_archive(
    tmp_path: Path, fonoteca: Fonoteca, seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, where = tmp_path / "jazz", ("--store", PLACE, "--s3-endpoint", seaweed.endpoint)
    without_keys = fonoteca("init", folder, *where)
    assert (without_keys.status, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in without_keys.err) == (2, True)
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    made = fonoteca("init", folder, *where, "--json")
    assert (made.status, made.answer) == (0, {"archive": str(folder), "name": "jazz", "store": PLACE})
    assert f'store = "{PLACE}"' in (folder / "fonoteca.toml").read_text()
    item(tmp_path / "music" / "one", OPEN)
    assert fonoteca("acquire", "folder", tmp_path / "music", "--archive", folder).status == 0
    shutil.rmtree(folder)

    second = fonoteca("init", folder, *where)
    assert (second.status, "it belongs to the archive 'jazz'" in second.err, "fonoteca claim" in second.err) == (1, True, True)
    assert not (folder / "fonoteca.toml").exists()
    taken = fonoteca("init", folder, *where, "--take-over")
    assert (taken.status, "fonoteca rebuild" in taken.out + taken.err) == (0, True)
    assert fonoteca("rebuild", "--archive", folder, "--json").answer["objects"] >= 1
    assert fonoteca("audit", "--archive", folder).status == 0
    assert fonoteca("claim", "--archive", folder, "--json").answer["before"]["name"] == "jazz"

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    refused = fonoteca("audit", "--archive", folder)
    assert (refused.status, "refuses access (403" in refused.err) == (1, True)
