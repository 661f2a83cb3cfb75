"""What the site tells whoever runs it: one access event a fetch, meters, and a line a request."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from serve_site import ENDGAME, KEPT, Site

from fonoteca.edges.clock import SystemClock
from fonoteca.model.errors import StoreError
from fonoteca.model.ids import ObjectId
from fonoteca.people import People, Role, Seal
from fonoteca.people.accesses import Access
from fonoteca.register import FileRow
from fonoteca.serve import patience
from fonoteca.serve.paths import file_url
from fonoteca.serve.watching import accesses as gathering
from fonoteca.serve.watching.accesses import AccessLog
from fonoteca.serve.watching.lines import Lines, logging_of

WAIT_S = 60.0
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "GATHERED_S", 0.02)


@pytest.fixture
def row(site: Site) -> FileRow:
    return site.rooms.register.files(ENDGAME)[0]


@dataclass
class Told:
    """The events that come of what happens meanwhile."""

    site: Site
    after: int
    begun_ms: int

    def events(self, count: int) -> list[Access]:
        """Return the events, without those of pictures, once there are so many."""
        deadline = time.monotonic() + WAIT_S
        while True:
            new = self.site.rooms.people.accesses.since(self.after)
            found = [access for _, access in new if access.endpoint != "cover" and access.at_ms >= self.begun_ms]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)


@contextmanager
def telling(site: Site) -> Iterator[Told]:
    known = site.rooms.people.accesses.since()
    yield Told(site, known[-1][0] if known else 0, int(site.rooms.clock.now().timestamp() * 1000))


def meter(client: httpx.Client, name: str) -> float:
    found = [line for line in client.get("/metrics").text.splitlines() if line.rsplit(" ", 1)[0] == name]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


def test_each_fetch_is_one_event_that_says_what_was_sent(site: Site, client: httpx.Client, row: FileRow) -> None:
    url = file_url(row.object_id, row.logical_path)
    with telling(site) as told:
        client.get(url, headers={"User-Agent": FIREFOX})
        client.get(url, headers={"Range": "bytes=100-299", "User-Agent": "mpv 0.40.0"})
        client.get(url.replace("/files/", "/listen/"), headers={"User-Agent": "curl/8.1"})
        client.get(f"/webseed/test-archive/{quote(row.path)}")
        found = told.events(4)
    whole, part, made, seeded = found
    assert (whole.endpoint, whole.object, whole.path) == ("files", row.object_id, row.logical_path)
    assert (whole.status, whole.first_byte, whole.sent_bytes, whole.whole) == (200, 0, row.file_bytes, True)
    assert (whole.account, whole.client, len(whole.visitor)) == (None, "Firefox", 16)
    assert whole.recording == (row.stored.tags.recording_mbid if row.stored.tags else "")
    assert (part.status, part.first_byte, part.sent_bytes, part.whole, part.client) == (206, 100, 200, True, "mpv 0.40.0")
    assert (made.endpoint, made.client, made.whole) == ("listen", "curl", True)
    assert made.sent_bytes > 1000
    assert (seeded.endpoint, seeded.object, seeded.path) == ("webseed", ENDGAME, row.path)
    assert len({each.visitor for each in found}) == 1


def test_what_is_not_fetched_is_no_event(site: Site, client: httpx.Client, row: FileRow) -> None:
    url = file_url(row.object_id, row.logical_path)
    with telling(site) as told:
        client.head(url)
        client.get(url, headers={"If-None-Match": f'"{row.stored.hashes.sha256}"'})
        client.get(url, headers={"Range": f"bytes={row.file_bytes}-"})
        client.get(file_url(KEPT, site.rooms.register.files(KEPT)[0].logical_path))
        client.get(file_url(ObjectId.of("audio", "folder:none"), row.logical_path))
        client.get("/static/mark.svg")
        client.get(url, headers={"Range": "bytes=0-0"})
        assert [each.sent_bytes for each in told.events(1)] == [1]


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with People.open(str(tmp_path / "people.sqlite"), SystemClock(), os.urandom, Seal(Seal.new_key())) as people:
        yield people


def test_a_player_is_told_by_its_account_and_name(site: Site, row: FileRow, people: People) -> None:
    account = people.add("Ada", "a long password", Role.LISTENER)
    who = {"u": "Ada", "p": people.add_secret(account.number, "player").text, "v": "1.16.1", "c": "Symfonium", "f": "json"}
    own = replace(site, rooms=replace(site.rooms, people=people))
    with own.client() as client, telling(own) as told:
        song = client.get("/rest/search3", params={**who, "query": row.title}).json()["subsonic-response"]["searchResult3"]["song"][
            0
        ]
        client.get("/rest/stream", params={**who, "id": song["id"]})
        client.post("/rest/download.view", data={**who, "id": song["id"]})
        client.get("/rest/getCoverArt", params={**who, "id": song["id"]})
        fetched = told.events(2)
        key = people.add_key(account.number, "script").text
        client.get(file_url(row.object_id, row.logical_path), headers={"Authorization": f"Bearer {key}"})
        fetched = told.events(3)
    assert [each.endpoint for each in fetched] == ["stream", "download", "files"]
    assert {each.account for each in fetched} == {account.number}
    assert {each.visitor for each in fetched} == {""}
    assert fetched[0].client == "Symfonium"


def test_who_leaves_is_told_by_what_was_sent(site: Site, client: httpx.Client) -> None:
    row = max(site.rooms.register.files(ENDGAME), key=lambda each: each.file_bytes)
    place = urlsplit(str(client.base_url))
    with telling(site) as told:
        with socket.create_connection((place.hostname, place.port), timeout=20) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.sendall(f"GET {file_url(row.object_id, row.logical_path)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert line.recv(1000)
        [access] = told.events(1)
    if access.sent_bytes < row.file_bytes:  # the buffers of a machine's sockets may hold all of it
        assert not access.whole
    assert meter(client, "fonoteca_streams_open") == 0


def test_events_wait_while_the_database_is_away_and_what_is_lost_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        def __init__(self) -> None:
            self.rows: list[Access] = []
            self.away = True

        def visitor(self, host: str) -> str:
            return host

        def append(self, rows: list[Access]) -> None:
            if self.away:
                raise StoreError("people", "not there")
            self.rows += rows

        def expire(self, kept_days: int) -> int:
            raise StoreError("people", "not there")

    access = Access(1, 1, None, "", "files", "o", "p", "", 1, 0, 1, 200, True, "x")
    shelf, counts = Away(), {"written": 0, "lost": 0}

    def counted(name: str) -> object:
        return lambda step: counts.update({name: counts[name] + step})

    told = AccessLog(shelf, 30, counted("written"), counted("lost"))  # type: ignore[arg-type]
    gathering_max, gathering.WAITING_MAX = gathering.WAITING_MAX, 10
    try:
        for number in range(15):
            told.add(replace(access, sent_bytes=number), "net")
        told.expire()
        deadline = time.monotonic() + WAIT_S
        while not any("wait" in each.message for each in caplog.records):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        shelf.away = False
        told.close()
    finally:
        gathering.WAITING_MAX = gathering_max
    assert [each.sent_bytes for each in shelf.rows] == list(range(15))[-len(shelf.rows) :]
    assert counts == {"written": len(shelf.rows), "lost": 15 - len(shelf.rows)}
    assert {each.visitor for each in shelf.rows} == {"net"}
    none = AccessLog(shelf, 0, counted("written"), counted("lost"))  # type: ignore[arg-type]
    none.add(access, "net")
    none.close()
    assert len(shelf.rows) == counts["written"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_writer_costs_its_events_and_no_others() -> None:
    rows: list[Access] = []
    written: list[int] = []
    lost: list[int] = []

    class Odd:
        def visitor(self, host: str) -> str:
            return ""

        def append(self, some: Sequence[Access]) -> None:
            if any(row.sent_bytes < 0 for row in some):
                raise ValueError("less than nothing")
            rows.extend(some)

        def expire(self, kept_days: int) -> int:
            return 0

    access = Access(1, 1, 1, "", "files", "o", "p", "", 1, 0, 1, 200, True, "x")
    told = AccessLog(Odd(), 30, written.append, lost.append)
    told.add(replace(access, sent_bytes=-1), "")
    deadline = time.monotonic() + WAIT_S
    while not lost or told._is_writing():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    told.add(access, "")
    told.close()
    assert (rows, written, lost) == ([access], [1], [1])


def test_meters_count_answers_and_tell_how_the_archive_is(site: Site, client: httpx.Client, row: FileRow) -> None:
    url = file_url(row.object_id, row.logical_path)
    asked = 'fonoteca_requests_total{method="GET",route="/files/{rest:rest}",status="200"}'
    before, sent = meter(client, asked), meter(client, 'fonoteca_sent_bytes_total{route="/files/{rest:rest}"}')
    client.get(url)
    assert meter(client, asked) == before + 1
    assert meter(client, 'fonoteca_sent_bytes_total{route="/files/{rest:rest}"}') == sent + row.file_bytes
    client.get("/no/such/page")
    client.get("/rest/ping", params={"v": "1.16.1", "c": "x"})
    text = client.get("/metrics").text
    for said in (
        "fonoteca_register_up 1.0",
        "fonoteca_store_up 1.0",
        f"fonoteca_objects {site.rooms.register.totals().objects}.0",
        "fonoteca_damaged_files 0.0",
    ):
        assert said in text.splitlines()
    assert 'fonoteca_requests_total{method="GET",route="/rest/ping",status="200"}' in text
    assert 'fonoteca_refused_total{code="404"}' in text
    assert 'route="/no/such/page"' not in text


def test_meters_are_for_near_networks_and_operators(site: Site, people: People) -> None:
    keys = {
        role: people.add_key(people.add(f"m-{role}", "a long password", role).number, "m").text
        for role in (Role.LISTENER, Role.OPERATOR)
    }
    settings = site.rooms.settings
    with site.client() as client:
        assert client.get("/metrics").status_code == 200
        hidden = client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
        assert (hidden.status_code, hidden.headers["content-type"]) == (403, "application/problem+json")
    far = replace(settings, server=replace(settings.server, metrics_from=("10.0.0.0/8",)))
    with site.client(settings=far, people=people) as client:
        assert client.get("/metrics").status_code == 403
        for role, status in ((Role.LISTENER, 403), (Role.OPERATOR, 200)):
            assert client.get("/metrics", headers={"Authorization": f"Bearer {keys[role]}"}).status_code == status


def test_a_request_is_one_line_without_secrets(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fonoteca.access")
    answer = client.get("/rest/ping?u=ada&p=sesame&t=token&apiKey=secret&c=x&v=1.16.1", headers={"X-Request-ID": "proxy-1"})
    assert answer.headers["x-request-id"] == "proxy-1"
    client.get("/%0a%1b[31m/" + "x" * 2000, headers={"X-Request-ID": "no line may hold this"})
    deadline = time.monotonic() + 10  # a line is written when its answer has gone out
    while len(records := [each for each in caplog.records if each.name == "fonoteca.access"]) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    for form in ("text", "json"):
        lines = [Lines(form).format(each) for each in records]
        assert len(lines) == 2
        for line in lines:
            assert "\n" not in line
            assert "\x1b" not in line
            assert len(line) < 1200
            assert not any(secret in line for secret in ("sesame", "token", "secret", "no line may hold this"))
        assert "proxy-1" in lines[0]
    told = json.loads(Lines("json").format(records[0]))
    assert (told["method"], told["route"], told["status"], told["account"]) == ("GET", "/rest/ping", 200, None)
    assert told["bytes"] > 0
    assert logging_of("")["loggers"]["fonoteca"]["level"] == "WARNING"
    assert Lines("text").format(logging.LogRecord("fonoteca", 30, "", 1, "a\nb", (), None)).endswith("a\\nb")


def test_a_request_that_never_ends_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", 0.3)
    with site.client() as client:
        place = urlsplit(str(client.base_url))
        whole = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        for said in (
            b"",
            b"GET /health HTTP/1.1\r\nX-Slow: ",
            b"POST /rest/ping HTTP/1.1\r\nHost: x\r\n" + FORM + b"Content-Length: 9\r\n\r\nf=",
            whole + b"GET ",
        ):
            with socket.create_connection((place.hostname, place.port), timeout=WAIT_S) as line:
                line.sendall(said)
                got = b""
                with suppress(ConnectionResetError):
                    while part := line.recv(4096):
                        got += part
                assert got.startswith(b"HTTP/1.1 200") == said.startswith(whole)
        assert client.get("/health").status_code == 200
        time.sleep(0.5)
        assert client.get("/health").status_code == 200, "a connection that waits for its next request is let be"
