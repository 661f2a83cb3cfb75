"""Audit and repair: every damage is found and named, and only the damaged pieces are fetched again."""

from __future__ import annotations

import shutil
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from flows_mirror import PATIENCE, Given, follow_place, publish_twice, seeded
from flows_world import (
    PIECE_BYTES,
    Quiet,
    audio,
    bytes_of,
    check,
    copy_archive,
    leftovers,
    opened,
    put_item,
    put_out,
    take,
    track,
)

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.mirrors import BlobsMirror
from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.flows import repair as repairing
from fonoteca.flows.acquire import Acquired
from fonoteca.flows.audit import audit_sample, seen_damages
from fonoteca.flows.repair import Repaired, repair
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.model.corridor import Damage
from fonoteca.neighbours import Healers
from fonoteca.wiring import Archive, audit_rooms, repair_rooms

pytestmark = pytest.mark.xdist_group("swarm")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive that published twice."""
    return publish_twice(tmp_path_factory.mktemp("origin"))


@pytest.fixture(scope="module")
def mirror(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a mirror of it, which nothing ever damages."""
    folder = tmp_path_factory.mktemp("followed") / "mirror"
    with seeded(origin) as given:
        follow_place(folder, origin, given)
    return folder


@pytest.fixture(scope="module")
def given(mirror: Path) -> Iterator[Given]:
    """Give a swarm in which the mirror has all."""
    with seeded(mirror) as given:
        yield given


@pytest.fixture
def damaged(origin: Path, tmp_path: Path) -> Path:
    """Return a copy of the archive, to damage."""
    return copy_archive(origin, tmp_path / "archive")


def _repair(archive: Archive, given: Given, damages: tuple[Damage, ...]) -> Repaired:
    """Return what a repair did."""
    return repair(repair_rooms(archive, Healers(swarm=given.swarm, whereabouts=given.whereabouts), Quiet()), damages)


def _flip(path: Path, at: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 0xFF
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def _object(folder: Path, name: str) -> Path:
    with opened(folder) as archive:
        return folder / "store" / archive.store.read(audio(name)).object_path


DAMAGE: dict[str, tuple[Callable[[Path], object], int]] = {
    "a flipped byte in one piece of music": (lambda o: _flip(next(o.rglob("*-z.flac"))), 1),
    "flipped bytes in two pieces": (lambda o: (_flip(next(o.rglob("*-z.flac")), 0.05), _flip(next(o.rglob("*-z.flac")), 0.99)), 2),
    "music cut short": (lambda o: _cut(next(o.rglob("*-z.flac"))), 1),
    "music with bytes after its end": (lambda o: _lengthen(next(o.rglob("*-z.flac"))), 1),
    "music gone": (lambda o: next(o.rglob("*-z.flac")).unlink(), 3),
    "music emptied": (lambda o: next(o.rglob("*-z.flac")).write_bytes(b""), 3),
    "metadata.json": (lambda o: _flip(o / "v1" / "content" / "metadata.json"), 1),
    "metadata.json gone": (lambda o: (o / "v1" / "content" / "metadata.json").unlink(), 1),
    "rights.json": (lambda o: _flip(o / "v1" / "content" / "rights.json"), 1),
    "the inventory of a version": (lambda o: _flip(o / "v1" / "inventory.json"), 1),
    "the sidecar of a version": (lambda o: _flip(o / "v1" / "inventory.json.sha256"), 1),
    "the object's own inventory": (lambda o: _flip(o / "inventory.json"), 0),
    "the object's own sidecar": (lambda o: _flip(o / "inventory.json.sha256"), 0),
    "the object's own inventory gone": (lambda o: (o / "inventory.json").unlink(), 0),
    "the object's declaration": (lambda o: _flip(o / "0=ocfl_object_1.1"), 0),
    "every inventory": (lambda o: [_flip(path) for path in o.rglob("inventory.json")], 1),
    "a whole version": (lambda o: shutil.rmtree(o / "v1"), 7),
    "the whole object": (lambda o: shutil.rmtree(o), 7),
}
"""By name: what befalls the object of the item `three`, whose music has three pieces, and the pieces that heal it at most."""


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found_named_and_healed_with_the_fewest_pieces(
    what: str, damaged: Path, given: Given, validate: Callable[[Path], None]
) -> None:
    befall, pieces_max = DAMAGE[what]
    before = bytes_of(damaged / "store")
    befall(_object(damaged, "three"))
    changed = {p for p, c in before.items() if bytes_of(damaged / "store").get(p) != c}
    with opened(damaged) as archive:
        audited = check(archive)
        assert {damage.member.path for damage in audited.damages} == changed
        assert {damage.object_id for damage in audited.damages} == {audio("three")}
        repaired = _repair(archive, given, audited.damages)
        assert repaired.left == {}
        assert {*repaired.healed, *repaired.mended} == changed
        assert repaired.piece_count <= pieces_max
        assert repaired.refetched_bytes <= repaired.piece_count * PIECE_BYTES
        again = check(archive)
        assert (again.damages, again.root_files) == ((), ())
        assert archive.register.damaged() == []
        healed = {event.subject for event in archive.register.events(500) if event.what == "healed"}
        assert healed == changed
    after = bytes_of(damaged / "store")
    assert {path: after.get(path) for path in before} == before
    assert leftovers(damaged) == []
    validate(damaged / "store")


def test_damage_in_many_objects_is_healed_at_once_and_documents_of_drops_without_a_mirror(
    damaged: Path, given: Given, validate: Callable[[Path], None]
) -> None:
    before = bytes_of(damaged / "store")
    paths = [damaged / "store" / path for path in before if path.endswith((".flac", ".png", "members.json", "drop.json"))]
    for path in paths:
        _flip(path)
    with opened(damaged) as archive:
        audited = check(archive)
        assert len(audited.damages) == len(paths) > 12
        repaired = _repair(archive, given, audited.damages)
        assert (len(repaired.healed), repaired.left) == (len(paths), {})
        assert repaired.piece_count == len([path for path in paths if path.suffix != ".json"])
        assert check(archive).damages == ()
    validate(damaged / "store")


@pytest.mark.parametrize("name", ["0=ocfl_1.1", "ocfl_layout.json"])
def test_files_of_the_storage_root_are_written_anew(
    name: str, damaged: Path, given: Given, validate: Callable[[Path], None]
) -> None:
    (damaged / "store" / name).write_bytes(b"?")
    with opened(damaged) as archive:
        audited = check(archive)
        assert (audited.damages, audited.root_files) == ((), (name,))
        repaired = _repair(archive, given, audited.damages)
        assert repaired.mended == (name,)
        assert check(archive).root_files == ()
    validate(damaged / "store")


def test_what_an_audit_found_damaged_goes_into_no_new_drop_until_it_is_healed(damaged: Path, tmp_path: Path) -> None:
    put_item(tmp_path / "music", "unpublished", {"u.flac": track(40)})
    with opened(damaged) as archive:
        take(archive, tmp_path / "music")
    _flip(next(_object(damaged, "unpublished").rglob("*.flac")))
    with opened(damaged) as archive:
        check(archive)
        done = put_out(archive)
        assert "audio" not in {drop.kind for drop in done.drops}
        assert [each.reason for each in done.withheld if each.member.object_id == audio("unpublished")] == [
            "its last audit found it damaged: run `fonoteca repair`"
        ]
        take(archive, tmp_path / "music")
        assert "audio" in {drop.kind for drop in put_out(archive).drops}


def test_damage_that_no_mirror_has_is_named_as_left_and_the_rest_is_healed(damaged: Path, given: Given, tmp_path: Path) -> None:
    put_item(tmp_path / "music", "unpublished", {"u.flac": track(40)})
    with opened(damaged) as archive:
        take(archive, tmp_path / "music")
    lost = next(_object(damaged, "unpublished").rglob("*.flac"))
    _flip(lost)
    _flip(next(_object(damaged, "three").rglob("*-z.flac")))
    with opened(damaged) as archive:
        damages = check(archive).damages
        assert len(damages) == 2
        repaired = _repair(archive, given, damages)
        path = str(lost.relative_to(damaged / "store"))
        assert list(repaired.left) == [path]
        assert "in no drop, so no peer has it" in repaired.left[path]
        assert len(repaired.healed) == 1
        assert [row.path for row in archive.register.damaged()] == [path]
        assert [damage.member.path for damage in seen_damages(audit_rooms(archive, Quiet()))] == [path]


@pytest.mark.parametrize("befall", [_flip, Path.unlink, _cut])
def test_what_no_mirror_has_is_healed_when_its_item_is_acquired_again(
    befall: Callable[[Path], object], damaged: Path, given: Given, tmp_path: Path, validate: Callable[[Path], None]
) -> None:
    put_item(tmp_path / "music", "unpublished", {"u.flac": track(40), "w.flac": track(41, 4, noise=True)})
    with opened(damaged) as archive:
        take(archive, tmp_path / "music")
    before = bytes_of(damaged / "store")
    befall(next(_object(damaged, "unpublished").rglob("*-w.flac")))
    with opened(damaged) as archive:
        (left,) = _repair(archive, given, check(archive).damages).left.values()
        assert "Acquire its item again" in left
        (outcome,) = take(archive, tmp_path / "music")
        assert isinstance(outcome, Acquired)
        assert not outcome.made
        assert check(archive).damages == ()
        assert archive.register.damaged() == []
    after = bytes_of(damaged / "store")
    assert {path: after.get(path) for path in before} == before
    validate(damaged / "store")


def test_without_a_mirror_nothing_is_changed_and_the_reason_is_told(damaged: Path) -> None:
    _flip(next(_object(damaged, "three").rglob("*-z.flac")))
    before = bytes_of(damaged / "store")
    with opened(damaged) as archive, LibtorrentSwarm(PATIENCE) as swarm:
        repaired = _repair(archive, Given(swarm, Whereabouts((("127.0.0.1", 9),))), check(archive).damages)
        assert (repaired.healed, repaired.mended, len(repaired.left)) == ((), (), 1)
        assert all("nothing new from any of 1 known peers" in reason for reason in repaired.left.values())
    after = bytes_of(damaged / "store")
    assert {path: after[path] for path in before} == before
    assert leftovers(damaged) == []


def test_a_mirror_that_is_damaged_in_the_same_piece_heals_nothing(damaged: Path, mirror: Path, tmp_path: Path) -> None:
    other = copy_archive(mirror, tmp_path / "other")
    for folder in (damaged, other):
        _flip(next(_object(folder, "three").rglob("*-z.flac")))
    with opened(damaged) as archive, seeded(other) as given:
        damages = check(archive).damages
        repaired = _repair(archive, given, damages)
        assert repaired.healed == ()
        assert list(repaired.left) == [damage.member.path for damage in damages]


def _long_recording(sound_bytes: int) -> bytes:
    """Return a WAVE file of noise, which is quickly made."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
    head = struct.pack("<4sI4s", b"RIFF", 12 + len(form) + sound_bytes, b"WAVE") + form
    return head + struct.pack("<4sI", b"data", sound_bytes) + Random(1).randbytes(sound_bytes)


def test_a_file_is_healed_without_being_held_in_memory(damaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = _long_recording(12 << 20)
    put_item(tmp_path / "music", "long", {"long.wav": sound})
    with opened(damaged) as archive:
        take(archive, tmp_path / "music")
    copy = copy_archive(damaged, tmp_path / "copy")
    lost = next(_object(damaged, "long").rglob("*.wav"))
    lost.unlink()
    monkeypatch.setattr(repairing, "RUN_BYTES_MAX", 1 << 20)
    healers = Healers(mirrors=(BlobsMirror("copy", DiskBlobs(copy / "store")),))
    with opened(damaged) as archive:
        damages = check(archive).damages
        tracemalloc.start()
        try:
            assert repair(repair_rooms(archive, healers, Quiet()), damages).left == {}
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
    assert lost.read_bytes() == sound
    assert leftovers(damaged) == []


def test_a_sample_takes_what_was_checked_the_longest_ago(damaged: Path) -> None:
    with opened(damaged) as archive:
        total = check(archive).file_count
        first = audit_sample(audit_rooms(archive, Quiet()), 3)
        assert (first.file_count, first.damages) == (3, ())
    _flip(next(_object(damaged, "three").rglob("*-z.flac")))
    with opened(damaged) as archive:
        found = audit_sample(audit_rooms(archive, Quiet()), total)
        assert [Path(damage.member.path).name for damage in found.damages] == ["01-z.flac"]


def test_a_mirror_heals_from_the_origin_too(origin: Path, mirror: Path, tmp_path: Path) -> None:
    ill = copy_archive(mirror, tmp_path / "ill")
    _flip(next(_object(ill, "three").rglob("*-z.flac")))
    with opened(ill) as archive, seeded(origin) as given:
        repaired = _repair(archive, given, check(archive).damages)
        assert (len(repaired.healed), repaired.left) == (1, {})
        assert check(archive).damages == ()
