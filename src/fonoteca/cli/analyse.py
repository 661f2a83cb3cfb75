"""`fonoteca analyse`: decode what was acquired with `--later`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.flows.analyse import Analysed, Budget, Unanalysed, analyse
from fonoteca.formats.quantities import parse_span
from fonoteca.intake import analyse_rooms
from fonoteca.model.errors import UsageError
from fonoteca.wiring import open_archive

EXIT_DONE, EXIT_DAMAGED = 0, 4

Result = Analysed | Unanalysed


@app.command("analyse")
def analyse_command(
    archive: ArchiveOption = Path(),
    span: Annotated[str, typer.Option("--for", help="Begin no new item after this time, as in 2h.")] = "",
    files: Annotated[int, typer.Option("--files", help="Begin no new item after so many files; 0 is no limit.")] = 0,
    as_json: JsonOption = False,
) -> int:
    """Decode the audio that was acquired with `--later`, on all workers, and say in a new version what each file is.

    A file that does not decode is left out of the new version, with the reason. Until its analysis an item is held, and
    neither published nor served. Killed or ended by a limit, the next run goes on where this one stopped.
    Exit status: 0 done, 4 when stored files are damaged: their items go on waiting.
    """
    if files < 0:
        raise UsageError(f"--files {files}", "expected 0 or more")
    budget = Budget(files or None, parse_span(span).total_seconds() if span else None)
    progress = TerminalProgress(quiet=as_json)
    results: list[Result] = []
    with open_archive(archive, writing=True) as opened:
        for result in analyse(analyse_rooms(opened, progress), budget):
            results.append(result)
            if not as_json:
                print_result(result)
        waiting = sum(1 for _ in opened.register.waiting())
    if as_json:
        print_json({"results": [result_json(each) for each in results], "waiting": waiting})
    elif waiting or not results:
        say(f"{waiting} items wait for their analysis" if waiting else "nothing waits for its analysis")
    return EXIT_DAMAGED if any(isinstance(each, Unanalysed) for each in results) else EXIT_DONE


def print_result(result: Result) -> None:
    """Print what became of one object, and why."""
    if isinstance(result, Unanalysed):
        say(f"waits on  {result.object_id}: {result.error}", "red")
        return
    say(f"analysed  {result.object_id}: {result.file_count} files, version {result.version}", "green")
    for left in result.left_out:
        say(f"  left out {left.logical_path}: {left.reason} ({left.rule})", "yellow")


def result_json(result: Result) -> dict[str, Any]:
    """Return a result as `--json` shows it."""
    if isinstance(result, Unanalysed):
        return {"outcome": "waits", "object": result.object_id, "error": result.error.as_json()}
    return {
        "outcome": "analysed",
        "object": result.object_id,
        "version": result.version,
        "new": result.made,
        "files": result.file_count,
        "left_out": [{"path": x.logical_path, "rule": x.rule, "reason": x.reason} for x in result.left_out],
    }
