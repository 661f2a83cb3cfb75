"""A withdrawal at a mirror: masked at its next refresh, acknowledged, kept until its operator decides."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from flows_mirror import PATIENCE, Given, follow_place, seeded
from flows_world import (
    NOW,
    SETTINGS,
    Quiet,
    StoppedClock,
    audio,
    copy_archive,
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
from fonoteca.flows.doctor import Health, examine
from fonoteca.flows.exporting import clear
from fonoteca.flows.follow import Followed
from fonoteca.flows.heeding import acknowledged, heed, staleness, stop_giving
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.flows.withdraw import Order, decide, purge, reinstate, withdraw
from fonoteca.formats import tombstones
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.ocfl import object_path
from fonoteca.intake import export_rooms
from fonoteca.model.corridor import DropKind
from fonoteca.model.errors import FonotecaError, RightsError, SourceError, TrustError
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Answer, Purpose, Reason, WithdrawalState
from fonoteca.rescue import doctor_rooms
from fonoteca.stewardship import withdraw_rooms

DARK = Order(WithdrawalState.DARK, Reason.RIGHTS_HOLDER, "notice under article 16")
PLAIN = Settings(SETTINGS.name, SETTINGS.title, SETTINGS.piece_bytes)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of three items in one drop, and a mirror that has all of it."""
    folder = tmp_path_factory.mktemp("withdrawn")
    music = folder / "music"
    for number, name in enumerate(("one", "two", "three"), 1):
        put_item(music, name, {f"{number} a.flac": track(number, 3, noise=True)})
    made = make_archive(folder / "origin", PLAIN)
    with opened(made) as archive:
        take(archive, music)
        put_out(archive)
    with seeded(made) as given:
        follow_place(folder / "mirror", made, given)
    return folder


@pytest.fixture
def world(before: Path, tmp_path: Path) -> Path:
    """Copies of both."""
    for name in ("origin", "mirror", "music"):
        copy_archive(before / name, tmp_path / name)
    return tmp_path


def refresh(world: Path) -> Followed:
    """Return what the mirror took from the origin, which is up."""
    with seeded(world / "origin") as at:
        return follow_place(world / "mirror", world / "origin", at)


def at_origin(world: Path, day: int, *deeds: tuple[str, str]) -> None:
    """Do something at the origin on a day, and publish."""
    with opened(world / "origin", clock=StoppedClock(NOW + timedelta(days=day))) as archive:
        rooms = withdraw_rooms(archive)
        for deed, name in deeds:
            if deed == "withdraw":
                withdraw(rooms, audio(name), DARK)
            elif deed == "purge":
                purge(rooms, audio(name))
            else:
                reinstate(rooms, audio(name), "settled")
        put_out(archive)


def scratch(folder: Path) -> Path:
    """Return a new folder for a second rebuild beside the first."""
    (folder / "again").mkdir()
    return folder / "again"


def audio_torrents(archive_folder: Path) -> list[bytes]:
    with opened(archive_folder) as archive:
        index = archive.editions.index()
        assert index is not None
        return [archive.editions.torrent_of(entry) for entry in index.entries if entry.kind is DropKind.AUDIO]


def test_a_mirror_masks_at_its_next_refresh_and_says_so(world: Path, tmp_path: Path) -> None:
    at_origin(world, 1, ("withdraw", "one"))
    done = refresh(world)
    assert done.withdrawn == 1
    with opened(world / "mirror") as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one")}
        assert archive.store.head(audio("one")) == 1, "its bytes are kept"
        told = acknowledged(archive.editions)
        assert told is not None
        assert (told.masked, told.pending, told.answers) == (1, 1, ())
        assert told.withdrawals_sha256 == sha256((world / "origin/editions/withdrawals.json").read_bytes()).hexdigest()
        assert archive.editions.withdrawals() == (world / "origin/editions/withdrawals.json").read_bytes()
        known = state_of(archive.register)
    assert known == rebuilt_state(world / "mirror", tmp_path)
    (torrent,) = audio_torrents(world / "mirror")
    with seeding(world / "mirror") as (seed, _), LibtorrentSwarm(PATIENCE) as peer, pytest.raises(SourceError):
        peer.fetch(torrent, tmp_path / "peer", [seed.address], lambda _: None)
    for file in parse_torrent(torrent).files:
        got = tmp_path / "peer" / file.path
        if file.path.startswith(object_path(audio("one"))):
            assert not got.exists() or not got.read_bytes().strip(b"\0")
        else:
            assert got.read_bytes() == (world / "mirror/store" / file.path).read_bytes()


def test_a_withdrawal_at_the_origin_stops_what_a_running_swarm_gives(world: Path, tmp_path: Path) -> None:
    """The same session that fetches goes on seeding: it lets go before it fetches anything."""
    at_origin(world, 1, ("withdraw", "one"))
    (torrent,) = audio_torrents(world / "mirror")
    with seeding(world / "mirror") as (swarm, _), LibtorrentSwarm(PATIENCE) as peer:
        with seeding(world / "origin") as (origin, _):
            follow_place(world / "mirror", world / "origin", Given(swarm, Whereabouts((origin.address,))))
        with pytest.raises(SourceError):
            peer.fetch(torrent, tmp_path / "peer", [swarm.address], lambda _: None)


def test_an_edition_that_cannot_be_read_keeps_no_other_in_the_swarm(world: Path) -> None:
    (torrent,) = audio_torrents(world / "mirror")
    for index in (world / "mirror/editions").glob("*index.json"):
        index.write_bytes(b"{")
    unseeded: list[bytes] = []
    with opened(world / "origin") as origin, opened(world / "mirror") as archive:
        withdraw(withdraw_rooms(origin), audio("one"), DARK)
        masked = [each.tombstone for each in origin.register.withdrawals.all()]
        with pytest.raises(FonotecaError, match="index"):
            stop_giving(archive.register, (archive.editions, origin.editions), masked, unseeded.append)
    assert unseeded == [torrent]


def test_a_mirror_that_begins_later_fetches_none_of_it(world: Path, tmp_path: Path) -> None:
    at_origin(world, 1, ("withdraw", "one"))
    shutil.rmtree(world / "mirror")
    refresh(world)
    with opened(world / "mirror") as archive:
        assert archive.register.object(audio("one")) is None
        assert {row.object_id for row in archive.register.objects("audio")} == {audio("two"), audio("three")}
        known = state_of(archive.register)
    assert known == rebuilt_state(world / "mirror", tmp_path)
    assert refresh(world).drops == ()
    at_origin(world, 2, ("reinstate", "one"))
    refresh(world)
    with opened(world / "mirror") as archive:
        assert archive.store.head(audio("one")) == 1, "what was given back is fetched"
        known = state_of(archive.register)
    assert known == rebuilt_state(world / "mirror", scratch(tmp_path))


def test_after_a_purge_a_mirror_takes_the_successor_for_nothing(world: Path, tmp_path: Path) -> None:
    at_origin(world, 1, ("withdraw", "one"), ("purge", "one"))
    done = refresh(world)
    assert [drop for drop in done.drops if drop.startswith("audio")]
    with opened(world / "mirror") as archive:
        assert archive.store.head(audio("one")) == 1, "its operator decides about the bytes"
        decide(withdraw_rooms(archive), audio("one"), Answer.PURGE)
        assert archive.store.head(audio("one")) == 0
        told = acknowledged(archive.editions)
        assert told is not None
        known = state_of(archive.register)
    assert known == rebuilt_state(world / "mirror", tmp_path)
    assert refresh(world).drops == ()
    shutil.rmtree(world / "mirror")
    refresh(world)
    with opened(world / "mirror") as archive:
        assert {row.object_id for row in archive.register.objects("audio")} == {audio("two"), audio("three")}
        known = state_of(archive.register)
    assert known == rebuilt_state(world / "mirror", scratch(tmp_path))


def test_what_a_mirror_purged_is_fetched_again_when_it_is_reinstated(world: Path) -> None:
    at_origin(world, 1, ("withdraw", "one"))
    refresh(world)
    with opened(world / "mirror") as archive:
        decide(withdraw_rooms(archive), audio("one"), Answer.PURGE)
    at_origin(world, 2, ("reinstate", "one"))
    refresh(world)
    with opened(world / "mirror") as archive:
        assert archive.store.head(audio("one")) == 1
        assert not archive.register.withdrawals.masked()


def test_an_operator_may_keep_or_dismiss_and_a_new_statement_is_decided_anew(world: Path) -> None:
    at_origin(world, 1, ("withdraw", "one"), ("withdraw", "two"))
    refresh(world)
    with opened(world / "mirror") as archive:
        rooms = withdraw_rooms(archive)
        decide(rooms, audio("one"), Answer.KEEP)
        decide(rooms, audio("two"), Answer.DISMISS, "the claim does not hold here")
        assert set(archive.register.withdrawals.masked()) == {audio("one")}
    at_origin(world, 2, ("purge", "two"))
    refresh(world)
    with opened(world / "mirror") as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one"), audio("two")}
        told = acknowledged(archive.editions)
        assert told is not None
        assert (told.pending, [(a.object_id, a.answer) for a in told.answers]) == (1, [(audio("one"), Answer.KEEP)])


def test_a_list_that_takes_back_what_was_heard_is_refused(world: Path) -> None:
    at_origin(world, 1, ("withdraw", "one"))
    refresh(world)
    with opened(world / "mirror") as archive:
        content = archive.editions.withdrawals()
        assert content is not None
        for wrong in (None, tombstones.write(()), content.replace(b"article 16", b"article 17"), b"[]\n"):
            with pytest.raises(TrustError):
                heed(archive, wrong, NOW)
        assert heed(archive, content, NOW) == []


def test_a_mirror_that_has_not_heard_for_long_exports_nothing_and_keeps_everything(world: Path) -> None:
    refresh(world)
    with opened(world / "mirror") as archive:
        assert clear(export_rooms(archive, Quiet()), [audio("two")])
    with opened(world / "mirror", clock=StoppedClock(NOW + timedelta(days=60))) as archive:
        assert "which was good until" in staleness(archive.editions, archive.clock.now())
        with pytest.raises(RightsError, match="what was withdrawn is known as of"):
            clear(export_rooms(archive, Quiet()), [audio("two")])
        assert archive.store.head(audio("two")) == 1
    with opened(world / "origin", clock=StoppedClock(NOW + timedelta(days=60))) as archive:
        assert clear(export_rooms(archive, Quiet()), [audio("two")]), "who follows nobody has nothing to hear"


def test_what_is_withdrawn_is_not_exported(world: Path) -> None:
    with opened(world / "origin") as archive:
        withdraw(withdraw_rooms(archive), audio("one"), DARK)
        with pytest.raises(RightsError, match="a holder of rights asked for it"):
            clear(export_rooms(archive, Quiet()), [audio("one")])
        assert audio("one") in archive.register.withdrawals.masked(Purpose.EXPORTING)


def test_doctor_speaks_of_what_waits_for_a_person(world: Path) -> None:
    def said(name: str, days: int) -> list[tuple[Health, str]]:
        with opened(world / name, clock=StoppedClock(NOW + timedelta(days=days))) as archive:
            return [(f.health, f.said) for f in examine(doctor_rooms(archive)) if f.question == "withdrawals"]

    assert said("origin", 0) == [(Health.SOUND, "nothing is withdrawn")]
    with opened(world / "origin") as archive:
        withdraw(withdraw_rooms(archive), audio("one"), replace(DARK, review_at=NOW + timedelta(days=60)))
        put_out(archive)
    assert said("origin", 0) == [(Health.SOUND, "1 objects are masked")]
    (due, _) = said("origin", 50)
    assert due[0] is Health.ADVICE
    assert f"to be looked at again on {NOW + timedelta(days=60):%Y-%m-%d}" in due[1]
    refresh(world)
    assert said("mirror", 0) == [(Health.ADVICE, "1 objects are masked, 1 of them wait for a decision")]
    with opened(world / "mirror") as archive:
        decide(withdraw_rooms(archive), audio("one"), Answer.KEEP)
    assert said("mirror", 0) == [(Health.SOUND, "1 objects are masked")]
