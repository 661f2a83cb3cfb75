"""One HTTP exchange with a host that is not trusted: where it connects to, how long it may take, and what comes.

No redirect is followed and nothing is tried again here; `fonoteca.edges.web` does both, with manners.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from fonoteca.model.errors import SourceError, TrustError, UsageError
from fonoteca.model.manners import Manners

CONNECT_TIMEOUT_S = 10.0
READ_BYTES = 1 << 18
BUFFER_BYTES = 1 << 17
"""Of a socket: what is in it when we are killed is fetched again."""
_WATCH_S = 0.2


class BrokenWireError(Exception):
    """An exchange that failed and may succeed another time."""


class StaleWireError(BrokenWireError):
    """A connection that was kept had been closed by the other side, which is no failure of the host."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an exchange may take. idle_s: without a byte. exchange_s: from connecting to the last byte. slowest: bytes a second,
    once begun for `slow_after_s`.
    """

    idle_s: float = 30.0
    exchange_s: float = 6 * 3600.0
    head_s: float = 60.0
    slow_after_s: float = 30.0
    slowest: int = 1000


class Watchdog:
    """Ends exchanges that outlast their time, which no limit of a single read does: a byte now and then could last for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[socket.socket, float]] = {}
        self._cut: set[int] = set()
        self._number = 0
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def watch(self, connection: socket.socket, seconds: float) -> int:
        """Begin to watch. Returns: the number to end it with."""
        with self._lock:
            self._number += 1
            self._watched[self._number] = (connection, time.monotonic() + seconds)
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_round, name="watchdog of hosts", daemon=True)
                self._thread.start()
            return self._number

    def release(self, number: int) -> bool:
        """Stop watching. Returns: whether it was cut off."""
        with self._lock:
            self._watched.pop(number, None)
            cut = number in self._cut
            self._cut.discard(number)
            return cut

    def close(self) -> None:
        """End the watch."""
        self._over.set()

    def _go_round(self) -> None:
        while not self._over.wait(_WATCH_S):
            now = time.monotonic()
            with self._lock:
                for number, (connection, until) in list(self._watched.items()):
                    if now > until and connection.fileno() >= 0:
                        self._cut.add(number)
                        # The plain shutdown: that of an SSL socket would take the reader's TLS state away under its hands.
                        try:
                            socket.socket.shutdown(connection, socket.SHUT_RDWR)
                        except OSError:
                            del self._watched[number]


class Line:
    """One connection to one origin, kept open between exchanges. Used by one thread at a time."""

    def __init__(self, origin: str, manners: Manners, patience: Patience, watchdog: Watchdog) -> None:
        parts = urlsplit(origin)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._manners = manners
        self._patience = patience
        self._watchdog = watchdog
        self._connection: http.client.HTTPConnection | None = None
        self._number = 0
        self._fresh = True

    def prepare(self) -> None:
        """Be connected: what takes time before a request is done before its turn.

        Raises: TrustError for a host that may not be asked or is not who it says; UsageError where nobody is named whom it may
        write to; BrokenWireError.
        """
        if self._connection is not None and _is_closed(self._connection.sock):
            self.close()
        if self._connection is None:
            self._connection = self._connect()
            self._fresh = True

    def ask(self, target: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Return the answer's head; the body is still to be read. Call `done` after it. Raises: as `prepare`."""
        self.prepare()
        connection, fresh = self._connection, self._fresh
        assert connection is not None, "prepared"
        self._fresh = False
        self._number = self._watchdog.watch(connection.sock, self._patience.head_s)
        try:
            connection.request("GET", target, headers=dict(headers))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            cut = self._watchdog.release(self._number)
            self.close()
            stale = not fresh and not cut and isinstance(error, ConnectionError | http.client.RemoteDisconnected)
            raise (StaleWireError if stale else BrokenWireError)("no answer in time" if cut else _words(error)) from error
        self._watchdog.release(self._number)
        self._number = self._watchdog.watch(connection.sock, self._patience.exchange_s) if connection.sock else 0
        return response

    def done(self, response: http.client.HTTPResponse) -> None:
        """End an exchange: the connection is kept where all of the body was read.

        Raises: BrokenWireError for an exchange that was cut off, which a body without a stated length cannot tell from its end.
        """
        cut = self._watchdog.release(self._number)
        if cut or not response.isclosed() or response.will_close:
            self.close()
        if cut:
            raise BrokenWireError(f"not at its end after {self._patience.exchange_s:.0f} s")

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        found = self._addresses()
        failed: OSError | None = None
        for address in found:
            try:
                raw = _connected(address)
                raw.settimeout(self._patience.idle_s)
                wired = _trusted().wrap_socket(raw, server_hostname=self._host) if self._secure else raw
            except ssl.SSLCertVerificationError as error:
                problem = f"its certificate does not prove who it is: {error.verify_message}"
                raise TrustError(self._host, problem, "Check its name, and this machine's date and certificates.") from error
            except OSError as error:
                failed = error
                continue
            connection = http.client.HTTPConnection(self._host, self._port)
            connection.default_port = 443 if self._secure else 80
            connection.auto_open = 0
            connection.sock = wired
            return connection
        raise BrokenWireError(_words(failed) if failed else "it has no address")

    def _addresses(self) -> list[tuple[str, int]]:
        """Return the addresses that may be connected to. What was checked is what is connected to: names may change between."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise BrokenWireError(f"its name leads nowhere: {_words(error)}") from error
        addresses = [(str(each[4][0]), self._port) for each in found]
        allowed = [each for each in addresses if self._manners.own_networks or is_outside(each[0])]
        if addresses and not allowed:
            problem = f"leads into our own network, to {addresses[0][0]}"
            raise TrustError(self._host, problem, "Set own_networks in [sources] if that is meant.")
        if not self._manners.contact and any(is_outside(each[0]) for each in allowed):
            problem = f"is empty, and {self._host} is not ours: who is asked by a machine must know whom to write to"
            raise UsageError("sources.contact", problem, "Set it in fonoteca.toml to a mail or web address.")
        return list(dict.fromkeys(allowed))


def _connected(address: tuple[str, int]) -> socket.socket:
    """Return a connection with a small buffer, which has to be set before it begins."""
    raw = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(CONNECT_TIMEOUT_S)
        raw.connect(address)
    except BaseException:
        raw.close()
        raise
    return raw


@cache
def _trusted() -> ssl.SSLContext:
    """Return what the system trusts, read once."""
    return ssl.create_default_context()


def _is_closed(connection: socket.socket) -> bool:
    """Return whether the other side hung up on a connection that was kept, as far as can be seen from here."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    try:
        # Of the plain socket, whatever is on top of it: what has come is looked at and left there.
        return bool(waiting.poll(0)) and not socket.socket.recv(connection, 1, socket.MSG_PEEK)
    except OSError:
        return True


def is_outside(address: str) -> bool:
    """Return whether an IP address is one of the public internet."""
    found = ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_global and not found.is_multicast


class Body:
    """The body of an answer as it comes, within limits."""

    def __init__(self, response: http.client.HTTPResponse, patience: Patience) -> None:
        self._response = response
        self._patience = patience
        self._begun = time.monotonic()
        self._left = None if response.chunked else response.length
        self.came_bytes = 0

    def read(self) -> bytes:
        """Return what has come, at least a byte and no more than READ_BYTES; nothing at the end.

        It does not wait for more once something is there: what is not written yet when we are killed is fetched again.
        Raises: BrokenWireError, also for one that is too slow.
        """
        if self._left == 0:
            self._response.close()
            return b""
        try:
            chunk = self._response.read1(READ_BYTES if self._left is None else min(READ_BYTES, self._left))
        except (OSError, http.client.HTTPException) as error:
            raise BrokenWireError(_words(error)) from error
        self.came_bytes += len(chunk)
        if self._left is not None:
            if not chunk:
                raise BrokenWireError(f"it ended {self._left:,} bytes early")
            self._left -= len(chunk)
            if self._left == 0:
                self._response.close()  # all of it is here, and the connection can be used again
        passed_s = time.monotonic() - self._begun
        if chunk and passed_s > self._patience.slow_after_s and self.came_bytes < passed_s * self._patience.slowest:
            raise BrokenWireError(f"{self.came_bytes} bytes in {passed_s:.0f} s")
        return chunk


def check_plain(url: str, response: http.client.HTTPResponse) -> None:
    """Raise SourceError for a body that would have to be unpacked: a little of it may unpack to very much."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        problem = f"is sent as {encoding!r:.40}, though only plain bytes were asked for"
        raise SourceError(url, problem, "Tell whoever runs the host; it is not unpacked.")


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
