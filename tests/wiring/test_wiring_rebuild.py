"""A rebuild never leaves less than there was, and what is out is never published twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from wiring_world import PLAIN, Quiet, archive_in, flip, mirror, put_item, put_out, take

from fonoteca.flows.rebuild import rebuild
from fonoteca.model.errors import FixityError, StoreError
from fonoteca.wiring import Archive, rebuild_rooms


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an archive that has published two items."""
    folder = tmp_path_factory.mktemp("published")
    with archive_in(folder / "archive") as archive:
        for name in ("one", "two"):
            take(archive, put_item(folder / "items", name, title=name))
        put_out(archive)
    return folder / "archive"


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a way to a copy of that archive."""
    return lambda: Path(shutil.copytree(published, tmp_path / "copy"))


def _killed_before_the_index(archive: Archive) -> None:
    """Publish, and be killed when everything is written but the timestamp."""
    write = archive.editions._blobs.write

    def killed(key: str, content: bytes) -> None:
        if key == "metadata/timestamp.json":
            raise KeyboardInterrupt
        write(key, content)

    archive.editions._blobs.write = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        put_out(archive)


def test_rebuild_that_meets_damage_leaves_the_register_as_it_was(copied: Callable[[], Path]) -> None:
    folder = copied()
    with archive_in(folder) as archive:
        before = list(archive.register.natural_rows())
        *_, path = [p for p in (folder / "store").rglob("metadata.json") if "audio" in str(p)]
        flip(path)
        with pytest.raises(FixityError, match=r"metadata\.json"):
            rebuild(rebuild_rooms(archive, Quiet()))
        assert list(archive.register.natural_rows()) == before


def test_rebuild_passes_a_damaged_log_segment_and_keeps_what_the_register_knew(copied: Callable[[], Path]) -> None:
    folder = copied()
    with archive_in(folder) as archive:
        rows, events = list(archive.register.natural_rows()), archive.register.events()
        path = next((folder / "store").rglob("*.jsonl"))
        flip(path)
        rebuilt = rebuild(rebuild_rooms(archive, Quiet()))
        assert rebuilt.damaged_log == (str(path.relative_to(folder / "store")),)
        assert rebuilt.event_count == len(events) - 1
        assert (list(archive.register.natural_rows()), archive.register.events()) == (rows, events)


def test_register_that_does_not_know_what_is_out_publishes_nothing(copied: Callable[[], Path], tmp_path: Path) -> None:
    folder = copied()
    for path in folder.glob("register.sqlite*"):
        path.unlink()
    index = (folder / "editions" / "index.json").read_bytes()
    with archive_in(folder) as archive:
        take(archive, put_item(tmp_path / "items", "three", title="three"))
        with pytest.raises(StoreError, match="rebuild"):
            put_out(archive)
        assert (folder / "editions" / "index.json").read_bytes() == index
        rebuild(rebuild_rooms(archive, Quiet()))
        made = [archive.register.members_of_drop(drop.id) for drop in put_out(archive).drops]
        assert [member.object_id for members in made for member in members] == ["urn:fonoteca:audio:folder:three#gpl"]


def test_snapshot_that_was_not_put_out_is_not_recorded(copied: Callable[[], Path], tmp_path: Path) -> None:
    folder = copied()
    with archive_in(folder) as archive:
        take(archive, put_item(tmp_path / "items", "three", title="three"))
        _killed_before_the_index(archive)
    with archive_in(folder) as archive:
        take(archive, put_item(tmp_path / "items", "four", title="four"))
        put_out(archive)
        rows = list(archive.register.natural_rows())
        rebuild(rebuild_rooms(archive, Quiet()))
        assert list(archive.register.natural_rows()) == rows


def test_drop_that_was_taken_back_does_not_come_back_with_a_rebuild(tmp_path: Path) -> None:
    """Its member list stays in the store; its members went out in other drops, and would go out twice."""
    folder = tmp_path / "archive"
    with archive_in(folder) as archive:
        take(archive, put_item(tmp_path / "items", "free", title="free"))
        take(archive, put_item(tmp_path / "items", "bound", title="bound", licence="CC-BY-NC-4.0", track=PLAIN))
        _killed_before_the_index(archive)
    settings = folder / "fonoteca.toml"
    generous = settings.read_text()
    settings.write_text(generous.replace("refuse_noncommercial = false", "refuse_noncommercial = true"))
    with archive_in(folder) as archive:
        put_out(archive)
        rows = list(archive.register.natural_rows())
        rebuild(rebuild_rooms(archive, Quiet()))
        assert list(archive.register.natural_rows()) == rows
    settings.write_text(generous)
    with archive_in(folder) as archive:
        put_out(archive)
        carried = [member for row in archive.register.drops() for member in archive.register.members_of_drop(row.id)]
        assert len(carried) == len(set(carried)) == 2
    mirror(tmp_path / "mirror", folder)
