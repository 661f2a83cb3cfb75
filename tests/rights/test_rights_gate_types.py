"""The proof that the gate cannot be skipped: mypy refuses each way round it, and accepts the right way."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Admission, Kind, SharingAdmission
from fonoteca.rights import licences

HEAD = """\
from datetime import datetime

from fonoteca.model.corridor import Candidate
from fonoteca.model.rights import Admission, Hold, Kind, Policy, Refusal, SharingAdmission
from fonoteca.rights import decide


def ingest(admission: Admission) -> None: ...


def publish(admission: SharingAdmission) -> None: ...


"""

MADE = """\
def forge(found: Admission) -> None:
    {name}(
        item=found.item, kind=Kind.AUDIO, licence=found.licence, acts=found.acts, transcode="", attribution="", notices="",
        evidence=(), rule="mine", decided_at=found.decided_at, policy_digest="",
    )
"""

WRONG = {
    "an_admission_made_by_hand": (MADE.format(name="Admission"), "Cannot instantiate abstract class"),
    "a_sharing_admission_made_by_hand": (MADE.format(name="SharingAdmission"), "Cannot instantiate abstract class"),
    "nothing_for_an_admission": ("ingest(None)\n", '"ingest" has incompatible type "None"'),
    "a_hold_for_an_admission": (
        'ingest(Hold("folder:x", "rule", "reason", "question"))\n',
        '"ingest" has incompatible type "Hold"',
    ),
    "a_refusal_for_an_admission": (
        'ingest(Refusal("folder:x", "rule", "reason", "remedy"))\n',
        '"ingest" has incompatible type "Refusal"',
    ),
    "a_decision_that_nobody_looked_at": (
        "def f(c: Candidate, p: Policy, now: datetime) -> None:\n    ingest(decide(c, p, now))\n",
        '"ingest" has incompatible type "Admission | Refusal | Hold"',
    ),
    "an_admission_where_sharing_is_asked": (
        "def f(admission: Admission) -> None:\n    publish(admission)\n",
        '"publish" has incompatible type "Admission"',
    ),
}

RIGHT = """\
def acquire(candidate: Candidate, policy: Policy, now: datetime) -> Refusal | Hold | None:
    decision = decide(candidate, policy, now)
    if not isinstance(decision, Admission):
        return decision
    ingest(decision)
    if isinstance(decision, SharingAdmission):
        publish(decision)
    return None
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return mypy's errors for each snippet: one run for all of them."""
    folder = tmp_path_factory.mktemp("snippets")
    for name, (body, _) in WRONG.items():
        (folder / f"{name}.py").write_text(HEAD + body, encoding="utf-8")
    (folder / "the_right_way.py").write_text(HEAD + RIGHT, encoding="utf-8")
    # Always off the project's own cache, and with the same errors wherever the package is installed.
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "--config-file="]
    run = subprocess.run(
        [*command, f"--cache-dir={folder / 'cache'}", *sorted(str(path) for path in folder.glob("*.py"))],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode in (0, 1), run.stderr
    errors: dict[str, list[str]] = {path.stem: [] for path in folder.glob("*.py")}
    for line in run.stdout.splitlines():
        if ": error:" in line:
            errors[Path(line.split(":", 1)[0]).stem].append(line)
    return errors


@pytest.mark.parametrize("name", WRONG)
def test_way_round_the_gate_is_a_type_error(report: dict[str, list[str]], name: str) -> None:
    errors = report[name]
    assert len(errors) == 1, errors
    assert WRONG[name][1] in errors[0]


def test_way_through_the_gate_is_none(report: dict[str, list[str]]) -> None:
    assert report["the_right_way"] == []


@pytest.mark.parametrize("noun", [Admission, SharingAdmission])
def test_admission_made_by_hand_is_an_error_when_run_too(noun: type[Admission]) -> None:
    with pytest.raises(TypeError, match="abstract"):
        noun(
            item=ItemKey("folder:x"),
            kind=Kind.AUDIO,
            licence=next(iter(licences().values())),
            acts=frozenset(),
            transcode="",
            attribution="",
            notices="",
            evidence=(),
            rule="mine",
            decided_at=datetime(2026, 11, 22, tzinfo=UTC),
            policy_digest="",
        )
