"""An S3 that misbehaves over the wire: a proxy in front of a real one that lets some requests go wrong as a network would.

The client signs for the proxy's address; the request goes on with that same Host, so the real server still checks the signature.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TIMEOUT_S = 30
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(slots=True)
class Lie:
    """What happens to requests of a method whose path contains a part. times: how often, then it is over.

    status: answer this without asking the server. body: of that answer, or in place of the server's.
    half: send half of the server's body, under the length of all of it or, if `short`, under its own.
    lost: ask the server, then hang up. twice: ask the server two times and give the second answer. late_s: ask at once,
    answer so much later.
    """

    method: str
    path_part: str = ""
    times: int = 1_000_000
    status: int = 0
    code: str = ""
    body: bytes | None = None
    half: bool = False
    short: bool = False
    lost: bool = False
    twice: bool = False
    late_s: float = 0
    met: int = field(default=0)

    def meets(self, method: str, path: str) -> bool:
        """Whether a request meets this lie, and count it."""
        if method != self.method or self.path_part not in path or self.met >= self.times:
            return False
        self.met += 1
        return True


class LyingS3:
    """The proxy. lies: what goes wrong now, the first that a request meets; `seen` are the requests that came."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._lock = threading.Lock()
        self.lies: list[Lie] = []
        self.seen: list[tuple[str, str]] = []

    @property
    def endpoint(self) -> str:
        """The URL to use as `s3.endpoint`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def lie_for(self, method: str, path: str) -> Lie | None:
        """Return the lie that a request meets."""
        with self._lock:
            self.seen.append((method, path))
            return next((lie for lie in self.lies if lie.meets(method, path)), None)


@contextmanager
def lying_s3(host: str, port: int) -> Iterator[LyingS3]:
    """Stand in front of the S3 at this host and port until the context ends."""

    class Handler(_Proxy):
        behind = (host, port)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.liar = LyingS3(server)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Handler.liar
        finally:
            server.shutdown()
            thread.join()


class _Proxy(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    liar: LyingS3
    behind: tuple[str, int]

    def handle_any(self) -> None:
        """Answer a request, truly or not."""
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lie = self.liar.lie_for(self.command, self.path)
        try:
            if lie is None:
                self._answer(*self._ask(sent))
            elif lie.status:
                xml = f"<Error><Code>{lie.code}</Code><Message>as told</Message></Error>".encode()
                self._answer(lie.status, {"Content-Type": "application/xml"}, xml if lie.body is None else lie.body)
            else:
                self._lie(lie, sent)
        except ConnectionError:
            self.close_connection = True  # the client had no patience left

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815 - the base class names them

    def _lie(self, lie: Lie, sent: bytes) -> None:
        """Ask the server, and tell something else."""
        status, headers, body = self._ask(sent)
        if lie.twice:
            status, headers, body = self._ask(sent)
        if lie.body is not None:
            body = lie.body
        threading.Event().wait(lie.late_s)
        if lie.lost:
            self.close_connection = True
        elif lie.half and not lie.short:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self._answer(status, headers, body[: len(body) // 2] if lie.half else body)

    def _ask(self, sent: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Return what the real server answers: status, headers and body."""
        connection = HTTPConnection(*self.behind, timeout=_TIMEOUT_S)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(sent or None)
            answer = connection.getresponse()
            body = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            if self.command == "HEAD":
                headers["Content-Length"] = answer.headers.get("Content-Length", "0")
            return answer.status, headers, body
        finally:
            connection.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send an answer."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
