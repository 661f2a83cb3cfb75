"""Follow: a mirror proves every byte, takes nothing from liars, carries on after an interruption, and can be followed itself."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flows_mirror import PATIENCE, Given, follow_place, publish_twice, seeded
from flows_world import (
    NOW,
    SETTINGS,
    Quiet,
    Unsynced,
    audio,
    bytes_of,
    check,
    copy_archive,
    killed,
    leftovers,
    opened,
    rebuilt_state,
    seeding,
    serving,
    state_of,
)

from fonoteca.cli.follow import ensure_mirror
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.editions import Editions, Keyring, ManifestedDrop, Signatory, Terms, list_members, read_drop, read_index
from fonoteca.flows.follow import follow
from fonoteca.flows.seed import give_now
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.ocfl import object_path
from fonoteca.formats.strictjson import json_bytes
from fonoteca.model.corridor import DropKind
from fonoteca.model.errors import SourceError, TrustError
from fonoteca.model.ids import Sha256
from fonoteca.testing import Crash, CrashingCalls
from fonoteca.testing.keys import MemoryKeys, counted_seeds
from fonoteca.wiring import Mirroring, follow_rooms, mirrors_at, seed_rooms

pytestmark = pytest.mark.xdist_group("swarm")

ONLY_DROPPED = ("audio", "artwork")


@pytest.fixture(scope="module")
def editions_of(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return an archive that published twice, and what its edition folder was after the first time."""
    folder = tmp_path_factory.mktemp("origin")
    first = folder / "first"
    return publish_twice(folder, lambda made: shutil.copytree(made / "editions", first / "editions")), first / "editions"


@pytest.fixture(scope="module")
def origin(editions_of: tuple[Path, Path]) -> Path:
    """Return the archive. Tests change copies of it."""
    return editions_of[0]


@pytest.fixture(scope="module")
def given(origin: Path) -> Iterator[Given]:
    """Give a swarm in which the archive has all."""
    with seeded(origin) as given:
        yield given


@pytest.fixture(scope="module")
def followed(origin: Path, given: Given, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a mirror of it. Tests change copies of it."""
    mirror = tmp_path_factory.mktemp("followed") / "mirror"
    follow_place(mirror, origin, given)
    return mirror


def _held(folder: Path) -> dict[str, bytes]:
    """Return every file of every audio and artwork object of an archive, by path below the storage root."""
    with opened(folder) as archive:
        paths = [archive.store.read(one).object_path for kind in ONLY_DROPPED for one in archive.store.object_ids(kind)]
    return {path: content for path, content in bytes_of(folder / "store").items() if path.startswith(tuple(paths))}


_OF_THE_EDITION_BEFORE = re.compile(r"(^|/)(1\.[a-z]+\.json|[0-9a-f]{64}\.(index\.json|feed\.xml|SHA256SUMS))$")


def _check_mirror(mirror: Path, origin: Path, validate: Callable[[Path], None]) -> None:
    """Check that a mirror is a whole archive of its own with the same music and the same edition."""
    validate(mirror / "store")
    assert _held(mirror) == _held(origin)
    given, own = (bytes_of(folder / "editions", "mirror.json") for folder in (origin, mirror))
    assert own.items() <= given.items()  # all but the metadata of the edition before
    assert [path for path in given.keys() - own.keys() if not _OF_THE_EDITION_BEFORE.search(path)] == []
    assert [path for path in leftovers(mirror) if not path.startswith("staging/follow-")] == []
    with opened(mirror) as archive:
        audited = check(archive)
        assert (audited.damages, audited.root_files) == ((), ())
        assert [hit.title for hit in archive.search.search("Track 20")]
        state = state_of(archive.register)
    assert rebuilt_state(mirror, mirror.parent)["rows"] == state["rows"]


def test_a_mirror_of_an_archive_is_whole_valid_and_rebuilt_the_same(
    origin: Path, followed: Path, given: Given, tmp_path: Path, validate: Callable[[Path], None]
) -> None:
    mirror = copy_archive(followed, tmp_path / "mirror")
    _check_mirror(mirror, origin, validate)
    again = follow_place(mirror, origin, given)
    assert (again.drops, again.fetched_bytes, again.number) == ((), 0, 2)


def test_what_was_taken_is_told(origin: Path, given: Given, tmp_path: Path) -> None:
    told = follow_place(tmp_path / "mirror", origin, given)
    index = read_index(_reader(origin / "editions"))
    superseded = {entry.supersedes for entry in index.entries}
    taken = [entry for entry in index.entries if entry.id not in superseded]
    assert told.drops == tuple(entry.id for entry in taken)
    assert told.verified_count == sum(entry.file_count for entry in taken)
    payload = sum(entry.drop_bytes for entry in taken)
    assert payload <= told.fetched_bytes <= payload + 16384 * told.verified_count
    assert leftovers(tmp_path / "mirror") == []


def test_a_mirror_can_be_followed_in_turn(followed: Path, origin: Path, tmp_path: Path, validate: Callable[[Path], None]) -> None:
    second = tmp_path / "second"
    with seeded(followed) as given:
        told = follow_place(second, followed, given)
    assert told.fetched_bytes > 0
    _check_mirror(second, origin, validate)


def test_an_edition_is_followed_over_http_from_web_seeds_alone(
    origin: Path, given: Given, tmp_path: Path, validate: Callable[[Path], None]
) -> None:
    mirror = tmp_path / "mirror"
    with opened(copy_archive(origin, tmp_path / "served")) as archive, serving(archive) as address:
        place = f"{address}/editions/"
        with mirrors_at([place]) as whereabouts:
            assert whereabouts.peers == ()
            told = follow_place(mirror, place, Given(given.swarm, whereabouts))
    assert told.fetched_bytes > 0
    _check_mirror(mirror, origin, validate)


def test_new_drops_alone_are_fetched_from_a_second_edition(
    editions_of: tuple[Path, Path], given: Given, tmp_path: Path, validate: Callable[[Path], None]
) -> None:
    origin, first = editions_of
    mirror = tmp_path / "mirror"
    before = follow_place(mirror, first, given)
    after = follow_place(mirror, origin, given)
    assert (before.number, after.number) == (1, 2)
    assert not set(before.drops) & set(after.drops)
    _check_mirror(mirror, origin, validate)


# Who lies -----------------------------------------------------------------------------------------------------------


def _reader(folder: Path) -> Callable[[str, int], bytes]:
    """Return what reads an edition's files."""
    return lambda path, bytes_max: (folder / path).read_bytes()[: bytes_max + 1]


def _refused(mirror: Path, place: Path, given: Given, match: str) -> None:
    """Check that an edition is refused, and that nothing at all changes at the mirror."""
    parts = ("store", "editions", "catalogue", "private", "search")
    before = {part: bytes_of(mirror / part) for part in parts}
    with opened(mirror) as archive:
        state = state_of(archive.register)
    with pytest.raises(TrustError, match=match) as error:
        follow_place(mirror, place, given)
    assert error.value.exit_status == 5
    assert {part: bytes_of(mirror / part) for part in parts} == before
    with opened(mirror) as archive:
        assert state_of(archive.register) == state
        assert check(archive).damages == ()


def test_an_older_edition_than_one_seen_is_refused(
    editions_of: tuple[Path, Path], followed: Path, given: Given, tmp_path: Path
) -> None:
    mirror = copy_archive(followed, tmp_path / "mirror")
    _refused(mirror, editions_of[1], given, "timestamp version 1 must be >= 2")


Sign = Callable[[Path, Path, datetime], None]


def _edited(origin: Path, target: Path, edit: Callable[[dict[str, Any]], object], sign: Sign) -> Path:
    """Return a copy of an edition with an index that someone edited who has the archive's keys."""
    shutil.copytree(origin / "editions", target)
    index = json.loads((target / "index.json").read_text())
    index["number"] += 1
    edit(index)
    (target / "index.json").write_bytes(json_bytes(index, "index.json"))
    sign(target, origin / "keys", NOW)
    return target


def _audio(index: dict[str, Any]) -> dict[str, Any]:
    return next(drop for drop in index["drops"] if drop["kind"] == "audio")


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a date": (lambda index: _audio(index).update(created_at="2020-01-01T00:00:00Z"), "was changed or taken out"),
    "a share": (lambda index: _audio(index).update(coverage_share=0.125), "was changed or taken out"),
    "a drop taken out": (lambda index: index["drops"].pop(), "was changed or taken out"),
    "another archive": (lambda index: index.update(root_name="another-archive"), "but this folder mirrors 'test-archive'"),
    "the same number": (lambda index: index.update(archive="New title", number=2), "edition 2 was seen already"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_entry_that_was_changed_after_it_was_seen_is_refused(
    change: str, origin: Path, followed: Path, given: Given, tmp_path: Path, sign_again: Sign
) -> None:
    edit, match = CHANGES[change]
    _refused(copy_archive(followed, tmp_path / "mirror"), _edited(origin, tmp_path / "edited", edit, sign_again), given, match)


def _lying_edition(origin: Path, target: Path, lie: Callable[[ManifestedDrop], ManifestedDrop]) -> Path:
    """Return an edition like the origin's, consistent in itself, that lies about its audio drops."""
    read = _reader(origin / "editions")
    index = read_index(read)
    drops = (read_drop(read, index, entry) for entry in index.entries[:3])
    told = [lie(drop) if drop.drop.kind is DropKind.AUDIO else drop for drop in drops]
    _lying(target).publish(index.heading, told, Terms(index.published_at))
    return target


def _lying(folder: Path) -> Editions:
    """Return editions in a folder that are signed, by keys that nobody knows."""
    keyring = Keyring(MemoryKeys(), counted_seeds("liar"))
    keyring.make_missing()
    return Editions(DiskBlobs(folder, Unsynced()), Signatory(keyring, SETTINGS.signing))


def _false_digest(honest: ManifestedDrop) -> ManifestedDrop:
    """Return a drop whose manifest gives another sha256 for a file: pieces prove the bytes, and not this."""
    last = next(n for n, row in enumerate(honest.rows) if row.path.endswith(".flac"))
    rows = [replace(row, sha256=Sha256("ab" * 32)) if n == last else row for n, row in enumerate(honest.rows)]
    drop_id = list_members(honest.drop.kind, honest.drop.needs, rows).drop_id
    rows = [replace(row, drop_id=drop_id) for row in rows]
    return ManifestedDrop(replace(honest.drop, id=drop_id), honest.torrent, tuple(rows))


def test_a_manifest_that_gives_other_digests_than_the_bytes_is_refused_and_nothing_taken(
    origin: Path, given: Given, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    liar = _lying_edition(origin, tmp_path / "liar", _false_digest)
    with pytest.raises(TrustError, match="abab"):
        follow_place(mirror, liar, given)
    with opened(mirror) as archive:
        assert [one for kind in ONLY_DROPPED for one in archive.store.object_ids(kind)] == []
        assert archive.register.totals().bytes == 0
        assert archive.editions.index() is None


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("part", ["torrent", "manifest"])
def test_a_file_of_the_edition_that_is_not_as_the_index_says_is_refused(
    part: str, origin: Path, given: Given, tmp_path: Path
) -> None:
    edition = tmp_path / "edition"
    shutil.copytree(origin / "editions", edition)
    index = read_index(_reader(edition))
    entry = next(entry for entry in index.entries if entry.kind is DropKind.AUDIO)
    _flip(edition / {"torrent": entry.torrent.path, "manifest": entry.manifest_jsonl.path}[part])
    mirror = tmp_path / "mirror"
    with pytest.raises(TrustError):
        follow_place(mirror, edition, given)
    with opened(mirror) as archive:
        assert [one for kind in ONLY_DROPPED for one in archive.store.object_ids(kind)] == []
        assert archive.editions.index() is None


def test_a_torrent_that_is_another_than_the_index_names_is_refused_and_nothing_taken(
    origin: Path, given: Given, tmp_path: Path
) -> None:
    read = _reader(origin / "editions")
    index = read_index(read)
    one, other, *_ = (read_drop(read, index, e) for e in index.entries if e.kind is DropKind.AUDIO and not e.needs)
    liar = tmp_path / "liar"
    swapped = ManifestedDrop(one.drop, other.torrent, one.rows)
    _lying(liar).publish(index.heading, [swapped], Terms(index.published_at))
    with pytest.raises(TrustError, match="the index says infohash"):
        follow_place(tmp_path / "mirror", liar, given)
    with opened(tmp_path / "mirror") as archive:
        assert [one for kind in ONLY_DROPPED for one in archive.store.object_ids(kind)] == []


def test_without_anyone_who_sends_it_says_so_and_nothing_is_taken(origin: Path, tmp_path: Path) -> None:
    with LibtorrentSwarm(PATIENCE) as swarm, pytest.raises(SourceError, match="nothing new from any of 1 known peers"):
        follow_place(tmp_path / "mirror", origin, Given(swarm, Whereabouts((("127.0.0.1", 9),))))
    with opened(tmp_path / "mirror") as archive:
        assert archive.editions.index() is None


# Interrupted --------------------------------------------------------------------------------------------------------


def test_an_interrupted_follow_carries_on_without_fetching_again_what_is_here(
    origin: Path, given: Given, fast_path: Path, validate: Callable[[Path], None]
) -> None:
    calls = CrashingCalls(Unsynced())
    whole = follow_place(fast_path / "whole", origin, given, calls)
    totals = []
    for n in range(30, calls.count, calls.count // 7):
        mirror = fast_path / f"mirror-{n}"
        with pytest.raises(Crash):
            follow_place(mirror, origin, given, CrashingCalls(Unsynced(), n))
        killed(mirror)
        totals.append(follow_place(mirror, origin, given).fetched_bytes)
        _check_mirror(mirror, origin, validate)
    assert totals == sorted(totals, reverse=True)
    assert whole.fetched_bytes > totals[3] > totals[-1] == 0


def test_what_a_mirror_holds_is_given_on_before_it_has_all(origin: Path, tmp_path: Path) -> None:
    """The first run of a large mirror takes weeks: others have from it what it has meanwhile."""
    broken, mirror = copy_archive(origin, tmp_path / "broken"), tmp_path / "mirror"
    with opened(broken) as archive:
        index = archive.editions.index()
        assert index is not None
        torrents = {entry.id: archive.editions.torrent_of(entry) for entry in index.entries}
    shutil.rmtree(broken / "store" / object_path(audio("four")))  # of the second edition alone
    ensure_mirror(mirror, str(broken))
    with seeding(broken) as (seed, _), LibtorrentSwarm(PATIENCE) as swarm, LibtorrentSwarm(PATIENCE) as peer:
        with opened(mirror) as archive:
            rooms = follow_rooms(archive, Mirroring(str(broken), swarm, Whereabouts((seed.address,))), Quiet())
            with pytest.raises(SourceError):
                follow(replace(rooms, give=partial(give_now, seed_rooms(archive, swarm))))
            assert archive.editions.index() is None, "no edition is in force yet"
            held = [row.id for row in archive.register.drops()]
        assert len(held) >= 2
        for drop_id in held:
            assert peer.fetch(torrents[drop_id], tmp_path / drop_id, [swarm.address], lambda _: None) > 0
