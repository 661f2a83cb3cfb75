"""Acquire, crashed at every durable call and every commit: the same command again ends in the same state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from flows_crash import Crashed, Doom, Finished, count_points, crashes, run
from flows_world import (
    NOW,
    StoppedClock,
    copy_archive,
    in_turn,
    make_archive,
    opened,
    picture,
    put_item,
    take,
    track,
)

from fonoteca.flows.acquire import Acquired, Failed, Outcome, acquire
from fonoteca.formats.mp4 import protected_sample
from fonoteca.model.rights import Hold, Refusal
from fonoteca.wiring import Archive


def _acquire(music: Path, archive: Archive) -> Iterator[Outcome]:
    return acquire(in_turn(archive), "folder", str(music))


def _prepare(folder: Path) -> Path:
    """Return an archive that holds one item, beside a source that offers: that item changed, a new one, and three to turn away."""
    music = folder / "music"
    put_item(music, "one", {"01 a.flac": track(1)})
    prepared = make_archive(folder / "prepared")
    with opened(prepared) as archive:
        take(archive, music)
    put_item(music, "one", {"02 more.flac": track(5)})
    put_item(music, "new", {"x.flac": track(7, 2.5, noise=True), "cover.png": picture(2)}, 'licence = "CC-BY-SA-4.0"')
    put_item(music, "unknown", {"x.flac": track(4)}, 'licence = "LicenseRef-Nobody-Knows"')
    put_item(music, "damaged", {"x.flac": track(6)[:3000]})
    put_item(music, "protected", {"x.m4a": protected_sample()})
    return prepared


def _check_acknowledged(crashed: Crashed) -> None:
    """Check that all that the caller was told of before the crash is there after it."""
    with opened(crashed.folder) as archive:
        for outcome in crashed.acknowledged:
            if isinstance(outcome, Acquired):
                assert archive.store.head(outcome.object_id) >= outcome.version, crashed.place
                held = archive.register.stored_version(outcome.object_id, outcome.version)
                assert held == archive.store.read(outcome.object_id, outcome.version), crashed.place
            elif isinstance(outcome, Refusal | Hold):
                assert outcome.rule in {row.rule for row in archive.register.decisions("open")}, crashed.place
            else:
                assert outcome.item in {event.subject for event in archive.register.events()}, crashed.place


def test_acquire_crashed_at_any_durable_step_and_run_again_ends_the_same(fast_path: Path, validate: Callable[[Path], None]) -> None:
    prepared = _prepare(fast_path)
    deed = partial(_acquire, fast_path / "music")
    points = count_points(copy_archive(prepared, fast_path / "whole"), deed)
    outcomes = run(copy_archive(prepared, fast_path / "again"), deed, Doom())
    assert Counter(map(type, outcomes)) == {Acquired: 3, Hold: 1, Refusal: 1, Failed: 1}
    whole = Finished(fast_path / "whole", validate, ("store", "private"))
    assert points.calls > 150
    assert points.commits >= 8
    for crashed in crashes(prepared, deed, points):
        _check_acknowledged(crashed)
        assert run(crashed.folder, deed, Doom()), crashed.place
        whole.check(crashed.folder, crashed.place)
    print(f"\nacquire: {points.calls} durable calls and {points.commits} commits crashed, {len(points.seen)} states of the disk")  # noqa: T201


def test_after_a_crash_a_clock_that_went_on_changes_no_number(fast_path: Path) -> None:
    music, prepared = fast_path / "music", make_archive(fast_path / "prepared")
    put_item(music, "one", {"01 a.flac": track(1)})
    put_item(music, "unknown", {"x.flac": track(4)}, 'licence = "LicenseRef-Nobody-Knows"')
    deed = partial(_acquire, music)
    points = count_points(copy_archive(prepared, fast_path / "whole"), deed)
    expected = _numbers(fast_path / "whole")
    assert expected["events"] == {("acquired", "urn:fonoteca:audio:folder:one"): 1, ("held-for-review", UNKNOWN): 1}
    for crashed in crashes(prepared, deed, points):
        run(crashed.folder, deed, Doom(), StoppedClock(NOW + timedelta(hours=1)))
        assert _numbers(crashed.folder) == expected, crashed.place
    assert points.calls > 60


UNKNOWN = "urn:fonoteca:audio:folder:unknown"


def _numbers(folder: Path) -> dict[str, Counter[Any]]:
    """Return how many versions, decisions and events there are of what, in store and register."""
    with opened(folder) as archive:
        told = Counter((event.what, event.subject) for event in archive.store.events())
        assert told == Counter((event.what, event.subject) for event in archive.register.events(1000))
        versions = Counter({one: archive.store.head(one) for one in archive.store.object_ids()})
        return {
            "events": told,
            "versions": versions,
            "decisions": Counter((row.subject, row.outcome) for row in archive.register.decisions("open")),
        }
