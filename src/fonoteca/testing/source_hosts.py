"""A host on loopback that answers as sources do, and the ways in which one may misbehave.

Whoever adds a kind of source runs it against this; what was asked is kept, with when, from where on, and how many bytes were sent.
"""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass(slots=True)
class Request:
    """One request, kept before it is answered. at, ended_at: by the monotonic clock. sent_bytes: of a body, as they go."""

    at: float
    path: str
    start: int
    status: int
    sent_bytes: int
    agent: str
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Given:
    """What is at a path. Callables for what differs each time: `body` gets the number of the request for it, from 1."""

    body: bytes | Callable[[int], bytes]
    media_type: str = "application/octet-stream"
    etag: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


Misdeed = Callable[["Answering", bytes], bool]
"""Answers in place of the host. Returns: whether it did; else the host answers as it should."""


@dataclass
class SourceHost:
    """What a host has, and what was asked of it. misdeeds: by path. bytes_per_s: of one connection, 0 for no limit."""

    given: dict[str, Given] = field(default_factory=dict)
    misdeeds: dict[str, Misdeed] = field(default_factory=dict)
    bytes_per_s: int = 0
    latency_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    address: str = ""
    alarm: tuple[int, Callable[[], None]] | None = None
    """What is done, once, when so many requests were made: a test kills the process that asks."""

    def put(self, path: str, body: bytes | str, media_type: str = "application/octet-stream", **headers: str) -> None:
        """Put a file at a path, which begins with `/`."""
        content = body.encode() if isinstance(body, str) else body
        self.given[path] = Given(content, media_type, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def asked(self, path: str = "") -> list[Request]:
        """Return what was asked of a path, or of all but robots.txt."""
        return [each for each in list(self.requests) if (each.path == path if path else each.path != "/robots.txt")]

    def most_in_a_second(self) -> int:
        """Return the most requests in any second."""
        times = sorted(each.at for each in self.requests)
        return max((bisect_left(times, at + 1.0) - number for number, at in enumerate(times)), default=0)


class Answering(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    host: SourceHost
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer as the host does, or as a misdeed has it."""
        self.begun_at = time.monotonic()
        path = unquote(self.path)
        misdeed = self.host.misdeeds.get(path) or self.host.misdeeds.get(path.partition("?")[0])
        given = self.host.given.get(path) or self.host.given.get(path.partition("?")[0])
        content = b""
        if given is not None:
            times = sum(1 for each in self.host.requests if each.path == path) + 1
            content = given.body if isinstance(given.body, bytes) else given.body(times)
        if self.host.latency_s:
            time.sleep(self.host.latency_s)
        try:
            if misdeed is not None and misdeed(self, content):
                return
            if given is None:
                self.answer(404, b"not here")
            else:
                self._give(given, content)
        except OSError:
            self.close_connection = True

    def _give(self, given: Given, content: bytes) -> None:
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"' if given.etag else ""
        headers = {"Content-Type": given.media_type, "Accept-Ranges": "bytes", **({"ETag": etag} if etag else {}), **given.headers}
        if etag and self.headers.get("If-None-Match") == etag:
            self.answer(304, b"", **headers)
            return
        ranged = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if ranged and self.headers.get("If-Range", etag) == etag:
            start = int(ranged[1])
            if start >= len(content):
                self.answer(416, b"", **{**headers, "Content-Range": f"bytes */{len(content)}"})
                return
            stated = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], **{**headers, "Content-Range": stated})
            return
        self.answer(200, content, **headers)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Send an answer. headers: `Content-Length` may say something else than the truth."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        ranged = re.match(r"bytes (\d+)-", named.get("Content-Range", ""))
        request = self.note(status, int(ranged[1]) if ranged else 0)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **named}.items():
            self.send_header(name, value)
        self.end_headers()
        step = max(1, self.host.bytes_per_s // 50) if self.host.bytes_per_s else 1 << 18
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            request.sent_bytes += len(body[at : at + step])
            request.ended_at = time.monotonic()
            if self.host.bytes_per_s:
                time.sleep(step / self.host.bytes_per_s)

    def note(self, status: int, start: int = 0) -> Request:
        """Keep what was asked."""
        request = Request(self.begun_at, unquote(self.path), start, status, 0, self.headers.get("User-Agent", ""))
        self.host.requests.append(request)
        alarm = self.host.alarm
        if alarm is not None and len(self.host.requests) == alarm[0]:
            alarm[1]()
        return request

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return a connection with a small buffer: what is sent is what the other side has, nearly."""
        connection, client = super().get_request()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        return connection, client

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def source_host(host: SourceHost | None = None) -> Iterator[SourceHost]:
    """Serve until the context ends."""
    served = host or SourceHost()
    server = _Server(("127.0.0.1", 0), type("OneAnswering", (Answering,), {"host": served}))
    served.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


# Misdeeds ---------------------------------------------------------------------------------------------------------------


def status(code: int, times: int = 1_000_000, **headers: str) -> Misdeed:
    """Return a misdeed that answers with a status so many times, and then as it should."""
    left = [times]

    def misdeed(request: Answering, _content: bytes) -> bool:
        if left[0] <= 0:
            return False
        left[0] -= 1
        request.answer(code, b"", **headers)
        return True

    return misdeed


def half(times: int = 1) -> Misdeed:
    """Return a misdeed that hangs up after half of the body, so many times."""
    left = [times]

    def misdeed(request: Answering, content: bytes) -> bool:
        if left[0] <= 0:
            return False
        left[0] -= 1
        request.close_connection = True
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        request.answer(200, content[: len(content) // 2], Content_Length=str(len(content)), ETag=etag)
        return True

    return misdeed


def redirect(to: str) -> Misdeed:
    """Return a misdeed that leads elsewhere."""

    def misdeed(request: Answering, _content: bytes) -> bool:
        request.answer(302, b"", Location=to)
        return True

    return misdeed


def page(request: Answering, _content: bytes) -> bool:
    """Send a page for people, said to be music."""
    request.answer(200, b"<!DOCTYPE html><html>Please log in</html>", Content_Type="audio/flac")
    return True


def huge(request: Answering, _content: bytes) -> bool:
    """Say that ten gigabytes come."""
    request.close_connection = True
    request.answer(200, b"x", Content_Length=str(10**10))
    return True


def endless(request: Answering, _content: bytes) -> bool:
    """Send chunks without end."""
    request.close_connection = True
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    while True:
        request.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")


def zipped(request: Answering, _content: bytes) -> bool:
    """Send a little that unpacks to much."""
    request.answer(200, bytes(100), Content_Encoding="gzip")
    return True


def later(seconds: int) -> str:
    """Return a date so many seconds from now, as Retry-After has it."""
    return formatdate(time.clock_gettime(time.CLOCK_REALTIME) + seconds, usegmt=True)
