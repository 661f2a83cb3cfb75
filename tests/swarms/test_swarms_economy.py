"""What a mirror fetches, in bytes: of a new edition what is new, and of damage as many pieces as are damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha1
from pathlib import Path

import libtorrent as lt
import pytest
from flows_mirror import PATIENCE, follow_place, seeded
from flows_world import (
    NOW,
    SETTINGS,
    Quiet,
    StoppedClock,
    check,
    copy_archive,
    make_archive,
    opened,
    put_item,
    put_out,
    seeding,
    take,
)
from swarms_sound import sound

from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.edges.swarm_masks import NOWHERE
from fonoteca.edges.swarm_resume import RESUME_FILE
from fonoteca.editions import Index
from fonoteca.flows.repair import repair
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.model.errors import TrustError
from fonoteca.model.settings import EditionSettings
from fonoteca.neighbours import Healers
from fonoteca.wiring import repair_rooms

pytestmark = pytest.mark.xdist_group("swarm")
PIECE_BYTES = 16384


def index_of(folder: Path) -> Index:
    """Return the index of an archive's edition."""
    with opened(folder) as archive:
        found = archive.editions.index()
    assert found is not None
    return found


def edition_bytes(folder: Path) -> dict[str, int]:
    """Return the length of each file that tells of an edition, by path."""
    editions = folder / "editions"
    return {path.relative_to(editions).as_posix(): path.stat().st_size for path in editions.rglob("*") if path.is_file()}


def test_a_mirror_fetches_of_a_second_edition_at_most_1_02_of_its_new_bytes(tmp_path: Path) -> None:
    """Two items beside forty, 5 %: the old ones are small here, as no byte of them may come again.

    A file of the search index costs a block of 16 KiB however short it is; there are 29.
    """
    music, mirror = tmp_path / "music", tmp_path / "mirror"
    for n in range(40):
        put_item(music, f"old{n}", {"a.wav": sound(n, 50_000)})
    made = make_archive(tmp_path / "origin", replace(SETTINGS, piece_bytes=2**18, editions=EditionSettings()))
    with opened(made) as archive:
        take(archive, music)
        put_out(archive)
    with seeded(made) as given:
        follow_place(mirror, made, given)
    first, told_by = index_of(made), edition_bytes(mirror)
    for n in range(2):
        put_item(music, f"new{n}", {"a.wav": sound(100 + n, 24_000_000)})
    with opened(made, clock=StoppedClock(NOW)) as archive:
        take(archive, music)
        put_out(archive)
    with seeded(made) as given:
        told = follow_place(mirror, made, given)
    second = index_of(made)
    fresh = [entry for entry in second.entries if entry not in first.entries]
    new_bytes = sum(entry.drop_bytes for entry in fresh)
    told_bytes = sum(size for path, size in edition_bytes(mirror).items() if path not in told_by)
    share = (told.fetched_bytes + told_bytes) / new_bytes
    figures = f"{new_bytes} new bytes, {told.fetched_bytes} of drops fetched and {told_bytes} that tell of them: {share:.4f}"
    print(f"\n{figures}")  # noqa: T201
    assert list(mirror.rglob(".fonoteca-*")) == []  # what a fetch keeps for itself is in no folder that anyone is given
    assert set(first.entries) < set(second.entries)  # infohashes, digests and dates of what was out are as they were
    assert set(told.drops) == {entry.id for entry in fresh}
    assert new_bytes <= told.fetched_bytes
    assert share <= 1.02, figures


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return an archive with a file of twenty pieces, and a mirror of it. Tests damage copies."""
    folder = tmp_path_factory.mktemp("pair")
    put_item(folder / "music", "long", {"a.wav": sound(1, 20 * PIECE_BYTES - 100)})
    made = make_archive(folder / "origin", replace(SETTINGS, editions=EditionSettings(drop_bytes_max=10_000_000)))
    with opened(made) as archive:
        take(archive, folder / "music")
        put_out(archive)
    with seeded(made) as given:
        follow_place(folder / "mirror", made, given)
    return made, folder / "mirror"


@pytest.mark.parametrize("pieces", [(3,), (0, 4, 19), tuple(range(2, 10))], ids=["one", "three", "eight"])
def test_so_many_damaged_pieces_cost_so_many_pieces_of_the_swarm(
    pieces: Sequence[int], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    made, mirror = pair
    folder = copy_archive(made, tmp_path / "origin")
    song = next((folder / "store").rglob("*-a.wav"))
    whole = song.read_bytes()
    damaged = bytearray(whole)
    for piece in pieces:
        damaged[piece * PIECE_BYTES + 5] ^= 1
    song.write_bytes(damaged)
    with seeding(mirror) as (giving, _), LibtorrentSwarm(PATIENCE) as swarm, opened(folder) as archive:
        healers = Healers(swarm=swarm, whereabouts=Whereabouts((giving.address,)))
        repaired = repair(repair_rooms(archive, healers, Quiet()), check(archive).damages)
        assert (len(repaired.healed), repaired.left, repaired.piece_count) == (1, {}, len(pieces))
        sent_bytes = giving.now().uploaded_bytes
        print(f"\n{len(pieces)} pieces of {PIECE_BYTES} B damaged: {repaired.refetched_bytes} B fetched, {sent_bytes} B sent")  # noqa: T201
        assert repaired.refetched_bytes <= len(pieces) * PIECE_BYTES
        assert 0 < sent_bytes <= len(pieces) * PIECE_BYTES
        assert check(archive).sound
    assert song.read_bytes() == whole


@pytest.mark.parametrize("name", [RESUME_FILE, RESUME_FILE.upper(), NOWHERE])
def test_a_torrent_with_a_name_that_fetching_keeps_for_itself_is_refused(name: str, tmp_path: Path) -> None:
    """Else a peer could write down which pieces were proved."""
    file = {b"length": 5, b"path": [name.encode()] if name != NOWHERE else [name.encode(), b"0"]}
    info = {b"name": b"x", b"piece length": PIECE_BYTES, b"pieces": sha1(b"hello").digest(), b"files": [file]}
    with LibtorrentSwarm(PATIENCE) as swarm, pytest.raises(TrustError, match="a name that Fonoteca keeps for itself"):
        swarm.fetch(lt.bencode({b"info": info}), tmp_path / "x", [("127.0.0.1", 9)], lambda _: None)
    assert not (tmp_path / "x").exists()
