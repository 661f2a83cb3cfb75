"""The units that are shipped for systemd are units, and shut the services in; what is said of meters is so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs_console import REPOSITORY

from fonoteca.cli.serve import GRACE_S
from fonoteca.serve.watching import meters

MIRROR = REPOSITORY / "packaging" / "fonoteca-mirror.service"
SITE = REPOSITORY / "packaging" / "fonoteca.service"
PROGRAM = "/opt/fonoteca/bin/fonoteca"
EXPOSURE_MAX = 20
"""Of 100, as `systemd-analyze security` counts: below 20 is what it calls OK."""


def _words(unit: Path) -> list[str]:
    """Return the words of the command that a unit runs."""
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    return str(line).split()


@pytest.mark.parametrize(("unit", "command"), [(MIRROR, "follow"), (SITE, "serve")])
def test_unit_runs_a_command_that_there_is(unit: Path, command: str) -> None:
    program, name, *rest = _words(unit)
    assert (program, name) == (PROGRAM, command)
    page = (REPOSITORY / "docs" / "commands.md").read_text().partition(f"### fonoteca {command}\n")[2].partition("\n### ")[0]
    assert all(f"`{word}" in page for word in rest if word.startswith("--"))


def test_site_has_longer_to_stop_than_its_answers_and_may_draw() -> None:
    unit = SITE.read_text()
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(stop_s) > GRACE_S
    assert not re.search(r"^MemoryDenyWriteExecute", unit, re.MULTILINE), (
        "V8, which draws the picture of coverage, would end the server"
    )


def test_every_meter_is_described_and_every_one_described_is_there() -> None:
    name = r"\bfonoteca_[a-z_]+"
    told = set(re.findall(name, (REPOSITORY / "docs" / "operations.md").read_text()))
    there = set(re.findall(rf'"({name})"', Path(meters.__file__).read_text()))
    assert {re.sub("_(total|bucket)$", "", each) for each in told} == there


@pytest.mark.parametrize("shipped", [MIRROR, SITE], ids=lambda unit: unit.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_unit_and_finds_it_shut_in(shipped: Path, tmp_path: Path) -> None:
    unit = tmp_path / shipped.name
    unit.write_text(shipped.read_text().replace(PROGRAM, str(Path(sys.executable).resolve())))
    for command in (["verify"], ["security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager"]):
        done = subprocess.run(["systemd-analyze", *command, str(unit)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stderr
