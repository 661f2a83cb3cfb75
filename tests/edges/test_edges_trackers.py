"""A census of seeds: a real tracker on loopback, real seeds, and trackers that lie."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.edges.trackers import POLITE, scrape
from fonoteca.formats import bencode
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce, hybrid_torrent, parse_torrent
from fonoteca.model.corridor import MemberFile
from fonoteca.testing.tracker import Tracker, tracking

HASH = bytes(range(20))
HASTY = replace(POLITE, census_timeout_s=1.5, answer_timeout_s=0.5)


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    with tracking() as found:
        yield found


def await_true(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def torrent_in(folder: Path, tracker: str) -> bytes:
    content = random.Random(7).randbytes(200_000)
    folder.mkdir(exist_ok=True)
    (folder / "one.ogg").write_bytes(content)
    announce = Announce(trackers=(tracker,))
    return hybrid_torrent("an-archive", [MemberFile("one.ogg", hash_bytes(content, 65536))], 65536, announce).content


def test_real_seeds_are_counted_by_http_and_udp_under_both_infohashes(tmp_path: Path, tracker: Tracker) -> None:
    torrent = torrent_in(tmp_path, tracker.url)
    named = parse_torrent(torrent)
    both = [bytes.fromhex(named.infohash_v1), bytes.fromhex(named.infohash_v2)[:20]]
    with LibtorrentSwarm(SwarmSettings()) as one, LibtorrentSwarm(SwarmSettings()) as two:
        one.seed(torrent, tmp_path)
        await_true(lambda: len(tracker.whole.get(both[0], ())) == 1 and len(tracker.whole.get(both[1], ())) == 1)
        two.seed(torrent, tmp_path)
        await_true(lambda: all(len(tracker.whole.get(each, ())) == 2 for each in both))
        assert scrape([tracker.url], [*both, HASH]) == dict.fromkeys(both, 2), "what nobody knows is left out, not 0"
        assert scrape([tracker.udp_url], both) == dict.fromkeys(both, 2)
        await_true(lambda: two.torrents()[named.infohash_v2].seeds == 2)
    assert LibtorrentSwarm(SwarmSettings()).torrents() == {}


def test_a_seed_without_a_tracker_knows_of_nobody(tmp_path: Path) -> None:
    torrent = torrent_in(tmp_path, "http://127.0.0.1:1/announce")
    with LibtorrentSwarm(SwarmSettings()) as swarm:
        swarm.seed(torrent, tmp_path)
        [now] = swarm.torrents().values()
        assert (now.seeds, now.peers, now.uploaded_bytes) == (None, 0, 0)


def test_many_infohashes_go_in_few_questions(tracker: Tracker) -> None:
    hashes = [number.to_bytes(20, "big") for number in range(120)]
    tracker.whole = {each: {b"a"} for each in hashes}
    assert scrape([tracker.url, tracker.url], hashes) == dict.fromkeys(hashes, 1)
    assert sorted(tracker.questions) == [20, 50, 50]
    one = replace(POLITE, questions_max=1)
    known: dict[bytes, int] = {}
    while len(known) < len(hashes):  # each census begins somewhere else
        answered = scrape([tracker.url], hashes, one)
        assert len(answered) in (20, 50)
        known |= answered
    assert scrape([tracker.url.replace("announce", "other")], hashes) == {}, "it says that it cannot be asked"


@pytest.mark.parametrize(
    "lie",
    [
        bencode.encode({b"files": {HASH: {"complete": -1}}}),
        bencode.encode({b"files": {HASH: {"complete": 2**62}}}),
        bencode.encode({b"files": {HASH: {"complete": b"9"}}}),
        bencode.encode({b"files": {HASH: 3, b"short": {"complete": 3}, bytes(20): {"complete": 3}}}),
        bencode.encode({b"files": [HASH]}),
        bencode.encode([1]),
        b"d5:filesd20:" + HASH + b"d8:completei4eeee" + b"x" * 100_000,
        b"l" * 60_000,
        b"<html>Sign in to the hotel's network</html>",
        b"",
    ],
)
def test_what_a_tracker_makes_up_stays_unknown(tracker: Tracker, lie: bytes) -> None:
    tracker.lie = lie
    assert scrape([tracker.url], [HASH]) == {}


@pytest.mark.parametrize("lie", [b"\xff" * 12, b"\x7f" * 12, b"", b"\0\0\0\1", b"\0\0\0\0" * 2])
def test_what_a_tracker_makes_up_by_udp_stays_unknown(tracker: Tracker, lie: bytes) -> None:
    tracker.udp_lie = lie
    assert scrape([tracker.udp_url], [HASH]) == {}


@contextmanager
def endless(head: bytes) -> Iterator[str]:
    """Serve one byte after another for ever, or nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(head)
                    while head:
                        connection.sendall(b"i")
                        time.sleep(0.01)
                    connection.recv(1)
                    time.sleep(3)
            except OSError:
                return

        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/announce"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\nd5:files", b"HTTP/1.1 200 OK\r\nX: "])
def test_an_endless_tracker_takes_no_longer_than_a_census_may_and_others_are_heard(tracker: Tracker, head: bytes) -> None:
    tracker.whole = {HASH: {b"a", b"b"}}
    with endless(head) as place:
        before = time.monotonic()
        assert scrape([place, tracker.url, "http://[", "wss://127.0.0.1/announce", "udp://127.0.0.1:1"], [HASH], HASTY) == {HASH: 2}
        assert time.monotonic() - before < HASTY.census_timeout_s + 2
