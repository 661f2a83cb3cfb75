"""Web seeds that lie, to libtorrent and to a repair: a clear refusal, or the right bytes, in bounded time and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_edges_swarm import files_below, small_sizes, write_root

from fonoteca.edges.http import HttpLimits
from fonoteca.edges.mirrors import WebSeedMirror
from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.formats.metainfo import Announce, announced_also
from fonoteca.model.errors import FonotecaError, SourceError, TrustError
from fonoteca.testing.hostile_hosts import (
    LIES,
    Host,
    busy,
    endless_head,
    everything,
    hosting,
    other_bytes,
    other_part_unsaid,
    page_as_part,
    page_for_all,
    to_elsewhere,
)
from fonoteca.testing.hostile_peers import Honest, listening

Lie = Callable[[Host, bytes, int, int], None]

GIVE_ALL = (everything, other_part_unsaid, to_elsewhere)
"""Habits from which libtorrent makes the right bytes: it asks for whole files first, and follows to an honest host."""

PROVED_BY_THE_CALLER = (page_as_part, other_bytes, other_part_unsaid)
"""Lies that look as asked for. A repair proves each piece by its hash; `test_flows_mirrors` shows that it does."""

HASTE = HttpLimits(connect_timeout_s=1, idle_timeout_s=0.5, fetch_timeout_s=1, attempts_max=2, retry_wait_s=0.01)
MEMORY_GROWTH_KB_MAX = 200_000
NAME = "an-archive"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, bytes]]:
    """Return a torrent and its payload by path."""
    folder = tmp_path_factory.mktemp("hosts") / "root"
    torrent = write_root(folder, small_sizes())
    return torrent, files_below(folder)


@pytest.fixture(scope="module")
def elsewhere(root: tuple[bytes, dict[str, bytes]]) -> Iterator[str]:
    """Return the address of an honest host, to which others redirect."""
    with hosting(_hosted(root[1])) as (address, _):
        yield address


@pytest.fixture(scope="module")
def impatient() -> Iterator[LibtorrentSwarm]:
    """Give a swarm that waits two seconds for a block."""
    with LibtorrentSwarm(SwarmSettings(idle_timeout_s=2.0)) as swarm:
        yield swarm


def _hosted(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{NAME}/{path}": content for path, content in contents.items()}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_web_seed_that_lies_is_refused_or_gives_the_right_bytes(
    lie: Lie, root: tuple[bytes, dict[str, bytes]], elsewhere: str, impatient: LibtorrentSwarm, tmp_path: Path
) -> None:
    torrent, contents = root
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    with hosting(_hosted(contents), lie, elsewhere) as (address, asked):
        announced = announced_also(torrent, Announce(web_seeds=(f"{address}/",)))
        if lie in GIVE_ALL:
            impatient.fetch(announced, tmp_path / "copy", [], lambda _: None)
            assert files_below(tmp_path / "copy") == contents
        else:
            with pytest.raises(SourceError if lie is busy else TrustError, match="pieces are here"):
                impatient.fetch(announced, tmp_path / "copy", [], lambda _: None)
    assert asked
    assert time.monotonic() - start < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < MEMORY_GROWTH_KB_MAX


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie not in GIVE_ALL], ids=lambda lie: lie.__name__)
def test_beside_an_honest_peer_all_arrives_and_is_right(lie: Lie, root: tuple[bytes, dict[str, bytes]], tmp_path: Path) -> None:
    torrent, contents = root
    with (
        LibtorrentSwarm(SwarmSettings(idle_timeout_s=4.0)) as swarm,
        hosting(_hosted(contents), lie) as (address, _),
        listening(Honest(torrent, contents)) as honest,
    ):
        announced = announced_also(torrent, Announce(web_seeds=(f"{address}/",)))
        swarm.fetch(announced, tmp_path / "copy", [honest], lambda _: None)
    assert files_below(tmp_path / "copy") == contents


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_mirror_read_by_ranges_gives_what_was_asked_for_or_an_error(
    lie: Lie, root: tuple[bytes, dict[str, bytes]], elsewhere: str
) -> None:
    path, content = "a1/v1/content/one.ogg", root[1]["a1/v1/content/one.ogg"]
    start = time.monotonic()
    with hosting(_hosted(root[1]), lie, elsewhere) as (address, _):
        mirror = WebSeedMirror(address, [f"{address}/{NAME}/"], HASTE)
        if lie is to_elsewhere or lie in PROVED_BY_THE_CALLER:
            found = mirror.read_range(path, 65536, 65536)
            assert found is not None
            assert len(found) == 65536
            assert (found == content[65536:131072]) == (lie is to_elsewhere)
        else:
            with pytest.raises(FonotecaError):
                mirror.read_range(path, 65536, 65536)
        mirror.close()
    assert time.monotonic() - start < 20


def test_a_web_seed_that_floods_is_let_go_of_before_memory_is_short(
    root: tuple[bytes, dict[str, bytes]], impatient: LibtorrentSwarm, tmp_path: Path
) -> None:
    start = time.monotonic()
    with hosting(_hosted(root[1]), endless_head) as (address, _):
        announced = announced_also(root[0], Announce(web_seeds=(f"{address}/",)))
        with pytest.raises(TrustError, match=r"that nobody asked for|broke the protocol"):
            impatient.fetch(announced, tmp_path / "copy", [], lambda _: None)
    assert time.monotonic() - start < 30


def test_pages_of_a_web_seed_are_never_kept_as_music(
    root: tuple[bytes, dict[str, bytes]], impatient: LibtorrentSwarm, tmp_path: Path
) -> None:
    with hosting(_hosted(root[1]), page_for_all) as (address, _):
        announced = announced_also(root[0], Announce(web_seeds=(f"{address}/",)))
        with pytest.raises(TrustError, match="0 of 14 pieces are here"):
            impatient.fetch(announced, tmp_path / "copy", [], lambda _: None)
    with listening(Honest(*root)) as honest:
        impatient.fetch(root[0], tmp_path / "copy", [honest], lambda _: None)
    assert files_below(tmp_path / "copy") == root[1]
