"""Copies of whole files into staging."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from fonoteca.ports import Staging

COPY_BYTES = 1 << 22


def copy_stream(source: BinaryIO, target: Path, staging: Staging) -> None:
    """Copy what is left of a stream to a new file below staging."""
    with staging.writer(target) as stream:
        copyfileobj(source, stream, COPY_BYTES)


def copy_file(source: Path, target: Path, staging: Staging) -> None:
    """Copy a file to a place below staging."""
    with source.open("rb") as content:
        copy_stream(content, target, staging)
