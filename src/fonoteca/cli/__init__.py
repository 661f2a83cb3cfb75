"""The commands: parse, call, print, exit (floor 5)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        from fonoteca.cli.app import run, tell_error
        from fonoteca.cli.menu import join_commands
        from fonoteca.model.errors import FonotecaError

        try:
            join_commands(sys.argv[1:])
        except FonotecaError as error:  # of an installed package that cannot be loaded
            sys.exit(tell_error(error, sys.argv[1:]))
        status = run()
    except KeyboardInterrupt:  # before there was a command to interrupt, or after it
        status = 130
    sys.exit(status)
