"""`export bagit` and `export ro-crate` as they are typed."""

from __future__ import annotations

from pathlib import Path

import bagit
import pytest
from cli_world import OPEN, Fonoteca, item

ID = "urn:fonoteca:audio:folder:kitchen"


@pytest.fixture
def archive(fonoteca: Fonoteca, tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    assert fonoteca("init", folder, "--title", "The village jukebox").status == 0
    item(tmp_path / "kitchen", OPEN)
    assert fonoteca("acquire", "folder", tmp_path / "kitchen", "--archive", folder).status == 0
    return folder


def test_a_bag_is_exported_and_acquired_again(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    said = fonoteca("export", "bagit", ID, "--into", tmp_path / "bags", "--archive", archive, "--json")
    assert said.status == 0, said.err
    (one,) = said.answer["objects"]
    assert (one["object"], one["version"]) == (ID, 1)
    assert bagit.Bag(str(tmp_path / "bags" / one["folder"])).validate()
    again = fonoteca("acquire", "bagit", tmp_path / "bags", "--archive", archive, "--json")
    (outcome,) = again.answer["outcomes"]
    assert (outcome["outcome"], outcome["files"]) == ("held", 1)
    assert outcome["object"].startswith("urn:fonoteca:audio:bagit:urn-fonoteca-audio-folder-kitchen-")
    once_more = fonoteca("acquire", "bagit", tmp_path / "bags" / one["folder"], "--archive", archive, "--json")
    assert once_more.answer["outcomes"][0]["new"] is False


def test_a_crate_is_exported_and_a_folder_in_use_is_not_touched(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    said = fonoteca("export", "ro-crate", ID, "--into", tmp_path / "crates", "--archive", archive)
    assert said.status == 0, said.err
    assert "audio-folder-kitchen" in said.out
    assert (tmp_path / "crates" / "audio-folder-kitchen" / "ro-crate-metadata.json").is_file()
    again = fonoteca("export", "ro-crate", ID, "--into", tmp_path / "crates", "--archive", archive)
    assert again.status == 2


def test_an_archive_that_declines_a_licence_now_exports_nothing_under_it(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    item(tmp_path / "nc", 'licence = "CC-BY-NC-4.0"')
    assert fonoteca("acquire", "folder", tmp_path / "nc", "--archive", archive).status == 0
    settings = archive / "fonoteca.toml"
    settings.write_text(settings.read_text().replace("refuse_noncommercial = false", "refuse_noncommercial = true"))
    said = fonoteca("export", "bagit", ID, ID.replace("kitchen", "nc"), "--into", tmp_path / "bags", "--archive", archive, "--json")
    assert said.status == 3
    assert said.answer["error"]["code"] == "rights"
    assert not (tmp_path / "bags").exists()


def test_an_invalid_bag_is_named_with_what_was_expected_and_found(archive: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    fonoteca("export", "bagit", ID, "--into", tmp_path / "bags", "--archive", archive)
    song = tmp_path / "bags" / "audio-folder-kitchen" / "data" / "song.wav"
    song.write_bytes(song.read_bytes()[:-1] + b"x")
    said = fonoteca("acquire", "bagit", tmp_path / "bags", "--archive", archive, "--json")
    assert said.status == 1
    error = said.answer["error"]
    assert error["code"] == "source"
    assert error["subject"].endswith("data/song.wav")
    assert "expected sha" in error["problem"]
    assert ", found " in error["problem"]
    assert not list((archive / "staging").iterdir())
