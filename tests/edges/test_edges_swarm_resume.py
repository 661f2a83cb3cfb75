"""A fetch that goes on believes what it proved before, as long as the file system gives no reason to doubt it."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_edges_swarm import PATIENCE, PIECE_BYTES, files_below, flip, write_root

from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.edges.swarm_resume import RESUME_FILE, _bits, _text
from fonoteca.model.errors import SourceError, StoreError
from fonoteca.ports import Swarm

SIZES = {f"o{i}/v1/t.ogg": 300_000 + i for i in range(8)}
GONE = "o7/v1/t.ogg"


@pytest.fixture(scope="module")
def torrent(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    """Return a torrent and its files."""
    root = tmp_path_factory.mktemp("resume") / "root"
    return write_root(root, SIZES), root


@pytest.fixture(scope="module")
def mirror() -> Iterator[LibtorrentSwarm]:
    """Give a swarm that fetches."""
    with LibtorrentSwarm(PATIENCE) as swarm:
        yield swarm


@pytest.fixture(scope="module")
def half(torrent: tuple[bytes, Path], mirror: LibtorrentSwarm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a fetch that stopped in order, all but one file here: its only peer had no more."""
    content, root = torrent
    folder = tmp_path_factory.mktemp("half")
    shutil.copytree(root, folder / "less")
    (folder / "less" / GONE).unlink()
    with LibtorrentSwarm(PATIENCE) as seeder:
        seeder.seed(content, folder / "less")
        with pytest.raises(SourceError):
            mirror.fetch(content, folder / "copy", [seeder.address], lambda _: None)
    assert json.loads((folder / "copy" / RESUME_FILE).read_text())["boot_id"] == "none"
    return folder / "copy"


@pytest.fixture
def seeder(torrent: tuple[bytes, Path]) -> Iterator[Swarm]:
    """Give a peer that has everything."""
    with LibtorrentSwarm(PATIENCE) as swarm:
        swarm.seed(*torrent)
        yield swarm


def _again(half: Path, folder: Path) -> Path:
    """Return a copy of that folder, stamps and all."""
    copy = shutil.copytree(half, folder / "copy")
    assert (copy / RESUME_FILE).is_file()
    return copy


def _flip_unseen(path: Path) -> None:
    """Change a byte and give the file its old time: only reading could find it."""
    before = path.stat()
    flip(path, 5)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_was_proved_is_not_read_again(
    half: Path, tmp_path: Path, torrent: tuple[bytes, Path], mirror: LibtorrentSwarm, seeder: LibtorrentSwarm
) -> None:
    copy = _again(half, tmp_path)
    _flip_unseen(copy / "o0/v1/t.ogg")
    fetched_bytes = mirror.fetch(torrent[0], copy, [seeder.address], lambda _: None)
    assert SIZES[GONE] <= fetched_bytes <= SIZES[GONE] + PIECE_BYTES
    wrong = [path for path, content in files_below(torrent[1]).items() if files_below(copy)[path] != content]
    assert wrong == ["o0/v1/t.ogg"]
    assert not (copy / RESUME_FILE).exists(), "nothing is believed of a fetch that ended: whoever adopts it reads all"
    assert mirror.fetch(torrent[0], copy, [seeder.address], lambda _: None) <= 2 * PIECE_BYTES
    assert files_below(copy) == files_below(torrent[1])


def _touch(copy: Path) -> None:
    flip(copy / "o1/v1/t.ogg", 5)


def _cut(copy: Path) -> None:
    path = copy / "o1/v1/t.ogg"
    before = path.stat()
    os.truncate(path, 100)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _remove(copy: Path) -> None:
    (copy / "o1/v1/t.ogg").unlink()


@pytest.mark.parametrize("change", [_touch, _cut, _remove])
def test_a_file_with_another_time_or_length_is_fetched_again_and_no_other(
    half: Path,
    tmp_path: Path,
    torrent: tuple[bytes, Path],
    mirror: LibtorrentSwarm,
    seeder: LibtorrentSwarm,
    change: Callable[[Path], None],
) -> None:
    copy = _again(half, tmp_path)
    change(copy)
    fetched_bytes = mirror.fetch(torrent[0], copy, [seeder.address], lambda _: None)
    assert files_below(copy) == files_below(torrent[1])
    assert fetched_bytes <= SIZES[GONE] + SIZES["o1/v1/t.ogg"] + 2 * PIECE_BYTES


def _of_another_start(copy: Path) -> None:
    _edit(copy, boot_id="00000000-0000-0000-0000-000000000000")


def _of_another_torrent(copy: Path) -> None:
    _edit(copy, infohash="0" * 64)


def _no_json(copy: Path) -> None:
    (copy / RESUME_FILE).write_bytes(b'{"format": "fonoteca-resume/1", "infohash')


def _edit(copy: Path, **changed: str) -> None:
    path = copy / RESUME_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


@pytest.mark.parametrize("doubt", [_of_another_start, _of_another_torrent, _no_json])
def test_what_cannot_be_relied_on_is_read_and_proved(
    half: Path,
    tmp_path: Path,
    torrent: tuple[bytes, Path],
    mirror: LibtorrentSwarm,
    seeder: LibtorrentSwarm,
    doubt: Callable[[Path], None],
) -> None:
    copy = _again(half, tmp_path)
    _flip_unseen(copy / "o0/v1/t.ogg")
    doubt(copy)
    fetched_bytes = mirror.fetch(torrent[0], copy, [seeder.address], lambda _: None)
    assert files_below(copy) == files_below(torrent[1])
    assert fetched_bytes <= SIZES[GONE] + 2 * PIECE_BYTES


def test_a_file_that_is_not_wanted_any_more_does_not_come_back(
    half: Path, tmp_path: Path, torrent: tuple[bytes, Path], mirror: LibtorrentSwarm, seeder: LibtorrentSwarm
) -> None:
    copy = _again(half, tmp_path)
    (copy / "o2/v1/t.ogg").unlink()
    mirror.fetch(torrent[0], copy, [seeder.address], lambda _: None, {"o2/v1/t.ogg"})
    expected = {path: content for path, content in files_below(torrent[1]).items() if path != "o2/v1/t.ogg"}
    assert files_below(copy) == expected


def test_bits_are_read_back_as_they_were_written() -> None:
    dice = random.Random(1)
    for count in (0, 1, 7, 8, 9, 1000):
        bits = [dice.random() < 0.5 for _ in range(count)]
        assert _bits(_text(bits), count) == bits
    assert _bits("no base64!", 3) == [False] * 3


def test_a_full_disk_is_told_and_once_there_is_room_the_same_process_goes_on(
    half: Path, tmp_path: Path, torrent: tuple[bytes, Path], mirror: LibtorrentSwarm, seeder: LibtorrentSwarm
) -> None:
    copy = _again(half, tmp_path)
    (copy / RESUME_FILE).unlink()
    (copy / RESUME_FILE).mkdir()
    with pytest.raises(StoreError):
        mirror.fetch(torrent[0], copy, [], lambda _: None)
    (copy / RESUME_FILE).rmdir()
    mirror.fetch(torrent[0], copy, [seeder.address], lambda _: None)
    assert files_below(copy) == files_below(torrent[1])
