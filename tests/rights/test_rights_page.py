from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fonoteca.model.rights import Admission, Policy

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_rights_page", REPOSITORY / "tools" / "make_rights_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def releases(fixtures: Path) -> str:
    return (fixtures / "ccmusic" / "releases.csv").read_text(encoding="utf-8")


def test_page_says_what_the_gate_does(maker: ModuleType, releases: str) -> None:
    committed = (REPOSITORY / "docs" / "rights.md").read_text(encoding="utf-8")
    assert committed == maker.page(releases), "run tools/make_rights_page.py again: the table or the rules have changed"


def test_every_release_of_ccmusic_is_decided_and_none_without_a_licence_is_admitted(maker: ModuleType, releases: str) -> None:
    addresses = [row["licenseurl"] for row in csv.DictReader(releases.splitlines())]
    decisions = {address: maker.decision_for(address, Policy()) for address in addresses}
    assert len(decisions) == 79
    assert not isinstance(decisions[""], Admission)
    admitted = {address for address, decision in decisions.items() if isinstance(decision, Admission)}
    assert sorted(set(decisions) - admitted) == [
        "",
        "http://creativecommons.org/licenses/nc-sampling+/1.0/",
        "http://freemusicarchive.org/FMA_License",
    ]
    assert sum(address in admitted for address in addresses) == 1019
