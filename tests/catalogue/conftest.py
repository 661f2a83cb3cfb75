"""Catalogues on a real disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue_world import StillClock

from fonoteca.catalogue import Catalogue
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def catalogue(tmp_path: Path, clock: StillClock) -> Iterator[Catalogue]:
    for name in ("catalogue", "staging"):
        (tmp_path / name).mkdir()
    with Catalogue(DiskBlobs(tmp_path / "catalogue"), DiskStaging(tmp_path / "staging"), clock) as catalogue:
        yield catalogue
