"""Corrections: a new version that says what is right, whatever is acquired, analysed, killed, rebuilt or taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flows_crash import Doom, Finished, count_points, crashes, run
from flows_world import (
    Quiet,
    audio,
    bytes_of,
    copy_archive,
    hear,
    make_anew,
    make_archive,
    opened,
    picture,
    put_item,
    state_of,
    take,
    track,
)

from fonoteca.deskroom import desk_rooms
from fonoteca.flows.correct import CORRECTED, changes_to
from fonoteca.flows.docket import put_and_do, undoing, work
from fonoteca.formats.corrections import correcting_order
from fonoteca.model.corridor import Correction
from fonoteca.model.desk import Entry, EntryState
from fonoteca.model.errors import UsageError
from fonoteca.wiring import Archive

ONE = audio("one")
SONG = "01 a.flac"
ISRC = "DEXX02400001"
RIGHT = {
    ("", "title"): "Nachtmusik",
    (SONG, "title"): "Regen – Дождь",
    (SONG, "track_number"): "7",
    (SONG, "isrcs"): "DEXX02400001",
}


@pytest.fixture
def music(tmp_path: Path) -> Path:
    put_item(tmp_path / "music", "one", {SONG: track(1), "cover.png": picture()})
    return tmp_path / "music"


@pytest.fixture
def folder(tmp_path: Path, music: Path) -> Path:
    """Return an archive that holds the music."""
    folder = make_archive(tmp_path / "archive")
    with opened(folder) as archive:
        take(archive, music)
    return folder


def put_right(archive: Archive, right: dict[tuple[str, str], str], reason: str = "the sleeve says so") -> Entry:
    order = correcting_order(ONE, changes_to(archive.store, ONE, right), reason)
    return put_and_do(desk_rooms(archive, Quiet()), order)


def said(archive: Archive) -> tuple[Any, ...]:
    """Return what the item and its file are called, as store and register say alike."""
    metadata = archive.store.metadata(ONE)
    row, object_row, tags = archive.register.files(ONE)[0], archive.register.object(ONE), metadata.files[0].tags
    assert object_row is not None
    assert tags is not None
    assert (object_row.title, object_row.artist, row.title) == (metadata.title, metadata.artist, tags.title)
    assert row.stored.tags == tags
    return metadata.title, metadata.artist, tags.title, tags.track_number, tags.isrcs, object_row.head_version


def test_a_correction_is_a_new_version_and_touches_no_music(folder: Path) -> None:
    before = bytes_of(folder / "store")
    with opened(folder) as archive:
        assert said(archive) == ("Item one", "The Generators", "Track 1", None, (), 1)
        entry = put_right(archive, RIGHT)
        assert (entry.state, said(archive)) == (
            EntryState.DONE,
            ("Nachtmusik", "The Generators", "Regen – Дождь", 7, (ISRC,), 2),
        )
        old = archive.store.metadata(ONE, 1)
        assert (old.title, old.corrections) == ("Item one", ())
        assert "metadata.json" in {member.path.rsplit("/", 1)[1] for member in archive.store.read(ONE).members}
        assert not any(member.path.endswith(".flac") for member in archive.store.read(ONE).members)
        (event,) = [each for each in archive.register.events(subject=ONE) if each.what == CORRECTED]
        assert dict(event.facts)["reason"] == "the sleeve says so"
        assert ["", "title", "Item one", "Nachtmusik"] in json.loads(str(dict(event.facts)["changes"]))
        assert list(archive.store.audit(ONE)) == []
    after = bytes_of(folder / "store")
    assert [after[path] for path in before if path.endswith(".flac")] == [before[path] for path in before if path.endswith(".flac")]


def test_it_survives_another_acquire_an_analysis_and_a_rebuild(tmp_path: Path, music: Path) -> None:
    folder = make_archive(tmp_path / "later")
    with opened(folder) as archive:
        take(archive, music, later=True)
        put_right(archive, RIGHT)
        hear(archive)
        known = said(archive)
        assert known == ("Nachtmusik", "The Generators", "Regen – Дождь", 7, (ISRC,), 3)
        take(archive, music)
        assert said(archive) == known, "no version is made of what is held already"
        put_item(music, "one", {SONG: track(1, title="Other tag")}, artist="The Renamed")
        take(archive, music)
        assert said(archive)[:3] == ("Nachtmusik", "The Renamed", "Regen – Дождь"), (
            "only what nobody corrected is as the source has it"
        )
        made_by_hand = archive.store.metadata(ONE).corrections
        assert {(each.of, each.field): each.was for each in made_by_hand}[SONG, "title"] == "Other tag"
        state = state_of(archive.register)
        make_anew(archive)
        assert state_of(archive.register) == state


def test_it_is_taken_back_unless_somebody_corrected_it_again(folder: Path) -> None:
    with opened(folder) as archive:
        rooms = desk_rooms(archive, Quiet())
        first = put_right(archive, RIGHT)
        second = put_right(archive, {("", "title"): "Tagmusik"})
        with pytest.raises(UsageError, match="changed since"):
            put_and_do(rooms, undoing(rooms.docket, first.number, "no"))
        assert said(archive)[0] == "Tagmusik"
        put_and_do(rooms, undoing(rooms.docket, second.number, "no"))
        assert said(archive)[0] == "Nachtmusik"
        put_and_do(rooms, undoing(rooms.docket, first.number, "no"))
        assert said(archive)[:5] == ("Item one", "The Generators", "Track 1", None, ())
        assert archive.store.metadata(ONE).corrections == ()


def test_two_curators_do_not_overwrite_each_other(folder: Path) -> None:
    with opened(folder) as archive:
        docket = archive.people.docket
        orders = [
            correcting_order(ONE, (Correction("", "title", "Item one", title),), "I know") for title in ("Nachtmusik", "Tagmusik")
        ]
        entries = [docket.put(order, None, docket.seen(ONE)) for order in orders]
        ended = list(work(desk_rooms(archive, Quiet())))
        assert [each.number for each in ended] == [each.number for each in entries]
        assert [each.state for each in ended] == [EntryState.DONE, EntryState.FAILED]
        assert "found 'Nachtmusik'" in ended[1].outcome
        assert said(archive)[0] == "Nachtmusik"


@pytest.mark.parametrize(
    ("right", "problem"),
    [
        ({("", "title"): "Item one"}, "says all of this already"),
        ({("", "title"): " "}, "without a title"),
        ({("", "licence"): "CC0"}, "no field that can be corrected"),
        ({(SONG, "licence"): "CC0"}, "no field that can be corrected"),
        ({("99.flac", "title"): "x"}, "no such music file"),
        ({(SONG, "track_number"): "-1"}, "expected a number"),
        ({(SONG, "date"): "2026-13-01"}, "expected YYYY"),
        ({(SONG, "isrcs"): "DE"}, "expected ISRCs"),
        ({(SONG, "title"): "x\x1b[2J"}, "cannot be seen"),
        ({(SONG, "title"): "\u202eevil"}, "cannot be seen"),
        ({(SONG, "title"): "x" * 501}, "found 501"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(folder: Path, right: dict[tuple[str, str], str], problem: str) -> None:
    with opened(folder) as archive:
        with pytest.raises(UsageError, match=problem):
            put_right(archive, right)
        with pytest.raises(UsageError, match="a reason"):
            put_right(archive, {("", "title"): "Good"}, reason=" ")
        assert (said(archive)[-1], archive.people.docket.newest(10)) == (1, [])


def test_killed_anywhere_the_desk_does_the_rest(folder: Path, tmp_path: Path, validate: Callable[[Path], None]) -> None:
    def deed(archive: Archive) -> Iterator[Entry]:
        return work(desk_rooms(archive, Quiet()))

    with opened(folder) as archive:
        archive.people.docket.put(correcting_order(ONE, changes_to(archive.store, ONE, RIGHT), "I know"), None, 0)
    points = count_points(copy_archive(folder, tmp_path / "whole"), deed)
    whole = Finished(tmp_path / "whole", validate, ("store",))
    for crashed in crashes(folder, deed, points):
        run(crashed.folder, deed, Doom())
        whole.check(crashed.folder, crashed.place)
        with opened(crashed.folder) as archive:
            assert archive.people.docket.count(EntryState.DONE) == 1, crashed.place
