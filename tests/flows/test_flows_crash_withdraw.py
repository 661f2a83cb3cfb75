"""Withdrawing, crashed at every durable step: what was acknowledged is masked or gone, and the next run ends the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flows_crash import Doom, Finished, count_points, crashes, run
from flows_world import audio, copy_archive, make_archive, opened, put_item, take, track

from fonoteca.flows.heeding import heed
from fonoteca.flows.withdraw import Order, Stated, decide, withdraw
from fonoteca.formats.objectjson import METADATA
from fonoteca.formats.ocfl import object_path
from fonoteca.formats.tombstones import WITHDRAWALS, write
from fonoteca.model.ids import LogicalPath
from fonoteca.model.withdrawal import Answer, Reason, Withdrawal, WithdrawalState
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import Archive

NOTICE = b"Dear archive, I am Ada Example."


def _prepared(folder: Path) -> Path:
    """Return an archive with an item of two files, and another item."""
    put_item(folder / "music", "one", {"01 a.flac": track(1), "02 b.flac": track(2)})
    put_item(folder / "music", "two", {"01 c.flac": track(3)})
    prepared = make_archive(folder / "prepared")
    with opened(prepared) as archive:
        take(archive, folder / "music")
    return prepared


def _dark(archive: Archive) -> Iterator[Stated]:
    yield from withdraw(withdraw_rooms(archive), audio("one"), Order(WithdrawalState.DARK, Reason.OPERATOR, "x", NOTICE))


def _removed_in_part(archive: Archive) -> Iterator[Stated]:
    files = (LogicalPath("01 a.flac"),)
    yield from withdraw(withdraw_rooms(archive), audio("one"), Order(WithdrawalState.REMOVED, Reason.OPERATOR, "x", files=files))


def _heard_and_purged(archive: Archive) -> Iterator[Withdrawal]:
    """A mirror hears that another archive withdrew it, and lets go of the bytes."""
    heed(archive, (archive.folder.parent / WITHDRAWALS).read_bytes(), archive.clock.now())
    yield from decide(withdraw_rooms(archive), audio("one"), Answer.PURGE)


CASES = {
    "dark": (_dark, 8, 3),
    "removed in part": (_removed_in_part, 60, 8),
    "heard and purged": (_heard_and_purged, 20, 6),
}
"""By name: the deed, and how many durable calls and commits there are at least."""


@pytest.mark.parametrize("case", CASES)
def test_a_withdrawal_crashed_at_any_durable_step_and_done_again_ends_the_same(
    case: str, fast_path: Path, validate: Callable[[Path], None]
) -> None:
    deed, calls_min, commits_min = CASES[case]
    prepared = _prepared(fast_path)
    with opened(copy_archive(prepared, fast_path / "teller")) as teller:
        (stated,) = _dark(teller)
        (fast_path / WITHDRAWALS).write_bytes(write([stated.withdrawal.tombstone]))
    points = count_points(copy_archive(prepared, fast_path / "whole"), deed)
    whole = Finished(fast_path / "whole", validate, ("store", "private"))
    assert (points.calls >= calls_min, points.commits >= commits_min) == (True, True), points
    for crashed in crashes(prepared, deed, points):
        if crashed.acknowledged:
            _check_masked(crashed.folder, case)
        run(crashed.folder, deed, Doom())
        _check_masked(crashed.folder, case)
        whole.check(crashed.folder, crashed.place)
    print(f"\n{case}: {points.calls} durable calls and {points.commits} commits crashed, {len(points.seen)} states of the disk")  # noqa: T201


def _check_masked(folder: Path, case: str) -> None:
    """Check that the object is masked, and gone where it was to go; the next process goes on with what a kill cut short."""
    with opened(folder) as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one")}
        assert (archive.store.head(audio("one")) == 0) == (case != "dark")
        assert (folder / "store" / object_path(audio("one"))).exists() == (case == "dark")
        kept = [row.object_id for row in archive.register.objects("audio")]
        assert len(kept) == (1 if case == "heard and purged" else 2)
        assert all(archive.store.document(object_id, METADATA) for object_id in kept)
