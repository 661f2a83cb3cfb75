"""The search index is built once for each snapshot, whatever became of an earlier try."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from wiring_world import Quiet, archive_in, put_item, take

from fonoteca.flows.catalogue import refresh
from fonoteca.ports import Progress
from fonoteca.search import SearchIndex, SnapshotTables
from fonoteca.wiring import catalogue_rooms


def test_index_that_a_kill_left_unnamed_is_built_once_more_and_not_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    build = SearchIndex.build

    def counted(index: SearchIndex, tables: SnapshotTables, progress: Progress) -> int:
        built.append(tables.name)
        return build(index, tables, progress)

    with archive_in(tmp_path / "archive") as archive:
        take(archive, put_item(tmp_path / "items", "one"))
        rooms = catalogue_rooms(archive, Quiet())
        refresh(rooms)
        (tmp_path / "archive" / "search" / "current").unlink()  # as if killed before the index was named
        monkeypatch.setattr(SearchIndex, "build", counted)
        for _ in range(3):
            refresh(rooms)
    assert len(built) == 1


class _Listed(Quiet):
    """Progress that keeps what the tasks were called."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    def task(self, label: str, total: int | None, unit: str = "") -> AbstractContextManager[Callable[[int], None]]:
        self.tasks.append(label)
        return super().task(label, total, unit)


def test_a_refresh_says_how_far_its_build_is(tmp_path: Path) -> None:
    progress = _Listed()
    with archive_in(tmp_path / "archive") as archive:
        take(archive, put_item(tmp_path / "items", "one"))
        refresh(catalogue_rooms(archive, progress))
    assert {"reading rows", "writing the snapshot"} <= set(progress.tasks)
