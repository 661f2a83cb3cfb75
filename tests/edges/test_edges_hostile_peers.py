"""Peers that lie: a fetch ends with a clear refusal, or is made whole by an honest peer; in bounded time and memory."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_edges_swarm import files_below, small_sizes, write_root

from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.edges.swarm_resume import RESUME_FILE
from fonoteca.formats.metainfo import v1_only, v2_only
from fonoteca.model.errors import SourceError, TrustError
from fonoteca.testing.hostile_peers import (
    LIARS,
    BadBlocks,
    Choker,
    Dripper,
    HangsUp,
    HangsUpAtOnce,
    HaveFlood,
    Honest,
    NotBitTorrent,
    OneBadPiece,
    OtherTorrent,
    ShortBlocks,
    Silent,
    Staller,
    Unasked,
    listening,
)

ABSENT = (HangsUp, HangsUpAtOnce, Silent, OtherTorrent, NotBitTorrent, Choker)
"""Peers that give nothing and promise nothing for long, as honest ones may: our own seeds hang up while they check their files."""

MEMORY_GROWTH_KB_MAX = 200_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, bytes]]:
    """Return a torrent and its payload by path."""
    folder = tmp_path_factory.mktemp("hostile") / "root"
    torrent = write_root(folder, small_sizes())
    return torrent, files_below(folder)


@pytest.fixture(scope="module")
def impatient() -> Iterator[LibtorrentSwarm]:
    """Give a swarm that waits a second for a block."""
    with LibtorrentSwarm(SwarmSettings(idle_timeout_s=1.0)) as swarm:
        yield swarm


@pytest.mark.parametrize("liar", LIARS)
def test_a_liar_alone_is_refused_in_bounded_time_and_memory(
    liar: type[Honest], root: tuple[bytes, dict[str, bytes]], impatient: LibtorrentSwarm, tmp_path: Path
) -> None:
    torrent, contents = root
    peer = liar(torrent, contents)
    advanced: list[int] = []
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    with listening(peer) as address, pytest.raises((TrustError, SourceError)) as caught:
        impatient.fetch(torrent, tmp_path / "copy", [address], advanced.append)
    assert time.monotonic() - start < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < MEMORY_GROWTH_KB_MAX
    assert isinstance(caught.value, TrustError) or liar in ABSENT, caught.value
    assert "pieces are here" in caught.value.problem
    assert caught.value.remedy
    assert sum(advanced) < sum(map(len, contents.values()))
    assert set(files_below(tmp_path / "copy")) <= {*contents, RESUME_FILE}


@pytest.mark.parametrize("liar", LIARS)
def test_beside_an_honest_peer_all_arrives_and_is_right(
    liar: type[Honest], root: tuple[bytes, dict[str, bytes]], tmp_path: Path
) -> None:
    torrent, contents = root
    start = time.monotonic()
    with (
        LibtorrentSwarm(SwarmSettings(idle_timeout_s=4.0)) as swarm,
        listening(liar(torrent, contents)) as liars,
        listening(Honest(torrent, contents)) as honest,
    ):
        swarm.fetch(torrent, tmp_path / "copy", [liars, honest], lambda _: None)
    assert files_below(tmp_path / "copy") == contents
    assert time.monotonic() - start < 90


@pytest.mark.parametrize("derive", [v1_only, v2_only])
@pytest.mark.parametrize("liar", [BadBlocks, OneBadPiece, ShortBlocks])
def test_lies_are_seen_by_one_half_alone(
    liar: type[Honest],
    derive: Callable[[bytes], bytes],
    root: tuple[bytes, dict[str, bytes]],
    impatient: LibtorrentSwarm,
    tmp_path: Path,
) -> None:
    torrent, contents = derive(root[0]), root[1]
    with listening(liar(torrent, contents)) as address, pytest.raises(TrustError):
        impatient.fetch(torrent, tmp_path / "copy", [address], lambda _: None)


@pytest.mark.parametrize("liar", [BadBlocks, Staller, Dripper, Unasked, HaveFlood, ShortBlocks])
def test_a_repair_goes_on_from_a_liar_to_the_next_peer(
    liar: type[Honest], root: tuple[bytes, dict[str, bytes]], impatient: LibtorrentSwarm, tmp_path: Path
) -> None:
    torrent, contents = root
    with listening(liar(torrent, contents)) as liars, listening(Honest(torrent, contents)) as honest:
        with pytest.raises(TrustError):
            impatient.fetch_pieces(torrent, tmp_path / "pieces", [1], [liars])
        fetched = impatient.fetch_pieces(torrent, tmp_path / "more", [1], [liars, honest])
    assert fetched.pieces == {1: contents["a1/v1/content/one.ogg"][65536:131072]}


def test_what_was_proved_before_a_lie_is_kept_and_not_fetched_again(root: tuple[bytes, dict[str, bytes]], tmp_path: Path) -> None:
    torrent, contents = root
    honest = Honest(torrent, contents)
    with LibtorrentSwarm(SwarmSettings(idle_timeout_s=4.0)) as swarm:
        with listening(OneBadPiece(torrent, contents)) as address, pytest.raises(TrustError) as refusal:
            swarm.fetch(torrent, tmp_path / "copy", [address], lambda _: None)
        told = re.search(r"(\d+) of 14 pieces are here", str(refusal.value))
        assert told is not None
        here = int(told[1])
        with listening(honest) as address:
            fetched_bytes = swarm.fetch(torrent, tmp_path / "copy", [address], lambda _: None)
    assert 0 < here < 14
    assert 0 < fetched_bytes <= (14 - here) * 65536
    assert 0 < honest.asked <= 4 * (14 - here)
    assert files_below(tmp_path / "copy") == contents


def test_the_message_names_the_peer_and_what_it_did(
    root: tuple[bytes, dict[str, bytes]], impatient: LibtorrentSwarm, tmp_path: Path
) -> None:
    torrent, contents = root
    for liar, lie in ((Staller, "promised pieces and sent none of them for 1 s"), (ShortBlocks, "broke the protocol")):
        with listening(liar(torrent, contents)) as (host, port), pytest.raises(TrustError, match=f"{host}:{port} {lie}"):
            impatient.fetch(torrent, tmp_path / liar.__name__, [(host, port)], lambda _: None)
    with listening(Unasked(torrent, contents)) as address, pytest.raises(TrustError, match="bytes that nobody asked for"):
        impatient.fetch(torrent, tmp_path / "unasked", [address], lambda _: None)
