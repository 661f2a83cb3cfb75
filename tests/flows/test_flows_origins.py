"""Several origins in one mirror: what both have is fetched and kept once, what is in conflict harms nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flows_mirror import Given, follow_place, seeded
from flows_world import (
    NOW,
    PIECE_BYTES,
    Quiet,
    StoppedClock,
    Unsynced,
    audio,
    bytes_of,
    check,
    copy_archive,
    leftovers,
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

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.keys import KeyFolder
from fonoteca.editions import Editions, Index, Keyring
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.promote import promote
from fonoteca.flows.withdraw import Order, decide, withdraw
from fonoteca.model.errors import TrustError, UsageError
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Answer, Reason, WithdrawalState
from fonoteca.stewardship import beside_rooms, promote_rooms, withdraw_rooms
from fonoteca.testing.keys import counted_seeds
from fonoteca.wiring import Mirroring, follow_rooms

pytestmark = pytest.mark.xdist_group("swarm")

DARK = Order(WithdrawalState.DARK, Reason.RIGHTS_HOLDER, "notice under article 16")
SONG_SECONDS = 30


def put(music: Path, name: str, number: int) -> Path:
    """Put an item of one song of noise, some 320 kB, the same bytes for the same number."""
    put_item(music, name, {"song.flac": track(number, SONG_SECONDS, noise=True)})
    return music


def publish(folder: Path, music: Path, day: int = 0) -> None:
    """Take what there is, and publish."""
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=day))) as archive:
        take(archive, music)
        put_out(archive)


def beside(mirror: Path, origin: Path, given: Given, day: int = 0) -> Followed:
    """Return what a mirror took of an archive that it follows beside the first."""
    with opened(mirror, clock=StoppedClock(NOW + timedelta(days=day))) as archive:
        rooms = follow_rooms(archive, Mirroring(str(origin), given.swarm, given.whereabouts), Quiet())
        return follow(beside_rooms(archive, rooms))


def first(mirror: Path, origin: Path) -> Followed:
    with seeded(origin) as given:
        return follow_place(mirror, origin, given)


def second(mirror: Path, origin: Path, day: int = 0) -> Followed:
    with seeded(origin) as given:
        return beside(mirror, origin, given, day)


def stranger(folder: Path, name: str) -> Path:
    """Return an empty archive of somebody else, with other secrets."""
    made = make_archive(folder, Settings(name, "Somebody else's archive", PIECE_BYTES))
    (made / "private" / "evidence-salt").write_bytes(bytes(32))
    shutil.rmtree(made / "keys")
    Keyring(KeyFolder(made / "keys", Unsynced()), counted_seeds(name)).make_missing()
    return made


def index_at(folder: Path) -> Index:
    found = Editions(DiskBlobs(folder)).index()
    assert found is not None
    return found


def store_drops(index: Index) -> dict[str, int]:
    """Return the bytes of the drops of the store of an edition, by id."""
    return {entry.id: entry.drop_bytes for entry in index.entries if not entry.kind.is_snapshot}


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an archive, a mirror of it that was promoted, and each has published more since."""
    folder = tmp_path_factory.mktemp("forked")
    music = folder / "music"
    for number, name in enumerate(("one", "two"), 1):
        put(music, name, number)
    settings = Settings("test-archive", "Test archive", PIECE_BYTES)
    publish(make_archive(folder / "origin", settings), music)
    first(folder / "heir", folder / "origin")
    with opened(folder / "heir") as archive:
        promote(promote_rooms(archive, Quiet()), fork=True)
    publish(folder / "origin", put(folder / "more", "three", 3))
    publish(folder / "heir", put(folder / "other", "four", 4))
    return folder


@pytest.fixture
def world(forked: Path, tmp_path: Path) -> Path:
    """Return copies."""
    for name in ("origin", "heir"):
        copy_archive(forked / name, tmp_path / name)
    return tmp_path


def test_what_two_archives_have_is_fetched_and_kept_once(world: Path, validate: Callable[[Path], None]) -> None:
    mirror = world / "mirror"
    first(mirror, world / "origin")
    before = bytes_of(mirror / "editions")
    told = second(mirror, world / "heir")
    both = store_drops(index_at(world / "origin" / "editions"))
    new = {drop: size for drop, size in store_drops(index_at(world / "heir" / "editions")).items() if drop not in both}
    assert set(told.drops) == set(new)
    assert sum(new.values()) <= told.fetched_bytes <= 1.02 * sum(new.values()) + 16384 * told.verified_count
    assert told.conflicts == ()
    assert len(list((mirror / "store").rglob("*.flac"))) == 4, "each song once"
    assert bytes_of(mirror / "editions") == before, "it serves the first archive's edition on"
    validate(mirror / "store")
    with opened(mirror) as archive:
        assert {row.object_id for row in archive.register.objects("audio")} == {audio(n) for n in ("one", "two", "three", "four")}
        assert check(archive).sound
        known = state_of(archive.register)
    assert known == rebuilt_state(mirror, world)
    assert leftovers(mirror) == []
    with seeding(mirror) as (_, given):
        assert {drop for drop in given.drops if drop.startswith("audio")} == {*both, *new}, "drops of both are given on"
    assert second(mirror, world / "heir").fetched_bytes == 0
    assert first(mirror, world / "origin").fetched_bytes == 0


def test_each_ones_standing_is_kept_apart(world: Path) -> None:
    mirror = world / "mirror"
    with seeded(world / "origin") as given:
        follow_place(mirror, world / "origin", given)
        with pytest.raises(UsageError, match="followed already"):
            beside(mirror, world / "origin", given)
    old = copy_archive(world / "heir", world / "old-heir")
    publish(world / "heir", put(world / "latest", "five", 5), day=1)
    assert second(mirror, world / "heir", day=1).number == index_at(world / "heir" / "editions").number
    before = bytes_of(mirror, ".lock", "register.sqlite")
    (world / "heir").rename(world / "newest")
    old.rename(world / "heir")
    with pytest.raises(TrustError):  # an edition older than the one that was seen of this archive
        second(mirror, world / "heir", day=1)
    impostor = stranger(world / "impostor", "test-archive")
    publish(impostor, put(world / "false", "six", 6))
    (world / "heir").rename(world / "older")
    impostor.rename(world / "heir")
    with pytest.raises(TrustError):  # another archive at the place where that one was followed
        second(mirror, world / "heir", day=1)
    assert bytes_of(mirror, ".lock", "register.sqlite") == before
    with pytest.raises(UsageError, match="publishes editions of its own"):
        second(world / "older", world / "origin")


def test_what_one_withdraws_masks_what_it_gave_and_nothing_else(world: Path, tmp_path: Path) -> None:
    mirror = world / "mirror"
    first(mirror, world / "origin")
    second(mirror, world / "heir")
    with opened(world / "heir", clock=StoppedClock(NOW + timedelta(days=1))) as archive:
        withdraw(withdraw_rooms(archive), audio("one"), DARK)
        withdraw(withdraw_rooms(archive), audio("four"), DARK)
        put_out(archive)
    assert second(mirror, world / "heir", day=1).withdrawn == 2
    with opened(mirror) as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one"), audio("four")}, "whoever gave it can withdraw it"
        decide(withdraw_rooms(archive), audio("one"), Answer.DISMISS, "the other archive stands by it")
        assert set(archive.register.withdrawals.masked()) == {audio("four")}
        known = state_of(archive.register)
    assert known == rebuilt_state(mirror, tmp_path)
    assert first(mirror, world / "origin").withdrawn == 0, "the first archive's list knows nothing of it"
    put(world / "stray", "three", 3)
    publish(world / "heir", world / "stray", day=2)  # another object under the id of one that the first archive alone gives
    with opened(world / "heir", clock=StoppedClock(NOW + timedelta(days=3))) as archive:
        withdraw(withdraw_rooms(archive), audio("three"), DARK)
        put_out(archive)
    told = second(mirror, world / "heir", day=3)
    assert told.withdrawn == 0
    with opened(mirror) as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("four")}


def test_the_same_song_under_another_id_is_not_fetched_again_and_a_conflict_harms_nothing_else(
    world: Path, validate: Callable[[Path], None]
) -> None:
    mirror = world / "mirror"
    first(mirror, world / "origin")
    music = put(put(put(world / "music", "one", 1), "elsewhere", 2), "news", 7)
    other = stranger(world / "stranger", "stranger")
    publish(other, music)
    songs = list((mirror / "store").rglob("*.flac"))
    told = second(mirror, other)
    assert [object_id for object_id, _ in told.conflicts] == [audio("one")]
    song_bytes = len(track(7, SONG_SECONDS, noise=True))
    assert song_bytes <= told.fetched_bytes < 1.6 * song_bytes, "the one new song, and what describes it and the others"
    with opened(mirror) as archive:
        held = {row.object_id for row in archive.register.objects("audio")}
        assert held == {audio(name) for name in ("one", "two", "three", "elsewhere", "news")}
        assert check(archive).sound
        known = state_of(archive.register)
    assert known == rebuilt_state(mirror, world)
    validate(mirror / "store")
    after = list((mirror / "store").rglob("*.flac"))
    assert len(after) == len(songs) + 2
    assert len({p.stat().st_ino for p in after}) == len(songs) + 1, "the song that is in two objects is on the disk once"
    assert leftovers(mirror) == []
    again = second(mirror, other)
    assert (again.fetched_bytes, [object_id for object_id, _ in again.conflicts]) == (0, [audio("one")])
    assert first(mirror, world / "origin").fetched_bytes == 0
    with seeding(mirror) as (_, given):
        assert {d for d in given.drops if d.startswith("audio")} == set(store_drops(index_at(world / "origin" / "editions")))
