"""The desk: what curators put down is carried out once, by whoever writes next, whatever is killed in between."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flows_world import SETTINGS, StoppedClock, Unsynced, audio, decisions, make_anew, make_archive, opened, put_item, take, track

from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import carry_out, put_and_do, undoing, work
from fonoteca.flows.rulings import ruling_order
from fonoteca.model.desk import EntryState
from fonoteca.model.errors import OvertakenError, UsageError
from fonoteca.model.rights import Refusal
from fonoteca.register import Sift
from fonoteca.testing import Crash, CrashingCalls
from fonoteca.testing.postgres import Cluster, postgres_cluster
from fonoteca.wiring import Archive

CC_BY = "https://creativecommons.org/licenses/by/4.0/"
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
NAMES = ("a", "b", "c")
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three items of one label, of a licence that nobody knows, one of them of a hostile name."""
    folder = tmp_path_factory.mktemp("music")
    for number, name in enumerate(NAMES):
        artist = "<script>alert(1)</script>" if name == "a" else "The Label"
        put_item(folder, name, {"x.flac": track(number)}, 'licence = "LicenseRef-Label"', artist)
    return folder


@pytest.fixture
def archive(fast_path: Path, music: Path) -> Iterator[Archive]:
    with opened(make_archive(fast_path / "archive")) as archive:
        take(archive, music)
        yield archive


def rooms(archive: Archive) -> Any:
    return desk_rooms(archive, None)  # type: ignore[arg-type]


def queue(archive: Archive) -> list[str]:
    return [row.subject for row in archive.register.review.page(Sift())]


def test_a_ruling_is_undone_and_what_came_in_by_it_is_dark_until_it_is_ruled_again(archive: Archive, music: Path) -> None:
    entry = put_and_do(rooms(archive), ruling_order([audio("a")], CC_BY, "she wrote"))
    assert (entry.state, entry.outcome) == (EntryState.DONE, f"it may come under {CC_BY}")
    assert queue(archive) == [audio("b"), audio("c")]
    take(archive, music)
    assert archive.register.object(audio("a"))
    undone = put_and_do(rooms(archive), undoing(archive.people.docket, entry.number, "it was another one"))
    assert undone.outcome == "it waits for a decision again; 1 withdrawn, dark"
    assert queue(archive) == [audio("a"), audio("b"), audio("c")]
    assert archive.register.withdrawals.mask(audio("a"))
    with pytest.raises(UsageError, match="decided anew since"):
        put_and_do(rooms(archive), undoing(archive.people.docket, entry.number, "twice"))
    assert archive.people.docket.newest(1)[0].state is EntryState.DROPPED, "a command that fails leaves nothing to see to"
    again = put_and_do(rooms(archive), ruling_order([audio("a")], CC_BY, "it was this one"))
    assert "1 given out again" in again.outcome
    assert archive.register.withdrawals.mask(audio("a")) is None
    before = decisions(archive.register)
    make_anew(archive)
    assert decisions(archive.register) == before
    assert queue(archive) == [audio("b"), audio("c")]


def test_what_stays_out_is_refused_until_that_is_taken_back(archive: Archive, music: Path) -> None:
    entry = put_and_do(rooms(archive), ruling_order([audio("a")], "", "his heirs object"))
    (refused,) = (each for each in take(archive, music) if isinstance(each, Refusal))
    assert (refused.subject, refused.rule) == (audio("a"), "stays-out")
    put_and_do(rooms(archive), undoing(archive.people.docket, entry.number, "they agreed"))
    assert audio("a") in queue(archive)
    assert not [each for each in take(archive, music) if isinstance(each, Refusal)]
    put_and_do(rooms(archive), ruling_order([audio("b")], CC_BY, "she wrote"))
    take(archive, music)
    out = put_and_do(rooms(archive), ruling_order([audio("b")], "", "she did not"))
    assert (out.outcome, bool(archive.register.withdrawals.mask(audio("b")))) == ("it stays out; 1 withdrawn, dark", True)
    again = put_and_do(rooms(archive), undoing(archive.people.docket, out.number, "she did"))
    assert (again.outcome, archive.register.withdrawals.mask(audio("b"))) == (
        "it waits for a decision again; 1 given out again",
        None,
    )


def test_what_changed_since_it_was_shown_is_left_out_and_named(archive: Archive, fast_path: Path) -> None:
    rows = archive.register.review.page(Sift(rule="licence-unknown", source="folder"))
    (text,) = archive.register.review.alike(Sift())["text"]
    assert (text.count, text.example and text.example.statement) == (3, "LicenseRef-Label")
    assert archive.register.review.page(Sift(text=text.value)) == rows
    assert archive.register.review.count(Sift(text="0" * 16)) == 0
    shown = {row.subject: row.token for row in rows}
    put_item(fast_path / "music", "b", {"x.flac": track(1)}, 'licence = "LicenseRef-Other"')
    take(archive, fast_path / "music")
    order = ruling_order(list(shown), CC0, "the label wrote", shown)
    docket = archive.people.docket
    entry = carry_out(rooms(archive), docket.put(order, None, 0))
    assert entry.outcome == f"2 items may come under {CC0}; 1 left out, as changed since they were shown: {audio('b')}"
    assert queue(archive) == [audio("b")]
    again = carry_out(rooms(archive), entry)
    assert (again.outcome, again.state) == (entry.outcome, EntryState.DONE), "twice does no harm"
    stale = docket.put(ruling_order([audio("b")], CC0, "so did they", {audio("b"): shown[audio("b")]}), None, entry.number)
    assert carry_out(rooms(archive), stale).state is EntryState.FAILED
    put_and_do(rooms(archive), undoing(docket, entry.number, "all of it"))
    assert len(queue(archive)) == 3


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))])
def held(request: pytest.FixtureRequest, fast_path: Path, music: Path) -> Iterator[Callable[[], Path]]:
    """Give what returns a fresh copy of an archive with three held items, its tables on SQLite or PostgreSQL."""
    address, cluster = "sqlite", None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("cluster")
        address = cluster.create_database("desk")
    folder = make_archive(fast_path / "first", replace(SETTINGS, register=address))
    with opened(folder) as archive:
        take(archive, music)
        kept = list(archive.register.dump()), list(archive.people.dump())

    def fresh() -> Path:
        copy = fast_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        if address != "sqlite":
            with opened(copy) as archive:
                archive.register.load(kept[0])
                archive.people.load(kept[1])
        return copy

    yield fresh
    if cluster:
        cluster.drop_database("desk")


def forked(function: Callable[[], object]) -> Any:
    process = FORK.Process(target=function)
    process.start()
    return process


def decide(folder: Path, who: int, ready: Any) -> None:
    """Rule on all items in an order of one's own, as a page would; every one of them by what was seen before both began."""
    archive = Archive(folder, SETTINGS if not (folder / "fonoteca.toml").exists() else _settings(folder))
    docket = archive.people.docket
    seen = docket.seen()
    ready.wait(20)
    for name in NAMES if who else reversed(NAMES):
        try:
            docket.put(ruling_order([audio(name)], CC_BY if who else CC0, f"curator {who}"), who, seen)
        except OvertakenError:
            continue
    archive.close()


def _settings(folder: Path) -> Any:
    from fonoteca.workshop import load_settings

    return load_settings(folder)


def test_two_curators_at_once_lose_no_decision(held: Callable[[], Path]) -> None:
    folder = held()
    ready = FORK.Barrier(2)
    curators = [forked(partial(decide, folder, who, ready)) for who in (0, 1)]
    for each in curators:
        each.join(30)
        assert each.exitcode == 0
    with opened(folder) as archive:
        put = archive.people.docket.waiting()
        assert sorted(each.order.subject for each in put) == [audio(name) for name in NAMES], "each was decided once"
        assert [each.state for each in work(rooms(archive))] == [EntryState.DONE] * 3
        ruled = {each.order.subject: each.order.facts["licence"] for each in put}
        assert {row.subject: row.settlement.split(": ")[0] for row in archive.register.decisions("settled")} == ruled


class Killing(CrashingCalls):
    """Kills this very process before the n-th call."""

    def _step(self, name: str, path: Path | None = None) -> None:
        try:
            super()._step(name, path)
        except Crash:
            os.kill(os.getpid(), signal.SIGKILL)


def worked(folder: Path, kill_at: int | None, points: Any) -> None:
    """Carry out what waits, and be killed at a call, at a commit, or before an entry is marked as done."""
    calls = Killing(Unsynced(), kill_at)
    archive = Archive(folder, _settings(folder), calls, before_commit=lambda: calls._step("commit"))
    archive.clock = StoppedClock()
    archive.begin_writing()
    desk = rooms(archive)
    docket = desk.docket
    done = docket.done

    def mark(number: int, outcome: str) -> Any:
        calls._step("done", None)
        return done(number, outcome)

    docket.done = mark
    for _ in work(desk):
        pass
    archive.close()
    points.value = calls.count


def test_desk_work_that_is_killed_anywhere_is_made_good_by_the_next(held: Callable[[], Path], music: Path) -> None:
    points = FORK.Value("i", 0)

    def prepared() -> tuple[Path, int]:
        folder = held()
        with opened(folder) as archive:
            docket = archive.people.docket
            first = docket.put(ruling_order([audio(name) for name in NAMES[:2]], CC_BY, "the label wrote"), None, 0)
            put = carry_out(rooms(archive), first)
            take(archive, music)
            docket.put(undoing(docket, put.number, "about others"), None, put.number)
            docket.put(ruling_order([audio("c")], "", "no"), None, 0)
        return folder, first.number

    def state(folder: Path) -> tuple[Any, ...]:
        with opened(folder) as archive:
            list(work(rooms(archive)))
            entries = [(each.number, each.state, each.outcome) for each in archive.people.docket.newest(10)]
            masks = [archive.register.withdrawals.mask(audio(name)) is not None for name in NAMES]
            told = [each.what for name in NAMES for each in archive.register.events(50, audio(name))]
            return entries, masks, queue(archive), [row.settlement for row in archive.register.decisions("settled")], told

    folder, _ = prepared()
    whole = forked(partial(worked, folder, None, points))
    whole.join(60)
    assert whole.exitcode == 0
    expected = state(folder)
    assert expected[1:3] == ([True, True, False], [audio("a"), audio("b")])
    for kill_at in range(2, points.value, max(1, points.value // 4)):
        folder, _ = prepared()
        killed = forked(partial(worked, folder, kill_at, points))
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL, kill_at
        assert state(folder) == expected, f"killed before step {kill_at}"
