"""Rebuild: the register made anew from the store is equal, decisions and rulings of people included."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flows_world import (
    NOW,
    StoppedClock,
    audio,
    bytes_of,
    check,
    copy_archive,
    leftovers,
    make_anew,
    make_archive,
    opened,
    picture,
    put_item,
    put_out,
    small_music,
    state_of,
    take,
    track,
)

from fonoteca.flows.rulings import Ruling, rule
from fonoteca.formats.mp4 import protected_sample
from fonoteca.model.errors import FixityError
from fonoteca.wiring import Archive

CC_BY = "https://creativecommons.org/licenses/by/4.0/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an archive to which about everything has happened: versions, drops, refusals, holds, rulings, failures."""
    music = small_music(tmp_path / "music")
    put_item(music, "closed", {"x.flac": track(11)}, 'licence = "http://rightsstatements.org/vocab/InC/1.0/"')
    put_item(music, "locked", {"x.m4a": protected_sample()})
    put_item(music, "bad", {"x.flac": track(12)[:3000]})
    put_item(music, "ruled", {"x.flac": track(13)}, 'licence = "LicenseRef-Ask-Us"')
    made = make_archive(tmp_path / "archive")
    with opened(made) as archive:
        take(archive, music)
        put_out(archive)
    with opened(made, clock=StoppedClock(NOW + timedelta(days=1))) as archive:
        rule(archive, [audio("ruled")], Ruling(CC_BY, "they wrote back", NOW + timedelta(days=1)))
        put_item(music, "one", {"02 more.flac": track(14), "back.png": picture(14)})
        take(archive, music)
        put_out(archive)
    return made


def _known(archive: Archive) -> dict[str, list[Any]]:
    """Return all that the register knows. A decision taken again is dated anew there, and told to the log but the first time."""
    state = state_of(archive.register)
    return {**state, "decisions": [replace(row, at=NOW) for row in state["decisions"]]}


def test_a_lost_register_is_made_anew_from_the_store_equal_in_everything(folder: Path) -> None:
    with opened(folder) as archive:
        before = _known(archive)
    outcomes = {(row.outcome, row.state) for row in before["decisions"]}
    assert outcomes == {("refusal", "open"), ("hold", "open"), ("hold", "settled")}
    for path in folder.glob("register.sqlite*"):
        path.unlink()
    with opened(folder) as archive:
        assert _known(archive)["rows"] == []
        rebuilt = make_anew(archive)
        assert _known(archive) == before
        assert (rebuilt.event_count, rebuilt.drop_count) == (len(before["events"]), len(archive.register.drops()))


def test_a_register_that_is_there_is_made_anew_equal_and_twice_is_as_once(folder: Path) -> None:
    with opened(folder) as archive:
        before = _known(archive)
        for _ in range(2):
            make_anew(archive)
            assert _known(archive) == before


def test_a_register_made_anew_serves_as_the_old_one_did(folder: Path, tmp_path: Path) -> None:
    other = copy_archive(folder, tmp_path / "other")
    for path in other.glob("register.sqlite*"):
        path.unlink()
    with opened(other) as archive:
        make_anew(archive)
    put_item(tmp_path / "music", "five", {"x.flac": track(15)})
    states = []
    for each in (folder, other):
        with opened(each, clock=StoppedClock(NOW + timedelta(days=2))) as archive:
            outcomes = take(archive, tmp_path / "music")
            published = put_out(archive)
            assert check(archive).damages == ()
            states.append((outcomes, published, state_of(archive.register), bytes_of(each / "editions")))
    (outcomes, published, state, edition), (other_outcomes, other_published, other_state, other_edition) = states
    assert str(outcomes) == str(other_outcomes)
    assert published == other_published
    assert state["rows"] == other_state["rows"]
    assert edition == other_edition


def test_an_object_that_is_damaged_leaves_the_register_as_it_was(folder: Path) -> None:
    with opened(folder) as archive:
        before = state_of(archive.register)
        stored = archive.store.read(audio("two"))
        for path in (folder / "store" / stored.object_path).rglob("*.json"):
            path.write_bytes(b"{}")
        with pytest.raises(FixityError) as error:
            make_anew(archive)
        assert error.value.exit_status == 4
        assert state_of(archive.register) == before
    assert leftovers(folder) == []


def test_a_lost_staging_and_search_and_catalogue_are_no_loss(folder: Path) -> None:
    for name in ("staging", "search", "catalogue"):
        shutil.rmtree(folder / name, ignore_errors=True)
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=2))) as archive:
        make_anew(archive)
        put_out(archive)
        assert [hit.title for hit in archive.search.search("Track 1")]
        assert check(archive).damages == ()
