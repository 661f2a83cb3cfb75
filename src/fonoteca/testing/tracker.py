"""A small tracker on loopback: /announce (BEP 3, 7, 23) and /scrape (BEP 48) by http, scrapes by UDP (BEP 15)."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_to_bytes, urlsplit

from fonoteca.formats import bencode

_MAGIC = 0x41727101980
_CONNECTION = 0x0102030405060708


@dataclass
class Tracker:
    """Who has what. url: where to announce. udp_url: the same by UDP, for scrapes alone.

    whole: infohash to the ids of the peers that have nothing left to fetch. questions: how many infohashes each scrape asked for.
    lie: answers a scrape by http with these bytes instead. udp_lie: by UDP with these counts.
    """

    url: str
    udp_url: str
    whole: dict[bytes, set[bytes]] = field(default_factory=dict)
    questions: list[int] = field(default_factory=list)
    lie: bytes | None = None
    udp_lie: bytes | None = None

    def answer(self, path: str, terms: list[tuple[str, bytes]]) -> bytes:
        """Return what is said to a question."""
        asked = [value for name, value in terms if name == "info_hash"]
        if path.endswith("/announce"):
            facts = dict(terms)
            peers = self.whole.setdefault(asked[0], set())
            if facts.get("left") == b"0" and facts.get("event") != b"stopped":
                peers.add(facts["peer_id"])
            else:
                peers.discard(facts["peer_id"])
            return bencode.encode({"complete": len(peers), "incomplete": 0, "interval": 1800, "peers": b""})
        self.questions.append(len(asked))
        if self.lie is not None:
            return self.lie
        known = {each: self.whole[each] for each in asked if each in self.whole}
        files = {each: {"complete": len(peers), "downloaded": 0, "incomplete": 0} for each, peers in known.items()}
        return bencode.encode({b"files": files})

    def answer_udp(self, question: bytes) -> bytes:
        """Return what is said to a datagram."""
        action, mark = struct.unpack(">i", question[8:12])[0], question[12:16]
        if action == 0 and question[:8] == struct.pack(">Q", _MAGIC):
            return struct.pack(">i", 0) + mark + struct.pack(">Q", _CONNECTION)
        if action != 2 or question[:8] != struct.pack(">Q", _CONNECTION):
            return struct.pack(">i", 3) + mark + b"what?"
        asked = [question[at : at + 20] for at in range(16, len(question), 20)]
        self.questions.append(len(asked))
        counts = b"".join(struct.pack(">iii", len(self.whole.get(each, ())), 0, 0) for each in asked)
        return struct.pack(">i", 2) + mark + (counts if self.udp_lie is None else self.udp_lie)


@contextmanager
def tracking() -> Iterator[Tracker]:
    """Give a tracker on free ports of loopback until the context ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ears:
        ears.bind(("127.0.0.1", 0))
        host, port = server.server_address[:2]
        tracker = Tracker(f"http://{host!s}:{port}/announce", f"udp://127.0.0.1:{ears.getsockname()[1]}/announce")
        server.RequestHandlerClass = _handler(tracker)
        threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
            threading.Thread(target=_hear, args=(ears, tracker), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield tracker
        finally:
            server.shutdown()
            server.server_close()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ears.getsockname())
            for thread in threads:
                thread.join(10)


def _hear(ears: socket.socket, tracker: Tracker) -> None:
    while True:
        question, asker = ears.recvfrom(4096)
        if not question:
            return
        if len(question) >= 16:
            ears.sendto(tracker.answer_udp(question), asker)


def _handler(tracker: Tracker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            pairs = (term.partition("=") for term in parts.query.split("&"))
            body = tracker.answer(parts.path, [(name, unquote_to_bytes(value)) for name, _, value in pairs])
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
