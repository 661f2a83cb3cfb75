"""Withdrawals at the archive itself: what is said, what is masked, what is purged, and what a rebuild makes of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flows_world import (
    NOW,
    StoppedClock,
    audio,
    make_archive,
    opened,
    rebuilt_state,
    small_music,
    state_of,
    take,
)

from fonoteca.flows.withdraw import Order, counts, decide, purge, reinstate, withdraw
from fonoteca.formats import tombstones
from fonoteca.formats.ocfl import object_path
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import LogicalPath
from fonoteca.model.withdrawal import Answer, Purpose, Reason, Scope, WithdrawalState
from fonoteca.stewardship import withdraw_rooms

NOTICE = b"Dear archive, I am Ada Example of 1 Example Street, and this song is mine."
DARK = Order(WithdrawalState.DARK, Reason.RIGHTS_HOLDER, "notice under article 16", NOTICE)


@pytest.fixture
def archive_folder(tmp_path: Path) -> Path:
    made = make_archive(tmp_path / "archive")
    with opened(made) as archive:
        take(archive, small_music(tmp_path / "music"))
    return made


def test_what_is_withdrawn_is_masked_and_its_bytes_are_kept(archive_folder: Path, tmp_path: Path) -> None:
    with opened(archive_folder) as archive:
        (stated,) = withdraw(withdraw_rooms(archive), audio("one"), DARK)
        assert stated.made
        assert archive.register.withdrawals.masked() == {audio("one"): stated.withdrawal.tombstone}
        assert archive.store.head(audio("one")) == 1
        assert not [track for track in archive.register.held_tracks() if track.object_id == audio("one")]
        known = state_of(archive.register)
    assert known == rebuilt_state(archive_folder, tmp_path)


def test_a_notice_stays_private(archive_folder: Path) -> None:
    with opened(archive_folder) as archive:
        (stated,) = withdraw(withdraw_rooms(archive), audio("one"), DARK)
        said = tombstones.write([stated.withdrawal.tombstone])
        assert b"Ada" not in said
        assert archive.evidence.read(stated.withdrawal.tombstone.notice_digest) == NOTICE
    assert [path for path in archive_folder.rglob("*") if path.is_file() and b"Ada Example" in path.read_bytes()] == [
        next(p for p in (archive_folder / "private").rglob(stated.withdrawal.tombstone.notice_digest))
    ]


def test_the_same_order_again_says_nothing_new(archive_folder: Path) -> None:
    with opened(archive_folder) as archive:
        withdraw(withdraw_rooms(archive), audio("one"), DARK)
        archive.clock = StoppedClock(NOW + timedelta(days=1))
        (again,) = withdraw(withdraw_rooms(archive), audio("one"), DARK)
        assert (again.made, again.withdrawal.tombstone.number) == (False, 1)


def test_an_item_is_withdrawn_with_all_its_objects(archive_folder: Path) -> None:
    with opened(archive_folder) as archive:
        stated = withdraw(withdraw_rooms(archive), "folder:one", DARK)
        assert [each.withdrawal.tombstone.object_id.kind for each in stated] == ["artwork", "audio"]
        assert [each.withdrawal.tombstone.number for each in stated] == [1, 2]


def test_statements_follow_each_other_and_are_counted(archive_folder: Path, tmp_path: Path) -> None:
    with opened(archive_folder) as archive:
        rooms = withdraw_rooms(archive)
        withdraw(rooms, audio("one"), Order(WithdrawalState.DISPUTED, Reason.COURT_ORDER, "an appeal is pending"))
        archive.clock = StoppedClock(NOW + timedelta(days=1))
        rooms = withdraw_rooms(archive)
        (decided,) = withdraw(rooms, audio("one"), DARK)
        assert (decided.withdrawal.tombstone.number, decided.withdrawal.tombstone.prior) == (2, 1)
        assert decided.withdrawal.tombstone.dates.notice_at == NOW
        (back,) = reinstate(rooms, audio("one"), "the claim was withdrawn")
        assert archive.register.withdrawals.masked() == {}
        assert counts(archive.register.withdrawals.all()) == {"state": {"reinstated": 1}, "reason": {"rights-holder": 1}}
        assert back.withdrawal.tombstone.prior == 2
        known = state_of(archive.register)
    assert known == rebuilt_state(archive_folder, tmp_path)


def test_a_restriction_masks_for_its_purposes_alone(archive_folder: Path) -> None:
    with opened(archive_folder) as archive:
        scope = Scope(("DE",), (Purpose.SHARING,))
        withdraw(
            withdraw_rooms(archive), audio("one"), Order(WithdrawalState.RESTRICTED, Reason.LICENCE_MISTAKEN, "x", scope=scope)
        )
        assert audio("one") in archive.register.withdrawals.masked(Purpose.SHARING)
        assert audio("one") not in archive.register.withdrawals.masked(Purpose.LISTENING)


def test_what_is_purged_is_gone_and_its_tombstone_and_events_stay(archive_folder: Path, tmp_path: Path) -> None:
    with opened(archive_folder) as archive:
        rooms = withdraw_rooms(archive)
        before = archive.register.totals()
        path = object_path(audio("one"))
        withdraw(rooms, audio("one"), DARK)
        (gone,) = purge(rooms, audio("one"))
        assert gone.withdrawal.tombstone.state is WithdrawalState.REMOVED
        assert gone.withdrawal.purged_at == NOW
        assert not (archive_folder / "store" / path).exists()
        assert archive.store.head(audio("one")) == 0
        assert archive.register.object(audio("one")) is None
        after = archive.register.totals()
        assert (after.objects, after.files) == (before.objects - 1, before.files - 1)
        assert [e.what for e in archive.register.events(10, subject=audio("one"))][:3] == ["purged", "purge-begun", "withdrawn"]
        assert purge(rooms, audio("one"))[0].made is False
        known = state_of(archive.register)
    assert known == rebuilt_state(archive_folder, tmp_path)


def test_what_is_not_meant_of_an_object_becomes_one_of_its_own(archive_folder: Path, tmp_path: Path) -> None:
    with opened(archive_folder) as archive:
        rooms = withdraw_rooms(archive)
        meant, other = archive.register.files(audio("two"))
        withdraw(rooms, audio("two"), Order(WithdrawalState.DARK, Reason.OPERATOR, "one track", files=(meant.logical_path,)))
        (gone,) = purge(rooms, audio("two"))
        assert gone.kept is not None
        assert gone.kept.startswith("urn:fonoteca:audio:folder:two#part-")
        (kept,) = archive.register.files(gone.kept)
        assert (kept.logical_path, kept.stored.hashes, kept.title) == (other.logical_path, other.stored.hashes, other.title)
        assert archive.store.rights(gone.kept).licence_uri.endswith("/by-sa/4.0/")
        assert archive.register.object(audio("two")) is None
        known = state_of(archive.register)
    assert known == rebuilt_state(archive_folder, tmp_path)


def test_wrong_orders_are_refused_and_change_nothing(archive_folder: Path) -> None:
    with opened(archive_folder) as archive:
        rooms = withdraw_rooms(archive)
        for subject in ("urn:fonoteca:audio:folder:nobody", "folder:nobody", "no id at all", "urn:fonoteca:events:log"):
            with pytest.raises(UsageError):
                withdraw(rooms, subject, DARK)
        with pytest.raises(UsageError, match="without a ground"):
            withdraw(rooms, audio("one"), Order(WithdrawalState.DARK, Reason.OPERATOR, " "))
        with pytest.raises(UsageError, match="has no file"):
            withdraw(rooms, audio("one"), Order(WithdrawalState.DARK, Reason.OPERATOR, "x", files=(LogicalPath("nothing"),)))
        with pytest.raises(UsageError, match="nothing of it is withdrawn"):
            purge(rooms, audio("one"))
        with pytest.raises(UsageError, match="withdrew nothing of it"):
            decide(rooms, audio("one"), Answer.KEEP)
        assert archive.register.withdrawals.all() == []
