"""Files that the kernel sends: the same bytes and answers, for clients that are slow, leave, or ask for a part."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from serve_site import ENDGAME, Site
from starlette.types import Message

from fonoteca.model.errors import FixityError
from fonoteca.register import FileRow
from fonoteca.serve import delivery
from fonoteca.serve.delivery import SentByKernel
from fonoteca.serve.held import proving
from fonoteca.serve.paths import file_url
from fonoteca.serve.proving import PROVED_FOR, ProvenStream, Remembered
from fonoteca.serve.ranges import Portion
from fonoteca.serve.zero_copy import ZERO_COPY


class StoppedClock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@dataclass(frozen=True)
class Given:
    """A file, where it lies, and a client of a site that has proved it."""

    client: httpx.Client
    row: FileRow
    place: Path
    sent: list[int]

    @property
    def url(self) -> str:
        return file_url(self.row.object_id, self.row.logical_path)


@pytest.fixture
def given(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    row, sent, bring_in = site.rooms.register.files(ENDGAME)[0], [], delivery.bring_in

    async def counting(source: object, offset: int, count: int) -> None:
        sent.append(count)
        await bring_in(source, offset, count)  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "bring_in", counting)
    monkeypatch.setattr(delivery, "ZERO_COPY_BYTES", 1 << 14)
    with site.client(remembered=Remembered()) as client:
        found = Given(client, row, site.folder / "store" / row.path, sent)
        for _ in range(2):  # the first may be read whole before it is opened, and the second is proved as it is read
            assert client.get(found.url).content == found.place.read_bytes()
        sent.clear()
        yield found


def test_what_was_proved_lately_is_sent_by_the_kernel_to_the_byte(given: Given) -> None:
    content = given.place.read_bytes()
    answer = given.client.get(given.url)
    assert (answer.status_code, answer.content) == (200, content)
    assert sum(given.sent) == len(content), "no byte passed through a buffer"
    first, last = 12_345, len(content) - 678
    part = given.client.get(given.url, headers={"Range": f"bytes={first}-{last}"})
    assert (part.status_code, part.content) == (206, content[first : last + 1])
    assert given.client.head(given.url).headers["content-length"] == str(len(content))
    assert given.client.get(given.url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert sum(given.sent) == len(content) + last + 1 - first


def test_a_client_that_leaves_in_the_middle_troubles_nobody(given: Given, caplog: pytest.LogCaptureFixture) -> None:
    place = urlsplit(str(given.client.base_url))
    for _ in range(5):
        with socket.create_connection((place.hostname, place.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # it leaves by a reset
            line.sendall(f"GET {given.url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert line.recv(100)
    assert given.client.get(given.url).content == given.place.read_bytes()
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_slow_client_gets_all_of_it(given: Given) -> None:
    place, content, got = urlsplit(str(given.client.base_url)), given.place.read_bytes(), b""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((place.hostname, place.port))
        line.sendall(f"GET {given.url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        while part := line.recv(1 << 16):
            got += part
            time.sleep(0.001)
    assert got.endswith(content)
    assert len(got) < len(content) + 2000


def test_a_file_that_is_cut_off_while_it_is_sent_breaks_the_connection(given: Given) -> None:
    content, times = given.place.read_bytes(), given.place.stat()
    given.place.chmod(0o644)
    try:
        with given.client.stream("GET", given.url) as answer:
            assert answer.status_code == 200
            parts = answer.iter_raw(1 << 12)
            next(parts)
            os.truncate(given.place, 1 << 12)
            with pytest.raises(httpx.RemoteProtocolError):
                list(parts)
    finally:
        given.place.write_bytes(content)
        os.utime(given.place, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_what_somebody_writes_while_it_is_sent_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonoteca.serve.delivery.ZERO_COPY_BYTES", 4096)
    place, sent = tmp_path / "song", []
    place.write_bytes(bytes(16_384))

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 3:
            times = place.stat()
            place.write_bytes(b"\1" * 16_384)
            os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns + 1))

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with place.open("rb") as source, pytest.raises(FixityError, match="somebody wrote"):
        anyio.run(SentByKernel(source, "song", Portion(200, 0, 16_384), {}), {"type": "http"}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", ZERO_COPY, ZERO_COPY]


def test_a_proof_ends_with_its_time_or_when_somebody_writes(site: Site) -> None:
    row, clock = site.rooms.register.files(ENDGAME)[0], StoppedClock()
    place = site.folder / "store" / row.path
    rooms = replace(site.rooms, remembered=Remembered(), clock=clock)

    def is_proved_anew() -> bool:
        with proving(rooms, row).open(row.path) as source:
            return isinstance(source, ProvenStream) and bool(source.read())

    is_proved_anew()  # an audit may have seen it
    assert not is_proved_anew()
    clock.time += PROVED_FOR - timedelta(seconds=1)
    assert not is_proved_anew()
    clock.time += timedelta(seconds=1)
    assert is_proved_anew()
    assert not is_proved_anew()
    clock.time -= timedelta(seconds=1)
    assert is_proved_anew(), "a clock that was put back makes no proof last longer"
    place.chmod(0o644)
    times = place.stat()
    place.write_bytes(place.read_bytes())
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_proved_anew(), "somebody wrote, though the time is as it was"
