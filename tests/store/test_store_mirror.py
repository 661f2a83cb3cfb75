"""A mirror takes in what it can prove, whatever order it comes in, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from store_world import FILES, OBJECT, PIECE_BYTES, SALTED, World

from fonoteca.formats import ocfl
from fonoteca.model.errors import TrustError
from fonoteca.model.ids import ObjectId
from fonoteca.store import VersionNeededError


@pytest.fixture
def origin(tmp_path: Path) -> World:
    made = World(tmp_path / "origin")
    made.store.initialise()
    made.store.commit(made.staged(), SALTED)
    made.store.commit(made.staged({**FILES, "new.ogg": b"n" * 20_000}), SALTED)
    return made


def _download(origin: World, mirror: World, version: int) -> Path:
    folder = mirror.staging.folder(f"arrived-{version}")
    source = origin.folder / ocfl.object_path(OBJECT) / f"v{version}"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return folder


def test_a_mirror_holds_what_the_origin_holds(origin: World, world: World, validate: Callable[[Path], None]) -> None:
    for version in (1, 2):
        adopted = world.store.adopt_version(_download(origin, world, version), OBJECT, version)
        assert adopted == origin.store.read(OBJECT, version) == world.store.read(OBJECT)
        validate(world.folder)
    path = ocfl.object_path(OBJECT)
    assert {p: c for p, c in world.bytes_of().items() if p.startswith(path)} == {
        p: c for p, c in origin.bytes_of().items() if p.startswith(path)
    }
    assert world.store.rights(OBJECT) == origin.store.rights(OBJECT)
    assert list(world.staging.left()) == []


def test_versions_in_any_order_are_taken_in_order(origin: World, world: World, validate: Callable[[Path], None]) -> None:
    arrived = [(_download(origin, world, version), OBJECT, version) for version in (2, 1)]
    before = world.bytes_of()
    with pytest.raises(VersionNeededError, match="v2 needs v1, the newest held is v0"):
        world.store.adopt_version(*arrived[0])
    assert world.bytes_of() == before
    assert [v.version for v in world.store.adopt_versions(arrived)] == [1, 2]
    assert world.store.read(OBJECT) == origin.store.read(OBJECT)
    validate(world.folder)


def test_a_version_that_is_held_is_taken_once(origin: World, world: World) -> None:
    first = world.store.adopt_version(_download(origin, world, 1), OBJECT, 1)
    world.store.adopt_version(_download(origin, world, 2), OBJECT, 2)
    before = world.bytes_of()
    assert world.store.adopt_version(_download(origin, world, 1), OBJECT, 1) == first
    assert world.bytes_of() == before
    assert list(world.staging.left()) == []


def _edit_inventory(folder: Path, edit: Callable[[dict[str, object]], None]) -> None:
    """Change an inventory and make its sidecar agree, as a liar would."""
    found = json.loads((folder / "inventory.json").read_text())
    edit(found)
    content = json.dumps(found).encode()
    (folder / "inventory.json").write_bytes(content)
    (folder / "inventory.json.sha256").write_bytes(ocfl.sidecar(content))


def _replace_content(folder: Path, name: str, content: bytes) -> None:
    """Change a content file and make inventory and sidecar agree, as a liar would."""
    old = sha256((folder / "content" / name).read_bytes()).hexdigest()
    (folder / "content" / name).write_bytes(content)
    new = sha256(content).hexdigest()
    text = (folder / "inventory.json").read_text().replace(old, new)
    (folder / "inventory.json").write_text(text)
    (folder / "inventory.json.sha256").write_bytes(ocfl.sidecar(text.encode()))


def _lie_about_pieces(folder: Path) -> None:
    metadata = json.loads((folder / "content/metadata.json").read_text())
    metadata["files"][0]["pieces_root"], metadata["files"][1]["pieces_root"] = (
        metadata["files"][1]["pieces_root"],
        metadata["files"][0]["pieces_root"],
    )
    _replace_content(folder, "metadata.json", json.dumps(metadata).encode())


def _another_item(name: str) -> Callable[[Path], None]:
    def lie(folder: Path) -> None:
        content = (folder / "content" / name).read_bytes().replace(b"folder:holst", b"folder:other")
        _replace_content(folder, name, content)

    return lie


def _flip(name: str) -> Callable[[Path], None]:
    def lie(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return lie


def _link(folder: Path) -> None:
    path = folder / "content/01-01-mars.ogg"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def _escape(found: dict[str, object]) -> None:
    manifest = found["manifest"]
    assert isinstance(manifest, dict)
    digest = next(iter(manifest))
    manifest[digest] = ["v1/content/../../../../evil"]


LIES: dict[str, Callable[[Path], object]] = {
    "a flipped file": _flip("content/01-01-mars.ogg"),
    "a flipped metadata.json": _flip("content/metadata.json"),
    "a flipped inventory": _flip("inventory.json"),
    "a flipped sidecar": _flip("inventory.json.sha256"),
    "a missing file": lambda f: (f / "content/01-01-mars.ogg").unlink(),
    "a missing inventory": lambda f: (f / "inventory.json").unlink(),
    "an extra file": lambda f: (f / "content/extra").write_bytes(b""),
    "an extra file beside": lambda f: (f / "extra").write_bytes(b""),
    "a link": _link,
    "a path that escapes": lambda f: _edit_inventory(f, _escape),
    "another id": lambda f: _edit_inventory(f, lambda i: i.update(id="urn:fonoteca:audio:folder:other")),
    "another head": lambda f: _edit_inventory(f, lambda i: i.update(head="v2")),
    "no JSON": lambda f: (f / "inventory.json").write_bytes(b"["),
    "deep JSON": lambda f: _nested(f),
    "false pieces": _lie_about_pieces,
    "metadata of another item": _another_item("metadata.json"),
    "rights of another item": _another_item("rights.json"),
    "no rights": lambda f: _without_rights(f),
    "rights that say nothing": lambda f: _replace_content(f, "rights.json", b"{}"),
}


def _nested(folder: Path) -> None:
    content = b"[" * 200_000
    (folder / "inventory.json").write_bytes(content)
    (folder / "inventory.json.sha256").write_bytes(ocfl.sidecar(content))


def _without_rights(folder: Path) -> None:
    (folder / "content/rights.json").unlink()

    def edit(found: dict[str, object]) -> None:
        for block in (found["manifest"], found["versions"]["v1"]["state"]):  # type: ignore[index]
            for digest in [d for d, paths in block.items() if any("rights.json" in p for p in paths)]:
                del block[digest]

    _edit_inventory(folder, edit)


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_not_taken_in(lie: str, origin: World, world: World) -> None:
    before = world.bytes_of()
    folder = _download(origin, world, 1)
    LIES[lie](folder)
    with pytest.raises(TrustError):
        world.store.adopt_version(folder, OBJECT, 1)
    assert world.bytes_of() == before
    assert world.store.recover() == []
    assert world.store.adopt_version(_download(origin, world, 1), OBJECT, 1).version == 1


def test_history_cannot_be_rewritten(origin: World, world: World) -> None:
    world.store.adopt_version(_download(origin, world, 1), OBJECT, 1)
    before = world.bytes_of()
    folder = _download(origin, world, 2)
    _edit_inventory(folder, lambda found: found["versions"]["v1"].update(message="never said"))  # type: ignore[index]
    with pytest.raises(TrustError, match="E066"):
        world.store.adopt_version(folder, OBJECT, 2)
    folder = _download(origin, world, 1)
    _edit_inventory(folder, lambda found: found["versions"]["v1"].update(message="never said"))  # type: ignore[index]
    with pytest.raises(TrustError, match="held already"):
        world.store.adopt_version(folder, OBJECT, 1)
    assert world.bytes_of() == before


def test_an_object_without_metadata_is_mirrored_too(origin: World, world: World, validate: Callable[[Path], None]) -> None:
    drop = ObjectId.of("drop", "audio-0123456789abcdef")
    made = origin.store.commit_document(drop, {"members.json": b"[]"}, "Cut")
    folder = world.staging.folder("drop")
    shutil.copytree(origin.folder / made.object_path / "v1", folder, dirs_exist_ok=True)
    assert world.store.adopt_version(folder, drop, 1) == made
    validate(world.folder)


def test_an_origin_with_another_piece_length_is_mirrored(tmp_path: Path, world: World, validate: Callable[[Path], None]) -> None:
    origin = World(tmp_path / "coarse", piece_bytes=4 * PIECE_BYTES)
    origin.store.initialise()
    made = origin.store.commit(origin.staged(), SALTED).version
    assert world.store.adopt_version(_download(origin, world, 1), OBJECT, 1) == made == world.store.read(OBJECT)
    assert {m.hashes.piece_bytes for m in made.members} == {4 * PIECE_BYTES}
    assert list(world.store.audit(OBJECT)) == []
    validate(world.folder)
