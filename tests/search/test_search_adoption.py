"""An index is the same on every machine, and one of another archive is taken in only when it is of the catalogue that is here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard
from search_world import NAME, Place, catalogue, contents, recording

from fonoteca.edges.disk import DiskStaging
from fonoteca.model.errors import StoreError, TrustError, UsageError
from fonoteca.search import SnapshotTables
from fonoteca.search.canonical import digest_of
from fonoteca.search.cards import BLOCK_ROWS, MAGIC
from fonoteca.search.manifest import ShardOf


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("origin"))
    place.index().build(place.tables(catalogue(), file_rows=200))
    return place


@pytest.fixture
def mirror(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def tables(mirror: Place) -> SnapshotTables:
    """Return the catalogue as the mirror has it."""
    return mirror.tables(catalogue(), file_rows=200)


@pytest.fixture
def arrived(origin: Place, mirror: Place) -> Path:
    """Return a folder below staging in which the files of the index arrived."""
    folder = DiskStaging(mirror.folder / "staging").folder("follow-search")
    for name, path in origin.index().files():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(path, folder / name)
    return folder


def test_an_index_that_came_is_used_as_it_is(origin: Place, arrived: Path, mirror: Place, tables: SnapshotTables) -> None:
    index = mirror.index()
    index.adopt(arrived, tables, catalogue())
    assert (index.snapshot(), contents(index)) == (NAME, contents(origin.index()))
    assert index.search("sigur rós") == origin.index().search("sigur rós")
    sizes = {name: len(content) for name, content in contents(index).items()}
    assert index.folder_with(NAME, sizes) is not None
    assert index.folder_with("2026-11-23", sizes) is None
    assert index.folder_with(NAME, {**sizes, f"recordings-00/{0:032x}.cards": 1}) is None
    assert not arrived.exists()


def _file(folder: Path, ending: str) -> Path:
    return next(path for path in sorted((folder / "recordings-00").iterdir()) if path.name.endswith(ending))


def _told(folder: Path, edit: Callable[[list[dict[str, object]]], object]) -> None:
    manifest = json.loads((folder / "index.json").read_bytes())
    edit(manifest["shards"])
    (folder / "index.json").write_text(json.dumps(manifest, indent=1))


def _proved(folder: Path, file: Path, content: bytes) -> None:
    """Put another content into a shard's file, and make the shard's digest right."""
    file.write_bytes(content)
    _told(folder, lambda shards: [each.update(digest=_digest(folder, str(each["name"]))) for each in shards])


def _digest(folder: Path, name: str) -> str:
    shard = ShardOf(name, 1, "0" * 64, "0" * 64)
    return digest_of(folder / shard.tier, shard.number)


def _bomb() -> bytes:
    """Return cards whose block unpacks to half a gigabyte."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    block = b"".join([*(packer.compress(bytes(1 << 24)) for _ in range(32)), packer.flush()])
    ends = np.full(-(-200 // BLOCK_ROWS), len(block), "<u8").tobytes()
    return MAGIC + np.array([200, BLOCK_ROWS], "<u4").tobytes() + ends + block


LIES: dict[str, Callable[[Path], object]] = {
    "a byte changed": lambda folder: _file(folder, ".term").write_bytes(_file(folder, ".term").read_bytes()[:-1] + b"x"),
    "a file more": lambda folder: (folder / "more").write_bytes(b"x"),
    "a file more in a shard": lambda folder: (folder / "artists-00" / "more").write_bytes(b"x"),
    "a folder more": lambda folder: (folder / "more").mkdir(),
    "a file gone": lambda folder: _file(folder, ".pos").unlink(),
    "a link": lambda folder: (
        _file(folder, ".pos").unlink(),
        (folder / "recordings-00" / ("0" * 32 + ".pos")).symlink_to("/etc/passwd"),
    ),
    "no list": lambda folder: (folder / "index.json").unlink(),
    "a list of nothing": lambda folder: (folder / "index.json").write_bytes(b"[]"),
    "a shard above": lambda folder: _told(folder, lambda shards: shards[0].update(name="../../x")),
    "rows made up": lambda folder: _told(folder, lambda shards: shards[0].update(rows=9999)),
    "of other files": lambda folder: _told(folder, lambda shards: shards[0].update(origin="0" * 64)),
    "a shard less": lambda folder: (_told(folder, lambda shards: shards.pop(0)), shutil.rmtree(folder / "recordings-00")),
    "segments made up": lambda folder: _file(folder, "meta.json").write_bytes(b'{"segments": []}'),
    "cards that burst": lambda folder: _proved(folder, _file(folder, ".cards"), _bomb()),
    "cards that are none": lambda folder: _proved(folder, _file(folder, ".cards"), b""),
    "cards of another": lambda folder: _proved(
        folder, _file(folder, ".cards"), (folder / "recordings-01" / f"{1:032x}.cards").read_bytes()
    ),
    "documents stored": lambda folder: _proved(folder, _file(folder, ".store"), bytes(1 << 20)),
    "terms that are none": lambda folder: _proved(folder, _file(folder, ".term"), bytes(4096)),
    "a fast field that is none": lambda folder: _proved(folder, _file(folder, ".fast"), b"\xff" * 4096),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_is_not_what_it_says_is_refused(lie: str, arrived: Path, mirror: Place, tables: SnapshotTables) -> None:
    LIES[lie](arrived)
    with pytest.raises((TrustError, StoreError)):
        mirror.index().adopt(arrived, tables, catalogue())
    assert mirror.index().current() is None


def test_an_index_of_another_catalogue_is_refused(arrived: Path, mirror: Place, tables: SnapshotTables) -> None:
    other = mirror.tables([*catalogue(), recording("One more", rank=5000)], "2026-11-23", file_rows=200)
    for found, sample in ((other, []), (replace(other, name=NAME), []), (tables, [recording("Nobody sang this", "Ever", "", 3)])):
        with pytest.raises(TrustError):
            mirror.index().adopt(arrived, found, sample)
    lie = replace(catalogue()[300], artist="Another")
    with pytest.raises(TrustError, match="not found as the catalogue has it"):
        mirror.index().adopt(arrived, tables, [lie])
    with pytest.raises(TrustError, match="not a snapshot's name"):
        mirror.index().adopt(arrived, replace(tables, name="../x"), [])
    with pytest.raises(UsageError):
        mirror.index().files()
