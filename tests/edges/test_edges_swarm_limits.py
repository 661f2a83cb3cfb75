"""What a swarm may use: rates, hours of rest, encryption, addresses. Two real sessions on loopback."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
from test_edges_swarm import files_below, small_sizes, write_root

from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.model.errors import SourceError, UsageError
from fonoteca.model.swarming import Rates

PATIENCE = SwarmSettings(idle_timeout_s=2.0)


def test_a_limit_holds_and_is_lifted_while_bytes_flow(tmp_path: Path) -> None:
    torrent = write_root(tmp_path / "root", {"a/one": 3_000_000})
    with LibtorrentSwarm(SwarmSettings(limit_local=True)) as seeder, LibtorrentSwarm(PATIENCE) as mirror:
        seeder.seed(torrent, tmp_path / "root")
        seeder.limit(Rates(upload_bytes_per_s=300_000))
        lifted = threading.Timer(1.5, seeder.limit, [Rates()])
        lifted.start()
        begun = time.monotonic()
        mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
        assert time.monotonic() - begun > 1.0
        lifted.join()
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")


def test_a_fetch_waits_while_it_rests_and_goes_on_afterwards(tmp_path: Path) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    settings = SwarmSettings(idle_timeout_s=0.5, rates=Rates(resting=True))
    with LibtorrentSwarm(PATIENCE) as seeder, LibtorrentSwarm(settings) as mirror:
        seeder.seed(torrent, tmp_path / "root")
        assert mirror.now().resting
        awake = threading.Timer(1.5, mirror.limit, [Rates()])
        awake.start()
        begun = time.monotonic()
        mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
        assert time.monotonic() - begun > 1.0
        assert not mirror.now().resting
        awake.join()
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")


def test_a_swarm_says_what_it_gave(tmp_path: Path) -> None:
    sizes = small_sizes()
    torrent = write_root(tmp_path / "root", sizes)
    with LibtorrentSwarm(PATIENCE) as seeder, LibtorrentSwarm(PATIENCE) as mirror:
        seeder.seed(torrent, tmp_path / "root")
        assert (seeder.now().torrents, seeder.now().uploaded_bytes) == (1, 0)
        mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
        assert seeder.now().uploaded_bytes >= sum(sizes.values())
        seeder.unseed(torrent)
        assert seeder.now().torrents == 0


@pytest.mark.parametrize(
    ("one", "other", "meet"), [("required", "allowed", True), ("required", "off", False), ("off", "off", True)]
)
def test_who_requires_encryption_talks_to_nobody_without(tmp_path: Path, one: str, other: str, meet: bool) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    with LibtorrentSwarm(SwarmSettings(encryption=one)) as seeder:
        seeder.seed(torrent, tmp_path / "root")
        with LibtorrentSwarm(SwarmSettings(encryption=other, idle_timeout_s=5.0 if meet else 1.0)) as mirror:
            if meet:
                mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)
                assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")
            else:
                with pytest.raises(SourceError, match="0 of 14 pieces"):
                    mirror.fetch(torrent, tmp_path / "copy", [seeder.address], lambda _: None)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_a_swarm_on_all_addresses_is_reached_by_ipv6_too(tmp_path: Path) -> None:
    torrent = write_root(tmp_path / "root", small_sizes())
    with socket.create_server(("0.0.0.0", 0)) as free:
        port = free.getsockname()[1]
    everywhere = SwarmSettings(listen_host="", listen_port=port, ipv6=True)
    with LibtorrentSwarm(everywhere) as seeder, LibtorrentSwarm(SwarmSettings(listen_host="::1", idle_timeout_s=5.0)) as mirror:
        seeder.seed(torrent, tmp_path / "root")
        mirror.fetch(torrent, tmp_path / "copy", [("::1", port)], lambda _: None)
    assert files_below(tmp_path / "copy") == files_below(tmp_path / "root")


def test_a_port_that_is_taken_on_one_kind_of_address_is_not_had_on_the_other_alone() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="cannot listen"):
            LibtorrentSwarm(SwarmSettings(listen_host="", ipv6=True, listen_port=port))
