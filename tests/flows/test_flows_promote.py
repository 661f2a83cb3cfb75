"""Promotion: a mirror whose origin is gone goes on as an archive of its own, and says so to whoever followed the origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from flows_crash import Doom, Finished, count_points, crashes, run
from flows_mirror import Given, follow_place, seeded
from flows_world import (
    NOW,
    SETTINGS,
    Quiet,
    StoppedClock,
    audio,
    bytes_of,
    copy_archive,
    leftovers,
    make_archive,
    opened,
    put_item,
    put_out,
    rebuilt_state,
    serving,
    state_of,
    take,
    track,
)

from fonoteca.catalogue import TableMapping
from fonoteca.cli.follow import ensure_mirror
from fonoteca.editions import Anchor, Index
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.promote import Promoted, promote
from fonoteca.flows.selecting import Appetite
from fonoteca.flows.withdraw import Order, decide, reinstate, withdraw
from fonoteca.model.errors import TrustError, UsageError
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Answer, Reason, WithdrawalState
from fonoteca.stewardship import promote_rooms, withdraw_rooms
from fonoteca.wiring import Archive, Mirroring, SwarmChoice, follow_rooms, mirrors_at, open_swarm

pytestmark = pytest.mark.xdist_group("swarm")

DARK = Order(WithdrawalState.DARK, Reason.RIGHTS_HOLDER, "notice under article 16")
LATER = NOW + timedelta(days=30)
CHECKED_WHOLE = 12
"""Of so many states that crashes leave one is examined to the last byte, when it was gone on from: that takes most of the time."""
PLAIN = Settings(SETTINGS.name, SETTINGS.title, SETTINGS.piece_bytes)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an archive of three items that withdrew one, and two mirrors of it."""
    folder = tmp_path_factory.mktemp("promoting")
    for number, name in enumerate(("one", "two", "three"), 1):
        put_item(folder / "music", name, {f"{number} a.flac": track(number, 2, noise=True)})
    made = make_archive(folder / "origin", PLAIN)
    with opened(made) as archive:
        take(archive, folder / "music")
        put_out(archive)
    with seeded(made) as given:
        follow_place(folder / "mirror", made, given)
    copy_archive(folder / "mirror", folder / "other")
    with opened(made) as archive:
        withdraw(withdraw_rooms(archive), audio("three"), DARK)
        put_item(folder / "music", "four", {"4 a.flac": track(4)})
        take(archive, folder / "music")
        put_out(archive)
    with seeded(made) as given:
        follow_place(folder / "mirror", made, given)
        follow_place(folder / "other", made, given)
    return folder


@pytest.fixture
def world(before: Path, tmp_path: Path) -> Path:
    """Return copies of them all."""
    for name in ("origin", "mirror", "other", "music"):
        copy_archive(before / name, tmp_path / name)
    return tmp_path


def promoted(folder: Path, *, fork: bool = False, at: StoppedClock | None = None) -> Promoted:
    """Return what came of promoting the mirror in a folder, long after its origin died."""
    with opened(folder, clock=at or StoppedClock(LATER)) as archive:
        return promote(promote_rooms(archive, Quiet()), fork=fork)


def index_of(folder: Path) -> Index:
    """Return the index that is out."""
    with opened(folder) as archive:
        found = archive.editions.index()
        assert found is not None
        return found


def going_on(mirror: Path, place: Path, given: Given, named: str) -> Followed:
    """Return what a mirror takes from a promoted archive whose new root is named."""
    with opened(mirror, clock=StoppedClock(LATER)) as archive:
        mirroring = Mirroring(str(place), given.swarm, given.whereabouts, Anchor(sha256=named))
        return follow(follow_rooms(archive, mirroring, Quiet()))


def looking(mirror: Path, place: Path, given: Given) -> Followed:
    """Return what a mirror takes when nobody names anything."""
    with opened(mirror, clock=StoppedClock(LATER)) as archive:
        return follow(follow_rooms(archive, Mirroring(str(place), given.swarm, given.whereabouts), Quiet()))


def test_a_promoted_mirror_has_the_same_drops_under_a_root_of_its_own(world: Path, validate: Callable[[Path], None]) -> None:
    old = index_of(world / "mirror")
    store = bytes_of(world / "mirror" / "store")
    told = promoted(world / "mirror")
    new = index_of(world / "mirror")
    assert (told.made, told.number, new.number) == (True, old.number + 1, old.number + 1)
    assert new.entries == old.entries
    (before,) = new.promoted_from
    origin_root = sha256((world / "origin/editions/metadata/1.root.json").read_bytes()).hexdigest()
    assert (before.root_sha256, before.edition, before.at, before.address) == (origin_root, old.number, LATER, "")
    assert told.root_sha256 not in (origin_root, "")
    after = bytes_of(world / "mirror" / "store")
    assert [path for path in after.keys() ^ store.keys() if "/logs/" not in path] == [], "the event log alone has more"
    validate(world / "mirror" / "store")
    assert not list((world / "mirror" / "trust").iterdir())
    assert not (world / "mirror/editions/mirror.json").exists(), "it is no mirror any more"
    again = promoted(world / "mirror")
    assert (again.made, again.root_sha256, index_of(world / "mirror")) == (False, told.root_sha256, new)


def test_whoever_followed_the_origin_is_told_and_goes_on_with_the_new_root_named(world: Path) -> None:
    told = promoted(world / "mirror")
    old_root = index_of(world / "mirror").promoted_from[0].root_sha256
    with seeded(world / "mirror") as given:
        before = bytes_of(world / "other", ".lock", "register.sqlite")
        with pytest.raises(TrustError) as refused:
            looking(world / "other", world / "mirror", given)
        said = str(refused.value)
        assert f"this archive has a new root since {LATER:%Y-%m-%d}, promoted from root {old_root} which you trust" in said
        assert f"--root-sha256 {told.root_sha256}" in said
        assert bytes_of(world / "other", ".lock", "register.sqlite") == before
        with pytest.raises(TrustError):
            going_on(world / "other", world / "mirror", given, "0" * 64)
        assert bytes_of(world / "other", ".lock", "register.sqlite") == before
        done = going_on(world / "other", world / "mirror", given, told.root_sha256)
        assert (done.fetched_bytes, done.drops, done.number, done.first_use) == (0, (), told.number, False)
        assert looking(world / "other", world / "mirror", given).fetched_bytes == 0
        assert index_of(world / "other").promoted_from == index_of(world / "mirror").promoted_from
    with opened(world / "other") as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("three")}
    with seeded(world / "other") as given:
        beginner = follow_at(world / "beginner", world / "other", given)
    assert beginner.root_sha256 == told.root_sha256
    with opened(world / "beginner") as archive:
        assert {row.object_id for row in archive.register.objects("audio")} == {audio(name) for name in ("one", "two", "four")}


def follow_at(mirror: Path, place: Path, given: Given) -> Followed:
    """Return what a new mirror takes, long after the origin died."""
    ensure_mirror(mirror, str(place))
    return looking(mirror, place, given)


def test_a_promoted_archive_publishes_on_and_its_followers_fetch_what_is_new_alone(world: Path) -> None:
    told = promoted(world / "mirror")
    with seeded(world / "mirror") as given:
        going_on(world / "other", world / "mirror", given, told.root_sha256)
    infohashes = {entry.id: entry.infohash_v2 for entry in index_of(world / "mirror").entries}
    put_item(world / "music", "five", {"5 a.flac": track(5, 2, noise=True)})
    with opened(world / "mirror", clock=StoppedClock(LATER)) as archive:
        take(archive, world / "music")
        assert put_out(archive).number == told.number + 1
    index = index_of(world / "mirror")
    assert {entry.id: entry.infohash_v2 for entry in index.entries if entry.id in infohashes} == infohashes
    assert len(index.promoted_from) == 1
    fresh = [entry for entry in index.entries if entry.id not in infohashes]
    with seeded(world / "mirror") as given:
        done = looking(world / "other", world / "mirror", given)
    assert set(done.drops) == {entry.id for entry in fresh}
    assert done.fetched_bytes <= 1.02 * sum(entry.drop_bytes for entry in fresh) + 16384 * sum(e.file_count for e in fresh)
    with opened(world / "other") as archive:
        assert archive.store.head(audio("five")) == 1


def test_a_promoted_archive_follows_its_origin_no_more(world: Path) -> None:
    promoted(world / "mirror", fork=True, at=StoppedClock())
    before = bytes_of(world / "mirror", ".lock", "register.sqlite")
    with seeded(world / "origin") as given:
        with opened(world / "mirror") as archive, pytest.raises(UsageError, match="does not follow its old origin any more"):
            follow(follow_rooms(archive, Mirroring(str(world / "origin"), given.swarm, given.whereabouts), Quiet()))
        assert bytes_of(world / "mirror", ".lock", "register.sqlite") == before
        assert follow_place(world / "other", world / "origin", given).drops == (), "who follows the origin goes on with it"


def test_nothing_is_promoted_but_a_mirror_whose_origin_is_silent(world: Path) -> None:
    with pytest.raises(UsageError, match="no mirror"):
        promoted(world / "origin")
    with pytest.raises(UsageError, match="the origin may be alive"):
        promoted(world / "mirror", at=StoppedClock())
    assert not (world / "mirror" / "keys").exists()
    with pytest.raises(UsageError, match="nothing was ever followed"):
        promoted(make_archive(world / "empty"))


# Withdrawals --------------------------------------------------------------------------------------------------------


def test_what_the_origin_withdrew_stays_masked_and_is_the_promoted_archives_word(world: Path, tmp_path: Path) -> None:
    with opened(world / "mirror") as archive:
        decide(withdraw_rooms(archive), audio("three"), Answer.DISMISS, "on our own account")
        withdraw(withdraw_rooms(archive), audio("one"), DARK)
    told = promoted(world / "mirror")
    assert told.inherited == 1
    with opened(world / "mirror", clock=StoppedClock(LATER)) as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one"), audio("three")}, (
            "what was dismissed, too: others hear of it"
        )
        assert archive.store.head(audio("three")) == 1
        known = state_of(archive.register)
    assert known == rebuilt_state(world / "mirror", tmp_path)
    with seeded(world / "mirror") as given:
        going_on(world / "other", world / "mirror", given, told.root_sha256)
    with opened(world / "other") as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one"), audio("three")}
    with opened(world / "mirror", clock=StoppedClock(LATER)) as archive:
        reinstate(withdraw_rooms(archive), audio("three"), "the claim was taken back")
        put_out(archive)
    with seeded(world / "mirror") as given:
        looking(world / "other", world / "mirror", given)
    with opened(world / "other") as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one")}


def test_what_a_follower_heard_and_the_promoted_archive_did_not_stays_masked(world: Path, tmp_path: Path) -> None:
    with opened(world / "origin", clock=StoppedClock(NOW + timedelta(days=1))) as archive:
        withdraw(withdraw_rooms(archive), audio("two"), DARK)
        put_out(archive)
    with seeded(world / "origin") as given:
        follow_place(world / "other", world / "origin", given)
    told = promoted(world / "mirror")
    with seeded(world / "mirror") as given:
        for _ in range(2):
            going_on(world / "other", world / "mirror", given, told.root_sha256)
    with opened(world / "other") as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("two"), audio("three")}
        known = state_of(archive.register)
    assert known == rebuilt_state(world / "other", tmp_path)


# What is promoted ---------------------------------------------------------------------------------------------------


def test_an_address_where_the_origin_was_followed_is_told_and_no_folder(world: Path) -> None:
    with opened(world / "origin") as archive, serving(archive) as site, open_swarm(SwarmChoice()) as swarm:
        place = f"{site}/editions/"
        with mirrors_at([place]) as whereabouts:
            follow_place(world / "mirror", place, Given(swarm, whereabouts))
    promoted(world / "mirror")
    promoted(world / "other")
    assert [index_of(world / name).promoted_from[0].address for name in ("mirror", "other")] == [place, ""]


def test_a_mirror_of_a_part_lists_what_it_has_and_who_has_more_keeps_it(tmp_path: Path) -> None:
    for number in range(1, 4):
        put_item(tmp_path / "music", f"item-{number}", {"a.flac": track(number, 4, noise=True)})
    origin = make_archive(tmp_path / "origin")  # with drops of 60 kB at most
    with opened(origin) as archive:
        take(archive, tmp_path / "music")
        put_out(archive)
        (tmp_path / "music/item-1/b.flac").write_bytes(track(9))
        take(archive, tmp_path / "music")
        put_out(archive)
    with seeded(origin) as given:
        follow_place(tmp_path / "whole", origin, given)
        ensure_mirror(tmp_path / "part", str(origin))
        with opened(tmp_path / "part") as archive:
            mirroring = Mirroring(str(origin), given.swarm, given.whereabouts, appetite=Appetite(160_000))
            follow(follow_rooms(archive, mirroring, Quiet()))
    old = index_of(origin)
    told = promoted(tmp_path / "part")
    new = index_of(tmp_path / "part")
    assert set(told.left_out) | {entry.id for entry in new.entries} == {entry.id for entry in old.entries}
    assert 0 < len([drop for drop in told.left_out if drop.startswith("audio")]) < 4
    with seeded(tmp_path / "part") as given:
        newcomer = follow_at(tmp_path / "newcomer", tmp_path / "part", given)
        assert set(newcomer.drops) == {entry.id for entry in new.entries}
        store = bytes_of(tmp_path / "whole" / "store")
        done = going_on(tmp_path / "whole", tmp_path / "part", given, told.root_sha256)
    assert done.fetched_bytes == 0
    assert store.items() <= bytes_of(tmp_path / "whole" / "store").items(), "nothing is deleted"
    for name in ("whole", "part"):
        with opened(tmp_path / name) as archive:
            known = state_of(archive.register)
        assert known == rebuilt_state(tmp_path / name, tmp_path), name


def test_the_origins_catalogue_stays_until_its_sources_are_imported(tmp_path: Path) -> None:
    put_item(tmp_path / "music", "one", {"a.flac": track(1)})
    table = tmp_path / "plays.csv"
    table.write_text("key,title,artist\n" + "".join(f"k{number},Song {number},Artist\n" for number in range(1, 9)))
    columns = {name: name for name in ("key", "title", "artist")}
    mapping = TableMapping("plays", "recordings", "CC0-1.0", "Nobody", "2026-02-01", columns)
    origin = make_archive(tmp_path / "origin", PLAIN)
    with opened(origin) as archive:
        archive.catalogue.import_table([table], mapping)
        take(archive, tmp_path / "music")
        put_out(archive)
    with seeded(origin) as given:
        follow_place(tmp_path / "mirror", origin, given)
    promoted(tmp_path / "mirror")
    put_item(tmp_path / "music", "two", {"b.flac": track(2)})
    with opened(tmp_path / "mirror", clock=StoppedClock(LATER)) as archive:
        before = archive.catalogue.snapshot()
        take(archive, tmp_path / "music")
        assert {drop.kind for drop in put_out(archive).drops} == {"audio"}
        assert archive.catalogue.snapshot() == before
        archive.catalogue.import_table([table], mapping)
        assert [drop.kind for drop in put_out(archive).drops] == ["metadata", "search"]
        assert archive.search.search("Song 3")
        assert archive.search.search("Track 2")


# Killed anywhere ----------------------------------------------------------------------------------------------------


def _promote(archive: Archive) -> Iterator[Promoted]:
    archive.clock = StoppedClock(LATER)
    yield promote(promote_rooms(archive, Quiet()))


def test_promotion_killed_at_any_durable_step_and_run_again_ends_the_same(
    world: Path, fast_path: Path, validate: Callable[[Path], None]
) -> None:
    prepared = copy_archive(world / "mirror", fast_path / "prepared")
    old = index_of(prepared)
    points = count_points(copy_archive(prepared, fast_path / "whole"), _promote)
    new = index_of(fast_path / "whole")
    assert new.number == old.number + 1
    whole = Finished(fast_path / "whole", validate, ("private", "catalogue"))
    assert points.calls > 60
    for crashed in crashes(prepared, _promote, points):
        (told,) = run(crashed.folder, _promote, Doom())
        assert told.number == new.number, crashed.place
        found = index_of(crashed.folder)
        assert (replace(found, promoted_from=()), found.promoted_from) == (replace(new, promoted_from=()), new.promoted_from)
        assert leftovers(crashed.folder) == [], crashed.place
        if len(points.seen) % CHECKED_WHOLE == 0:
            whole.check(crashed.folder, crashed.place)
    print(f"\npromote: {points.calls} durable calls and {points.commits} commits crashed, {len(points.seen)} states of the disk")  # noqa: T201
