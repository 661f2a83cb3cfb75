"""The unit that is shipped for systemd is one, and shuts the service in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs_console import REPOSITORY

UNIT = REPOSITORY / "packaging" / "fonoteca-mirror.service"
PROGRAM = "/opt/fonoteca/bin/fonoteca"
EXPOSURE_MAX = 20
"""Of 100, as `systemd-analyze security` counts: below 20 is what it calls OK."""


def _words() -> list[str]:
    """Return the words of the command that the unit runs."""
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    return str(line).split()


def test_unit_runs_a_command_that_there_is() -> None:
    from fonoteca.cli import follow

    program, name, _, *rest = _words()
    assert (program, name) == (PROGRAM, "follow")
    options = set(re.findall(r'"(--[a-z]+)"', Path(follow.__file__).read_text())) | {"--archive", "--json", "--health"}
    assert {word for word in rest if word.startswith("--")} <= options


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_unit_and_finds_it_shut_in(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, str(Path(sys.executable).resolve())))
    for command in (["verify"], ["security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager"]):
        done = subprocess.run(["systemd-analyze", *command, str(unit)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stderr
