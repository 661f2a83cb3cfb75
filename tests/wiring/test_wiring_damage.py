"""An audit says that all is sound only of what it has read, and a repair never says so of what it left."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from wiring_world import Quiet, archive_in, flip, mirror, put_item, put_out, take

from fonoteca.flows.audit import audit, seen_damages
from fonoteca.flows.repair import Repaired, repair
from fonoteca.wiring import Archive, audit_rooms, healers_at, repair_rooms


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an archive that has published an item of two versions, with a mirror beside it."""
    folder = tmp_path_factory.mktemp("published")
    with archive_in(folder / "archive") as archive:
        for title in ("first", "second"):
            take(archive, put_item(folder / "items", "one", title=title))
        put_out(archive)
    mirror(folder / "mirror", folder / "archive")
    return folder


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    """Give a copy of both."""
    return Path(shutil.copytree(published, tmp_path / "copy"))


def _object(folder: Path, kind: str = "audio") -> Path:
    return next(path for path in (folder / "archive" / "store").glob("*/*/*/*") if f"%3a{kind}%3a" in path.name)


def _repaired(folder: Path, archive: Archive) -> Repaired:
    """Return what a repair does to what the last audit saw, as the command does it."""
    with healers_at([str(folder / "mirror")], archive.settings.name) as healers:
        return repair(repair_rooms(archive, healers, Quiet()), seen_damages(audit_rooms(archive, Quiet())))


OWN_FILES: dict[str, Callable[[Path], object]] = {
    "the inventory": lambda o: flip(o / "inventory.json"),
    "the sidecar": lambda o: (o / "inventory.json.sha256").unlink(),
    "the declaration": lambda o: (o / "0=ocfl_object_1.1").write_bytes(b""),
}


@pytest.mark.parametrize("what", OWN_FILES)
@pytest.mark.parametrize("kind", ["audio", "drop"])
def test_damage_to_an_objects_own_files_is_remembered_and_mended(what: str, kind: str, copied: Path) -> None:
    OWN_FILES[what](_object(copied, kind))
    with archive_in(copied / "archive") as archive:
        (damage,) = audit(audit_rooms(archive, Quiet())).damages
    with archive_in(copied / "archive") as archive:
        repaired = _repaired(copied, archive)
        assert (repaired.mended, dict(repaired.left)) == ((damage.member.path,), {})
        assert archive.register.damaged_objects() == []
        assert audit(audit_rooms(archive, Quiet())).sound


def test_version_that_vanished_with_every_word_of_it_is_missed_and_healed(copied: Path) -> None:
    """As when an old backup of one object is put back: what is left agrees with itself."""
    folder = _object(copied)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder / "v2")
    for name in ("inventory.json", "inventory.json.sha256"):
        shutil.copy(folder / "v1" / name, folder / name)
    with archive_in(copied / "archive") as archive:
        audited = audit(audit_rooms(archive, Quiet()))
        missed = {Path(damage.member.path).parts[4] for damage in audited.damages}
        assert missed == {"v2", "inventory.json", "inventory.json.sha256"}  # the register knows that v2's own say more
        assert _repaired(copied, archive).left == {}
        assert audit(audit_rooms(archive, Quiet())).sound
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["inventory.json", "inventory.json.sha256", "0=ocfl_object_1.1", "v1/content/01-about.txt"])
def test_damage_to_the_object_of_the_event_log_is_found_and_mended(name: str, copied: Path) -> None:
    path = _object(copied, "events") / name
    before = path.read_bytes()
    flip(path)
    with archive_in(copied / "archive") as archive:
        audited = audit(audit_rooms(archive, Quiet()))
        assert [Path(each).name for each in audited.root_files] == [path.name]
        assert _repaired(copied, archive).left == {}
        assert audit(audit_rooms(archive, Quiet())).sound
    assert path.read_bytes() == before


def test_segment_of_the_event_log_that_nobody_can_mend_is_left_and_named(copied: Path) -> None:
    path = next(_object(copied, "events").rglob("*.jsonl"))
    flip(path)
    with archive_in(copied / "archive") as archive:
        assert list(_repaired(copied, archive).left) == [str(path.relative_to(copied / "archive" / "store"))]


def test_objects_that_the_register_does_not_know_are_not_called_sound(copied: Path) -> None:
    for path in (copied / "archive").glob("register.sqlite*"):
        path.unlink()
    with archive_in(copied / "archive") as archive:
        audited = audit(audit_rooms(archive, Quiet()))
        assert not audited.sound
        assert str(_object(copied).relative_to(copied / "archive" / "store")) in audited.unregistered
        assert not any("events" in path for path in audited.unregistered)
