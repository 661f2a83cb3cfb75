"""How a service is, over HTTP: `/health` for people and graphs, `/ready` for what decides by the status alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fonoteca.model.errors import UsageError

REQUEST_TIMEOUT_S = 10
"""Of one request line and its headers: whoever takes longer is let go."""


@contextmanager
def health_served(address: tuple[str, int], answer: Callable[[], Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    """Answer questions about health until the context ends. Gives: the host and port.

    answer: the JSON object of `/health`; its `ready` decides between 200 and 503 for `/ready`.
    Raises: UsageError when the address cannot be had.
    """
    try:
        server = _Server(address, _handler(answer))
    except OSError as error:
        remedy = "Stop what listens there, or choose another with --health."
        raise UsageError(f"{address[0]}:{address[1]}", f"cannot listen: {error.strerror}", remedy) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True)
    thread.start()
    try:
        host, port = server.server_address[:2]
        yield str(host), int(port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler(answer: Callable[[], Mapping[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S
        server_version, sys_version = "Fonoteca", ""

        def do_GET(self) -> None:
            self._reply(with_body=True)

        def do_HEAD(self) -> None:
            self._reply(with_body=False)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a probe every ten seconds is no news."""

        def _reply(self, *, with_body: bool) -> None:
            path = self.path.split("?", 1)[0]
            if path not in ("/health", "/ready"):
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            said = answer()
            body = json.dumps(said).encode() + b"\n"
            ready = path == "/health" or bool(said["ready"])
            self.send_response(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    return Handler
