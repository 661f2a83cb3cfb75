"""Publish and seed: what goes out, in what order, what is kept back, and that nothing that is out ever changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from flows_crash import Doom, count_points
from flows_world import (
    NOW,
    SETTINGS,
    StoppedClock,
    artwork,
    audio,
    bytes_of,
    change_settings,
    copy_archive,
    make_anew,
    make_archive,
    opened,
    picture,
    put_item,
    put_out,
    seeding,
    serving,
    small_music,
    take,
    track,
)

from fonoteca.editions import IndexEntry
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.model.corridor import DropKind, MemberFile
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Policy
from fonoteca.testing import Crash
from fonoteca.wiring import Archive

NC = 'licence = "CC-BY-NC-4.0"'
ONLY_HOLD = 'own = true\nacts = ["hold"]'
STRICT = replace(SETTINGS, rights=Policy(refuse_noncommercial=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an archive that holds a little music and has published nothing."""
    music = small_music(tmp_path / "music")
    put_item(music, "three", {"z.flac": track(8, 2.5, noise=True), "cover.png": picture(3)}, NC)
    made = make_archive(tmp_path / "archive")
    with opened(made) as archive:
        take(archive, music)
    return made


def _entries(archive: Archive) -> tuple[IndexEntry, ...]:
    index = archive.editions.index()
    return index.entries if index else ()


def _webseed(member: MemberFile) -> str:
    """Return where a web seed has a file (BEP 19)."""
    return f"/webseed/{SETTINGS.name}/{quote(member.path)}"


def _published_paths(folder: Path) -> set[str]:
    """Return the path of every file that some torrent of the edition carries."""
    with opened(folder) as archive:
        torrents = [archive.editions.torrent(e.id) for e in _entries(archive) if not e.kind.is_snapshot]
    return {file.path for torrent in torrents for file in parse_torrent(torrent).files}


def test_metadata_goes_out_first_then_audio_by_the_listening_it_carries_then_artwork(folder: Path) -> None:
    with opened(folder) as archive:
        archive.catalogue.import_store(archive.register.held_tracks())
        archive.catalogue.import_synthetic_history(7, 300)
        published = put_out(archive)
        kinds = [drop.kind for drop in published.drops]
        assert kinds == [DropKind.METADATA, DropKind.SEARCH, DropKind.AUDIO, DropKind.AUDIO, DropKind.ARTWORK]
        shares = [drop.coverage_share for drop in published.drops if drop.kind is DropKind.AUDIO]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1.0)
        assert shares[0] > shares[1] > 0
        assert [(e.id, e.infohash_v2) for e in _entries(archive)] == [(d.id, d.infohash_v2) for d in published.drops]
        covers = [object_id for object_id, _ in _members(archive, published.drops[-1].id)]
        assert sorted(covers) == sorted([artwork("one"), artwork("three")])


def test_with_nothing_new_the_edition_stays_as_it_is_and_only_its_date_is_signed(folder: Path) -> None:
    with opened(folder) as archive:
        assert put_out(archive).made
    before = bytes_of(folder / "editions"), bytes_of(folder / "store")
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=5))) as archive:
        again = put_out(archive)
    assert (again.made, again.number, again.drops) == (False, 1, ())
    after = bytes_of(folder / "editions"), bytes_of(folder / "store")
    assert after[1] == before[1]
    assert {path for path, _ in after[0].items() ^ before[0].items()} == {"metadata/timestamp.json"}


def test_what_is_new_makes_new_drops_and_changes_none(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as archive:
        put_out(archive)
        before = _entries(archive)
        put_item(tmp_path / "music", "one", {"02 more.flac": track(20)})
        put_item(tmp_path / "music", "four", {"a.flac": track(21)})
        take(archive, tmp_path / "music")
        published = put_out(archive)
        after = _entries(archive)
        (carrier,) = (e.id for e in before if (audio("one"), 1) in _members(archive, e.id))
        members = set().union(*(_members(archive, drop.id) for drop in published.drops))
    assert after[: len(before)] == before
    assert published.number == 2
    assert {drop.id for drop in published.drops} == {entry.id for entry in after[len(before) :]}
    assert members == {(audio("one"), 2), (audio("four"), 1)}
    assert {need for drop in published.drops for need in drop.needs} == {carrier}
    snapshots = [drop for drop in published.drops if drop.kind.is_snapshot]
    assert [drop.supersedes for drop in snapshots] == [before[0].id, before[1].id]


def _members(archive: Archive, drop_id: str) -> set[tuple[str, int]]:
    return {(m.object_id, m.version) for m in archive.register.members_of_drop(drop_id)}


def test_what_may_be_held_and_not_shared_is_in_no_drop_not_served_and_not_seeded(tmp_path: Path) -> None:
    music = small_music(tmp_path / "music")
    put_item(music, "mine", {"secret.flac": track(9), "cover.png": picture(9)}, ONLY_HOLD)
    folder = make_archive(tmp_path / "archive")
    with opened(folder) as archive:
        take(archive, music)
        published = put_out(archive)
        mine = archive.store.read(audio("mine"))
        open_to_all = archive.store.read(audio("one"))
        assert {(w.member.object_id, w.reason) for w in published.withheld} == {
            (audio("mine"), "its admission lets this archive keep it, and not share it"),
            (artwork("mine"), "its admission lets this archive keep it, and not share it"),
        }
        assert archive.store.head(audio("mine")) == 1
    paths = _published_paths(folder)
    assert not [path for path in paths if path.startswith(mine.object_path)]
    assert [path for path in paths if path.startswith(open_to_all.object_path)]
    with opened(folder) as archive, serving(archive) as address, httpx.Client(base_url=address) as client:
        for path, status in ((f"/files/{audio('mine')}/secret.flac", 403), (f"/files/{audio('one')}/01%20a.flac", 200)):
            assert client.get(path).status_code == status, path
        for member in mine.members:
            assert client.get(_webseed(member)).status_code == 403
        for member in open_to_all.members:
            assert client.get(_webseed(member)).status_code == 200
    with seeding(folder) as (_, given):
        assert given.withheld == ()
        assert len(given.drops) == 4


def test_a_policy_tightened_after_publication_stops_seeding_and_serving(folder: Path) -> None:
    with opened(folder) as archive:
        put_out(archive)
        entries = _entries(archive)
        carriers = {e.id for e in entries if {(audio("three"), 1), (artwork("three"), 1)} & _members(archive, e.id)}
        three = archive.store.read(audio("three"))
    change_settings(folder, STRICT)
    with seeding(folder) as (_, given):
        assert {drop for drop, _ in given.withheld} == carriers
        assert set(given.drops) == {e.id for e in entries} - carriers
        assert all("may not be shared any more" in reason for _, reason in given.withheld)
    with opened(folder) as archive, serving(archive) as address, httpx.Client(base_url=address) as client:
        assert client.get(f"/files/{audio('three')}/z.flac").status_code == 451
        assert client.get(_webseed(three.members[0])).status_code == 451
        again = put_out(archive)
        assert not again.made
        assert _entries(archive) == entries


def test_a_policy_tightened_before_publication_keeps_items_back_until_it_is_loosened(folder: Path) -> None:
    change_settings(folder, STRICT)
    with opened(folder) as archive:
        published = put_out(archive)
        assert {w.member.object_id for w in published.withheld} == {audio("three"), artwork("three")}
        assert all("policy" in w.reason for w in published.withheld)
        before = _entries(archive)
    change_settings(folder, SETTINGS)
    with opened(folder) as archive:
        published = put_out(archive)
        out = set().union(*(_members(archive, drop.id) for drop in published.drops))
        assert out == {(audio("three"), 1), (artwork("three"), 1)}
        assert _entries(archive)[: len(before)] == before


def test_sharing_taken_back_in_a_new_version_stops_what_is_out_already(folder: Path, tmp_path: Path) -> None:
    put_item(tmp_path / "music", "mine", {"a.flac": track(30)}, 'own = true\nacts = ["hold", "share"]')
    with opened(folder) as archive:
        take(archive, tmp_path / "music")
        put_out(archive)
        (carrier,) = (e.id for e in _entries(archive) if (audio("mine"), 1) in _members(archive, e.id))
        put_item(tmp_path / "music", "mine", {}, ONLY_HOLD)
        take(archive, tmp_path / "music")
        assert archive.store.head(audio("mine")) == 2
        published = put_out(archive)
        assert [(w.member.object_id, w.member.version) for w in published.withheld] == [(audio("mine"), 2)]
    with seeding(folder) as (_, given):
        assert [drop for drop, _ in given.withheld] == [carrier]


def test_an_edition_that_is_lost_is_put_out_again_with_the_same_infohashes(
    folder: Path, tmp_path: Path, validate: Callable[[Path], None]
) -> None:
    with opened(folder) as archive:
        put_out(archive)
        put_item(tmp_path / "music", "four", {"a.flac": track(21)})
        take(archive, tmp_path / "music")
        put_out(archive)
        before = {(e.id, e.infohash_v1, e.infohash_v2, e.torrent.sha256) for e in _entries(archive)}
        superseded = {e.supersedes for e in _entries(archive)}
    shutil.rmtree(folder / "editions")
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=3))) as archive:
        published = put_out(archive)
        after = {(e.id, e.infohash_v1, e.infohash_v2, e.torrent.sha256) for e in _entries(archive)}
    assert published.made
    assert after == {entry for entry in before if entry[0] not in superseded}
    validate(folder / "store")


def test_a_lost_edition_and_register_are_made_anew_with_the_same_infohashes(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as archive:
        put_out(archive)
        before = {(e.id, e.infohash_v1, e.infohash_v2) for e in _entries(archive)}
    shutil.rmtree(folder / "editions")
    for path in folder.glob("register.sqlite*"):
        path.unlink()
    with opened(folder) as archive:
        make_anew(archive)
        put_out(archive)
        assert {(e.id, e.infohash_v1, e.infohash_v2) for e in _entries(archive)} == before


def test_two_archives_of_the_same_content_and_time_publish_the_same_bytes(tmp_path: Path) -> None:
    music = small_music(tmp_path / "music")
    editions = []
    for name in ("first", "second"):
        folder = make_archive(tmp_path / name)
        with opened(folder) as archive:
            take(archive, music)
            put_out(archive)
            log = archive.store.read(ObjectId("urn:fonoteca:events:log")).object_path
        editions.append((bytes_of(folder / "editions"), bytes_of(folder / "store", log)))
    assert editions[0] == editions[1]


def test_the_order_in_which_items_came_changes_no_drop(tmp_path: Path) -> None:
    music = small_music(tmp_path / "music")
    editions = []
    for name, order in (("first", ("one", "two")), ("second", ("two", "one"))):
        folder = make_archive(tmp_path / name)
        with opened(folder) as archive:
            for item in order:
                take(archive, music / item)
            put_out(archive)
        editions.append(bytes_of(folder / "editions"))
    assert editions[0] == editions[1]


def test_an_archive_with_nothing_to_share_publishes_nothing(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "archive")
    with opened(folder) as archive:
        with pytest.raises(UsageError):
            put_out(archive)
        assert archive.editions.index() is None
    assert not (folder / "editions").exists()


def test_a_name_or_piece_length_that_changed_after_publication_is_refused(folder: Path) -> None:
    with opened(folder) as archive:
        put_out(archive)
    before = bytes_of(folder / "editions")
    change_settings(folder, replace(SETTINGS, name="another"))
    with opened(folder) as archive, pytest.raises(UsageError, match="fixed at `init`"):
        put_out(archive)
    assert bytes_of(folder / "editions") == before


def test_a_drop_that_was_planned_and_may_not_go_out_any_more_holds_nothing_else_up(folder: Path, tmp_path: Path) -> None:
    points = count_points(copy_archive(folder, tmp_path / "counted"), lambda archive: iter([put_out(archive)]))
    doom = Doom(call=points.calls - 34)  # all drops are recorded; the timestamp is not written
    with opened(folder, doom.calls, doom.before_commit) as archive, pytest.raises(Crash):
        put_out(archive)
    assert not (folder / "editions" / "metadata" / "timestamp.json").exists()
    assert any((folder / "editions" / "manifests").iterdir())
    change_settings(folder, STRICT)
    put_item(tmp_path / "music", "one", {"02 more.flac": track(20)})
    with opened(folder) as archive:
        take(archive, tmp_path / "music" / "one")
        put_out(archive)
        out = {(m.object_id, m.version) for e in _entries(archive) for m in archive.register.members_of_drop(e.id)}
    assert out == {(audio("one"), 1), (audio("one"), 2), (audio("two"), 1), (artwork("one"), 1)}
