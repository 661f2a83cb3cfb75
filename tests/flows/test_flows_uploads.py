"""Uploads: through the same gates as everything else, whole or told why not, and kill safe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flows_crash import Doom, Finished, count_points, crashes, run
from flows_world import (
    Quiet,
    StoppedClock,
    artwork,
    audio,
    copy_archive,
    make_archive,
    opened,
    picture,
    put_item,
    take,
    track,
)

from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import put_and_do, undoing, work
from fonoteca.formats.uploads import Brought, Files, brought_in, file_name, rights_toml, upload_order
from fonoteca.model.desk import Entry, EntryState
from fonoteca.model.errors import UsageError
from fonoteca.sources.rightsfile import parse_rights
from fonoteca.sources.uploads import stamps_of
from fonoteca.wiring import Archive

TOKEN = "0123456789abcdef" * 2
SAID = Brought(
    TOKEN, 'Räuber "Song"\\', "Max", "CC-BY-4.0", (), "Max M.", "https://example.org/räuber", "He said so:\nlicence = 'CC0'"
)


def bring(archive: Archive, said: Brought, **files: bytes) -> None:
    uploads = desk_rooms(archive, Quiet()).uploads
    folder = uploads.kept_folder(said.token)
    for name, content in files.items():
        with uploads.writer(folder / name.replace("_", ".")) as target:
            target.write(content)


def stamps(archive: Archive, said: Brought) -> Files:
    return stamps_of(desk_rooms(archive, Quiet()).uploads.kept_folder(said.token))


def deed(archive: Archive) -> Iterator[Entry]:
    return work(desk_rooms(archive, Quiet()))


def test_an_upload_is_held_with_what_was_put_right_and_its_folder_goes(tmp_path: Path) -> None:
    with opened(make_archive(tmp_path / "archive")) as archive:
        bring(archive, SAID, one_flac=track(1), two_mp3=b"<!doctype html>", cover_png=picture())
        docket = archive.people.docket
        entry = docket.put(upload_order(SAID, stamps(archive, SAID), {"one.flac": {"title": "Räuber"}}), None, 0)
        (done,) = deed(archive)
        assert (done.number, done.state) == (entry.number, EntryState.DONE)
        assert "music held: 1 of 2 files, not taken: two.mp3 (is a web page" in done.outcome
        assert "artwork held: 1 of 1 files" in done.outcome
        metadata = archive.store.metadata(SAID.object_id)
        assert (metadata.title, metadata.artist, metadata.source_uri) == (SAID.title, "Max", SAID.source)
        assert metadata.files[0].tags is not None
        assert metadata.files[0].tags.title == "Räuber"
        assert archive.store.rights(SAID.object_id).attribution == "Max M."
        assert list(desk_rooms(archive, Quiet()).uploads.left()) == []
        back = put_and_do(desk_rooms(archive, Quiet()), undoing(docket, entry.number, "no"))
        assert "2 objects are withdrawn" in back.outcome


def test_what_is_refused_says_why_and_stays_for_a_day(tmp_path: Path) -> None:
    with opened(make_archive(tmp_path / "archive")) as archive:
        bring(archive, SAID, song_mp3=b"<!doctype html>")
        archive.people.docket.put(upload_order(SAID, stamps(archive, SAID), {}), None, 0)
        (failed,) = deed(archive)
        assert (failed.state, "is a web page" in failed.outcome) == (EntryState.FAILED, True)
        uploads = desk_rooms(archive, Quiet()).uploads
        assert list(uploads.left()) == [TOKEN]
        bring(archive, SAID, song_flac=track(1))
        archive.people.docket.retry(failed.number)
        (other,) = deed(archive)
        assert "its files changed since it was put down: song.flac" in other.outcome, "what was said is said of those files alone"
        (uploads.kept_folder(TOKEN) / ".rights.toml").write_bytes(b"left by a kill")
        archive.people.docket.put(upload_order(SAID, stamps(archive, SAID), {}), None, failed.number)
        assert [each.state for each in deed(archive)] == [EntryState.DONE], "mended, and put down again, it is held"
        assert list(uploads.left()) == []
        bring(archive, replace(SAID, token="f" * 32), song_flac=track(1))
        newest = max(path.stat().st_mtime for path in uploads.kept_folder("f" * 32).iterdir())
        list(deed(archive))
        assert list(uploads.left()) == ["f" * 32], "nobody put it down yet"
        for path in (uploads.kept_folder("f" * 32), *uploads.kept_folder("f" * 32).iterdir()):
            os.utime(path, (newest, archive.clock.now().timestamp() - timedelta(days=1, seconds=1).total_seconds()))
        list(deed(archive))
        assert list(uploads.left()) == []


def test_a_cover_takes_the_place_of_another_killed_anywhere(tmp_path: Path, validate: Callable[[Path], None]) -> None:
    put_item(tmp_path / "music", "one", {"01 a.flac": track(1), "cover.png": picture(1)})
    folder = make_archive(tmp_path / "archive")
    said = replace(SAID, cover_of="folder:one")
    with opened(folder) as archive:
        take(archive, tmp_path / "music")
        bring(archive, said, front_png=picture(2))
        archive.people.docket.put(upload_order(said, stamps(archive, said), {}), None, 0)
    points = count_points(copy_archive(folder, tmp_path / "whole"), deed)
    whole = Finished(tmp_path / "whole", validate, ("store",))
    for crashed in crashes(folder, deed, points):
        run(crashed.folder, deed, Doom())
        whole.check(crashed.folder, crashed.place)
    with opened(tmp_path / "whole", clock=StoppedClock()) as archive:
        assert [file.logical_path for file in archive.store.metadata(artwork("one")).files] == ["front.png"]
        assert [file.logical_path for file in archive.store.metadata(artwork("one"), 1).files] == ["cover.png"]
        assert archive.store.head(audio("one")) == 1


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"title": " "}, "has none"),
        ({"licence": ""}, "expected a licence"),
        ({"acts": ("share",)}, "expected a licence"),
        ({"licence": "", "acts": ("steal",)}, "expected some of"),
        ({"why": ""}, "nothing is said"),
        ({"artist": "a\nb"}, "letters that can be seen"),
        ({"token": "../../etc"}, "no such upload"),
        ({"cover_of": "no key"}, "not the key"),
    ],
)
def test_what_says_too_little_is_no_upload(changed: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        brought_in(upload_order(replace(SAID, **changed), {}, {}).facts)  # type: ignore[arg-type]


def test_a_rights_file_says_what_was_said_and_nothing_that_was_smuggled_in() -> None:
    found = parse_rights(rights_toml(SAID), "rights.toml")
    assert (found.title, found.artist, found.source_uri) == (SAID.title, "Max", SAID.source)
    assert (found.terms.licence, found.terms.attribution) == ("CC-BY-4.0", "Max M.")
    own = parse_rights(rights_toml(replace(SAID, licence="", acts=("hold", "share"))), "rights.toml")
    assert own.terms.statement == "own: hold share"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.mp3", "b.mp3"),
        (".hidden.ogg", "hidden.ogg"),
        ("a\x00\nb.ogg", "ab.ogg"),
        ("é" * 300 + ".ogg", "é" * 98 + ".ogg"),
    ],
)
def test_names_of_others_are_never_paths(name: str, kept: str) -> None:
    assert file_name(name) == kept
    for none in ("", "..", "/", "rights.toml", "RIGHTS.toml"):
        with pytest.raises(UsageError, match="no name for a file"):
            file_name(none)
