"""Damage of every kind is found, told to the piece, and healed by nothing that is not proved."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from store_world import FILES, OBJECT, PIECE_BYTES, SALTED, Unsynced, World

from fonoteca.formats.hashing import hash_bytes
from fonoteca.model.corridor import Damage, DamageKind, Event, MemberFile, StoredVersion
from fonoteca.model.errors import FixityError, TrustError, UsageError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import Sha256
from fonoteca.store import Store
from fonoteca.testing import Crash, CrashingCalls, FlipsLastByte, Truncates

BIG = "v1/content/02-02-venus.ogg"
BIG_BYTES = FILES["CD 1/02 Venus.ogg"]


@pytest.fixture
def stored(world: World) -> StoredVersion:
    return world.store.commit(world.staged(), SALTED).version


def _big(stored: StoredVersion) -> MemberFile:
    return next(m for m in stored.members if m.path.endswith(BIG))


def _flip(path: Path, *offsets: int) -> None:
    content = bytearray(path.read_bytes())
    for offset in offsets:
        content[offset] ^= 0x40
    path.write_bytes(content)


def _piece(index: int) -> bytes:
    return BIG_BYTES[index * PIECE_BYTES : (index + 1) * PIECE_BYTES]


def test_a_sound_store_has_no_damage(world: World, stored: StoredVersion) -> None:
    assert list(world.store.verify(stored)) == []
    assert [d for one in world.store.object_ids() for d in world.store.audit(one)] == []
    assert world.store.check_root() == []
    assert world.store.mend(OBJECT) == []


def test_flipped_bytes_are_found_in_their_pieces(world: World, stored: StoredVersion) -> None:
    big = _big(stored)
    _flip(world.folder / big.path, 5, PIECE_BYTES * 2 + 9, len(BIG_BYTES) - 1)
    (damage,) = world.store.verify(stored)
    assert (damage.kind, damage.pieces, damage.member) == (DamageKind.DIGEST, (0, 2, 4), big)
    assert damage.expected == big.hashes.sha256 != damage.found
    assert list(world.store.audit(OBJECT)) == [damage]


def test_a_missing_file_misses_every_piece(world: World, stored: StoredVersion) -> None:
    big = _big(stored)
    (world.folder / big.path).unlink()
    (damage,) = world.store.verify(stored)
    assert (damage.kind, damage.pieces) == (DamageKind.MISSING, (0, 1, 2, 3, 4))
    assert list(world.store.audit(OBJECT)) == [damage]


@pytest.mark.parametrize(("length", "pieces"), [(PIECE_BYTES + 1, (1, 2, 3, 4)), (len(BIG_BYTES) + 7, ()), (0, (0, 1, 2, 3, 4))])
def test_a_wrong_length_is_told_with_its_pieces(world: World, stored: StoredVersion, length: int, pieces: tuple[int, ...]) -> None:
    big = _big(stored)
    os.truncate(world.folder / big.path, length)
    (damage,) = world.store.verify(stored)
    assert (damage.kind, damage.pieces) == (DamageKind.LENGTH, pieces)
    assert (damage.expected, damage.found) == (f"{len(BIG_BYTES)} bytes", f"{length} bytes")
    world.store.heal(big, {index: _piece(index) for index in pieces})
    assert list(world.store.verify(stored)) == []


def test_an_unreadable_piece_is_damage_and_not_an_error(world: World, stored: StoredVersion) -> None:
    big = _big(stored)

    blobs = world.blobs

    class Unreadable:
        def __getattr__(self, name: str) -> object:
            return getattr(blobs, name)

        def read_range(self, key: str, start: int, length: int) -> bytes:
            if key == big.path and start == PIECE_BYTES:
                raise world_error(key)
            return blobs.read_range(key, start, length)

        def open(self, key: str) -> object:
            if key == big.path:
                raise world_error(key)
            return blobs.open(key)

    from fonoteca.edges.disk_calls import disk_error

    def world_error(key: str) -> Exception:
        return disk_error(OSError(5, "Input/output error"), Path(key))

    store = Store(Unreadable(), world.staging, world.clock, PIECE_BYTES)  # type: ignore[arg-type]
    (damage,) = store.verify(stored)
    assert (damage.kind, damage.pieces) == (DamageKind.UNREADABLE, (1,))
    store.heal(big, {1: _piece(1)})


def test_every_flip_anywhere_is_found_and_healed(world: World, stored: StoredVersion, validate: Callable[[Path], None]) -> None:
    second = world.store.commit(world.staged({**FILES, "new.ogg": b"n" * 20_000}), SALTED).version
    world.store.append_events([Event(world.clock.now(), "x", "y")])
    known = {m.path: m.hashes for m in (*stored.members, *second.members)}
    right = world.bytes_of()
    dice = Random(7)
    for path in right:
        _flip(world.folder / path, dice.randrange(len(right[path])))
        if "/logs/" in path:
            assert world.store.check_root() == [path]
            (world.folder / path).write_bytes(right[path])
            continue
        if not path.startswith(stored.object_path):
            mended = [p for one in (world.store.object_ids() if "=" not in path[:2] else ()) for p in world.store.mend(one)]
            mended += world.store.mend_root()
            if world.bytes_of() != right:
                assert "content/" in path, path
                (world.folder / path).write_bytes(right[path])
            continue
        (damage,) = world.store.audit(OBJECT, known)
        assert damage.member.path == path
        if path in known:
            world.store.heal(damage.member, _pieces_of(right[path], damage))
        else:
            assert world.store.mend(OBJECT) == [path]
        assert world.bytes_of() == right
    validate(world.folder)


def _pieces_of(content: bytes, damage: Damage) -> dict[int, bytes]:
    """Return the pieces that a mirror would send."""
    size = damage.member.hashes.piece_bytes
    return {index: content[index * size : (index + 1) * size] for index in damage.pieces}


def test_all_small_files_of_an_object_damaged_at_once(world: World, stored: StoredVersion) -> None:
    right = world.bytes_of()
    small = [p for p in right if p.startswith(stored.object_path) and not p.endswith(".ogg")]
    for path in small:
        _flip(world.folder / path, len(right[path]) // 2)
    with pytest.raises(FixityError, match="no version of it is whole"):
        list(world.store.audit(OBJECT))
    assert world.store.mend(OBJECT) == []
    damages = list(world.store.audit(OBJECT, {m.path: m.hashes for m in stored.members}))  # the register remembers
    assert [d for d in damages if "/v1/" in d.member.path] == list(world.store.verify(stored))
    assert {d.member.path for d in damages} == set(small)
    for damage in world.store.verify(stored):
        world.store.heal(damage.member, _pieces_of(right[damage.member.path], damage))
    assert len(world.store.mend(OBJECT)) == 3
    assert world.bytes_of() == right


def test_an_object_that_is_gone_misses_every_file(world: World, stored: StoredVersion) -> None:
    right = world.bytes_of()
    shutil.rmtree(world.folder / stored.object_path)
    with pytest.raises(UsageError):
        list(world.store.audit(OBJECT))
    damages = list(world.store.audit(OBJECT, {m.path: m.hashes for m in stored.members}))
    assert {d.kind for d in damages} == {DamageKind.MISSING}
    assert {d.member.path for d in damages} == {path for path in right if path.startswith(stored.object_path)}
    for damage in world.store.verify(stored):
        world.store.heal(damage.member, _pieces_of(right[damage.member.path], damage))
    assert len(world.store.mend(OBJECT)) == 3
    assert world.bytes_of() == right


def test_a_file_known_by_digest_alone_is_healed_whole(world: World, stored: StoredVersion) -> None:
    path = f"{stored.object_path}/v1/content/metadata.json"
    right = (world.folder / path).read_bytes()
    _flip(world.folder / path, 100)
    damages = {d.member.path: d for d in world.store.audit(OBJECT)}
    damage = damages[path]
    assert damage.member.hashes.digest_only
    assert (damage.kind, damage.pieces) == (DamageKind.DIGEST, ())
    with pytest.raises(TrustError, match="the bytes offered"):
        world.store.heal(damage.member, {0: right + b" "})
    world.store.heal(damage.member, {0: right})
    assert list(world.store.audit(OBJECT)) == []


def test_an_older_inventory_is_mended_from_a_newer_one(world: World, stored: StoredVersion) -> None:
    world.store.commit(world.staged({**FILES, "new.ogg": b"n"}), SALTED)
    right = world.bytes_of()
    for name in ("v1/inventory.json", "v2/inventory.json", "v2/inventory.json.sha256", "0=ocfl_object_1.1"):
        (world.folder / stored.object_path / name).unlink()
    assert {d.member.path for d in world.store.audit(OBJECT)} == {
        f"{stored.object_path}/{name}"
        for name in ("v1/inventory.json", "v2/inventory.json", "v2/inventory.json.sha256", "0=ocfl_object_1.1")
    }
    assert len(world.store.mend(OBJECT)) == 4
    assert world.bytes_of() == right


_TWICE = ("inventory.json", "inventory.json.sha256", "v2/inventory.json", "v2/inventory.json.sha256")


@pytest.mark.parametrize("harmed", list(combinations(_TWICE, 2)), ids="+".join)
def test_two_damaged_of_the_four_files_that_say_a_version_hide_it_from_nobody(
    harmed: tuple[str, str], world: World, stored: StoredVersion
) -> None:
    second = world.store.commit(world.staged({**FILES, "new.ogg": b"n"}), SALTED).version
    right = world.bytes_of()
    paths = sorted(f"{stored.object_path}/{name}" for name in harmed)
    for at, path in enumerate(paths):
        _flip(world.folder / path, 10 + at)
    known = {m.path: m.hashes for m in (*stored.members, *second.members)}
    found = [*world.store.audit(OBJECT, known)]
    assert [damage.member.path for damage in found] == paths
    if set(harmed) == {_TWICE[0], _TWICE[2]}:  # both inventories are gone, and a mirror is needed
        world.store.heal(found[1].member, {0: right[paths[1]]})
    assert world.store.head(OBJECT) == 2
    world.store.mend(OBJECT)
    assert world.bytes_of() == right


def test_an_older_inventory_is_not_written_over_a_newer_one_that_nothing_proves(world: World, stored: StoredVersion) -> None:
    second = world.store.commit(world.staged({**FILES, "new.ogg": b"n"}), SALTED).version
    right = world.bytes_of()
    own = [f"{stored.object_path}/{name}" for name in _TWICE]
    for path in own[1:]:
        (world.folder / path).unlink()
    known = {m.path: m.hashes for m in (*stored.members, *second.members)}
    assert [damage.member.path for damage in world.store.audit(OBJECT, known)] == own[1:]
    assert world.store.mend(OBJECT) == []
    assert (world.folder / own[0]).read_bytes() == right[own[0]]
    for damage in world.store.audit(OBJECT, known):
        world.store.heal(damage.member, _pieces_of(right[damage.member.path], damage))
    assert world.bytes_of() == right


def test_heal_refuses_what_is_not_proved(world: World, stored: StoredVersion) -> None:
    big = _big(stored)
    _flip(world.folder / big.path, 5, PIECE_BYTES * 2)
    damaged = (world.folder / big.path).read_bytes()
    for pieces, kind, words in (
        ({0: b"x" * PIECE_BYTES}, TrustError, "piece 0 are not what its hash proves"),
        ({0: _piece(1)}, TrustError, "piece 0 are not"),
        ({0: _piece(0)[:-1]}, TrustError, "has 16383 bytes"),
        ({5: b""}, TrustError, "no piece 5"),
        ({-1: _piece(4)}, TrustError, "no piece -1"),
        ({0: _piece(0)}, FixityError, "with these pieces its sha256 would be"),
        ({}, FixityError, "with these pieces"),
    ):
        with pytest.raises(kind, match=words):
            world.store.heal(big, pieces)
        assert (world.folder / big.path).read_bytes() == damaged
    world.store.heal(big, {0: _piece(0), 2: _piece(2)})
    assert (world.folder / big.path).read_bytes() == BIG_BYTES


def test_heal_of_a_missing_file_needs_all_its_pieces(world: World, stored: StoredVersion) -> None:
    big = _big(stored)
    (world.folder / big.path).unlink()
    with pytest.raises(FixityError, match="piece 4 is damaged too"):
        world.store.heal(big, {index: _piece(index) for index in range(4)})
    assert not (world.folder / big.path).exists()
    world.store.heal(big, {index: _piece(index) for index in range(5)})
    assert (world.folder / big.path).read_bytes() == BIG_BYTES


def test_a_link_in_place_of_a_file_is_healed_and_not_followed(world: World, stored: StoredVersion, tmp_path: Path) -> None:
    big = _big(stored)
    (tmp_path / "elsewhere").write_bytes(BIG_BYTES)
    (world.folder / big.path).unlink()
    (world.folder / big.path).symlink_to(tmp_path / "elsewhere")
    (damage,) = world.store.verify(stored)
    assert damage.kind is DamageKind.MISSING
    world.store.heal(big, {index: _piece(index) for index in range(5)})
    assert not (world.folder / big.path).is_symlink()


def test_a_crash_in_heal_leaves_the_damaged_or_the_sound_file(world: World, stored: StoredVersion) -> None:
    big = _big(stored)
    _flip(world.folder / big.path, 5)
    damaged = (world.folder / big.path).read_bytes()
    for n in range(100):
        crashing = CrashingCalls(Unsynced(), n)
        try:
            World(world.root, crashing).store.heal(big, {0: _piece(0)})
        except Crash:
            assert (world.folder / big.path).read_bytes() in (damaged, BIG_BYTES)
            (world.folder / big.path).write_bytes(damaged)
        else:
            break
    assert n >= 5
    assert (world.folder / big.path).read_bytes() == BIG_BYTES


def test_lying_media_are_damage(world: World, stored: StoredVersion) -> None:
    flips = Store(FlipsLastByte(world.blobs, "venus"), world.staging, world.clock, PIECE_BYTES)  # type: ignore[arg-type]
    (damage,) = flips.verify(stored)
    assert (damage.kind, damage.pieces) == (DamageKind.DIGEST, (0, 1, 2, 3, 4)[-1:])
    cuts = Store(Truncates(world.blobs, "venus"), world.staging, world.clock, PIECE_BYTES)  # type: ignore[arg-type]
    (damage,) = cuts.verify(stored)
    assert (damage.kind, damage.pieces) == (DamageKind.DIGEST, (2, 3, 4))


def test_a_register_that_remembers_another_digest_is_told(world: World, stored: StoredVersion) -> None:
    big = _big(stored)
    wrong = replace(big, hashes=replace(big.hashes, sha256=Sha256("0" * 64)))
    damage = world.store.check_member(OBJECT, wrong)
    assert damage is not None
    assert (damage.kind, damage.pieces) == (DamageKind.DIGEST, ())


def test_an_empty_file_is_checked_and_healed(world: World, stored: StoredVersion) -> None:
    member = MemberFile(f"{stored.object_path}/v1/content/empty", hash_bytes(b"", PIECE_BYTES))
    damage = world.store.check_member(OBJECT, member)
    assert damage is not None
    assert (damage.kind, damage.pieces) == (DamageKind.MISSING, ())
    world.store.heal(member, {})
    assert world.store.check_member(OBJECT, member) is None
    assert not member.hashes.digest_only
    assert FileHashes(0, PIECE_BYTES, Sha256("0" * 64), b"", b"", b"", b"").digest_only
