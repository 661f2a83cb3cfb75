"""Analysis apart from acquiring: what waits is held, closed to everybody else, and told apart from what is damaged here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from flows_crash import Doom, Finished, count_points, crashes, run
from flows_world import (
    NO_LIMIT,
    Inline,
    Quiet,
    StoppedClock,
    audio,
    bytes_of,
    check,
    copy_archive,
    hear,
    leftovers,
    make_anew,
    make_archive,
    opened,
    picture,
    put_item,
    put_out,
    rebuilt_state,
    serving,
    state_of,
    take,
    track,
)

from fonoteca.edges.disk import DiskBlobs
from fonoteca.flows.acquire import Acquired
from fonoteca.flows.analyse import Analysed, Budget, Unanalysed, analyse
from fonoteca.flows.batches import Pace
from fonoteca.formats.mp4 import protected_sample
from fonoteca.intake import analyse_rooms
from fonoteca.model.rights import Refusal
from fonoteca.wiring import Archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty archive."""
    return make_archive(tmp_path / "archive")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Return a source of three items, one of which has a file that does not decode."""
    put_item(tmp_path / "music", "one", {"01 a.flac": track(1), "cover.png": picture()})
    put_item(tmp_path / "music", "three", {"01 d.flac": track(4), "02 cut.flac": track(5, 2.5, noise=True)[:9000]})
    put_item(tmp_path / "music", "two", {"01 b.flac": track(2), "02 c.flac": track(3)})
    return tmp_path / "music"


def _files(archive: Archive, name: str) -> dict[str, Any]:
    """Return what metadata.json says of an item's files."""
    return {f.logical_path: (f.hashes, f.media_type, f.probe, f.tags) for f in archive.store.metadata(audio(name)).files}


def test_what_waits_is_held_and_neither_published_nor_served(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        assert [type(outcome) for outcome in take(archive, music, later=True)] == [Acquired] * 4
        assert {row.stored.probe for row in archive.register.files(audio("two"))} == {None}
        assert list(archive.register.waiting()) == [audio("one"), audio("three"), audio("two")]
        assert Counter(each.member.object_id for each in put_out(archive).withheld) == {
            audio(n): 1 for n in ("one", "three", "two")
        }
        with serving(archive) as address, httpx.Client(base_url=address) as client:
            stored = archive.store.read(audio("two"))
            path = next(m.path for m in stored.members if m.path.endswith(".flac"))
            for url in (f"/files/{audio('two')}/01%20b.flac", f"/webseed/test-archive/{path.replace('%', '%25')}"):
                answer = client.get(url)
                assert (answer.status_code, b"waits for its analysis" in answer.content) == (503, True), url
            hear(archive)
            assert client.get(f"/files/{audio('two')}/01%20b.flac").content == track(2)
        put_out(archive)
        carried = {member.object_id for drop in archive.register.drops() for member in archive.register.members_of_drop(drop.id)}
        assert {audio("one"), audio("two"), audio("three")} <= carried


def test_analysis_later_says_what_acquiring_at_once_would_have_said(
    tmp_path: Path, folder: Path, music: Path, validate: Callable[[Path], None]
) -> None:
    at_once = make_archive(tmp_path / "at-once")
    with opened(at_once) as archive:
        take(archive, music)
        expected = {name: _files(archive, name) for name in ("one", "two", "three")}
        left_out = archive.store.metadata(audio("three")).left_out
    with opened(folder) as archive:
        take(archive, music, later=True)
        results = hear(archive)
        assert [(type(r), r.object_id) for r in results] == [(Analysed, audio(name)) for name in ("one", "three", "two")]
        assert {name: _files(archive, name) for name in expected} == expected
        assert archive.store.metadata(audio("three")).left_out == left_out
        assert [left.logical_path for left in left_out] == ["02 cut.flac"]
        for name in expected:
            stored = archive.store.read(audio(name))
            assert stored.version == 2
            assert all(file.content_path.startswith("v1/") for file in stored.files)
            assert [Path(m.path).name for m in stored.members] == ["metadata.json", "inventory.json", "inventory.json.sha256"]
        assert list(archive.register.waiting()) == []
        assert hear(archive) == []
        assert check(archive).damages == ()
        state = state_of(archive.register)
    validate(folder / "store")
    assert rebuilt_state(folder, tmp_path) == state
    assert leftovers(folder) == []


def test_what_waits_also_waits_after_a_rebuild(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        take(archive, music, later=True)
        waiting = list(archive.register.waiting())
        make_anew(archive)
        assert sorted(archive.register.waiting()) == sorted(waiting)


def test_a_protected_file_refuses_its_item_even_when_nothing_is_decoded(folder: Path, music: Path) -> None:
    put_item(music, "locked", {"01 clear.flac": track(1), "02 locked.m4a": protected_sample()})
    with opened(folder) as archive:
        outcomes = take(archive, music, later=True)
        assert [outcome.rule for outcome in outcomes if isinstance(outcome, Refusal)] == ["protected"]
        assert archive.store.head(audio("locked")) == 0
    assert [path for path in bytes_of(folder / "store") if path.endswith(".m4a")] == []


def test_a_file_damaged_in_the_store_is_not_judged_and_goes_on_waiting(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        take(archive, music, later=True)
        row, _ = archive.register.files(audio("two"))
        path = folder / "store" / row.path
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        one, three, two = hear(archive)
        assert isinstance(two, Unanalysed)
        assert "damaged here" in str(two.error)
        assert isinstance(one, Analysed)
        assert isinstance(three, Analysed)
        assert archive.store.head(audio("two")) == 1
        path.write_bytes(whole)
        (again,) = hear(archive)
        assert (again.object_id, isinstance(again, Analysed)) == (audio("two"), True)


class Ahead(Inline):
    """Workers that take one item more before they give the answer to the one before."""

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        waiting: list[Any] = []
        for each in items:
            waiting.append(each)
            if len(waiting) > 1:
                yield from super().run(task, settings, [waiting.pop(0)])
        yield from super().run(task, settings, waiting)


class Afar(DiskBlobs):
    """Blobs that no path leads to, as on S3."""

    def local_path(self, key: str) -> Path | None:
        return None


def test_objects_of_the_same_bytes_are_each_decoded_from_a_copy_of_their_own(tmp_path: Path, folder: Path) -> None:
    for name in ("a", "b", "c"):
        put_item(tmp_path / "same", name, {"x.flac": track(2)})
    with opened(folder) as archive:
        take(archive, tmp_path / "same", later=True)
        rooms = replace(
            analyse_rooms(archive, Quiet()), blobs=Afar(folder / "store"), workers=Ahead(), pace=Pace(objects_max=1, beside=False)
        )
        results = [each for each in analyse(rooms, NO_LIMIT) if isinstance(each, Analysed)]
        assert [(each.object_id, each.file_count, each.left_out) for each in results] == [(audio(n), 1, ()) for n in "abc"]
    assert leftovers(folder) == []


def test_what_is_known_of_the_same_bytes_is_not_forgotten(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        take(archive, music, later=True)
        hear(archive)
        known = _files(archive, "two")
        before = bytes_of(folder / "store")
        assert [outcome.made for outcome in take(archive, music, later=True) if isinstance(outcome, Acquired)] == [False] * 4
        assert bytes_of(folder / "store") == before
        put_item(music, "two", {"03 new.flac": track(6)})
        take(archive, music, later=True)
        assert list(archive.register.waiting()) == [audio("two")]
        assert {path: file for path, file in _files(archive, "two").items() if path in known} == known
        hear(archive)
        assert all(probe is not None for _, _, probe, _ in _files(archive, "two").values())
        assert archive.store.head(audio("two")) == 4


def test_acquiring_again_with_decoding_is_an_analysis_too(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        take(archive, music, later=True)
        take(archive, music)
        assert list(archive.register.waiting()) == []
        assert {archive.store.head(audio(name)) for name in ("one", "two", "three")} == {2}


def test_an_item_without_any_sound_file_is_held_and_never_published(folder: Path, tmp_path: Path) -> None:
    put_item(tmp_path / "cut", "bad", {"x.flac": track(5, 2.5, noise=True)[:9000]})
    with opened(folder) as archive:
        take(archive, tmp_path / "cut", later=True)
        put_item(tmp_path / "sound", "good", {"x.flac": track(2)})
        take(archive, tmp_path / "sound")
        (result,) = hear(archive)
        assert isinstance(result, Analysed)
        assert (result.file_count, [left.rule for left in result.left_out]) == (0, ["damaged"])
        assert {each.reason for each in put_out(archive).withheld} == {"its analysis found no sound file in it"}
        assert hear(archive) == []


def test_a_budget_ends_a_run_between_items_and_the_next_goes_on(folder: Path, music: Path) -> None:
    with opened(folder) as archive:
        take(archive, music, later=True)
        assert [result.object_id for result in hear(archive, Budget(files_max=2))] == [audio("one"), audio("three")]
        assert hear(archive, Budget(duration_s=0)) == []

        class Running(StoppedClock):
            """A clock that goes on by an hour each time it is asked."""

            def now(self) -> Any:
                self.at += timedelta(hours=1)
                return self.at

        archive.clock = Running()
        assert [result.object_id for result in hear(archive, Budget(duration_s=7200))] == [audio("two")]


def _hear(archive: Archive) -> Iterator[Any]:
    yield from hear(archive)


def test_analysis_crashed_at_any_durable_step_goes_on_and_ends_the_same(
    tmp_path: Path, music: Path, validate: Callable[[Path], None]
) -> None:
    prepared = make_archive(tmp_path / "prepared")
    with opened(prepared) as archive:
        take(archive, music, later=True)
    points = count_points(copy_archive(prepared, tmp_path / "whole"), _hear)
    whole = Finished(tmp_path / "whole", validate, ("store", "private"))
    assert points.calls > 40
    for crashed in crashes(prepared, _hear, points):
        with opened(crashed.folder) as archive:
            for result in crashed.acknowledged:
                assert archive.store.head(result.object_id) == result.version, crashed.place
        run(crashed.folder, _hear, Doom())
        whole.check(crashed.folder, crashed.place)
