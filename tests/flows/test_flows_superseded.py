"""Snapshots that newer ones replaced: a mirror fetches the newest alone, keeps no heap of old ones, and seeds them for a while."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flows_mirror import Given, seeded
from flows_world import (
    NOW,
    SETTINGS,
    Quiet,
    StoppedClock,
    leftovers,
    make_archive,
    opened,
    put_item,
    put_out,
    rebuilt_state,
    state_of,
    take,
    track,
)

from fonoteca.cli.follow import ensure_mirror
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.seed import seed
from fonoteca.flows.superseded import OUTLIVED_AFTER
from fonoteca.model.corridor import DropKind
from fonoteca.model.settings import Settings
from fonoteca.wiring import Mirroring, SwarmChoice, follow_rooms, open_swarm, seed_rooms

pytestmark = pytest.mark.xdist_group("swarm")

WEEK = timedelta(days=7)
EDITIONS = 5


def _publish(origin: Path, number: int) -> None:
    """Publish an edition a week after the one before, with an item more, so with a catalogue and a search index more."""
    put_item(origin.parent / "music", f"item-{number}", {"a.flac": track(number)})
    with opened(origin, clock=StoppedClock(NOW + number * WEEK)) as archive:
        take(archive, origin.parent / "music")
        put_out(archive)


def _look(mirror: Path, origin: Path, given: Given, number: int) -> Followed:
    ensure_mirror(mirror, str(origin))
    with opened(mirror, clock=StoppedClock(NOW + number * WEEK)) as archive:
        return follow(follow_rooms(archive, Mirroring(str(origin), given.swarm, given.whereabouts), Quiet()))


def test_old_snapshots_leave_no_garbage_at_a_mirror_and_are_seeded_for_a_while(tmp_path: Path) -> None:
    origin = make_archive(tmp_path / "origin", Settings(SETTINGS.name, SETTINGS.title, SETTINGS.piece_bytes))
    mirror = tmp_path / "mirror"
    for number in range(EDITIONS):
        _publish(origin, number)
        with seeded(origin) as given:
            taken = _look(mirror, origin, given, number)
        assert [drop.partition("-")[0] for drop in taken.drops] == ["metadata", "search", "audio"], "the newest of each"
    dates = [f"{NOW + number * WEEK:%Y-%m-%d}" for number in range(EDITIONS)]
    assert sorted(path.name for path in (mirror / "catalogue").iterdir() if path.is_dir()) == dates[-3:]
    assert [path.name for path in (origin / "catalogue").iterdir() if path.name in dates[:2]], "its operator's own"
    assert sorted(path.name for path in (mirror / "search").iterdir() if path.is_dir()) == dates[-2:]
    assert leftovers(mirror) == []
    with opened(mirror) as archive:
        known = state_of(archive.register)
        index = archive.editions.index()
    assert known == rebuilt_state(mirror, tmp_path)
    assert index is not None
    made = {entry.id: entry.created_at for entry in index.entries}
    replaced_at = {entry.supersedes: made[entry.id] for entry in index.entries if entry.supersedes}
    for folder in (origin, mirror):
        for days in (0, 13, 15, 400):
            at = NOW + (EDITIONS - 1) * WEEK + timedelta(days=days)
            with opened(folder, clock=StoppedClock(at)) as archive, open_swarm(SwarmChoice()) as swarm:
                seeding = seed(seed_rooms(archive, swarm))
            given_on = {drop for drop in seeding.drops if drop.partition("-")[0] == DropKind.METADATA}
            catalogues = [entry.id for entry in index.entries if entry.kind is DropKind.METADATA]
            assert given_on == {c for c in catalogues if replaced_at.get(c, at) + OUTLIVED_AFTER > at}, (folder.name, days)
            assert len(given_on) == {0: 2 + 1, 13: 2, 15: 1, 400: 1}[days]
            assert len([drop for drop in seeding.drops if drop.startswith("audio")]) == EDITIONS
            assert all(drop.startswith("search") for drop, _ in seeding.withheld), "older indexes are gone"
