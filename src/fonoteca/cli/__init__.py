"""The commands: parse, call, print, exit (floor 5)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
    from fonoteca.cli.app import run

    sys.exit(run())
