"""Write docs/licences-seen.md: what the gate decides of every licence that the releases of freemusi.cc-database state.

    .venv/bin/python tools/make_licences_page.py PATH/TO/releases.csv > docs/licences-seen.md

tests/sources holds the page to it, release by release.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fonoteca.model.rights import Act, Admission, Decision, Hold, Policy
from fonoteca.rights import decide
from fonoteca.sources import SourceContext
from fonoteca.sources.kinds.internet_archive import candidates_in

NOW = datetime(2026, 11, 23, tzinfo=UTC)
HEAD = """\
# Licences seen at a source, and what becomes of them

Every release of [freemusi.cc-database](https://github.com/ojdo/freemusi.cc-database) (Creative Commons music at the Internet
Archive, curated for years), decided by the gate under default settings, from the licence address as the source states it.
`tools/make_licences_page.py` writes this page; a test decides each release anew and holds it to the page. What a decision means
is in [rights](rights.md).
"""


@dataclass(frozen=True, slots=True)
class Release:
    """A release, and what the gate decides of it."""

    id: str
    stated: str
    decision: Decision


class _Standing:
    def now(self) -> datetime:
        return NOW


def decided(releases: Path) -> list[Release]:
    """Return every release with its decision, made as for an item of the Internet Archive that states this licence."""
    context = SourceContext(_Standing(), None, None, None)  # type: ignore[arg-type]
    found = []
    with releases.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            metadata = {"identifier": row["id"], "title": row["album"], "creator": row["artist"], "licenseurl": row["licenseurl"]}
            files = [{"name": "1.mp3", "source": "original", "format": "VBR MP3"}]
            (candidate,) = candidates_in(row["id"], {"metadata": metadata, "files": files}, context)
            found.append(Release(row["id"], row["licenseurl"].strip(), decide(candidate, Policy(), NOW)))
    return found


def words(decision: Decision) -> tuple[str, str]:
    """Return a decision in a word, and why."""
    if isinstance(decision, Admission):
        acts = ", ".join(act.value for act in Act if act in decision.acts)
        return "admitted", f"{decision.licence.name}: {acts}"
    return "held for review" if isinstance(decision, Hold) else "refused", f"{decision.rule}: {decision.reason}"


def page(releases: Sequence[Release]) -> str:
    """Return the page."""
    counts: dict[tuple[str, str, str], int] = {}
    for each in releases:
        key = (each.stated, *words(each.decision))
        counts[key] = counts.get(key, 0) + 1
    totals: Mapping[str, int] = {
        word: sum(count for (_, found, _), count in counts.items() if found == word)
        for word in ("admitted", "held for review", "refused")
    }
    said = ", ".join(f"{count:,} {word}" for word, count in totals.items())
    lines = [
        HEAD,
        f"{len(releases):,} releases: {said}.\n",
        "| licence address, as stated | releases | decision | why |",
        "|---|---:|---|---|",
    ]
    for (stated, word, why), count in sorted(counts.items()):
        shown = f"`{stated}`" if stated else "(none)"
        lines.append(f"| {shown} | {count:,} | {word} | {why.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(decided(Path(sys.argv[1]))))
