"""The page of OCFL's codes says what the tables of codes say."""

from __future__ import annotations

import importlib.util
import sys

from docs_console import REPOSITORY


def test_page_has_the_codes_that_are_found() -> None:
    spec = importlib.util.spec_from_file_location("make_ocfl_page", REPOSITORY / "tools" / "make_ocfl_page.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = maker
    spec.loader.exec_module(maker)
    committed = (REPOSITORY / "docs" / "ocfl.md").read_text(encoding="utf-8")
    assert committed == maker.page(), "run tools/make_ocfl_page.py again"
