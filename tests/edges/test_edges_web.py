"""Hosts that are not ours, asked with manners: over real sockets, against a host that misbehaves in every way that is known."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from fonoteca.edges.manners import GAP
from fonoteca.edges.manners_book import MannersBook
from fonoteca.edges.web import PoliteWeb, open_web
from fonoteca.edges.wire import Patience
from fonoteca.model.errors import FonotecaError, SourceBusy, SourceError, SourceMissing, SourceRefused, TrustError, UsageError
from fonoteca.model.manners import Download, Manners
from fonoteca.testing import source_hosts
from fonoteca.testing.source_hosts import SourceHost, source_host

MANNERS = Manners("archive@example.org", 500.0, 4, file_bytes_max=1_000_000, retry_wait_s_max=2, own_networks=True)
SONG = bytes(range(256)) * 400


@pytest.fixture
def host() -> Iterator[SourceHost]:
    with source_host() as found:
        yield found


@pytest.fixture
def web(tmp_path: Path) -> Iterator[PoliteWeb]:
    found = PoliteWeb(MANNERS, MannersBook(tmp_path / "notes.sqlite"), Patience(idle_s=1, exchange_s=3, head_s=1, slow_after_s=0.5))
    yield found
    found.close()


def fetch(web: PoliteWeb, url: str, path: Path, **stated: object) -> tuple[int, int]:
    done = web.download(replace(Download(url, path), **stated), lambda _count: None)
    return done.file_bytes, done.fetched_bytes


def read_often(web: PoliteWeb, url: str) -> None:
    for _ in range(40):
        web.read(url, 100)


def test_a_document_is_asked_for_again_by_its_validator(web: PoliteWeb, host: SourceHost) -> None:
    host.put("/list", "hello", "text/plain", Content_Usage="train-ai=n")
    first, second = web.read(f"{host.address}/list", 100), web.read(f"{host.address}/list", 100)
    assert (first.content, first.usage) == (b"hello", "train-ai=n") == (second.content, second.usage)
    assert [each.status for each in host.asked()] == [200, 304]
    assert all("archive@example.org" in each.agent and each.agent.startswith("Fonoteca/") for each in host.requests)
    host.put("/list", "other", "text/plain")
    assert web.read(f"{host.address}/list", 100).content == b"other"


def test_what_robots_txt_forbids_is_never_asked_for(web: PoliteWeb, host: SourceHost) -> None:
    host.put("/robots.txt", "User-agent: *\nDisallow: /private\nContent-Usage: /open train-ai=n\n")
    host.put("/private/a", "secret")
    host.put("/open", "free")
    host.misdeeds["/way"] = source_hosts.redirect("/private/a")
    for path in ("/private/a", "/way"):
        with pytest.raises(SourceRefused, match=r"robots\.txt"):
            web.read(host.address + path, 100)
    assert web.read(f"{host.address}/open", 100).usage == "train-ai=n"
    assert [each.path for each in host.asked()] == ["/way", "/open"]


def test_a_host_whose_robots_txt_fails_is_left_alone(web: PoliteWeb, host: SourceHost) -> None:
    host.misdeeds["/robots.txt"] = source_hosts.status(500)
    with pytest.raises(SourceBusy, match="cannot be read now"):
        web.read(f"{host.address}/list", 100)
    assert not host.asked()


@pytest.mark.parametrize(
    ("code", "error"),
    [(401, SourceRefused), (403, SourceRefused), (451, SourceRefused), (404, SourceMissing), (410, SourceMissing)],
)
def test_a_refusal_is_not_tried_again(web: PoliteWeb, host: SourceHost, code: int, error: type[FonotecaError]) -> None:
    host.misdeeds["/song"] = source_hosts.status(code)
    with pytest.raises(error):
        web.read(f"{host.address}/song", 100)
    assert len(host.asked()) == 1


def test_what_may_pass_is_tried_again_when_the_host_says(web: PoliteWeb, host: SourceHost) -> None:
    host.put("/song", "la")
    host.misdeeds["/song"] = source_hosts.status(503, 1, **{"Retry-After": "1"})
    assert web.read(f"{host.address}/song", 100).content == b"la"
    first, second = host.asked()
    assert second.at - first.at >= 0.98


@pytest.mark.parametrize("after", ["3600", "date"])
def test_a_host_that_wants_to_be_left_alone_is_also_in_the_next_run(tmp_path: Path, host: SourceHost, after: str) -> None:
    host.misdeeds["/song"] = source_hosts.status(429, **{"Retry-After": source_hosts.later(3600) if after == "date" else after})
    for _ in range(2):
        web = open_web(tmp_path / "notes.sqlite", MANNERS)
        with pytest.raises(SourceBusy):
            web.read(f"{host.address}/song", 100)
        assert web.free_at(host.address) is not None
        web.close()
    assert len(host.asked()) == 1


def test_no_more_is_asked_in_a_second_or_a_day_than_is_allowed(tmp_path: Path, host: SourceHost) -> None:
    host.put("/song", "la")
    for _ in range(2):  # the second run knows of the first one
        manners = replace(MANNERS, per_second=20.0, per_day=30)
        with closing(open_web(tmp_path / "notes.sqlite", manners)) as web, pytest.raises(SourceBusy):
            read_often(web, f"{host.address}/song")
    assert len(host.requests) == 30
    times = [each.at for each in host.requests]
    assert host.most_in_a_second() <= 20
    assert times[-1] - times[0] >= 29 / 20 * GAP * 0.99


def test_a_file_is_gone_on_with_where_it_stopped(web: PoliteWeb, host: SourceHost, tmp_path: Path) -> None:
    host.put("/song", SONG)
    host.misdeeds["/song"] = source_hosts.half()
    path = tmp_path / "song.ogg"
    digests = (("md5", hashlib.md5(SONG).hexdigest()), ("sha1", hashlib.sha1(SONG).hexdigest()))
    assert fetch(web, f"{host.address}/song", path, file_bytes=len(SONG), digests=digests) == (len(SONG), len(SONG))
    assert path.read_bytes() == SONG
    assert [(each.start, each.status) for each in host.asked()] == [(0, 200), (len(SONG) // 2, 206)]
    assert fetch(web, f"{host.address}/song", path, digests=digests) == (len(SONG), 0)
    assert len(host.asked()) == 2
    assert fetch(web, f"{host.address}/song", path) == (len(SONG), 0)
    assert [each.status for each in host.asked()[2:]] == [304], "what no digest proves is asked for, and not sent again"


def test_two_states_of_a_file_are_never_mixed(web: PoliteWeb, host: SourceHost, tmp_path: Path) -> None:
    host.put("/song", SONG)
    host.misdeeds["/song"] = source_hosts.half(4)
    with pytest.raises(SourceError, match="tries"):
        fetch(web, f"{host.address}/song", tmp_path / "song")
    changed = SONG[::-1]
    host.misdeeds.clear()
    host.put("/song", changed)
    assert fetch(web, f"{host.address}/song", tmp_path / "song") == (len(changed), len(changed))
    assert (tmp_path / "song").read_bytes() == changed


BAD = {
    "page": (source_hosts.page, "page for people"),
    "huge": (source_hosts.huge, "expected at most"),
    "endless": (source_hosts.endless, "expected at most"),
    "zipped": (source_hosts.zipped, "gzip"),
    "circle": (source_hosts.redirect("/song"), "circle"),
    "to a file": (source_hosts.redirect("file:///etc/passwd"), "no http or https"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_song_is_not_kept(web: PoliteWeb, host: SourceHost, tmp_path: Path, bad: str) -> None:
    host.put("/song", SONG)
    host.misdeeds["/song"], said = BAD[bad]
    with pytest.raises(SourceError, match=said):
        fetch(web, f"{host.address}/song", tmp_path / "song")
    assert not (tmp_path / "song").exists()


def test_wrong_digests_and_lengths_are_found(web: PoliteWeb, host: SourceHost, tmp_path: Path) -> None:
    host.put("/song", SONG)
    with pytest.raises(SourceError, match="expected md5"):
        fetch(web, f"{host.address}/song", tmp_path / "song", digests=(("md5", "0" * 32),))
    with pytest.raises(SourceError, match="were stated"):
        fetch(web, f"{host.address}/song", tmp_path / "song", file_bytes=7)
    assert list(tmp_path.glob("song*")) == []


def test_our_own_network_is_asked_only_where_a_setting_says_so(tmp_path: Path, host: SourceHost) -> None:
    web = open_web(tmp_path / "notes.sqlite", replace(MANNERS, own_networks=False))
    for url in (host.address, host.address.replace("127.0.0.1", "localhost"), "http://169.254.169.254/latest"):
        with pytest.raises(TrustError, match="own network"):
            web.read(f"{url}/", 100)
    assert not host.requests
    web.close()


@pytest.mark.parametrize("url", ["ftp://host/a", "http:///a", "http://user:word@host/a", "http://host:99999/a", "nonsense"])
def test_what_is_no_address_is_not_asked_for(web: PoliteWeb, url: str) -> None:
    with pytest.raises(SourceError):
        web.read(url, 100)


def test_processes_with_the_same_notes_keep_the_rate_and_the_lanes_together(tmp_path: Path, host: SourceHost) -> None:
    under_way: list[int] = []
    most: list[int] = []

    def slow(request: source_hosts.Answering, _content: bytes) -> bool:
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.1)
        under_way.pop()
        request.answer(200, b"la")
        return True

    host.misdeeds["/song"] = slow
    manners = replace(MANNERS, per_second=40.0, concurrent=2)
    # Each has its own handle of the notes and its own open files, which is what tells processes apart there.
    webs = [open_web(tmp_path / "notes.sqlite", manners) for _ in range(3)]
    with ThreadPoolExecutor(9) as pool:
        list(pool.map(lambda number: webs[number % 3].read(f"{host.address}/song", 100), range(24)))
    for each in webs:
        each.close()
    assert len(host.asked()) == 24
    assert max(most) <= 2
    assert host.most_in_a_second() <= 40


def test_public_hosts_are_not_asked_by_nobody(tmp_path: Path) -> None:
    nobody = replace(MANNERS, contact="")
    with closing(open_web(tmp_path / "notes.sqlite", nobody)) as web, pytest.raises(UsageError, match="contact"):
        web.read("http://1.1.1.1/", 100)


def test_a_body_that_drips_is_given_up(web: PoliteWeb, host: SourceHost, tmp_path: Path) -> None:
    def drip(request: source_hosts.Answering, _content: bytes) -> bool:
        request.close_connection = True
        request.send_response(200)
        request.end_headers()
        for _ in range(600):
            request.wfile.write(b"x")
            time.sleep(0.02)
        return True

    host.misdeeds["/song"] = drip
    begun = time.monotonic()
    with pytest.raises(SourceError, match="bytes in"):
        fetch(web, f"{host.address}/song", tmp_path / "song")
    assert time.monotonic() - begun < 60
    assert not (tmp_path / "song").exists()


def test_a_host_that_cannot_prove_its_name_is_not_believed(tmp_path: Path) -> None:
    files = ["-keyout", tmp_path / "key", "-out", tmp_path / "cert"]
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as plain, context.wrap_socket(plain, server_side=True) as server:

        def answer() -> None:
            with suppress(OSError):
                server.accept()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with closing(open_web(tmp_path / "notes.sqlite", MANNERS)) as web, pytest.raises(TrustError, match="certificate"):
            web.read(f"https://localhost:{server.getsockname()[1]}/", 100)
        thread.join(5)


def test_who_we_are_at_a_host_is_said_there_and_kept_nowhere(tmp_path: Path, host: SourceHost) -> None:
    netrc = tmp_path / "sources.netrc"
    netrc.write_text(f"machine {host.address.removeprefix('http://')} login ana password secret-word\n")
    answered: list[str] = []

    def answer(request: source_hosts.Answering, _content: bytes) -> bool:
        answered.append(request.path)
        request.answer(200, b"{}", ETag='"1"')
        return True

    host.misdeeds["/rest/ping"] = answer
    with closing(open_web(tmp_path / "notes.sqlite", MANNERS, netrc)) as web:
        with pytest.raises(UsageError, match="others"):
            web.read(f"{host.address}/rest/ping", 100)
        netrc.chmod(0o600)
    with closing(open_web(tmp_path / "notes.sqlite", MANNERS, netrc)) as web:
        web.read(f"{host.address}/rest/ping", 100)
    (path,) = answered
    said = dict(parse_qsl(urlsplit(path).query))
    assert said["u"] == "ana"
    assert said["t"] == hashlib.md5(f"secret-word{said['s']}".encode()).hexdigest()
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("notes.sqlite*"))
    assert b"/rest/ping" in kept
    assert said["t"].encode() not in kept
    assert b"secret-word" not in kept
