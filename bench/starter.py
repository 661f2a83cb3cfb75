"""An archive with nothing in it but the starter catalogue and a synthetic listening history, as the demo imports them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fonoteca.cli.demo import LISTENERS, SEED
from fonoteca.model.settings import Settings
from fonoteca.wiring import Archive, create_archive, open_archive


@contextmanager
def starter_archive(folder: Path) -> Iterator[Archive]:
    """Give the archive, open for writing, with imports made and no snapshot built yet."""
    create_archive(folder, Settings("bench", "Bench"))
    with open_archive(folder, writing=True) as archive:
        archive.catalogue.import_starter()
        archive.catalogue.import_synthetic_history(SEED, LISTENERS)
        yield archive
