"""Every release of a real collection is decided, and the page that people read says how."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from fonoteca.model.rights import Admission

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def licences(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("make_licences_page")


def test_every_release_is_decided_as_the_page_says(licences: ModuleType, fixtures: Path) -> None:
    releases = licences.decided(fixtures / "ccmusic" / "releases.csv")
    assert len(releases) > 1000
    assert not [each.id for each in releases if not each.stated and isinstance(each.decision, Admission)]
    assert licences.page(releases) == (ROOT / "docs" / "licences-seen.md").read_text(encoding="utf-8")
