"""Write docs/rights.md: the rules of the gate, the statuses, and what the gate makes of each licence in fixtures/ccmusic.

    .venv/bin/python tools/make_rights_page.py ../shared/fixtures/ccmusic/releases.csv > docs/rights.md

tests/rights/test_rights_page.py holds the page to it.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fonoteca.model.corridor import Candidate
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Act, Admission, Decision, Evidence, Hold, Kind, Licence, Policy, Scheme
from fonoteca.rights import RULES, decide, describe, licences
from fonoteca.rights.table import table

_NOW = datetime(2026, 11, 22, tzinfo=UTC)

_HEAD = """\
# Rights: what the gate decides, and why

Written by `tools/make_rights_page.py` from the licence table and the rules; a test holds it to them.
What the table rests on is in [decisions/licence-table.md](decisions/licence-table.md), why the gate works as it does in
[decisions/rights-gate.md](decisions/rights-gate.md).

Nothing enters the archive without an admission, and only the gate makes one. It reads each statement of rights that comes with an
item. A statement that it cannot read with certainty is not guessed at: a person is asked. AI consent is never read from a licence.
"""

_RULES = """
## The rules, in order

The first rule that catches an item decides. What none of them catches is admitted.

| rule | outcome | a person's decision settles it | why |
|---|---|---|---|
"""

_FAMILIES = """
## What licences grant

One line for each kind of licence; Creative Commons' versions and ports of one kind grant the same acts, and differ in whether
a NoDerivatives licence lets the format change.

| kind | licences | may | must |
|---|---|---|---|
"""

_STATUSES = """
## Statuses of RightsStatements.org

A status describes; it grants nothing. So none admits, and one beside a licence still stops an item until a person has looked.

| status | outcome | because | what a person is asked |
|---|---|---|---|
"""

_RELEASES = """
## Every licence address in the starter catalogue's source

Each distinct `licenseurl` of `fixtures/ccmusic/releases.csv` under the default policy. *Other formats*: what lets the archive make
one (an act that the licence grants, or its clause); a dash: it keeps to the format received.

| licence address | releases | decision | may | other formats |
|---|---:|---|---|---|
"""


def page(releases_csv: str) -> str:
    """Return the whole page. releases_csv: the text of fixtures/ccmusic/releases.csv."""
    parts = [_HEAD, _RULES, *_rules(), _FAMILIES, *_families(), _STATUSES, *_statuses(), _RELEASES, *_releases(releases_csv)]
    return "".join(parts)


def decision_for(address: str, policy: Policy) -> Decision:
    """Return what the gate makes of a release whose only statement is this licence address; "" is none at all."""
    evidence = (Evidence(Scheme.LICENCE_URI, address, "", "catalogue", _NOW),) if address else ()
    item = ItemKey("ccmusic:release")
    return decide(Candidate(item, Kind.AUDIO, "Title", "Artist", "", (), evidence), policy, _NOW)


def _rules() -> Iterator[str]:
    for rule in RULES:
        yield f"| `{rule.name}` | {_outcome(rule.refuses)} | {'yes' if rule.settled_by_person else 'no'} | {rule.why} |\n"


def _families() -> Iterator[str]:
    kinds: dict[tuple[str, str, str], list[Licence]] = defaultdict(list)
    for licence in licences().values():
        may, _, must = describe(licence).replace("changed in format only", "not changed").partition("; ")
        kinds[licence.family, may, f"{must} (a person looks first)" if licence.review else must].append(licence)
    for (family, may, must), rows in kinds.items():
        yield f"| {family} | {len(rows)} | {may} | {must} |\n"


def _statuses() -> Iterator[str]:
    for status in table().statuses.values():
        yield f"| [{status.name}]({status.uri}) | {_outcome(status.refuses)} | {status.reason} | {status.question} |\n"


def _releases(releases_csv: str) -> Iterator[str]:
    counts = Counter(row["licenseurl"] for row in csv.DictReader(io.StringIO(releases_csv)))
    outcomes: Counter[str] = Counter()
    for address in sorted(counts):
        decision = decision_for(address, Policy())
        outcomes[_verdict(decision)] += counts[address]
        yield f"| {address or '(none)'} | {counts[address]} | {_cells(decision)} |\n"
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(outcomes.items()))
    yield f"\n{sum(counts.values())} releases, {len(counts)} distinct values: {verdicts}.\n"


def _cells(decision: Decision) -> str:
    if isinstance(decision, Admission):
        acts = ", ".join(act.value for act in Act if act in decision.acts)
        return f"admit: {decision.licence.name} | {acts} | {decision.transcode or '-'}"
    return f"{_verdict(decision)} by `{decision.rule}`: {decision.reason} | | -"


def _verdict(decision: Decision) -> str:
    return "admit" if isinstance(decision, Admission) else "hold" if isinstance(decision, Hold) else "refuse"


def _outcome(refuses: bool) -> str:
    return "refuse" if refuses else "hold"


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1]).read_text(encoding="utf-8")))
