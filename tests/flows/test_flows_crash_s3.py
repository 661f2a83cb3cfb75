"""Acquire with a store on S3, with every single request gone wrong in every way: the same command again ends in the same state.

The object store is obstore's own in memory, so that thousands of requests take seconds; tests/edges has the real one.
"""

# ruff: noqa: SIM118 - blobs have keys and are no mapping

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flows_world import (
    SETTINGS,
    copy_archive,
    disk,
    killed,
    leftovers,
    make_archive,
    opened,
    put_item,
    state_of,
    take,
    track,
)
from obstore.store import MemoryStore

from fonoteca.edges.s3 import S3Blobs, S3Place
from fonoteca.edges.s3_calls import ObstoreCalls
from fonoteca.flows.acquire import Acquired
from fonoteca.model.errors import StoreError
from fonoteca.testing import Crash
from fonoteca.testing.objects import Mishap, MishapObjects

ON_S3 = replace(SETTINGS, store="s3://memory/store")


class Cloud:
    """The object store that archives here have, and what becomes of the requests to it."""

    def __init__(self, blobs: dict[str, bytes] | None = None) -> None:
        self.objects = ObstoreCalls(MemoryStore(), S3Place("memory"))
        self.calls: Any = self.objects
        for key, content in (blobs or {}).items():
            self.objects.put(key, content, "")

    def blobs(self, *_: Any) -> S3Blobs:
        return S3Blobs(self.calls, at_once=1)

    def bytes(self) -> dict[str, bytes]:
        blobs = S3Blobs(self.objects, at_once=1)
        return {key: blobs.read(key) for key in blobs.keys()}


@pytest.fixture
def prepared(fast_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, bytes]]:
    """Return an archive on S3 that holds an item, which is offered changed, with a new one beside it; and what its store holds."""
    cloud, music = Cloud(), fast_path / "music"
    monkeypatch.setattr("fonoteca.wiring.store_blobs", cloud.blobs)
    folder = make_archive(fast_path / "prepared", ON_S3)
    put_item(music, "one", {"01 a.flac": track(1)})
    with opened(folder) as archive:
        take(archive, music)
    put_item(music, "one", {"02 more.flac": track(5)})
    put_item(music, "new", {"x.flac": track(7)})
    return folder, cloud.bytes()


def _run(folder: Path, music: Path, commits: list[None] | None = None) -> list[Any]:
    """Return the outcomes. commits: grows by one with each commit of the register."""
    with opened(folder, before_commit=lambda: (commits if commits is not None else []).append(None)) as archive:
        return take(archive, music)


@pytest.mark.parametrize("mishap", [Mishap.CRASH_BEFORE, Mishap.REFUSED, Mishap.LOST, Mishap.LATE])
def test_acquire_with_any_request_gone_wrong_ends_the_same_when_run_again(
    mishap: Mishap, prepared: tuple[Path, dict[str, bytes]], fast_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, held = prepared
    music, whole = fast_path / "music", Cloud(held)
    whole.calls = counting = MishapObjects(whole.objects)
    monkeypatch.setattr("fonoteca.wiring.store_blobs", whole.blobs)
    outcomes = _run(copy_archive(folder, fast_path / "whole"), music)
    assert [type(each) for each in outcomes] == [Acquired] * 2
    expected = whole.bytes()
    with opened(fast_path / "whole") as archive:
        state = state_of(archive.register)
    assert counting.count > 60
    seen = set()
    for n in range(counting.count):
        cloud = Cloud(held)
        cloud.calls = MishapObjects(cloud.objects, n, mishap)
        monkeypatch.setattr("fonoteca.wiring.store_blobs", cloud.blobs)
        broken, commits = copy_archive(folder, fast_path / f"{n}"), list[None]()
        with suppress(Crash, StoreError):
            _run(broken, music, commits)
        killed(broken)
        assert {key: cloud.bytes().get(key) for key in held if "inventory" not in key} == {
            key: content for key, content in held.items() if "inventory" not in key
        }, n
        cloud.calls = cloud.objects
        left = (disk(broken), len(commits), tuple(cloud.bytes().items()))
        if left in seen:  # reading changes nothing: what the next run finds is what it found before
            continue
        seen.add(left)
        _run(broken, music)
        assert cloud.bytes() == expected, n
        assert leftovers(broken) == [], n
        with opened(broken) as archive:
            assert state_of(archive.register) == state, n
            assert [damage for one in archive.store.object_ids() for damage in archive.store.audit(one)] == [], n


def test_what_a_commit_asks_does_not_grow_with_the_store_and_lists_nothing(
    prepared: tuple[Path, dict[str, bytes]], fast_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, held = prepared
    asked = []
    for stored_count in (0, 500):
        more = {f"{number:03x}/abc/def/urn%3ax/v1/content/x": b"" for number in range(stored_count)}
        cloud = Cloud(held | more)
        cloud.calls = MishapObjects(cloud.objects)
        monkeypatch.setattr("fonoteca.wiring.store_blobs", cloud.blobs)
        with opened(copy_archive(folder, fast_path / f"{stored_count}")) as archive:
            take(archive, fast_path / "music" / "one")  # the first to tell the log finds its end
            cloud.calls.names.clear()
            take(archive, fast_path / "music" / "new")
            asked.append(list(cloud.calls.names))
    assert asked[0] == asked[1]
    assert set(asked[0]) == {"create", "head"}
