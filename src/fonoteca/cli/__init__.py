"""The commands: parse, call, print, exit (floor 5)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
        from fonoteca.cli.app import run

        status = run()
    except KeyboardInterrupt:  # before there was a command to interrupt, or after it
        status = 130
    sys.exit(status)
