"""What a withdrawal does to editions: tombstones signed with them, masked swarms, successor drops."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flows_mirror import PATIENCE
from flows_world import (
    NOW,
    SETTINGS,
    StoppedClock,
    audio,
    change_settings,
    make_archive,
    opened,
    put_item,
    put_out,
    rebuilt_state,
    seeding,
    state_of,
    take,
    track,
)

from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.flows.withdraw import Order, purge, reinstate, withdraw
from fonoteca.formats import tombstones
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.ocfl import object_path
from fonoteca.model.corridor import DropKind
from fonoteca.model.errors import SourceError
from fonoteca.model.ids import DropId
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import Archive

DARK = Order(WithdrawalState.DARK, Reason.RIGHTS_HOLDER, "notice under article 16")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive with three items in one published drop."""
    music = tmp_path / "music"
    for number, name in enumerate(("one", "two", "three"), 1):
        put_item(music, name, {f"{number} a.flac": track(number, 3, noise=True)})
    made = make_archive(tmp_path / "archive")
    change_settings(made, SETTINGS.__class__(SETTINGS.name, SETTINGS.title, SETTINGS.piece_bytes))
    with opened(made) as archive:
        take(archive, music)
        put_out(archive)
    return made


@pytest.fixture
def later(folder: Path) -> Iterator[Archive]:
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=1))) as archive:
        yield archive


def store_drops(archive: Archive) -> list[DropId]:
    index = archive.editions.index()
    assert index is not None
    return [entry.id for entry in index.entries if entry.kind is DropKind.AUDIO]


def test_tombstones_are_published_without_a_new_edition_of_drops(later: Archive) -> None:
    before = later.editions.index()
    assert before is not None
    (stated,) = withdraw(withdraw_rooms(later), audio("one"), DARK)
    done = put_out(later)
    content = later.editions.withdrawals()
    assert content is not None
    assert tombstones.parse(content) == (stated.withdrawal.tombstone,)
    assert set(stated.withdrawal.tombstone.infohashes) == {
        hash_ for entry in before.entries if entry.kind is DropKind.AUDIO for hash_ in (entry.infohash_v1, entry.infohash_v2)
    }
    after = later.editions.index()
    assert after is not None
    assert set(before.entries) <= set(after.entries)
    assert done.number == after.number


def test_a_peer_gets_nothing_of_what_is_withdrawn_from_a_published_drop(folder: Path, later: Archive, tmp_path: Path) -> None:
    withdraw(withdraw_rooms(later), audio("one"), DARK)
    (drop,) = store_drops(later)
    torrent = later.editions.torrent(drop)
    with seeding(folder) as (seed, given), LibtorrentSwarm(PATIENCE) as peer:
        assert drop in given.drops
        with pytest.raises(SourceError):
            peer.fetch(torrent, tmp_path / "peer", [seed.address], lambda _: None)
    for file in parse_torrent(torrent).files:
        got = tmp_path / "peer" / file.path
        if file.path.startswith(object_path(audio("one"))):
            assert not got.exists() or not got.read_bytes().strip(b"\0")
        else:
            assert got.read_bytes() == (folder / "store" / file.path).read_bytes()


def test_what_is_left_of_a_drop_goes_into_a_successor(folder: Path, later: Archive, tmp_path: Path) -> None:
    (old,) = store_drops(later)
    infohash = later.editions.torrent(old)
    withdraw(withdraw_rooms(later), audio("one"), DARK)
    purge(withdraw_rooms(later), audio("one"))
    done = put_out(later)
    (successor,) = [drop for drop in done.drops if drop.kind is DropKind.AUDIO]
    assert successor.replaces == (old,)
    assert {member.object_id for member in later.register.members_of_drop(successor.id)} == {audio("two"), audio("three")}
    assert later.editions.torrent(old) == infohash, "the old drop stays as it was"
    assert later.editions.read() is not None, "the edition keeps the laws that mirrors check"
    assert not put_out(later).made
    with seeding(folder) as (seed, given), LibtorrentSwarm(PATIENCE) as peer:
        assert {old, successor.id} <= set(given.drops)
        peer.fetch(later.editions.torrent(successor.id), tmp_path / "peer", [seed.address], lambda _: None)
    known = state_of(later.register)
    assert known == rebuilt_state(folder, tmp_path)


def test_a_drop_of_which_all_was_purged_has_no_successor(later: Archive) -> None:
    for name in ("one", "two", "three"):
        withdraw(withdraw_rooms(later), audio(name), DARK)
        purge(withdraw_rooms(later), audio(name))
    assert not [drop for drop in put_out(later).drops if drop.kind is DropKind.AUDIO]
    assert later.editions.read() is not None


def test_what_is_dark_while_its_drop_is_replaced_goes_out_again_when_it_is_reinstated(
    folder: Path, later: Archive, tmp_path: Path
) -> None:
    withdraw(withdraw_rooms(later), audio("two"), DARK)
    withdraw(withdraw_rooms(later), audio("one"), DARK)
    purge(withdraw_rooms(later), audio("one"))
    done = put_out(later)
    (successor,) = [drop for drop in done.drops if drop.kind is DropKind.AUDIO]
    assert {member.object_id for member in later.register.members_of_drop(successor.id)} == {audio("three")}
    assert audio("two") in {each.member.object_id for each in done.withheld}
    later.clock = StoppedClock(NOW + timedelta(days=2))
    reinstate(withdraw_rooms(later), audio("two"), "settled")
    (again,) = [drop for drop in put_out(later).drops if drop.kind is DropKind.AUDIO]
    assert {member.object_id for member in later.register.members_of_drop(again.id)} == {audio("two")}
    assert later.editions.read() is not None
    known = state_of(later.register)
    assert known == rebuilt_state(folder, tmp_path)


def test_what_is_withdrawn_before_it_is_published_is_withheld(later: Archive, tmp_path: Path) -> None:
    put_item(tmp_path / "music", "four", {"a.flac": track(9)})
    take(later, tmp_path / "music")
    withdraw(withdraw_rooms(later), audio("four"), DARK)
    done = put_out(later)
    assert [(each.member.object_id, "was withdrawn" in each.reason) for each in done.withheld] == [(audio("four"), True)]


def test_what_is_withdrawn_or_purged_is_not_taken_in_again(later: Archive, tmp_path: Path) -> None:
    rooms = withdraw_rooms(later)
    withdraw(rooms, audio("one"), DARK)
    withdraw(rooms, audio("two"), DARK)
    purge(rooms, audio("two"))
    reinstate(rooms, audio("two"), "a mistake")
    outcomes = {getattr(each, "subject", ""): getattr(each, "reason", "") for each in take(later, tmp_path / "music")}
    assert "it was withdrawn" in outcomes[audio("one")]
    assert "its bytes were purged" in outcomes[audio("two")]
