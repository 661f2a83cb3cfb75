"""Audits read what is due and nothing else, go on where they stopped, and survive what clocks, disks and registers do."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flows_world import (
    NOW,
    Inline,
    Quiet,
    StoppedClock,
    Unsynced,
    audio,
    bytes_of,
    copy_archive,
    make_anew,
    make_archive,
    opened,
    put_item,
    rebuilt_state,
    small_music,
    state_of,
    take,
    track,
)

from fonoteca import workshop
from fonoteca.flows import audit as auditing
from fonoteca.flows import checks
from fonoteca.flows.audit import Audited, Scope, audit
from fonoteca.flows.calendar import days_of_checks
from fonoteca.model.errors import StoreError
from fonoteca.register import auditing as register_auditing
from fonoteca.store import Store
from fonoteca.testing import SteppingClock
from fonoteca.testing.liars import Unreadable
from fonoteca.wiring import LOCK_FILE, Archive, audit_rooms

DAY = timedelta(days=1)
CYCLE = Scope(older_than=90 * DAY)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of three items that nobody has audited."""
    folder = tmp_path_factory.mktemp("made")
    music = small_music(folder / "music")
    put_item(music, "three", {"z.flac": track(8, 4, noise=True)})
    made = make_archive(folder / "archive")
    with opened(made) as archive:
        take(archive, music)
    return made


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return copy_archive(made, tmp_path / "archive")


def _due(archive: Archive, scope: Scope = CYCLE) -> Audited:
    return audit(audit_rooms(archive, Quiet()), scope)


def _at(folder: Path, days: float, scope: Scope = CYCLE) -> Audited:
    """Return what an audit finds so many days after the archive was made."""
    with opened(folder, clock=StoppedClock(NOW + days * DAY)) as archive:
        return _due(archive, scope)


def _file(folder: Path, pattern: str) -> Path:
    return next((folder / "store").rglob(pattern))


def _rot(path: Path) -> None:
    """Flip a bit as a disk does: neither length nor time say so."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _paths(audited: Audited) -> list[str]:
    return [Path(damage.member.path).name for damage in audited.damages]


# What is due --------------------------------------------------------------------------------------------------------


def test_nothing_verified_is_read_again_before_its_time(folder: Path) -> None:
    first = _at(folder, 0)
    assert (first.sound, first.stamp_count) == (True, 0)
    again = _at(folder, 89)
    assert (again.file_count, again.audited_bytes, again.stamp_count) == (0, 0, first.file_count)
    due = _at(folder, 90.1)
    assert (due.file_count, due.audited_bytes, due.changed) == (first.file_count, first.audited_bytes, ())


def test_what_was_taken_in_since_is_due_alone(folder: Path, tmp_path: Path) -> None:
    _at(folder, 0)
    with opened(folder, clock=StoppedClock(NOW + DAY)) as archive:
        take(archive, put_item(tmp_path / "more", "four", {"x.flac": track(30)}).parent)
        assert _due(archive).count_by_kind.keys() == {"audio"}
        assert _due(archive).file_count == 0


@pytest.mark.parametrize("touch", ["time", "length", "gone"])
def test_a_changed_length_or_time_is_noticed_at_once_and_read_first(touch: str, folder: Path) -> None:
    _at(folder, 0)
    path = _file(folder, "*-z.flac")
    if touch == "time":
        os.utime(path, ns=(1, 1))
    elif touch == "length":
        with path.open("ab") as stream:
            stream.write(b"more")
    else:
        path.unlink()
    found = _at(folder, 1)
    assert found.changed == (str(path.relative_to(folder / "store")),)
    assert found.file_count == 1
    assert _paths(found) == ([] if touch == "time" else ["01-z.flac"])
    after = _at(folder, 2)
    assert (after.changed, after.file_count) == ((), 0 if touch == "time" else 1)  # damage is looked at every time


def test_a_store_that_was_copied_elsewhere_is_read_whole_and_a_few_files_of_it_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "CHANGED_MAX", 3)
    monkeypatch.setattr(auditing, "STAMPS_AT_ONCE", 4)
    total = _at(folder, 0).file_count
    for path in (folder / "store").rglob("*"):
        os.utime(path, ns=(0, 0))
    found = _at(folder, 1)
    assert (found.file_count, found.changed_count, len(found.changed)) == (total, total, 3)


def test_rot_that_no_time_tells_of_is_found_when_the_cycle_is_over_or_all_is_read(folder: Path) -> None:
    _at(folder, 0)
    _rot(_file(folder, "*-z.flac"))
    assert _at(folder, 1).sound
    assert _paths(_at(folder, 1, Scope())) == ["01-z.flac"]
    other = copy_archive(folder, folder.parent / "other")
    assert _paths(_at(other, 91)) == ["01-z.flac"]


def test_a_budget_takes_the_oldest_first_and_the_next_run_goes_on(folder: Path) -> None:
    total = _at(folder, 0)
    some = Scope(older_than=DAY, bytes_max=total.audited_bytes // 3)
    seen, runs = 0, 0
    while seen < total.file_count:
        found = _at(folder, 2, some)
        assert found.file_count > 0
        assert found.audited_bytes <= total.audited_bytes // 3 or found.file_count == 1
        seen, runs = seen + found.file_count, runs + 1
        assert found.cut_short == (seen < total.file_count)
    assert (seen, runs > 2) == (total.file_count, True)
    assert _at(folder, 2, some).file_count == 0


def test_a_sample_larger_than_the_archive_reads_each_file_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "BATCH_FILES", 1)
    monkeypatch.setattr(checks, "FILES_AT_ONCE", 1)
    total = _at(folder, 0, Scope()).file_count
    with opened(folder, clock=SteppingClock(NOW)) as archive:
        assert _due(archive, Scope(files_max=3 * total)).file_count == total


def test_more_damaged_files_than_a_page_are_all_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_auditing, "PAGE_ROWS", 2)
    for path in (folder / "store").rglob("v1/**/*"):
        if path.is_file() and "events" not in str(path):
            _rot(path)
    _at(folder, 0)
    with opened(folder) as archive:
        known = sorted(row.path for row in archive.register.damaged(1000))
        assert len(known) > 10
        assert sorted(row.path for row in archive.register.auditing.damaged_files()) == known


def test_a_budget_smaller_than_any_file_still_checks_one_a_run(folder: Path) -> None:
    assert _at(folder, 0, Scope(older_than=DAY, bytes_max=1)).file_count == 1
    assert _at(folder, 0, Scope(older_than=DAY, bytes_max=1)).file_count == 1


def test_a_time_budget_ends_the_run_whichever_way_the_clock_jumps(folder: Path) -> None:
    def run(clock: Any, scope: Scope) -> Audited:
        with opened(folder, clock=clock) as archive:
            return _due(archive, scope)

    short = run(SteppingClock(NOW, timedelta(minutes=1)), Scope(older_than=DAY, time_max=timedelta(minutes=5)))
    assert 1 <= short.file_count <= 6
    assert short.cut_short

    class JumpsBack(SteppingClock):
        """Goes back by a day at every third look."""

        looks = 0

        def now(self) -> Any:
            self.looks += 1
            return super().now() - DAY * (self.looks // 3)

    back = run(JumpsBack(NOW, timedelta(minutes=1)), Scope(older_than=DAY, time_max=timedelta(minutes=5)))
    assert 0 < back.file_count < 15


# Killed -------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


class Killing(Inline):
    """Workers that end the world before the n-th batch of checks."""

    def __init__(self, n: int) -> None:
        self._n = n
        self.checked: list[str] = []

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if task == auditing.CHECK_TASK:
                if not self._n:
                    raise Killed
                self._n -= 1
                self.checked += [path for path, _ in item.files]
            yield from super().run(task, settings, [item])


@pytest.mark.parametrize("scope", [CYCLE, Scope()], ids=["due", "all"])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_killed_audit_goes_on_where_it_stopped(n: int, scope: Scope, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = _at(folder, 0).file_count
    monkeypatch.setattr(auditing, "BATCH_FILES", 4)
    monkeypatch.setattr(checks, "FILES_AT_ONCE", 4)
    _rot(_file(folder, "*-z.flac"))
    clock = StoppedClock(NOW + 100 * DAY)
    with opened(folder, clock=clock) as archive:
        archive.workers = first = Killing(n)
        with pytest.raises(Killed):
            _due(archive, scope)
    clock.at += timedelta(hours=1)
    with opened(folder, clock=clock) as archive:
        archive.workers = second = Killing(10_000)
        found = _due(archive, scope)
        assert _paths(found) == ["01-z.flac"] or "01-z.flac" in str(first.checked)
        assert len([*archive.register.damaged()]) == 1
    both = {*first.checked, *second.checked}
    assert len(both) == total
    # Damage is looked at again each time; beside that at most one batch is.
    assert len(first.checked) + len(second.checked) - len(both) <= 4 + 1
    clock.at += timedelta(hours=1)
    with opened(folder, clock=clock) as archive:
        archive.workers = third = Killing(10_000)
        _due(archive, scope)
    assert len(third.checked) == (1 if scope is CYCLE else len(both))


def test_a_killed_audit_looks_again_at_objects_own_files_of_which_no_stamp_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "BATCH_FILES", 4)
    monkeypatch.setattr(checks, "FILES_AT_ONCE", 4)
    total = _at(folder, 0).file_count
    clock = StoppedClock(NOW + DAY)
    with opened(folder, clock=clock) as archive:
        archive.workers = Killing((total - 1) // 4)
        with pytest.raises(Killed):
            _due(archive, Scope())
        own = [folder / "store" / f"{row.object_path}/inventory.json" for row in archive.register.objects(limit=10)]
    for path in own:
        _rot(path)
    clock.at += timedelta(hours=1)
    with opened(folder, clock=clock) as archive:
        found = _due(archive, Scope())
    assert found.file_count <= 4
    assert len(own) > 2
    assert [folder / "store" / damage.member.path for damage in found.damages] == sorted(own)


def test_a_killed_audit_reads_again_what_a_register_made_anew_knows_the_date_of_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "BATCH_FILES", 4)
    monkeypatch.setattr(checks, "FILES_AT_ONCE", 4)
    total = _at(folder, 0).file_count
    clock = StoppedClock(NOW + DAY)
    with opened(folder, clock=clock) as archive:
        archive.workers = Killing((total - 1) // 4)
        with pytest.raises(Killed):
            _due(archive, Scope())
        make_anew(archive)
    for path in (folder / "store").rglob("*"):
        os.utime(path, ns=(1, 1))  # no time tells of what is done now
    _rot(_file(folder, "*-z.flac"))
    clock.at += timedelta(hours=1)
    with opened(folder, clock=clock) as archive:
        found = _due(archive, Scope())
    assert _paths(found) == ["01-z.flac"]
    assert (found.file_count, found.changed_count) == (total, 0)


def test_an_interrupted_audit_keeps_what_it_has_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "BATCH_FILES", 4)

    class Stops(Killing):
        def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
            try:
                yield from super().run(task, settings, items)
            except Killed:
                raise KeyboardInterrupt from None

    with opened(folder) as archive:
        archive.workers = workers = Stops(2)
        with pytest.raises(KeyboardInterrupt):
            _due(archive)
    assert len(workers.checked) == 8
    assert _at(folder, 1).stamp_count == 8


# The log ------------------------------------------------------------------------------------------------------------


def test_checks_are_one_event_a_batch_and_survive_a_rebuild(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "store").rglob("*"):
        os.utime(path, ns=(1, 1))  # written before they were checked: by the test's clock, that is
    total = _at(folder, 0).file_count
    _rot(_file(folder, "*-z.flac"))
    _at(folder, 1, Scope(files_max=total))
    with opened(folder, clock=StoppedClock(NOW + 2 * DAY)) as archive:
        told = [event for event in archive.store.events() if event.what == "checked"]
        assert len(told) == 2
        assert sum(len(str(event)) for event in told) < 60 * total
        before = state_of(archive.register)
        ill = [(row.path, row.damage, row.checked_at) for row in archive.register.damaged()]
        dates = {row.key: row.checked_at for row in archive.register.auditing.every_file()}
        make_anew(archive)
        assert state_of(archive.register) == before
        assert [(row.path, row.damage, row.checked_at) for row in archive.register.damaged()] == ill
        assert sorted(row.checked_at for row in archive.register.auditing.every_file() if row.checked_at) == sorted(dates.values())
        after = _due(archive)
        assert (after.file_count, _paths(after)) == (1, ["01-z.flac"])  # what is known to be damaged, and nothing else


def test_a_file_that_was_written_after_its_check_is_noticed_after_a_rebuild_too(folder: Path) -> None:
    _at(folder, 36_500)  # later than the files on this disk were written
    path = _file(folder, "*-z.flac")
    with opened(folder, clock=StoppedClock(NOW + 36_501 * DAY)) as archive:
        make_anew(archive)
        assert _due(archive).file_count == 0
        later = int((NOW + 36_500.5 * DAY).timestamp() * 1e9)
        os.utime(path, ns=(later, later))
        found = _due(archive)
        assert [Path(each).name for each in found.changed] == ["01-z.flac"]


def test_the_calendar_adds_up_days_of_checks(folder: Path) -> None:
    total = _at(folder, 0)
    _rot(_file(folder, "*-z.flac"))
    _at(folder, 3, Scope())
    with opened(folder, clock=StoppedClock(NOW + 5 * DAY)) as archive:
        days = days_of_checks(archive.register, (NOW + 5 * DAY).date())
    assert [(d.day.day, d.file_count, d.checked_bytes, d.damaged_count) for d in days] == [
        (NOW.day, total.file_count, total.audited_bytes, 0),
        (NOW.day + 3, total.file_count, total.audited_bytes, 1),
    ]


# Clocks -------------------------------------------------------------------------------------------------------------


def test_checks_made_by_a_clock_that_was_far_ahead_are_due_a_cycle_after_it_was_put_right(folder: Path) -> None:
    total = _at(folder, 20_000).file_count
    assert _at(folder, 1).file_count == 0  # not all at once
    assert _at(folder, 80).file_count == 0
    assert _at(folder, 92).file_count == total  # and not never
    assert _at(folder, 93).file_count == 0
    assert _at(folder, 183).file_count == total


def test_all_means_files_whose_check_is_dated_in_the_future_too(folder: Path) -> None:
    total = _at(folder, 20_000).file_count
    assert _at(folder, 1, Scope(bytes_max=10**9)).file_count == total
    assert _at(folder, 2, Scope(files_max=1000)).file_count == total


def test_a_clock_that_was_behind_for_a_while_has_nothing_read_again(folder: Path) -> None:
    total = _at(folder, 0).file_count
    for days in (-7000, -6950, -7010):
        assert _at(folder, days).file_count == 0
    assert _at(folder, 1).file_count == 0
    assert _at(folder, 90.1).file_count == total


def test_a_clock_that_is_set_back_in_the_middle_of_an_audit_neither_loops_nor_forgets(folder: Path) -> None:
    total = _at(folder, 0).file_count

    class SetBack(StoppedClock):
        looks = 0

        def now(self) -> Any:
            self.looks += 1
            return self.at if self.looks < 10 else self.at - 5000 * DAY

    with opened(folder, clock=SetBack(NOW + 100 * DAY)) as archive:
        assert _due(archive).file_count == total
    assert _at(folder, 101).file_count == 0


# What is not as it should be ----------------------------------------------------------------------------------------


def _rows(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "register.sqlite") as register:
        register.execute(statement)
    register.close()


BAD_ROWS: dict[str, tuple[str, str]] = {
    "a wrong digest": ("UPDATE member_file SET sha256 = zeroblob(32) WHERE tail LIKE 'content/%z.flac'", "mistaken"),
    "no pieces of a wrong digest": (
        "DELETE FROM piece_hashes WHERE member_key IN (SELECT id FROM member_file WHERE tail LIKE 'content/%z.flac')",
        "sound",
    ),
    "a file forgotten": (
        "DELETE FROM member_file WHERE tail LIKE 'content/rights.json' AND version_key = (SELECT max(id) FROM version)",
        "unregistered",
    ),
    "an inventory forgotten": (
        "DELETE FROM member_file WHERE tail = 'inventory.json' AND version_key = (SELECT max(id) FROM version)",
        "unregistered",
    ),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_register_that_is_wrong_is_told_from_damage_and_made_right_by_a_rebuild(what: str, folder: Path) -> None:
    statement, where = BAD_ROWS[what]
    _rows(folder, statement)
    found = _at(folder, 0)
    assert found.damages == ()
    assert found.sound == (where == "sound")
    assert where == "sound" or len(getattr(found, where)) == 1
    with opened(folder) as archive:
        make_anew(archive)
        assert _due(archive).sound


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = workshop.store_blobs
    monkeypatch.setattr(workshop, "store_blobs", lambda *arguments: Unreadable(real(*arguments), "z.flac"))
    workshop._store.cache_clear()
    total = 0
    try:
        with opened(folder) as archive:
            blobs = Unreadable(archive.blobs("store"), "z.flac")
            archive.store = Store(blobs, archive.staging, archive.clock, archive.settings.piece_bytes)
            found = _due(archive)
            total = found.file_count
    finally:
        workshop._store.cache_clear()
    assert [(Path(d.member.path).name, d.kind, d.found) for d in found.damages] == [
        ("01-z.flac", "unreadable", os.strerror(errno.EIO))
    ]
    assert total == _at(copy_archive(folder, folder.parent / "b"), 0, Scope()).file_count


@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_a_store_that_goes_away_is_no_damage(when: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "BATCH_FILES", 4)
    monkeypatch.setattr(checks, "FILES_AT_ONCE", 4)
    _at(folder, 0)
    away = folder.parent / "away"

    class Unmounts(Inline):
        def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
            for number, item in enumerate(items):
                if number == (0 if when == "before" else 2) and not away.exists():
                    shutil.move(folder / "store", away)
                yield from super().run(task, settings, [item])

    with opened(folder, clock=StoppedClock(NOW + 100 * DAY)) as archive:
        archive.workers = Unmounts()
        with pytest.raises(StoreError, match="is not there"):
            _due(archive)
        assert archive.register.damaged() == []
    shutil.rmtree(folder / "store", ignore_errors=True)
    shutil.move(away, folder / "store")
    assert _at(folder, 101).sound


def test_a_disk_that_is_read_only_is_said_so_and_nothing_is_dated(folder: Path) -> None:
    class ReadOnly(Unsynced):
        armed = False

        def create_file(self, path: Path) -> int:
            if self.armed:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return super().create_file(path)

    before = bytes_of(folder / "store")
    calls = ReadOnly()
    with opened(folder, calls) as archive:
        calls.armed = True
        with pytest.raises(StoreError, match="read-only"):
            _due(archive)
        assert archive.register.auditing.newest_check() is None
    assert bytes_of(folder / "store") == before


def test_a_register_that_fails_in_the_middle_loses_no_check_of_the_log(folder: Path, tmp_path: Path) -> None:
    countdown = [1]

    def fails() -> None:
        countdown[0] -= 1
        if countdown[0] < 0:
            raise StoreError("register", "it went away")

    with opened(folder, before_commit=fails) as archive, pytest.raises(StoreError, match="it went away"):
        _due(archive)
    with opened(folder) as archive:
        make_anew(archive)
        assert _due(archive).sound


def test_quarantine_survives_a_rebuild(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as archive:
        checks.quarantine(archive, {audio("three"): "nothing has it"}, NOW)
        before = state_of(archive.register)
    assert rebuilt_state(folder, tmp_path)["rows"] == before["rows"]
    with opened(folder) as archive:
        (each,) = archive.register.auditing.quarantined()
        assert (each.object_id, each.at, each.reason) == (audio("three"), NOW, "nothing has it")
    with opened(folder, clock=StoppedClock(NOW + DAY)) as archive:
        assert _due(archive).quarantined == ()  # all of it is sound: it is let out
        assert rebuilt_state(folder, tmp_path)["rows"] == state_of(archive.register)["rows"]


@pytest.mark.parametrize("n", [0, 1])
def test_a_kill_that_kept_a_quarantine_from_the_register_is_made_good(n: int, folder: Path, tmp_path: Path) -> None:
    left = [100]

    def dies() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    with opened(folder, before_commit=dies) as archive:
        left[0] = n + 1
        with pytest.raises(Killed):
            checks.quarantine(archive, {audio("three"): "nothing has it"}, NOW)
    (folder / LOCK_FILE).write_bytes(b"{}")  # as a killed process leaves it
    with opened(folder) as archive:
        assert [each.object_id for each in archive.register.auditing.quarantined()] == [audio("three")]
        assert rebuilt_state(folder, tmp_path)["rows"] == state_of(archive.register)["rows"]
