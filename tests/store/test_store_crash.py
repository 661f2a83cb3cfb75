"""A crash at every durable call, enumerated and counted: what was acknowledged stays, and the next run ends the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from store_world import FILES, OBJECT, SALTED, THEN, Unsynced, World, tree

from fonoteca.model.corridor import Event
from fonoteca.model.errors import StoreError
from fonoteca.model.ids import ObjectId
from fonoteca.testing import Crash, CrashingCalls, FullDiskCalls

MORE = {**FILES, "04 Neptune.ogg": b"n" * 10, "05 Pluto.ogg": b"p" * 10}
DROP = ObjectId.of("drop", "audio-0123456789abcdef")


@dataclass(frozen=True)
class Deed:
    """Something done to a store. before: what was done earlier. steps_min: durable calls that it takes at least."""

    do: Callable[[World], object]
    steps_min: int
    before: Callable[[World], object] = lambda world: world.store.initialise()


def _first(world: World) -> object:
    return world.store.commit(world.staged(), SALTED)


def _second(world: World) -> object:
    return world.store.commit(world.staged(MORE), SALTED)


def _initialised_and_first(world: World) -> None:
    world.store.initialise()
    _first(world)


def _origin(world: World) -> World:
    """Return the archive that this one mirrors, made once."""
    origin = World(world.root.parent / "origin")
    if not origin.root.exists():
        _initialised_and_first(origin)
        _second(origin)
    return origin


def _adopt(version: int) -> Callable[[World], object]:
    """Return the adoption of a version that is downloaded again first when a crash used the download up."""

    def adopt(world: World) -> object:
        origin = _origin(world)
        folder = world.root / "staging" / f"arrived-{version}"
        source = origin.folder / origin.store.read(OBJECT).object_path / f"v{version}"
        if not folder.exists() and world.store.head(OBJECT) < version:
            shutil.copytree(source, folder)
        if not folder.exists():
            shutil.copytree(source, folder)
        return world.store.adopt_version(folder, OBJECT, version)

    return adopt


def _mirrored_first(world: World) -> None:
    world.store.initialise()
    _adopt(1)(world)


DEEDS = {
    "initialise": Deed(lambda world: world.store.initialise(), 30, lambda world: None),
    "the first version": Deed(_first, 40),
    "the second version": Deed(_second, 40, _initialised_and_first),
    "a document": Deed(lambda world: world.store.commit_document(DROP, {"members.json": b"[]"}, "Cut"), 20),
    "adopt the first version": Deed(_adopt(1), 20),
    "adopt the second version": Deed(_adopt(2), 15, _mirrored_first),
    "append events": Deed(lambda world: world.store.append_events([Event(THEN, "acquired", OBJECT, (("version", 1),))]), 10),
}


def _run_until(world: World, deed: Deed) -> None:
    with pytest.raises(Crash):
        deed.do(world)


def _ready(root: Path, prepared: Path, calls: CrashingCalls | None = None) -> World:
    """Return a copy of a prepared world."""
    shutil.copytree(prepared, root / "archive")
    return World(root / "archive", calls or CrashingCalls(Unsynced()))


@pytest.mark.parametrize("name", DEEDS)
def test_a_crash_at_any_durable_call_is_recovered_from(name: str, tmp_path: Path, validate: Callable[[Path], None]) -> None:
    deed = DEEDS[name]
    prepared = World(tmp_path / "archive")
    prepared.root.mkdir()
    _origin(prepared)
    deed.before(prepared)
    counted = _ready(tmp_path / "counted", prepared.root)
    shutil.copytree(tmp_path / "origin", tmp_path / "counted" / "origin")
    deed.do(counted)
    assert isinstance(counted.calls, CrashingCalls)
    steps = counted.calls.count
    assert steps >= deed.steps_min
    seen = set()
    for n in range(steps):
        root = tmp_path / f"crash-{n}"
        root.mkdir()
        (root / "origin").symlink_to(tmp_path / "origin")
        _run_until(_ready(root, prepared.root, CrashingCalls(Unsynced(), n)), deed)
        if tree(root / "archive") in seen:  # a call that only syncs: the same disk as at the call before
            shutil.rmtree(root)
            continue
        seen.add(tree(root / "archive"))
        after = World(root / "archive")
        _reads_as_before_or_after(after, prepared, counted)
        after.store.recover()
        if name != "initialise":
            _check_settled(after, validate)
        deed.do(after)
        assert after.bytes_of() == counted.bytes_of(), n
        assert list(after.staging.left()) == list(counted.staging.left()), n
        shutil.rmtree(root)


def _reads_as_before_or_after(world: World, *others: World) -> None:
    """Check that, before any recovery, a reader sees one of two states and no error."""
    head = world.store.head(OBJECT)
    assert head in [other.store.head(OBJECT) for other in others]
    if head:
        matching = next(other for other in others if other.store.head(OBJECT) == head)
        assert world.store.read(OBJECT) == matching.store.read(OBJECT)


def _check_settled(world: World, validate: Callable[[Path], None]) -> None:
    """Check that a recovered store is sound: no leftovers, no empty folders, valid to other software, nothing to do."""
    assert not [p for p in world.bytes_of() if ".fonoteca-tmp-" in p]
    validate(world.folder)
    assert world.store.recover() == []


def _interrupted(tmp_path: Path) -> tuple[Path, int]:
    """Return a prepared store with one version, and the number of durable calls of the second."""
    prepared = World(tmp_path / "prepared")
    _initialised_and_first(prepared)
    counted = _ready(tmp_path / "counted", prepared.root)
    _second(counted)
    assert isinstance(counted.calls, CrashingCalls)
    return prepared.root, counted.calls.count


def test_a_crash_in_recovery_is_recovered_from(tmp_path: Path) -> None:
    prepared, steps = _interrupted(tmp_path)
    seen, pairs = set(), 0
    for n in range(steps):
        crashed = tmp_path / f"crash-{n}"
        _run_until(_ready(crashed, prepared, CrashingCalls(Unsynced(), n)), DEEDS["the second version"])
        if tree(crashed) in seen:  # a call that only syncs: the same disk as at the call before
            continue
        seen.add(tree(crashed))
        counting = _ready(tmp_path / f"count-{n}", crashed / "archive")
        counting.store.recover()
        assert isinstance(counting.calls, CrashingCalls)
        for m in range(counting.calls.count):
            again = _ready(tmp_path / f"again-{n}-{m}", crashed / "archive", CrashingCalls(Unsynced(), m))
            with pytest.raises(Crash):
                again.store.recover()
            pairs += 1
            after = World(again.root)
            after.store.recover()
            assert after.bytes_of() == counting.bytes_of(), (n, m)
            shutil.rmtree(again.root)
    assert pairs > 100


def test_recovery_without_staging_walks_the_store(tmp_path: Path, validate: Callable[[Path], None]) -> None:
    prepared, steps = _interrupted(tmp_path)
    said = set()
    for n in range(steps):
        root = tmp_path / f"crash-{n}"
        world = _ready(root, prepared, CrashingCalls(Unsynced(), n))
        _run_until(world, DEEDS["the second version"])
        shutil.rmtree(world.root / "staging", ignore_errors=True)
        after = World(world.root)
        said |= set(after.store.recover(whole=True))
        validate(after.folder)
        assert after.store.recover(whole=True) == []
        shutil.rmtree(root)
    assert any("v2 was stored before an interruption" in sentence for sentence in said)
    assert any("leftovers" in sentence for sentence in said)


def _begin_v2(folder: Path) -> None:
    (folder / "v2" / "content").mkdir(parents=True)
    (folder / "v2" / "content" / "half").write_bytes(b"?")


@pytest.mark.parametrize(
    "befall",
    [lambda o: (o / "inventory.json.sha256").unlink(), lambda o: (o / "0=ocfl_object_1.1").unlink(), _begin_v2],
    ids=["the sidecar is gone", "the declaration is gone", "a version is half there"],
)
def test_a_crash_in_a_walk_through_the_store_leaves_nothing_to_look_for(befall: Callable[[Path], object], tmp_path: Path) -> None:
    prepared = World(tmp_path / "prepared")
    _initialised_and_first(prepared)
    befall(prepared.folder / prepared.store.read(OBJECT).object_path)
    counted = _ready(tmp_path / "counted", prepared.root)
    counted.store.recover(whole=True)
    assert isinstance(counted.calls, CrashingCalls)
    assert counted.calls.count > 5
    for n in range(counted.calls.count):
        world = _ready(tmp_path / f"crash-{n}", prepared.root, CrashingCalls(Unsynced(), n))
        with pytest.raises(Crash):
            world.store.recover(whole=True)
        after = World(world.root)
        after.store.recover()
        assert not [path for path in after.folder.rglob("*") if ".fonoteca-tmp-" in path.name], n
        assert list(after.staging.left()) == []
        after.store.recover(whole=True)
        assert after.bytes_of() == counted.bytes_of(), n


@pytest.mark.parametrize("room_bytes", [0, 100, 10_000, 120_000, 123_000, 126_000])
def test_a_full_disk_leaves_the_store_as_it_was(room_bytes: int, tmp_path: Path, validate: Callable[[Path], None]) -> None:
    prepared = World(tmp_path / "archive")
    _initialised_and_first(prepared)
    before = prepared.bytes_of()
    full = World(tmp_path / "archive", FullDiskCalls(Unsynced(), room_bytes))
    with pytest.raises(StoreError, match="the disk is full"):
        _second(full)
    after = World(tmp_path / "archive")
    assert {p: c for p, c in after.bytes_of().items() if p in before} == before
    after.store.recover()
    validate(after.folder)
    assert after.store.commit(after.staged(MORE), SALTED).version.version == 2
    validate(after.folder)


def test_a_commit_finishes_what_was_half_way_without_being_told(tmp_path: Path, validate: Callable[[Path], None]) -> None:
    prepared, steps = _interrupted(tmp_path)
    for n in range(steps):
        root = tmp_path / f"crash-{n}"
        world = _ready(root, prepared, CrashingCalls(Unsynced(), n))
        _run_until(world, DEEDS["the second version"])
        after = World(world.root)
        assert after.store.commit(after.staged(MORE), SALTED).version.version == 2
        after.store.recover()
        validate(after.folder)
        shutil.rmtree(root)
