"""The application that every command joins, the options they share, and the one place where errors become exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fonoteca import __version__
from fonoteca.cli.output import print_error, print_json
from fonoteca.model.errors import FonotecaError

EXIT_WRONG_USE, EXIT_INTERRUPTED = 2, 130

app = typer.Typer(
    name="fonoteca",
    help="A preservation archive for music that anyone may mirror.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

ArchiveOption = Annotated[
    Path,
    typer.Option("--archive", "-A", envvar="FONOTECA_ARCHIVE", help="The archive's folder.", show_default="this folder"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fonoteca {__version__}")
        raise typer.Exit


@app.callback()
def _application(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A preservation archive for music that anyone may mirror."""


def tell_error(error: FonotecaError, words: Sequence[str]) -> int:
    """Return the exit status of an error, after it is printed. words: of the command line."""
    if "--json" in words:
        print_json({"error": error.as_json()})
    print_error(error)
    return error.exit_status


def run(arguments: list[str] | None = None) -> int:
    """Return the exit status of a command line: 0 done, 1 failed, 2 wrong use, 3 refused by rights, 4 damage found,
    5 a peer or host cannot be trusted, 130 interrupted and safe to run again.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        status = app(args=words, prog_name="fonoteca", standalone_mode=False)
    except FonotecaError as error:
        return tell_error(error, words)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = EXIT_INTERRUPTED
    except typer.TyperException as error:
        sys.stderr.write(f"error {error}\nSee `fonoteca --help`.\n")
        return EXIT_WRONG_USE
    except (BrokenPipeError, SystemExit) as stop:
        # The reader of our output went away (`fonoteca search x | head`): the usual quiet end, not a failure. Typer makes it
        # an exit with status 1.
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if status == EXIT_INTERRUPTED:  # Typer turns Ctrl-C in a command into this status
        sys.stderr.write("\nInterrupted. Nothing acknowledged is lost: run the same command again to carry on.\n")
    return status if isinstance(status, int) else 0
