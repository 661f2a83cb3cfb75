"""What was withdrawn is given to nobody: real peers get none of its pieces, and all of the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import libtorrent as lt
import pytest
from test_edges_swarm import OpenSwarm, files_below, open_swarm, small_sizes, write_root

from fonoteca.edges.swarm import SwarmSettings
from fonoteca.edges.swarm_session import Session, load_torrent
from fonoteca.formats.metainfo import parse_torrent, v1_only, v2_only
from fonoteca.model.errors import SourceError

__all__ = ["open_swarm"]

MASKED = "b2/v1/content/two.ogg"
HASTY = SwarmSettings(idle_timeout_s=1.0)


class Peer:
    """A plain libtorrent peer that takes whatever it can get, and remembers which pieces it was offered."""

    def __init__(self, torrent: bytes, folder: Path, seed: tuple[str, int]) -> None:
        folder.mkdir()
        self.session = Session(SwarmSettings())
        params = load_torrent(torrent, folder)
        params.peers = [seed]
        self.handle = self.session.add(params)

    def take(self, pieces: int, seconds: float = 10) -> set[int]:
        """Return the pieces that are here once so many are, or time is over; a while is waited for one more."""
        deadline = time.monotonic() + seconds
        while self.handle.status().num_pieces < pieces and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        return {index for index, here in enumerate(self.handle.status().pieces) if here}

    def offered(self) -> set[int]:
        """Return the pieces that anyone connected says to have."""
        return {index for each in self.handle.get_peer_info() for index, has in enumerate(each.pieces) if has}


def pieces_of(torrent: bytes, path: str) -> set[int]:
    """Return the pieces of a file, by the torrent as Fonoteca reads it."""
    metainfo = parse_torrent(torrent)
    found = next(file for file in metainfo.files if file.path == path)
    return set(range(found.first_piece, found.first_piece - (-found.file_bytes // metainfo.piece_bytes)))


@pytest.mark.parametrize("state", ["seed", "verified", "cut"])
def test_a_peer_gets_no_piece_of_what_is_masked_and_all_the_others(state: str, tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes() | {"c3/v1/content/three.ogg": 200_000})
    masked = pieces_of(torrent, MASKED)
    others = set(range(lt.torrent_info(torrent).num_pieces())) - masked
    assert masked
    lost: set[int] = set()
    if state == "cut":  # libtorrent checks all files by itself then
        os.truncate(tmp_path / "root/c3/v1/content/three.ogg", 70_000)
        lost = {min(pieces_of(torrent, "c3/v1/content/three.ogg")) + index for index in (1, 2, 3)}
    before = files_below(tmp_path / "root")
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root", verify=state == "verified", without=[MASKED])
    peer = Peer(torrent, tmp_path / "peer", seeder.address)
    got = peer.take(len(others - lost))
    assert got & masked == set()
    assert peer.offered() & masked == set()
    assert got == others - lost
    assert files_below(tmp_path / "root") == before, "a seed changes nothing that it seeds"
    assert not any(b.strip(b"\0") for p, b in files_below(tmp_path / "peer").items() if p == MASKED)
    peer.session.close()


@pytest.mark.parametrize("derive", [v1_only, v2_only])
def test_peers_of_one_protocol_get_no_piece_of_it_either(
    derive: Callable[[bytes], bytes], tmp_path: Path, open_swarm: OpenSwarm
) -> None:
    torrent = derive(write_root(tmp_path / "root", small_sizes()))
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root", without=[MASKED])
    mirror = open_swarm(HASTY)
    with pytest.raises(SourceError, match="nothing new"):
        mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
    got = files_below(tmp_path / "copy")
    assert not got.get(MASKED, b"").strip(b"\0")
    assert got["a1/v1/content/one.ogg"] == files_below(tmp_path / "root")["a1/v1/content/one.ogg"]


def test_a_mask_is_put_on_and_taken_off_while_peers_are_connected(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    every = set(range(lt.torrent_info(torrent).num_pieces()))
    seeder = open_swarm()
    seeder.seed(torrent, tmp_path / "root")
    seeder.seed(torrent, tmp_path / "root", without=[MASKED])
    peer = Peer(torrent, tmp_path / "peer", seeder.address)
    assert peer.take(len(every) - 8) == every - pieces_of(torrent, MASKED)
    seeder.seed(torrent, tmp_path / "root")
    assert peer.take(len(every)) == every
    peer.session.close()


def test_a_fetch_gives_nothing_on_of_what_it_is_told_to_leave(tmp_path: Path, open_swarm: OpenSwarm) -> None:
    """An earlier run may have fetched it, before it was withdrawn: a peer of the fetch gets it from nobody."""
    torrent = write_root(tmp_path / "root", small_sizes())
    copy = tmp_path / "copy"
    (copy / MASKED).parent.mkdir(parents=True)
    (copy / MASKED).write_bytes((tmp_path / "root" / MASKED).read_bytes())
    seeder, mirror = open_swarm(), open_swarm()
    seeder.seed(torrent, tmp_path / "root", without=[MASKED])
    advanced: list[int] = []
    mirror.fetch(torrent, copy, [seeder.address], advanced.append, without=[MASKED])
    assert sum(advanced) == sum(size for path, size in small_sizes().items() if path != MASKED)
