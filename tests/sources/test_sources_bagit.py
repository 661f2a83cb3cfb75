"""Every bag of the conformance suite gets the verdict of its folder, and what is in a bag is offered with what speaks for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import SourceError
from fonoteca.sources import SOURCES, SourceContext

SUITE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "bagit"
BAGS = sorted(path.relative_to(SUITE).as_posix() for path in SUITE.glob("v*/*/*") if path.is_dir())
VERDICTS = {"valid": "valid", "warning": "warning", "invalid": "invalid", "linux-only": "invalid", "windows-only": "invalid"}
"""By folder. The last two are invalid on those systems: here all of them are, since what is kept here goes anywhere."""
ALSO_WARNED = "bag-with-leading-dot-slash-in-manifest"
"""The suite has the same thing under `warning` as well, by the name of `relative-path`."""


def offered(folder: Path, context: SourceContext) -> list[Candidate]:
    return list(SOURCES["bagit"].candidates(str(folder), context))


def warned(candidates: list[Candidate]) -> list[str]:
    return [f"{left.logical_path}: {left.reason}" for c in candidates for left in c.left_out if left.rule == "warning"]


def test_the_suite_is_there(fixtures: Path) -> None:
    assert fixtures / "bagit" == SUITE
    assert len(BAGS) == 60


@pytest.mark.parametrize("name", BAGS)
def test_every_bag_of_the_suite_gets_the_verdict_of_its_folder(name: str, context: SourceContext, staging_root: Path) -> None:
    folder = SUITE / name
    try:
        warnings = warned(offered(folder, context))
        found = "warning" if warnings and folder.name != ALSO_WARNED else "valid"
    except SourceError as error:
        found = "invalid" if re.search(r": expected .+, found ", str(error)) else str(error)
    assert found == VERDICTS[folder.parent.name]
    assert not staging_root.exists()
