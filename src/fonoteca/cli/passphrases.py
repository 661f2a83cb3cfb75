"""Asking a person for a passphrase or a password: from the environment, or at the terminal without showing it."""

from __future__ import annotations

import os
import sys

import typer

from fonoteca.editions import no_passphrase
from fonoteca.model.errors import UsageError

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


def ask_new_password() -> str:
    """Return a password for an account, typed twice. Raises: UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError("password", "there is no terminal to ask at", "Use --password-file FILE, `-` for stdin, or --generate.")
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
