from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from fonoteca.edges.http import USER_AGENT, FolderFetch, HttpFetch, HttpLimits, is_outside, open_fetch
from fonoteca.model.errors import SourceError, TrustError, UsageError
from fonoteca.ports import Fetch

LIMITS = HttpLimits(connect_timeout_s=1, idle_timeout_s=0.4, fetch_timeout_s=0.6, attempts_max=2, retry_wait_s=0.01)


class Host(BaseHTTPRequestHandler):
    """A host with one bad habit for each path."""

    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["User-Agent"]))
        habit = self.path.removeprefix("/base/").split("/")[0]
        try:
            getattr(self, "get_" + habit.partition(".")[0].replace("%", "_"), self.get_missing)()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        if "Transfer_Encoding" not in headers:
            headers = {"Content_Length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def get_index(self) -> None:
        self.answer(200, b"hello")

    def get_a_20b(self) -> None:
        self.answer(200, b"a b")

    def get_missing(self) -> None:
        self.answer(404)

    def get_busy(self) -> None:
        self.answer(503)

    def get_busy_once(self) -> None:
        self.answer(503 if len(self.seen) == 1 else 200, b"hello")

    def get_truncated(self) -> None:
        self.answer(200, b"short", Content_Length="500")
        self.close_connection = True

    def get_stalled(self) -> None:
        self.answer(200, b"short", Content_Length="500")
        time.sleep(1.0)

    def get_endless(self) -> None:
        self.answer(200, Transfer_Encoding="chunked")
        while True:
            self.wfile.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")

    def get_claims_much(self) -> None:
        self.answer(200, b"x", Content_Length="99999999999")

    def get_drip(self) -> None:
        self.answer(200, b"", Content_Length="100")
        for _ in range(100):
            self.wfile.write(b"x")
            time.sleep(0.1)

    def get_drip_head(self) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100:
            self.wfile.write(bytes([byte]))
            time.sleep(0.1)

    def get_zipped(self) -> None:
        self.answer(200, b"\x1f\x8b", Content_Encoding="gzip")

    def get_bomb(self) -> None:
        self.answer(200, gzip.compress(bytes(1_000_000)), Content_Encoding="gzip")

    def get_part(self) -> None:
        self.answer(206, b"hel", Content_Range="bytes 0-2/5")

    def get_continues(self) -> None:
        while True:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.01)

    def get_chunk_head(self) -> None:
        self.answer(200, Transfer_Encoding="chunked")
        while True:
            self.wfile.write(b"0" * 0x8000)

    def get_to_inside(self) -> None:
        self.answer(302, Location=f"http://127.0.0.2:{self.server.server_address[1]}/base/index.json")

    def get_to_name(self) -> None:
        self.answer(302, Location=f"http://localhost:{self.server.server_address[1]}/base/index.json")

    def get_moved(self) -> None:
        self.answer(302, Location="/base/index.json")

    def get_circle(self) -> None:
        self.answer(302, Location="/base/circle")

    def get_to_file(self) -> None:
        self.answer(302, Location="file:///etc/passwd")

    def get_to_nonsense(self) -> None:
        self.answer(302, Location="http://x:nonsense/")

    def get_no_http(self) -> None:
        self.wfile.write(b"\x00\x01\x02 SMTP ready\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    handler = type("FreshHost", (Host,), {"seen": [], "protocol_version": "HTTP/1.1"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/base"
    server.shutdown()
    server.server_close()
    thread.join()


def fetch_from(base: str) -> HttpFetch:
    return HttpFetch(base, LIMITS)


def test_a_file_is_read_whole_and_the_reader_says_who_it_is(host: str) -> None:
    fetch = fetch_from(host)
    assert fetch.read("index.json", 5) == b"hello"
    assert fetch.read("a b", 100) == b"a b"
    assert fetch.read("moved", 5) == b"hello"
    fetch.close()


def test_the_user_agent_is_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        assert fetch_from(f"http://127.0.0.1:{server.getsockname()[1]}/x/").read("é?#%2e.json", 10) == b"ok"
        thread.join()
    head = asked[0].lower()
    assert f"user-agent: {USER_AGENT.lower()}".encode() in head
    assert b"accept-encoding: identity" in head
    assert head.startswith(b"get /x/%c3%a9%3f%23%252e.json http/1.1")


@pytest.mark.parametrize("path", ["index.json", "endless", "claims_much"])
def test_a_body_longer_than_the_limit_is_not_trusted(host: str, path: str) -> None:
    with pytest.raises(TrustError, match="expected at most 4 bytes"):
        fetch_from(host).read(path, 4)


def test_an_endless_body_ends_at_the_limit(host: str) -> None:
    start = time.monotonic()
    with pytest.raises(TrustError):
        fetch_from(host).read("endless", 10_000_000)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing", "404 Not Found"),
        ("busy", "after 2 tries: the server answers 503 Service Unavailable"),
        ("stalled", "timed out"),
        ("to_nonsense", "Invalid URL in location header"),
        ("no_http", "after 2 tries"),
    ],
)
def test_what_cannot_be_had_is_a_source_error_that_says_why(host: str, path: str, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        fetch_from(host).read(path, 1000)
    assert says in str(caught.value)
    assert caught.value.subject.endswith(path)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("truncated", "after 2 tries"),
        ("drip", "still not whole after 0.6 s"),
        ("drip_head", "still not whole after 0.6 s"),
        ("continues", "still not whole after 0.6 s"),
        ("chunk_head", "after 2 tries"),
        ("zipped", "gzip"),
        ("bomb", "gzip"),
        ("part", "sends a part"),
    ],
)
def test_a_host_that_does_not_send_what_it_says_is_not_trusted(host: str, path: str, says: str) -> None:
    start = time.monotonic()
    with pytest.raises(TrustError) as caught:
        fetch_from(host).read(path, 10_000_000)
    assert says in str(caught.value)
    assert caught.value.subject.endswith(path)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("again", [False, True], ids=["at once", "over a connection that was kept"])
def test_a_host_outside_that_redirects_into_our_own_network_is_not_trusted(
    host: str, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Loopback stands for outside, and another address of loopback for our own network: no packet may leave the machine.
    monkeypatch.setattr("fonoteca.edges.http.is_outside", lambda address: address == "127.0.0.1")
    fetch = fetch_from(host)
    if again:
        assert fetch.read("index.json", 5) == b"hello"
    with pytest.raises(TrustError, match=r"127\.0\.0\.2: a host outside redirects into our own network"):
        fetch.read("to_inside", 1000)
    assert fetch.read("moved", 5) == b"hello"


def test_so_is_one_that_redirects_to_a_name_of_our_own_network(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def outside_at_first(address: str) -> bool:
        ip_address(address)
        seen.append(address)
        return len(seen) <= 2  # when it is connected to, and when it has answered

    monkeypatch.setattr("fonoteca.edges.http.is_outside", outside_at_first)
    with pytest.raises(TrustError, match=r"a host outside redirects into our own network"):
        fetch_from(host).read("to_name", 1000)


OWN = "127.0.0.1 10.1.2.3 192.168.0.1 169.254.169.254 ::1 ::ffff:127.0.0.1 fe80::1%eth0 fd00::1"


@pytest.mark.parametrize("address", OWN.split())
def test_addresses_of_our_own_network_are_known(address: str) -> None:
    assert not is_outside(address)
    assert is_outside("2606:4700::1111")
    assert is_outside("1.1.1.1")


@pytest.mark.parametrize(("path", "says"), [("circle", "more than 5 times"), ("to_file", "redirects to file:")])
def test_redirects_are_bounded_and_stay_with_http(host: str, path: str, says: str) -> None:
    with pytest.raises(TrustError, match=says):
        fetch_from(host).read(path, 1000)


def test_a_server_that_was_busy_once_is_asked_again(host: str) -> None:
    assert fetch_from(host).read("busy_once", 5) == b"hello"


def test_a_reader_goes_on_after_a_failure(host: str) -> None:
    fetch = fetch_from(host)
    for path in ("drip", "missing", "truncated", "endless"):
        with pytest.raises((SourceError, TrustError)):
            fetch.read(path, 1000)
        assert fetch.read("index.json", 5) == b"hello"


def test_nobody_there_is_a_source_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceError, match="after 2 tries"):
        fetch_from(f"http://127.0.0.1:{port}/").read("index.json", 5)


@pytest.mark.parametrize("base", ["ftp://x/", "http://", "https:///x", "http://x/?a=b", "http://x/#y"])
def test_a_base_that_is_no_web_folder_is_refused(base: str) -> None:
    with pytest.raises(UsageError):
        HttpFetch(base)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", ".", "./a", "a/", "a\0b", "a\nb", "x" * 1001])
def test_a_path_that_leaves_the_base_is_refused(tmp_path: Path, path: str) -> None:
    for fetch in (FolderFetch(tmp_path), HttpFetch("http://127.0.0.1:9/")):
        with pytest.raises(UsageError):
            fetch.read(path, 10)


def test_a_folder_is_read_under_the_same_limits(tmp_path: Path) -> None:
    (tmp_path / "drops").mkdir()
    (tmp_path / "drops" / "a.torrent").write_bytes(b"12345")
    fetch: Fetch = FolderFetch(tmp_path)
    assert fetch.read("drops/a.torrent", 5) == b"12345"
    with pytest.raises(TrustError, match="expected at most 4 bytes, found 5 bytes"):
        fetch.read("drops/a.torrent", 4)
    for path in ("drops", "drops/b", "drops/a.torrent/c"):
        with pytest.raises(SourceError):
            fetch.read(path, 5)
    with pytest.raises(SourceError):
        FolderFetch(tmp_path / "gone").read("index.json", 5)


def test_links_out_of_the_folder_pipes_and_endless_devices_are_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (base / "in").write_bytes(b"in")
    (base / "link-in").symlink_to("in")
    (base / "link-out").symlink_to("../secret")
    (base / "link-up").symlink_to("..")
    (base / "loop").symlink_to("loop")
    (base / "zero").symlink_to("/dev/zero")
    os.mkfifo(base / "pipe")
    fetch = FolderFetch(base)
    assert fetch.read("link-in", 10) == b"in"
    for path in ("link-out", "link-up/secret", "loop", "zero", "pipe"):
        with pytest.raises(SourceError):
            fetch.read(path, 10)


def test_a_location_opens_the_reader_of_its_kind(tmp_path: Path) -> None:
    (tmp_path / "with space").write_bytes(b"x")
    assert isinstance(open_fetch("https://example.org/editions"), HttpFetch)
    assert open_fetch(str(tmp_path)).read("with space", 1) == b"x"
    assert open_fetch(tmp_path.as_uri()).read("with space", 1) == b"x"
    with pytest.raises(UsageError):
        open_fetch("gopher://example.org/")
