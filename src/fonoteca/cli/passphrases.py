"""Asking a person for the passphrase of a key: from the environment, or at the terminal without showing it."""

from __future__ import annotations

import os
import sys

import typer

from fonoteca.editions import no_passphrase

VARIABLE = "FONOTECA_KEY_PASSPHRASE"


def ask_passphrase(name: str) -> str:
    """Return the passphrase of a key. Raises: UsageError where nobody can be asked."""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    if not sys.stdin.isatty():
        return no_passphrase(name)
    return str(typer.prompt(f"Passphrase of {name}", hide_input=True, err=True))


def new_passphrase(wanted: bool) -> str:
    """Return a passphrase for new keys, "" when none is wanted. Raises: UsageError where nobody can be asked."""
    if not wanted:
        return ""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    if not sys.stdin.isatty():
        return no_passphrase("the new key")
    return str(typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True))
