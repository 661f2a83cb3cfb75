"""Reading what someone published: over http and https, or from a folder. Both are `fonoteca.ports.Fetch`.

The other side is not trusted: it may send too much, too little, too slowly, or somebody else's address. Each of these has
a named limit here. Whether the bytes are the right ones is for the caller to prove.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import httpx

from fonoteca import __version__
from fonoteca.model.errors import SourceError, SourceMissing, TrustError, UsageError
from fonoteca.ports import Fetch

USER_AGENT = f"Fonoteca/{__version__}"

_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
"""Answers that a busy or restarting server gives, and may not give a second later (RFC 9110 section 15)."""

_ABSENT_STATUSES = frozenset({403, 404, 410, 451})
"""Answers about one file, which say nothing of its neighbours."""

_ENDLESS_HEAD = "Receive buffer too long"
"""What h11 says of headers above 100 KB."""

_PATH_CHARS_MAX = 1000
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_Taken = TypeVar("_Taken")


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long and how often to try.

    idle_timeout_s: without a single byte. fetch_timeout_s: for one try from connecting to the last byte, however busy.
    attempts_max: tries for connections that break and for servers that say they are busy. redirects_max: in one try.
    """

    connect_timeout_s: float = 10.0
    idle_timeout_s: float = 30.0
    fetch_timeout_s: float = 600.0
    attempts_max: int = 3
    retry_wait_s: float = 0.5
    redirects_max: int = 5


@dataclass(frozen=True, slots=True)
class Ranged:
    """A part of a file. file_bytes: of the whole. version: what the server calls this state of the file, "" when it does not."""

    content: bytes
    file_bytes: int
    version: str


class _TransientError(Exception):
    """A failure that may be gone at the next try. lie: when it is not, the server does not send what it says."""

    def __init__(self, problem: str, *, lie: bool = False) -> None:
        self.lie = lie
        super().__init__(problem)


class HttpFetch:
    """Files below one http or https address."""

    def __init__(self, base: str, limits: HttpLimits | None = None) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(base, "not an http or https address", "Give one as in `https://example.org/editions/`.")
        if parts.query or parts.fragment:
            raise UsageError(base, "an address with a query or a fragment has nothing below it", "Give the folder's address.")
        self._base = base if base.endswith("/") else base + "/"
        self._limits = limits or HttpLimits()
        self._wire = _Wire()
        self._lock = threading.Lock()
        self._client = httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(self._limits.idle_timeout_s, connect=self._limits.connect_timeout_s),
            limits=httpx.Limits(max_connections=1),
            follow_redirects=False,
        )

    def read(self, path: str, bytes_max: int) -> bytes:
        """Return the whole body of the file at `path` below the base.

        path: relative, `/`-separated, as it is spelt on disk: what an address may not hold is escaped here.
        Raises: TrustError when the body is longer than bytes_max, shorter than it says at every try, compressed, or slower
            than `HttpLimits` allow, or a redirect leads from https to http, from outside into our own network, in circles or
            to another scheme; SourceError when it cannot be had; UsageError for a path that leaves the base.
        Cost: at most bytes_max and one network read of memory, and `HttpLimits` of time.
        """
        url = self._base + quote(_check_path(path))
        return self._ask(url, {}, lambda response: _read_body(url, response, bytes_max))

    def read_range(self, path: str, start: int, length: int) -> Ranged:
        """Return bytes of the file at `path` from `start` on, at most `length`, fewer at its end.

        start: from 0; or `-length`, for the last `length` bytes of a file whose size is not known yet.
        Raises: as `read`; TrustError for another range than was asked for; SourceError from a server that does not serve ranges,
            before it has sent the whole file.
        """
        url = self._base + quote(_check_path(path))
        wanted = f"bytes={start}" if start < 0 else f"bytes={start}-{start + length - 1}"
        return self._ask(url, {"Range": wanted}, lambda response: _read_part(url, response, start, length))

    def _ask(self, url: str, headers: Mapping[str, str], take: Callable[[httpx.Response], _Taken]) -> _Taken:
        with self._lock:
            return self._ask_again(url, headers, take)

    def _ask_again(self, url: str, headers: Mapping[str, str], take: Callable[[httpx.Response], _Taken]) -> _Taken:
        for attempt in range(1, self._limits.attempts_max + 1):
            try:
                return self._ask_once(url, headers, take)
            except _TransientError as error:
                if attempt == self._limits.attempts_max:
                    tries = f"{attempt} {'try' if attempt == 1 else 'tries'}"
                    problem, remedy = f"not to be had after {tries}: {error}", "Try again later, or another mirror."
                    raise (TrustError if error.lie else SourceError)(url, problem, remedy) from error
                time.sleep(self._limits.retry_wait_s * 2 ** (attempt - 1))
        raise AssertionError("attempts_max is at least 1")

    def close(self) -> None:
        """Close connections that are kept open."""
        self._client.close()

    def _ask_once(self, url: str, headers: Mapping[str, str], take: Callable[[httpx.Response], _Taken]) -> _Taken:
        cut = threading.Event()
        timer = threading.Timer(self._limits.fetch_timeout_s, self._wire.cut, (cut,))
        timer.daemon = True
        timer.start()
        try:
            with self._follow(httpx.URL(url), headers) as response:
                return take(response)
        except (httpx.HTTPError, _TransientError) as error:
            if cut.is_set():
                waited = f"still not whole after {self._limits.fetch_timeout_s:g} s"
                raise TrustError(url, waited, "It is too slow to be of use, or keeps us waiting: try another mirror.") from error
            if isinstance(error, _TransientError):
                raise
            endless = isinstance(error, httpx.RemoteProtocolError) and _ENDLESS_HEAD in str(error)
            raise _TransientError(str(error) or type(error).__name__, lie=endless) from error
        except httpx.InvalidURL as error:
            raise SourceError(url, f"not an address: {error}") from error
        finally:
            timer.cancel()

    @contextmanager
    def _follow(self, start: httpx.URL, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Give the answer at the end of the redirects."""
        url = start
        self._wire.begin()
        for _ in range(self._limits.redirects_max + 1):
            request = self._client.build_request("GET", url, headers=dict(headers), extensions={"trace": self._wire.watch})
            response = self._client.send(request, stream=True)
            self._wire.answered(response)
            try:
                if response.next_request is None:
                    yield response
                    return
                target = response.next_request.url
            finally:
                response.close()
            if target.scheme not in ("http", "https") or (url.scheme, target.scheme) == ("https", "http"):
                raise TrustError(str(start), f"redirects to {target}", "Ask whoever publishes it for a safe address.")
            self._wire.check_target(target.host)
            url = target
        raise TrustError(
            str(start), f"redirects more than {self._limits.redirects_max} times", "Give the address that it leads to."
        )


class _Wire:
    """The one connection of a client, so that a whole try can be limited, and where it leads to is seen.

    httpx limits single reads only: with them alone a byte now and then could last for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._outside = False

    def begin(self) -> None:
        """Forget where earlier requests led: the first hop of each may be anywhere."""
        self._outside = False

    def answered(self, response: httpx.Response) -> None:
        """Take note of who answered; the connection may be an older one."""
        address = response.extensions["network_stream"].get_extra_info("server_addr")
        self._outside = self._outside or is_outside(str(address[0]))

    def check_target(self, host: str) -> None:
        """Raise TrustError when somebody outside redirects to an address of our own network. A name's is seen once it is known."""
        try:
            inside = not is_outside(host)
        except ValueError:
            return
        if self._outside and inside:
            raise TrustError(host, "a host outside redirects into our own network", "Do not trust that host.")

    def watch(self, event: str, facts: dict[str, Any]) -> None:
        """Take note of a new socket; httpcore calls this at each step of a request, before anything of it is sent.

        Raises: TrustError when somebody outside redirects into our own network, where a request alone may do harm.
        """
        if event.endswith("connect_tcp.complete"):
            self.check_target(str(facts["return_value"].get_extra_info("server_addr")[0]))
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._socket = facts["return_value"].get_extra_info("socket")

    def cut(self, done: threading.Event) -> None:
        """End whatever is being read, and say so first."""
        done.set()
        with self._lock:
            if self._socket is not None and self._socket.fileno() >= 0:
                # The plain shutdown: that of an SSL socket would take the reader's TLS state away under its hands.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def is_outside(address: str) -> bool:
    """Return whether an IP address is one of the public internet."""
    found = ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_global


def _read_body(url: str, response: httpx.Response, bytes_max: int) -> bytes:
    _check_status(url, response, 200)
    return _read_plain(url, response, bytes_max)


def _read_part(url: str, response: httpx.Response, start: int, length: int) -> Ranged:
    """Return the part that was asked for; nothing of it is believed (RFC 9110 section 14.4)."""
    if response.status_code == 200:
        raise SourceError(url, "the server does not serve parts of files", "Fetch the whole file and read it from disk.")
    _check_status(url, response, 206)
    stated = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(stated)
    first, last, whole = map(int, match.groups()) if match else (0, -1, 0)
    expected = max(0, whole - length) if start < 0 else start
    if not match or first != expected or last != min(whole, expected + length) - 1:
        raise TrustError(url, f"the server sends {stated!r} for {length} bytes from {start}", "Try another mirror.")
    content = _read_plain(url, response, last - first + 1)
    if len(content) != last - first + 1:
        raise _TransientError(f"expected {last - first + 1} bytes, found {len(content)}", lie=True)
    return Ranged(content, whole, response.headers.get("ETag", "") or response.headers.get("Last-Modified", ""))


def _check_status(url: str, response: httpx.Response, expected: int) -> None:
    if response.status_code in _RETRIED_STATUSES:
        raise _TransientError(f"the server answers {_status(response)}")
    if response.status_code in _ABSENT_STATUSES:
        raise SourceMissing(url, f"the server answers {_status(response)}", "Check the address.")
    if response.status_code == 206 != expected:
        raise TrustError(url, "the server sends a part, though all was asked for", "Try another mirror.")
    if response.status_code != expected:
        raise SourceError(url, f"the server answers {_status(response)}", "Check the address.")


def _read_plain(url: str, response: httpx.Response, bytes_max: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise TrustError(url, f"sent as {encoding!r} though only the plain bytes were asked for", "Try another mirror.")
    stated = response.headers.get("Content-Length", "")
    if stated.isascii() and stated.isdigit() and int(stated) > bytes_max:
        raise _too_long(url, f"{int(stated)} bytes", bytes_max)
    body = bytearray()
    try:
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > bytes_max:
                raise _too_long(url, "more", bytes_max)
    except httpx.RemoteProtocolError as error:
        raise _TransientError(str(error), lie=True) from error
    return bytes(body)


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".rstrip()


def _too_long(subject: str, found: str, bytes_max: int) -> TrustError:
    return TrustError(subject, f"expected at most {bytes_max} bytes, found {found}", "Do not trust this copy; try another.")


class FolderFetch:
    """Files below a local folder, as if somebody had published it there."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def read(self, path: str, bytes_max: int) -> bytes:
        """Return the whole file at `path` below the base.

        path: relative, `/`-separated. A link may lead to a place within the base, not out of it.
        Raises: TrustError when the file is longer than bytes_max; SourceError when it cannot be had, or is no ordinary file;
            UsageError for a path that leaves the base.
        """
        subject = f"{self._base}/{_check_path(path)}"
        try:
            base = Path(os.path.realpath(self._base, strict=True))
            target = Path(os.path.realpath(base / path, strict=True))
            if not target.is_relative_to(base):
                raise SourceError(subject, f"a link that leads out of the folder, to {target}", "Put the file itself there.")
            # Not blocking, lest a named pipe keep us waiting for its writer.
            descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(descriptor, "rb") as file:
                facts = os.fstat(descriptor)
                if not stat.S_ISREG(facts.st_mode):
                    raise SourceError(subject, "not an ordinary file", "Put a file there.")
                if facts.st_size > bytes_max:
                    raise _too_long(subject, f"{facts.st_size} bytes", bytes_max)
                content = file.read(bytes_max + 1)
        except FileNotFoundError as error:
            raise SourceMissing(subject, "there is no such file", "Check the folder.") from error
        except (OSError, ValueError) as error:
            raise SourceError(subject, f"not to be read: {error}", "Check the folder.") from error
        if len(content) > bytes_max:
            raise _too_long(subject, "more", bytes_max)
        return content


def open_fetch(location: str) -> Fetch:
    """Return the way to read what is published at `location`: an http or https address, or else a folder's path.

    Raises: UsageError for an address of another kind.
    """
    if "://" in location:
        parts = urlsplit(location)
        if parts.scheme != "file":
            return HttpFetch(location)
        return FolderFetch(Path(unquote(parts.path)))
    return FolderFetch(Path(location))


def _check_path(path: str) -> str:
    parts = path.split("/")
    if len(path) > _PATH_CHARS_MAX or any(part in ("", ".", "..") for part in parts) or not path.isprintable():
        raise UsageError(repr(path), "not a path below the base", "Give a relative path without empty, `.` or `..` segments.")
    return path
