"""Held recordings in another format: to whom they may go, how many at once, and that whoever leaves costs nothing more."""

from __future__ import annotations

import contextlib
import http.client
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import av
import httpx
import pytest
from serve_site import ENDGAME, KEPT, Site, serving

from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import RightsRecord
from fonoteca.serve import renditions
from fonoteca.serve.paths import file_url


def _url(site: Site, object_id: ObjectId = ENDGAME) -> str:
    """Return where an object's first recording is to be had in another format."""
    return file_url(object_id, site.rooms.register.files(object_id)[0].logical_path).replace("/files/", "/listen/", 1)


@pytest.mark.parametrize(
    ("asked", "media_type", "codec", "container"),
    [
        ("", "audio/ogg; codecs=opus", "opus", "ogg"),
        ("format=opus&kbps=64", "audio/ogg; codecs=opus", "opus", "ogg"),
        ("format=mp3&kbps=192", "audio/mpeg", "mp3", "mp3"),
    ],
)
def test_a_recording_is_to_be_had_in_another_format(
    site: Site, client: httpx.Client, asked: str, media_type: str, codec: str, container: str
) -> None:
    answer = client.get(f"{_url(site)}?{asked}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["accept-ranges"] == "none"
    assert "sandbox" in answer.headers["content-security-policy"]
    with av.open(io.BytesIO(answer.content), mode="r", format=container) as sound:
        assert codec in sound.streams.audio[0].codec_context.name
        heard_s = sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))
    described = site.rooms.register.files(ENDGAME)[0]
    assert abs(heard_s - described.duration_ms / 1000) < 0.3


def test_head_says_what_would_come(site: Site, client: httpx.Client) -> None:
    answer = client.head(f"{_url(site)}?format=mp3&download")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "audio/mpeg", b"")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert ".mp3" in answer.headers["content-disposition"]


def test_what_may_only_be_kept_is_not_given_out(site: Site, client: httpx.Client) -> None:
    assert client.get(_url(site, KEPT)).status_code == 403


def test_where_the_licence_lets_nobody_change_the_format_nobody_does(site: Site) -> None:
    class Strict:
        def rights(self, object_id: ObjectId) -> RightsRecord:
            return replace(site.store.rights(object_id), transcode="")

    with site.client(store=Strict()) as client:
        answer = client.get(_url(site))
        assert (answer.status_code, "as it is" in answer.text) == (403, True)
        assert client.get(_url(site).replace("/listen/", "/files/", 1)).status_code == 200


@pytest.mark.parametrize(
    "asked",
    ["format=flac", "format=", "kbps=0", "kbps=9999999999999999999999", "kbps=x", "from=-1", "from=nan", "from=inf", "from=1e400"],
)
def test_what_cannot_be_asked_for_is_said(site: Site, client: httpx.Client, asked: str) -> None:
    answer = client.get(f"{_url(site)}?{asked}")
    assert answer.status_code == 400
    assert "format=opus or mp3" in answer.text


@pytest.mark.parametrize(
    "path", ["/listen/", "/listen/x", "/listen/audio:none/a.ogg", "/listen/%00/%00", "/listen/../register.sqlite"]
)
def test_what_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    assert client.get(f"/listen/{path}").status_code == 404


def test_a_file_that_is_gone_is_an_answer_and_frees_its_place(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renditions, "LISTENERS_MAX", 1)

    class Emptied:
        def stamp(self, key: str) -> None: ...

    path = site.rooms.register.files(ENDGAME)[0].path
    try:
        with site.client(blobs=Emptied()) as client:
            assert [client.get(_url(site)).status_code for _ in range(3)] == [503] * 3
    finally:
        site.rooms.register.auditing.enter_check(site.rooms.clock.now(), path, "")
    with site.client() as client:
        assert client.get(_url(site)).status_code == 200


@pytest.fixture
def one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renditions, "LISTENERS_MAX", 1)


@pytest.mark.usefixtures("one_place")
def test_whoever_leaves_frees_a_place(site: Site) -> None:
    with site.client() as client:
        listening = http.client.HTTPConnection(urlsplit(str(client.base_url)).netloc, timeout=20)
        listening.request("GET", f"{_url(site)}?kbps=320")
        answer = listening.getresponse()
        assert answer.read(100).startswith(b"OggS")
        # A short recording may be sent whole by now; then its place is free already.
        listening.close()
        deadline = time.monotonic() + 20
        while (status := client.get(_url(site)).status_code) == 503 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status == 200


@pytest.mark.usefixtures("one_place")
def test_one_too_many_is_told_so_and_may_have_the_original(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_source: object, _name: str, _rendition: object) -> Iterator[bytes]:
        while True:
            yield bytes(1 << 16)

    monkeypatch.setattr(renditions, "transcode", endless)
    with site.client() as client:
        with client.stream("GET", _url(site)) as listening:
            heard = listening.iter_raw(1000)
            assert next(heard)
            assert client.get(_url(site)).status_code == 503
            assert client.get(_url(site).replace("/listen/", "/files/", 1)).status_code == 200
        deadline = time.monotonic() + 20
        while (status := _status(client, _url(site))) == 503 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status == 200


def test_one_who_takes_every_place_and_nothing_more_keeps_nobody_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_source: object, _name: str, _rendition: object) -> Iterator[bytes]:
        while True:
            yield bytes(1 << 16)

    monkeypatch.setattr(renditions, "LISTENERS_MAX", 4)
    monkeypatch.setattr(renditions, "transcode", endless)
    with serving(site.rooms, proxy_headers=True, forwarded_allow_ips="127.0.0.1") as address, contextlib.ExitStack() as stack:

        def listen(place: str) -> int:
            client = stack.enter_context(httpx.Client(headers={"X-Forwarded-For": place}))
            return stack.enter_context(client.stream("GET", f"{address}{_url(site)}")).status_code

        assert [listen("192.0.2.7") for _ in range(5)] == [200] * 4 + [503]
        assert [listen("192.0.2.8") for _ in range(3)] == [200, 200, 503], "then both have as many"
        assert [listen("192.0.2.9") for _ in range(2)] == [200, 503]
        monkeypatch.setattr(renditions, "RESTED_S", 0.0)
        assert listen("192.0.2.9") == 200


def _status(client: httpx.Client, address: str) -> int:
    with client.stream("GET", address) as answer:
        return answer.status_code
