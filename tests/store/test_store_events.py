"""The event log: nothing appended is lost, nothing is changed, and other software passes it by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_world import World

from fonoteca.model.corridor import Event
from fonoteca.model.errors import FormatError

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def _event(hours: int, what: str = "acquired") -> Event:
    return Event(
        AT + timedelta(hours=hours), what, "urn:fonoteca:audio:folder:x", (("version", 1), ("share", 0.5), ("note", "a\nb "))
    )


def test_events_come_back_in_order_and_whole(world: World, validate: Callable[[Path], None]) -> None:
    batches = [[_event(0), _event(1)], [_event(30)], [_event(2, "verified"), _event(3)]]
    for batch in batches:
        world.store.append_events(batch)
    world.store.append_events([])
    assert list(world.store.events()) == [*batches[0], *batches[1], *batches[2]]
    validate(world.folder)


def test_what_was_appended_last_is_the_newest_whatever_the_clock_says(world: World) -> None:
    world.store.append_events([_event(30)])
    for hours in (-100, 2):
        again = World(world.root)
        again.store.append_events([_event(hours)])
        assert World(world.root).store.newest_events() == [_event(hours)]
    assert list(world.store.events()) == [_event(30), _event(-100), _event(2)]


def test_a_stranger_s_file_in_the_log_hides_nothing(world: World) -> None:
    world.store.append_events([_event(30)])
    (path,) = [p for p in world.bytes_of() if p.endswith(".jsonl")]
    (world.folder / path).with_name("thumbs.db").write_bytes(b"?")
    assert World(world.root).store.newest_events() == [_event(30)]
    World(world.root).store.append_events([_event(2)])
    assert list(world.store.events()) == [_event(30), _event(2)]


def test_the_same_events_again_change_nothing(world: World) -> None:
    world.store.append_events([_event(0)])
    before = world.bytes_of()
    world.store.append_events([_event(0)])
    assert world.bytes_of() == before
    assert len([p for p in before if p.endswith(".jsonl")]) == 1


def test_a_damaged_segment_is_told_and_keeps_nobody_from_the_others(world: World) -> None:
    world.store.append_events([_event(0)])
    (path,) = [p for p in world.bytes_of() if p.endswith(".jsonl")]
    world.store.append_events([_event(1)])
    content = (world.folder / path).read_bytes()
    (world.folder / path).write_bytes(content.replace(b"acquired", b"required"))
    assert ["its name says" in segment.damage for segment in world.store.log()] == [True, False]
    assert list(world.store.events()) == [_event(1)]
    assert world.store.check_root() == [path]


def test_an_event_that_json_cannot_hold_is_refused(world: World) -> None:
    for facts in ((("a", 1), ("a", 2)), (("a", float("nan")),)):
        with pytest.raises(FormatError):
            world.store.append_events([Event(AT, "x", "y", facts)])
    assert list(world.store.events()) == []
