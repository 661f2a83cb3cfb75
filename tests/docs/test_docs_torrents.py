"""The page on torrent files has every rule, in its place."""

from __future__ import annotations

import re

from docs_console import REPOSITORY

from fonoteca.formats.torrentrules import KEPT_OF_A_CODE_MAX, RULES, Level

PAGE = (REPOSITORY / "docs" / "torrents.md").read_text(encoding="utf-8")
PARTS = {"no torrent": Level.MALFORMED, "misleads": Level.MISLEADING, "unwise": Level.UNWISE}


def test_every_rule_is_on_the_page_under_its_level() -> None:
    for heading, level in PARTS.items():
        part = PAGE.partition(f"{heading}\n")[2].partition("\n## ")[0]
        rows = dict(re.findall(r"^\| `([a-z0-9.]+)` \| (.*) \|$", part, re.MULTILINE))
        assert rows == {code: rule for code, (found, rule) in RULES.items() if found is level}


def test_the_bound_on_findings_is_the_one_of_the_code() -> None:
    assert f"At most {KEPT_OF_A_CODE_MAX} findings of one code" in PAGE
