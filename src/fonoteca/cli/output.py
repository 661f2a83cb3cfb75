"""What commands print: results on stdout (text or one JSON object), progress and diagnostics on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from fonoteca.formats.quantities import show_bytes
from fonoteca.model.errors import FonotecaError

_STDERR = Console(stderr=True, highlight=False)
_STDOUT = Console(highlight=False)


def say(text: str = "", style: str = "") -> None:
    """Print one line of the result for a person on stdout."""
    _STDOUT.print(Text(printable(text), style=style), soft_wrap=True)


def printable(text: str) -> str:
    """Return the text with control and direction characters as escapes, so that a name cannot write on the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_json(answer: Mapping[str, Any]) -> None:
    """Print the one JSON object of a `--json` run on stdout, at once: who waits for it may do so while the command goes on."""
    text = json.dumps(answer, ensure_ascii=False, indent=2) + "\n"
    # A name that was no text has lone surrogates. UTF-8 cannot carry them, JSON's escapes can, and are spelt as Python's are.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> None:
    """Print a table on stdout. numeric: indexes of the columns that are aligned to the right."""
    table = Table(title=title or None, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _STDOUT.print(table)


def print_error(error: FonotecaError) -> None:
    """Print an error for a person on stderr."""
    _STDERR.print(Text.assemble(("error ", "bold red"), str(error)), soft_wrap=True)


class TerminalProgress:
    """Progress bars and notes on stderr; plain lines where stderr is no terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    def note(self, text: str) -> None:
        """Say one line to a person."""
        if not self._quiet:
            _STDERR.print(Text(printable(text)), soft_wrap=True)

    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
        """Show a bar until the context ends; the function given advances it. unit: `B` shows amounts of bytes."""
        if self._quiet or not _STDERR.is_terminal:
            yield _advance_nothing
            return
        amount = "{task.fields[shown]}"
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn(amount))
        with Progress(*columns, TimeRemainingColumn(), console=_STDERR, transient=True) as progress:
            task = progress.add_task(printable(label), total=total, shown="")
            done = 0

            def advance(amount: int) -> None:
                nonlocal done
                done += amount
                progress.update(task, advance=amount, shown=show_bytes(done) if unit == "B" else f"{done} {unit}")

            yield advance


def _advance_nothing(_amount: int) -> None:
    """Take an amount where there is no terminal to show it on."""
