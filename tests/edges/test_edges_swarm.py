"""Two real libtorrent sessions on loopback."""

from __future__ import annotations

import os
import random
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import libtorrent as lt
import pytest

from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.edges.swarm_session import Session, load_torrent
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce, hybrid_torrent, parse_torrent, v1_only, v2_only
from fonoteca.model.corridor import MemberFile
from fonoteca.model.errors import FormatError, SourceError, StoreError, TrustError, UsageError
from fonoteca.ports import Swarm

PIECE_BYTES = 65536
PATIENCE = SwarmSettings(idle_timeout_s=2.0)

OpenSwarm = Callable[..., LibtorrentSwarm]


def write_root(root: Path, sizes: dict[str, int], seed: int = 1) -> bytes:
    """Return the hybrid torrent of files of these sizes, written below `root`."""
    source = random.Random(seed)
    members = []
    for path, size in sizes.items():
        content = source.randbytes(size)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        members.append(MemberFile(path, hash_bytes(content, PIECE_BYTES)))
    return hybrid_torrent("an-archive", members, PIECE_BYTES, Announce()).content


def files_below(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def small_sizes() -> dict[str, int]:
    return {"a1/v1/content/one.ogg": 300_000, "a1/v1/inventory.json": 900, "b2/v1/content/two.ogg": 500_001, "b2/v1/empty": 0}


@pytest.fixture
def open_swarm() -> Iterator[OpenSwarm]:
    opened: list[LibtorrentSwarm] = []

    def make(settings: SwarmSettings = PATIENCE) -> LibtorrentSwarm:
        opened.append(LibtorrentSwarm(settings))
        return opened[-1]

    yield make
    for swarm in opened:
        swarm.close()


class LyingSeed:
    """Seeds whatever is on disk without looking at it."""

    def __init__(self, torrent: bytes, root: Path) -> None:
        self.session = Session(SwarmSettings())
        params = load_torrent(torrent, root)
        assert params.ti is not None
        params.have_pieces = [True] * params.ti.num_pieces()
        params.flags |= lt.torrent_flags.no_verify_files | lt.torrent_flags.upload_mode
        self.handle = self.session.add(params)
        self.address = self.session.address


def test_a_drop_of_many_files_arrives_byte_for_byte_without_pads(
    tmp_path: Path, open_swarm: OpenSwarm, record_property: Callable[[str, object], None]
) -> None:
    sizes = {f"{i % 7:03x}/o{i:03d}/v1/content/t.ogg": 1000 + 997 * i for i in range(200)}
    sizes |= {"fff/long/v1/content/x.flac": 60_000_000, "fff/long/v1/empty": 0}
    torrent = write_root(tmp_path / "root", sizes)
    seeder, mirror = open_swarm(), open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    advanced: list[int] = []
    start = time.monotonic()
    fetched_bytes = mirror.fetch(torrent, tmp_path / "copy", [seeder.address], advanced.append)
    seconds = time.monotonic() - start
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")
    assert sum(advanced) == sum(sizes.values())
    assert sum(sizes.values()) <= fetched_bytes <= sum(sizes.values()) + 16384 * len(sizes)
    record_property("mb_per_s", sum(sizes.values()) / seconds / 1e6)


@pytest.mark.parametrize("derive", [v1_only, v2_only])
def test_single_protocol_torrents_of_the_same_root_are_seeded_and_fetched_too(
    tmp_path: Path, open_swarm: OpenSwarm, derive: Callable[[bytes], bytes]
) -> None:
    torrent = derive(write_root(tmp_path / "root", small_sizes()))
    seeder: Swarm = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    open_swarm().fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")


def test_two_drops_are_seeded_from_one_root_and_fetched_into_one_folder(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    first = write_root(tmp_path / "root", {"a/x": 100_000, "a/y": 5}, seed=1)
    second = write_root(tmp_path / "root", {"b/x": 100_000, "c/y": 7}, seed=2)
    seeder, mirror = open_swarm(), open_swarm()
    for torrent in (first, second, first):
        seeder.seed(torrent, tmp_path / "root")
    for torrent in (second, first):
        mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
        mirror.seed(torrent, tmp_path / "copy")
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")
    open_swarm().fetch(first, tmp_path / "second-copy", [mirror.address], lambda _: None)
    assert set(files_below(tmp_path / "second-copy")) == {"a/x", "a/y"}


def test_a_damaged_seed_sends_no_bad_byte_and_changes_no_file(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    flip(tmp_path / "root" / "b2/v1/content/two.ogg", 70_000)
    damaged = files_below(tmp_path / "root")
    stats = {p: p.stat().st_mtime_ns for p in (tmp_path / "root").rglob("*")}
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    with pytest.raises(SourceError, match=r"nothing new from any of 1 known peers.*13 of 14 pieces are here"):
        open_swarm().fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
    assert (tmp_path / "copy/a1/v1/content/one.ogg").read_bytes() == damaged["a1/v1/content/one.ogg"]
    two = (tmp_path / "copy/b2/v1/content/two.ogg").read_bytes()
    assert two[70_000 - 100 : 70_100] == bytes(200)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "root").rglob("*")} == stats
    assert files_below(tmp_path / "root") == damaged


def test_a_seed_with_files_missing_or_cut_gives_the_rest(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes() | {"c3/v1/content/three.ogg": 200_000})
    (tmp_path / "root/b2/v1/content/two.ogg").unlink()
    os.truncate(tmp_path / "root/c3/v1/content/three.ogg", 70_000)
    before = files_below(tmp_path / "root")
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    with pytest.raises(SourceError):
        open_swarm().fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
    assert (tmp_path / "copy/a1/v1/content/one.ogg").read_bytes() == before["a1/v1/content/one.ogg"]
    assert (tmp_path / "copy/c3/v1/content/three.ogg").read_bytes()[:65536] == before["c3/v1/content/three.ogg"][:65536]
    assert files_below(tmp_path / "root") == before


def test_a_peer_that_sends_bad_bytes_is_not_trusted_and_none_is_kept(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", {"a/x": 64_000, "b/y": 60_000})
    for path in ("a/x", "b/y"):
        flip(tmp_path / "root" / path, 1000)
    liar = LyingSeed(torrent, tmp_path / "root")
    mirror = open_swarm()
    start = time.monotonic()
    with pytest.raises(TrustError, match=r"127\.0\.0\.1:\d+ sent bytes that fail.*0 of 2 pieces are here"):
        mirror.fetch(torrent, tmp_path / "copy", [liar.address], lambda _: None)
    assert time.monotonic() - start < 2, "a banned peer is not waited for"
    with pytest.raises(TrustError):
        mirror.fetch_pieces(torrent, tmp_path / "pieces", [0], [liar.address])


def test_with_one_honest_peer_among_liars_the_drop_arrives(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    write_root(tmp_path / "lies", small_sizes(), seed=9)
    liar = LyingSeed(torrent, tmp_path / "lies")
    seeder, mirror = open_swarm(), open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    mirror.fetch(torrent, tmp_path / "copy", [liar.address, seeder.address], lambda _: None)
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")
    pieces = mirror.fetch_pieces(torrent, tmp_path / "pieces", [1, 2], [liar.address, seeder.address]).pieces
    assert pieces[1] == (tmp_path / "root/a1/v1/content/one.ogg").read_bytes()[65536:131072]


def test_an_interrupted_fetch_goes_on_where_it_stopped(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    sizes = {f"o{i}/v1/t.ogg": 1_000_000 for i in range(20)}
    torrent = write_root(tmp_path / "root", sizes)
    seeder, mirror = open_swarm(), open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    for path in list(sizes)[:15]:
        (tmp_path / "copy" / path).parent.mkdir(parents=True)
        (tmp_path / "copy" / path).write_bytes((tmp_path / "root" / path).read_bytes())
    flip(tmp_path / "copy/o0/v1/t.ogg", 5)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mirror.fetch(torrent, tmp_path / "copy", [seeder.address], interrupt)
    fetched_bytes = mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
    assert fetched_bytes <= 5 * 1_000_000 + 20 * 65536
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")
    assert mirror.fetch(torrent, tmp_path / "copy", [], lambda _: None) == 0


def test_ctrl_c_ends_a_fetch_that_waits_and_keeps_what_is_there(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    (tmp_path / "root/b2/v1/content/two.ogg").unlink()
    (tmp_path / "torrent").write_bytes(torrent)
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    code = (
        "import sys\nfrom pathlib import Path\nfrom fonoteca.edges.swarm import LibtorrentSwarm\n"
        "folder = Path(sys.argv[1])\n"
        "LibtorrentSwarm().fetch((folder / 'torrent').read_bytes(), folder / 'copy', "
        "[('127.0.0.1', int(sys.argv[2]))], lambda n: print(n, flush=True))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(seeder.address[1])]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    arrived = 0
    while arrived < 300_900:
        arrived += int(child.stdout.readline())
    child.send_signal(2)
    _, errors = child.communicate(timeout=10)
    assert child.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert (tmp_path / "copy/a1/v1/content/one.ogg").read_bytes() == (tmp_path / "root/a1/v1/content/one.ogg").read_bytes()


def test_only_the_pieces_that_are_asked_for_are_fetched(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes() | {"z/long": 3_000_000})
    contents = files_below(tmp_path / "root")
    first = {file.path: file.first_piece for file in parse_torrent(torrent).files}
    one, two, long = first["a1/v1/content/one.ogg"], first["b2/v1/content/two.ogg"], first["z/long"]
    last_of_one = one + 300_000 // PIECE_BYTES
    wanted = [long + 7, last_of_one, two, two]
    seeders = [open_swarm(), open_swarm()]
    for seeder in seeders:
        seeder.seed(torrent, tmp_path / "root")
    fetched = open_swarm().fetch_pieces(torrent, tmp_path / "pieces", wanted, [s.address for s in seeders])
    assert dict(fetched.pieces) == {
        last_of_one: contents["a1/v1/content/one.ogg"][300_000 // PIECE_BYTES * PIECE_BYTES :],
        two: contents["b2/v1/content/two.ogg"][:PIECE_BYTES],
        long + 7: contents["z/long"][7 * PIECE_BYTES : 8 * PIECE_BYTES],
    }
    assert 2 * PIECE_BYTES < fetched.payload_bytes <= 3 * PIECE_BYTES


def test_pieces_are_fetched_for_a_torrent_that_is_seeded_meanwhile(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    write_root(tmp_path / "copy", small_sizes())
    flip(tmp_path / "root/a1/v1/content/one.ogg", 5)
    archive, mirror = open_swarm(), open_swarm()
    archive.seed(torrent, tmp_path / "root")
    mirror.seed(torrent, tmp_path / "copy")
    fetched = archive.fetch_pieces(torrent, tmp_path / "pieces", [0], [mirror.address])
    good = (tmp_path / "copy/a1/v1/content/one.ogg").read_bytes()
    assert fetched.pieces == {0: good[:PIECE_BYTES]}
    (tmp_path / "root/a1/v1/content/one.ogg").write_bytes(good)
    open_swarm().fetch(torrent, tmp_path / "third", [archive.address], lambda _: None)
    assert files_below(tmp_path / "third") == files_below(tmp_path / "copy")


def test_a_torrent_that_is_no_longer_seeded_is_not_to_be_had(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    seeder.unseed(torrent)
    seeder.unseed(torrent)
    with pytest.raises(SourceError, match="0 of 14 pieces"):
        open_swarm().fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)


def test_nobody_there_is_a_source_error_after_the_time_limit(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = ("127.0.0.1", server.getsockname()[1])
    swarm = open_swarm(SwarmSettings(idle_timeout_s=0.5))
    for peers in ([nobody], []):
        with pytest.raises(SourceError, match=r"torrent an-archive \(\w{16}\): nothing new"):
            swarm.fetch(torrent, tmp_path / "copy", peers, lambda _: None)
    with pytest.raises(SourceError):
        swarm.fetch_pieces(torrent, tmp_path / "pieces", [1], [nobody])


def test_a_disk_that_cannot_be_written_is_a_store_error(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/a1").write_bytes(b"a file where a folder must be")
    with pytest.raises(StoreError, match="an-archive"):
        open_swarm().fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)


def test_seeding_needs_no_right_to_write(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    for path in [tmp_path / "root", *(tmp_path / "root").rglob("*")]:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    open_swarm().fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")
    for path in [tmp_path / "root", *(tmp_path / "root").rglob("*")]:
        path.chmod(0o755)


def test_wrong_use_is_told(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    swarm = open_swarm()
    with pytest.raises(FormatError):
        swarm.seed(b"d4:spam4:eggse", tmp_path)
    with pytest.raises(UsageError):
        swarm.seed(torrent, tmp_path / "gone")
    with pytest.raises(UsageError, match="has pieces 0 to 13"):
        swarm.fetch_pieces(torrent, tmp_path / "pieces", [99], [("127.0.0.1", 1)])
    with pytest.raises(UsageError, match="not a port"):
        swarm.fetch(torrent, tmp_path / "copy", [("127.0.0.1", 0)], lambda _: None)
    with pytest.raises(UsageError, match="cannot listen"):
        LibtorrentSwarm(SwarmSettings(listen_port=swarm.address[1]))
    swarm.close()
    swarm.close()
    with pytest.raises(UsageError, match="closed"):
        swarm.seed(torrent, tmp_path / "root")


def test_a_torrent_with_links_is_refused(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    info = {b"name": b"n", b"piece length": 16384, b"pieces": bytes(20), b"files": [
        {b"length": 10, b"path": [b"x"]},
        {b"length": 0, b"path": [b"y"], b"attr": b"l", b"symlink path": [b"x"]},
    ]}  # fmt: skip
    with pytest.raises(TrustError, match="a link"):
        open_swarm().fetch(lt.bencode({b"info": info}), tmp_path, [], lambda _: None)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(bytes(content))


def test_files_that_are_not_wanted_do_not_arrive(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    sizes = small_sizes()
    torrent = write_root(tmp_path / "root", sizes)
    seeder, mirror = open_swarm(), open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    advanced: list[int] = []
    without = {"b2/v1/content/two.ogg", "b2/v1/empty"}
    fetched_bytes = mirror.fetch(torrent, tmp_path / "copy", [seeder.address], advanced.append, without)
    expected = {path: content for path, content in files_below(tmp_path / "root").items() if path not in without}
    assert files_below(tmp_path / "copy") == expected
    assert sum(map(len, expected.values())) == sum(advanced) <= fetched_bytes < 350_000
    assert mirror.fetch(torrent, tmp_path / "none", [], advanced.append, set(sizes)) == 0
    assert files_below(tmp_path / "none") == {}
