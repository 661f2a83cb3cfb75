"""Many items at one durable point: told in order, all or none, and none before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flows_world import (
    Quiet,
    Unsynced,
    audio,
    check,
    in_turn,
    leftovers,
    make_archive,
    opened,
    picture,
    put_item,
    take,
    track,
)

from fonoteca.flows import acquire as acquire_flow
from fonoteca.flows.acquire import Acquired, Failed, Outcome, Pace, acquire
from fonoteca.formats.mp4 import protected_sample
from fonoteca.model.errors import BusyError, SourceError, StoreError
from fonoteca.model.rights import Hold, Refusal
from fonoteca.sources import SOURCES
from fonoteca.testing import FullDiskCalls
from fonoteca.wiring import Archive, acquire_rooms, open_archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty archive."""
    return make_archive(tmp_path / "archive")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Return a source of seven candidates, of which four may be held."""
    music = tmp_path / "music"
    put_item(music, "a", {"x.flac": track(1), "cover.png": picture()})
    put_item(music, "b-damaged", {"x.flac": track(5, 2.5, noise=True)[:9000]})
    put_item(music, "c-closed", {"x.flac": track(2)}, 'licence = "http://rightsstatements.org/vocab/InC/1.0/"')
    put_item(music, "d", {"x.flac": track(3)})
    put_item(music, "e-protected", {"x.m4a": protected_sample()})
    put_item(music, "f", {"x.flac": track(4)})
    return music


KINDS = [Acquired, Acquired, Failed, Refusal, Acquired, Refusal, Acquired]


class Noting(Unsynced):
    """Calls that remember what the disk was asked to do, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def fsync(self, descriptor: int) -> None:
        self.done.append("fsync")

    def sync_all(self, descriptor: int) -> None:
        self.done.append("sync_all")

    def rename(self, source: Path, target: Path) -> None:
        self.done.append("enter" if "urn%3a" in target.name and "store" in target.parts else "rename")
        super().rename(source, target)


def _in_batches(archive: Archive, music: Path, pace: Pace) -> list[Outcome]:
    return list(acquire(replace(acquire_rooms(archive, Quiet()), pace=pace), "folder", str(music)))


@pytest.mark.parametrize("pace", [Pace(1, 10**9, False), Pace(3, 10**9, False), Pace(100, 1, False), Pace(), Pace(2, 10**9, True)])
def test_outcomes_come_in_the_order_of_the_source_whatever_the_batches(folder: Path, music: Path, pace: Pace) -> None:
    with opened(folder) as archive:
        outcomes = _in_batches(archive, music, pace)
        assert [type(outcome) for outcome in outcomes] == KINDS
        for outcome in outcomes:
            if isinstance(outcome, Acquired):
                assert archive.register.stored_version(outcome.object_id, 1) == archive.store.read(outcome.object_id)
        assert check(archive).damages == ()
        assert [type(outcome) for outcome in _in_batches(archive, music, pace)] == KINDS
    assert leftovers(folder) == []


def test_new_objects_of_a_batch_are_entered_between_two_waits_for_the_disk(folder: Path, music: Path) -> None:
    calls = Noting()
    with opened(folder, calls) as archive:
        rooms = in_turn(archive, 100)
        calls.done.clear()
        list(acquire(rooms, "folder", str(music)))
    begin, end = calls.done.index("enter"), len(calls.done) - calls.done[::-1].index("enter")
    assert calls.done[begin:end] == ["enter"] * 4
    assert calls.done[begin - 1] == calls.done[end] == "sync_all"
    assert "fsync" not in calls.done[:begin]


def test_nothing_is_acknowledged_before_the_disk_has_it(folder: Path, music: Path) -> None:
    calls = Noting()
    with opened(folder, calls) as archive:
        calls.done.clear()
        for outcome in acquire(in_turn(archive, 3), "folder", str(music)):
            if isinstance(outcome, Acquired):
                after = calls.done[len(calls.done) - calls.done[::-1].index("enter") :]
                assert "sync_all" in after or "fsync" in after, outcome.item


def test_a_disk_that_fills_in_the_middle_of_a_batch_keeps_none_of_it(
    tmp_path: Path, music: Path, validate: Callable[[Path], None]
) -> None:
    for number, room_bytes in enumerate(range(4_000, 60_000, 7_000)):
        folder = make_archive(tmp_path / f"archive-{number}")
        told: list[Outcome] = []
        with opened(folder, FullDiskCalls(Unsynced(), room_bytes)) as archive, pytest.raises(StoreError, match="disk is full"):
            told.extend(acquire(in_turn(archive, 100), "folder", str(music)))
        assert told == []
        assert leftovers(folder) == []
        with opened(folder) as archive:
            assert list(archive.store.object_ids("audio")) == []
            validate(folder / "store")
            assert [type(outcome) for outcome in take(archive, music)] == KINDS


class NoNameLeft(Unsynced):
    """A disk that takes no third object in."""

    def __init__(self) -> None:
        self._entered = 0

    def rename(self, source: Path, target: Path) -> None:
        if "urn%3afonoteca%3aa" in target.name and "store" in target.parts:
            self._entered += 1
            if self._entered == 3:
                raise OSError(28, "No space left on device")
        super().rename(source, target)


def test_an_object_that_cannot_be_entered_takes_those_before_it_back(
    folder: Path, music: Path, validate: Callable[[Path], None]
) -> None:
    with opened(folder, NoNameLeft()) as archive, pytest.raises(StoreError, match="disk is full"):
        list(acquire(in_turn(archive, 100), "folder", str(music)))
    assert leftovers(folder) == []
    validate(folder / "store")
    with opened(folder) as archive:
        assert [one for one in archive.store.object_ids() if one.kind in ("audio", "artwork")] == []
        assert [type(outcome) for outcome in take(archive, music)] == KINDS


def test_an_item_that_is_offered_twice_in_a_batch_is_one_object(folder: Path, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Twice:
        kind = "folder"

        def candidates(self, ref: str, context: Any) -> Any:
            found = list(SOURCES["folder"].candidates(ref, context))
            yield from (*found, *found)

    monkeypatch.setattr(acquire_flow, "SOURCES", {"folder": Twice()})
    with opened(folder) as archive:
        outcomes = list(acquire(in_turn(archive, 100), "folder", str(music / "d")))
        assert [(outcome.version, outcome.made) for outcome in outcomes if isinstance(outcome, Acquired)] == [(1, True), (1, False)]
    assert leftovers(folder) == []


def test_a_source_that_fails_half_way_is_told_after_what_it_gave(
    folder: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        kind = "folder"

        def candidates(self, ref: str, context: Any) -> Any:
            yield from SOURCES["folder"].candidates(ref, context)
            raise SourceError(ref, "the rest of it cannot be read")

    monkeypatch.setattr(acquire_flow, "SOURCES", {"folder": Failing()})
    outcomes = []
    with opened(folder) as archive:
        with pytest.raises(SourceError, match="the rest of it"):
            outcomes.extend(acquire(in_turn(archive, 100), "folder", str(music)))
        told = [each for each in archive.register.objects() if each.kind == "audio"]
        assert len(told) == 3
    assert leftovers(folder) == []


def test_whom_rights_turn_away_in_their_thousands_waits_for_nobody(
    folder: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquire_flow, "TURNED_AWAY_MAX", 2)
    for number in range(5):
        put_item(music / "many", str(number), {"x.flac": track(1)}, 'licence = "LicenseRef-Nobody-Knows"')
    put_item(music / "many", "last", {"x.flac": track(1)})
    with opened(folder) as archive:
        outcomes = list(acquire(in_turn(archive, 100), "folder", str(music / "many")))
        assert [type(outcome) for outcome in outcomes] == [Hold] * 5 + [Acquired]
        assert len(archive.register.decisions()) == 5


def test_a_second_run_in_the_archive_is_turned_away(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        outcomes = acquire(in_turn(archive, 1), "folder", str(music))
        next(outcomes)
        with pytest.raises(BusyError), open_archive(folder, writing=True):
            pass
        assert len(list(outcomes)) == len(KINDS) - 1


def test_a_run_that_is_dropped_leaves_what_it_acknowledged_and_nothing_else(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        outcomes = acquire(replace(acquire_rooms(archive, Quiet()), pace=Pace(1, 1, True)), "folder", str(music))
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
        assert archive.store.head(audio("a")) == 1
        assert leftovers(folder) == []
        assert [type(outcome) for outcome in take(archive, music)] == KINDS


def test_an_object_that_lost_all_its_inventories_fails_alone(folder: Path, music: Path) -> None:
    for name in ("d", "f"):
        put_item(music, name, {"x.flac": track(3)})
    with opened(folder) as archive:
        take(archive, music / "d")
        lost = folder / "store" / archive.store.read(audio("d")).object_path
    for path in [*lost.glob("inventory.json*"), lost / "v1" / "inventory.json.sha256"]:
        path.unlink()
    with opened(folder) as archive:
        outcomes = _in_batches(archive, music, Pace())
        assert [type(each) for each in outcomes] == [*KINDS[:4], Failed, *KINDS[5:]]
        assert isinstance(outcomes[4], Failed)
        assert "Run `fonoteca audit`" in str(outcomes[4].error)
        assert list((folder / "staging").iterdir()) == []
        assert archive.store.head(audio("f")) == 1
