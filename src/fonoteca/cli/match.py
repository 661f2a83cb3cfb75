"""`fonoteca catalogue match`: find the rows of a list in the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.catalogue.matching import (
    RULES,
    SCORE_MIN,
    AnsweredRows,
    Answers,
    QuestionFile,
    Sought,
    answered,
    find,
    ids_of,
    write_answers,
)
from fonoteca.catalogue.matching.writing import check_target
from fonoteca.cli.app import ArchiveOption, JsonOption
from fonoteca.cli.catalogue import catalogue_app
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.formats.quantities import show_share
from fonoteca.model.errors import UsageError
from fonoteca.wiring import Archive, open_archive, output_file

ROWS_SHOWN = 20


@catalogue_app.command("match")
def match_command(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines or Parquet with title, artist, duration, ISRC.")],
    out: Annotated[Path | None, typer.Option(help="Where all rows go with what was found: .csv, .jsonl or .parquet.")] = None,
    score: Annotated[float, typer.Option(help="The least probability to be right that an answer must have.")] = SCORE_MIN,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Find each row of a list in the catalogue, with the probability that the answer is right.

    Columns are known by their names: title, artist, and, where there are any, duration (seconds, milliseconds or 3:45) and isrc;
    all others are carried through. A row whose best answer is not likely enough gets none.
    """
    if not 0 <= score <= 1:
        raise UsageError("--score", f"{score} is no probability", "Give a number from 0 to 1.")
    if out is not None:
        check_target(out)
    questions = QuestionFile(file)
    with open_archive(archive) as opened:
        folder = _snapshot_folder(opened)
        answers = find(Sought(folder, score), questions.named(), TerminalProgress(quiet=as_json))
        ids = ids_of(folder, answers.ranks)
        if out is not None:
            with output_file(out) as unfinished:
                write_answers(answered(questions, answers, ids), unfinished)
    summary = summary_json(answers)
    if as_json:
        print_json({"snapshot": folder.name, **summary, "out": None if out is None else str(out)})
        return
    if out is None:
        _print_rows(answered(questions, answers, ids), questions)
    share = show_share(summary["found"] / summary["rows"]) if summary["rows"] else "none"
    rules = ", ".join(f"{summary['rules'][rule]} by {rule}" for rule in RULES)
    say(f"{summary['found']} of {summary['rows']} rows found ({share}): {rules}", "bold")
    say(f"of those found, {show_share(summary['expected_right'])} are right by their scores")


def summary_json(answers: Answers) -> dict[str, Any]:
    """Return what `--json` says of all answers."""
    return {
        "rows": len(answers.ranks),
        "found": answers.found_count,
        "rules": answers.by_rule(),
        "expected_right": answers.expected_right,
    }


def _snapshot_folder(opened: Archive) -> Path:
    """Return the folder of the snapshot in force."""
    return opened.catalogue.snapshot_folder()


def _print_rows(rows: AnsweredRows, questions: QuestionFile) -> None:
    columns = [name for name in (questions.columns.title, questions.columns.artist) if name]
    batch = next(iter(rows), None)
    shown = [] if batch is None else batch.slice(0, ROWS_SHOWN).to_pylist()
    cells = [
        (*(str(row[name] or "") for name in columns), row["match_id"] or "", _score(row["match_score"]), row["match_rule"] or "")
        for row in shown
    ]
    print_table("matched", (*columns, "recording", "score", "by"), cells, numeric=(len(columns) + 1,))


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"
