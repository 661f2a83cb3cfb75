"""`fonoteca audit --ocfl PATH`: hold any OCFL object or storage root against the specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.formats.ocfl_codes import RULES
from fonoteca.formats.ocfl_validation import Report, kind_of, validate
from fonoteca.model.errors import UsageError
from fonoteca.wiring import open_tree

EXIT_VALID, EXIT_INVALID = 0, 4
SHOWN_ROWS = 200
"""Of the findings, for people; `--json` has at most ten thousand of each code."""

NOTHING_REMEDY = "Name a folder with a file 0=ocfl_object_1.x (an object) or 0=ocfl_1.x (a storage root; of an archive, its store)."


def audit_ocfl(path: Path, as_json: bool) -> int:
    """Print the verdict on a folder and return the exit status. Raises: UsageError when there is nothing of OCFL in it."""
    with open_tree(path, TerminalProgress(quiet=as_json)) as tree:
        kind = kind_of(tree)
        if kind is None:
            raise UsageError(str(path), "there is neither an OCFL object nor a storage root", NOTHING_REMEDY)
        report = validate(tree, kind)
    if as_json:
        print_json(report_json(path, report))
    else:
        print_report(path, report)
    return EXIT_VALID if report.valid else EXIT_INVALID


def print_report(path: Path, report: Report) -> None:
    """Print a verdict for people, errors first."""
    say(f"{path}: {report.kind}, {_many(report.object_count, 'object')}, {_many(report.file_count, 'content file')}", "bold")
    found = sorted(report.findings, key=lambda finding: not finding.error)[:SHOWN_ROWS]
    total = report.error_count + report.warning_count
    if found:
        title = "found" if len(found) == total else f"found, {len(found)} of {total}"
        print_table(title, ("code", "place", "what"), [(f.code, f.place or ".", f.sentence) for f in found])
    if len(found) < total:
        say("in all: " + ", ".join(f"{code} {count} times" for code, count in report.counts.items()))
    verdict = f"{_many(report.error_count, 'error')}, {_many(report.warning_count, 'warning')}"
    say(f"valid: {verdict}" if report.valid else f"invalid: {verdict}", "green" if report.valid else "red")


def report_json(path: Path, report: Report) -> dict[str, Any]:
    """Return a verdict as `--json` shows it."""
    return {
        "path": str(path),
        "kind": report.kind,
        "valid": report.valid,
        "objects": report.object_count,
        "files": report.file_count,
        "errors": report.error_count,
        "warnings": report.warning_count,
        "counts": dict(report.counts),
        "findings": [
            {
                "code": finding.code,
                "level": "error" if finding.error else "warning",
                "place": finding.place,
                "sentence": finding.sentence,
                "rule": RULES[finding.code],
            }
            for finding in report.findings
        ],
    }


def _many(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
