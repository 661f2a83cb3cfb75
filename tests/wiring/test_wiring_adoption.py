"""A search index of another catalogue than the one in force is no breach of trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from fonoteca.cli.output import TerminalProgress
from fonoteca.flows.catalogue import adopt_index
from fonoteca.model.errors import StoreError
from fonoteca.model.settings import Settings
from fonoteca.wiring import catalogue_rooms, create_archive, open_archive


def test_an_index_of_another_catalogue_than_the_one_in_force_is_refused_with_what_to_do(tmp_path: Path) -> None:
    create_archive(tmp_path / "archive", Settings("archive", "Archive"))
    with open_archive(tmp_path / "archive", writing=True) as archive:
        rooms = catalogue_rooms(archive, TerminalProgress(quiet=True))
        with pytest.raises(StoreError, match="none is in force") as refused:
            adopt_index(rooms, tmp_path / "came", "2026-11-22")
        assert "fonoteca catalogue build" in refused.value.remedy
        assert rooms.search.snapshot() is None
