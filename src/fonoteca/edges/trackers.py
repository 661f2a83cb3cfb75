"""Asking trackers how many have a torrent whole: by http and https (BEP 48) and by UDP (BEP 15). Nothing is announced.

libtorrent asks for one torrent at a time, which has to be added for that, so a mirror that chooses among thousands asks by itself:
many infohashes in one question, few questions, and some seconds in all. A tracker is not believed in anything but a number in
range: what it does not say, or says wrongly, stays unknown.
"""

from __future__ import annotations

import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, urlsplit

import httpx

from fonoteca.edges.http import USER_AGENT
from fonoteca.formats import bencode
from fonoteca.model.errors import FormatError
from fonoteca.model.swarming import SEEDS_MAX

INFOHASH_BYTES = 20
_ANNOUNCE = re.compile(r"/announce(?=[^/]*$)")
"""BEP 48: a tracker can be asked when the last part of its path begins so, and that becomes `scrape`."""

_MAGIC, _CONNECT, _SCRAPE = 0x41727101980, 0, 2
"""BEP 15."""

_UDP_ANSWER_BYTES = 2048
Told = Callable[[bytes, int], None]


@dataclass(frozen=True, slots=True)
class Manners:
    """How trackers are asked. census_timeout_s: for all of them, asked side by side. answer_timeout_s: for one answer.

    trackers_max: others are not asked. questions_max: to one tracker, with `pause_s` between them. hashes_max: in one question;
    BEP 15 has room for 74, and some servers take no longer address than that of 50. answer_bytes_max: of one answer over http.
    """

    census_timeout_s: float = 8.0
    answer_timeout_s: float = 3.0
    trackers_max: int = 8
    questions_max: int = 40
    hashes_max: int = 50
    pause_s: float = 0.1
    answer_bytes_max: int = 65_536


POLITE = Manners()


def scrape(trackers: Iterable[str], infohashes: Collection[bytes], manners: Manners = POLITE) -> dict[bytes, int]:
    """Return how many have torrents whole, by infohash of 20 bytes (of v2: its first 20, BEP 52), as trackers say: the most said.

    What no tracker says within the time is left out. No tracker, whatever it answers, is an error.
    """
    found: dict[bytes, int] = {}
    lock = threading.Lock()
    # Sorted, since some trackers answer in the order of the question, and a bencoded dictionary is sorted.
    asked = sorted(each for each in set(infohashes) if len(each) == INFOHASH_BYTES)

    def tell(infohash: bytes, seeds: int) -> None:
        with lock:
            if infohash in wanted and 0 <= seeds <= SEEDS_MAX:
                found[infohash] = max(seeds, found.get(infohash, 0))

    wanted = frozenset(asked)
    deadline = time.monotonic() + manners.census_timeout_s
    threads = []
    for tracker in list(dict.fromkeys(trackers))[: manners.trackers_max] if asked else []:
        # A thread each: looking a name up has no time limit of its own. One that hangs is left behind.
        errand = _Errand(tracker, asked, tell, deadline, manners)
        threads.append(threading.Thread(target=errand.run, name="scrape", daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    with lock:
        return dict(found)


@dataclass(frozen=True, slots=True)
class _Errand:
    """All questions to one tracker."""

    tracker: str
    infohashes: Sequence[bytes]
    tell: Told
    deadline: float
    manners: Manners

    def run(self) -> None:
        """Ask until all is said, time is over, or the tracker fails: then what it did not say stays unknown."""
        try:
            if urlsplit(self.tracker).scheme == "udp":
                self._by_udp()
            else:
                self._by_http()
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL, FormatError, struct.error):
            return  # a census goes on without a tracker that is away or talks nonsense, as a swarm does

    def _questions(self) -> Iterator[Sequence[bytes]]:
        """Yield what to ask, from a place by chance, so that of more than one census may ask all are known in time."""
        size = self.manners.hashes_max
        every = -(-len(self.infohashes) // size)
        first = secrets.randbelow(every)
        for asked in range(min(self.manners.questions_max, every)):
            number = (first + asked) % every
            if asked:
                time.sleep(self.manners.pause_s)
            if time.monotonic() >= self.deadline:
                return
            yield self.infohashes[number * size : (number + 1) * size]

    def _by_http(self) -> None:
        parts = urlsplit(self.tracker)
        if parts.scheme not in ("http", "https") or not _ANNOUNCE.search(parts.path):
            return
        base = parts._replace(path=_ANNOUNCE.sub("/scrape", parts.path), fragment="")
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        with httpx.Client(timeout=self.manners.answer_timeout_s, headers=headers, follow_redirects=False) as client:
            for hashes in self._questions():
                terms = [base.query] if base.query else []
                terms += [f"info_hash={quote_from_bytes(each, safe='')}" for each in hashes]
                self._read(bencode.decode(self._get(client, base._replace(query="&".join(terms)).geturl())))

    def _get(self, client: httpx.Client, url: str) -> bytes:
        content = b""
        over = min(self.deadline, time.monotonic() + self.manners.answer_timeout_s)
        with client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"status {answer.status_code}")
            for part in answer.iter_raw():
                content += part
                if len(content) > self.manners.answer_bytes_max or time.monotonic() > over:
                    raise ValueError("too long an answer")
        return content

    def _read(self, answer: bencode.Value) -> None:
        files = answer.get(b"files") if isinstance(answer, dict) else None
        for infohash, said in files.items() if isinstance(files, dict) else ():
            seeds = said.get(b"complete") if isinstance(said, dict) else None
            if isinstance(seeds, int):
                self.tell(infohash, seeds)

    def _by_udp(self) -> None:
        parts = urlsplit(self.tracker)
        family, kind, protocol, _, address = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as asking:
            asking.connect(address)
            said = self._exchange(asking, struct.pack(">Q", _MAGIC), _CONNECT, b"")
            connection = said[:8]
            for hashes in self._questions():
                counts = self._exchange(asking, connection, _SCRAPE, b"".join(hashes))
                whole = counts[: len(counts) // 12 * 12]
                for infohash, (seeds, _, _) in zip(hashes, struct.iter_unpack(">iii", whole), strict=False):
                    self.tell(infohash, seeds)

    def _exchange(self, asking: socket.socket, connection: bytes, action: int, rest: bytes) -> bytes:
        """Return what a tracker answers after action and transaction. Raises: ValueError, OSError."""
        mark = secrets.token_bytes(4)
        over = min(self.deadline, time.monotonic() + self.manners.answer_timeout_s)
        asking.send(connection + struct.pack(">i", action) + mark + rest)
        while (left := over - time.monotonic()) > 0:
            asking.settimeout(left)
            answer = asking.recv(_UDP_ANSWER_BYTES)
            if answer[4:8] != mark:
                continue  # of an earlier question, or of somebody else
            if answer[:4] != struct.pack(">i", action) or (action == _CONNECT and len(answer) < 16):
                raise ValueError("the tracker refuses")
            return answer[8:]
        raise TimeoutError("no answer")
