"""The starter catalogue that ships with Fonoteca: where it is and how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from fonoteca.catalogue.mapping import TableMapping


@contextmanager
def starter_table() -> Iterator[tuple[Path, TableMapping]]:
    """Give the starter's tracks.csv as a file, and its mapping, for as long as the context lasts."""
    folder = files("fonoteca") / "starter"
    mapping = TableMapping.from_toml((folder / "mapping.toml").read_bytes(), "starter/mapping.toml")
    with as_file(folder / "tracks.csv") as path:
        yield path, mapping
