"""Terms at every door: what may go out later, no more, or somewhere alone, at the second before, the second itself, and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from flows_world import (
    NOW,
    SETTINGS,
    StoppedClock,
    artwork,
    audio,
    make_archive,
    opened,
    picture,
    put_item,
    put_out,
    serving,
    take,
    track,
)

from fonoteca.model.ids import ObjectId
from fonoteca.model.settings import ServerSettings
from fonoteca.register import object_key_of
from fonoteca.serve.paths import cover_url, file_url, listen_url, object_url, track_url, waveform_url
from fonoteca.serve.subsonic import ids
from fonoteca.wiring import Archive

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
STARTS, ENDS = NOW + HOUR, NOW + 2 * HOUR
TERM = f'licence = "CC-BY-4.0"\nfrom = "{STARTS.isoformat()}"\nuntil = "{ENDS.isoformat()}"\n'
LOCAL = 'licence = "CC-BY-4.0"\nterritories = ["at", "de"]\n'
BY_PROXY = replace(SETTINGS, server=ServerSettings(proxies=("127.0.0.1",), country_header="X-Country"))
GERMAN = {"X-Country": "DE"}


@pytest.fixture(scope="module")
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, clock: StoppedClock) -> Iterator[Archive]:
    """An archive with an item for an hour, one for two countries, and one for everybody; all was published before the hour."""
    folder = tmp_path_factory.mktemp("terms")
    put_item(folder / "music", "hour", {"01 a.flac": track(1, title="Lark", artist="Ada"), "cover.png": picture()}, TERM, "Ada")
    put_item(folder / "music", "local", {"01 b.flac": track(2, title="Finch", artist="Bob"), "cover.png": picture(2)}, LOCAL, "Bob")
    put_item(folder / "music", "free", {"01 c.flac": track(3, title="Wren", artist="Cid")}, artist="Cid")
    with opened(make_archive(folder / "archive", BY_PROXY), clock=clock) as made:
        take(made, folder / "music")
        put_out(made)
        yield made


@pytest.fixture(scope="module")
def client(archive: Archive) -> Iterator[httpx.Client]:
    with serving(archive) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def doors(archive: Archive, name: str, client: httpx.Client, headers: dict[str, str] | None = None) -> dict[str, int]:
    """Return the status of every address that gives bytes of an item, and of every call of a player that does."""
    row, art = archive.register.files(audio(name))[0], archive.register.files(artwork(name))[0]
    player = "c=test&v=1.16.1&f=json"
    urls = {
        "file": file_url(row.object_id, row.logical_path),
        "picture": file_url(art.object_id, art.logical_path),
        "listen": listen_url(row.object_id, row.logical_path),
        "wave": waveform_url(row.object_id, row.logical_path),
        "stream": f"/rest/stream?id={song_id(archive, name)}&{player}",
        "download": f"/rest/download?id={song_id(archive, name)}&{player}",
        "cover art": f"/rest/getCoverArt?id={album_id(name)}&{player}",
        "web seed": f"/webseed/{archive.settings.name}/{quote(row.path)}",
    }
    found = {}
    for door, url in urls.items():
        answer = client.get(url, headers=headers)
        if door not in CALLED and not answer.is_success:
            again = {**(headers or {}), "If-None-Match": "*", "Range": "bytes=0-9"}
            assert client.get(url, headers=again).status_code == client.head(url, headers=headers).status_code == answer.status_code
        found[door] = answer.status_code if answer.headers["content-type"] != "application/json" else 404
    return found


def album_id(name: str) -> str:
    return ids.album_id(object_key_of(audio(name)))


def song_id(archive: Archive, name: str) -> str:
    return ids.song_id(object_key_of(audio(name)), archive.register.files(audio(name))[0].logical_path)


ASKED = ("file", "picture", "listen", "wave")
CALLED = ("stream", "download", "cover art")


def shut(status: int) -> dict[str, int]:
    return {**dict.fromkeys(ASKED, status), **dict.fromkeys(CALLED, 404), "web seed": status}


OPEN = dict.fromkeys((*ASKED, *CALLED, "web seed"), 200)


@pytest.mark.parametrize(
    ("at", "expected", "words"),
    [
        (NOW, shut(403), "available from 1 March 2026, 13:00:00 UTC"),
        (STARTS - SECOND, shut(403), "available from 1 March 2026, 13:00:00 UTC"),
        (STARTS, OPEN, ""),
        (ENDS - SECOND, OPEN, ""),
        (ENDS, shut(410), "was available until 1 March 2026, 14:00:00 UTC"),
        (ENDS + 1000 * HOUR, shut(410), "was available until 1 March 2026, 14:00:00 UTC"),
        (STARTS + SECOND, OPEN, ""),
    ],
)
def test_every_door_opens_and_shuts_at_the_second_and_says_why(
    archive: Archive, client: httpx.Client, clock: StoppedClock, at: object, expected: dict[str, int], words: str
) -> None:
    clock.at = at  # type: ignore[assignment]
    assert doors(archive, "hour", client) == expected
    row = archive.register.files(audio("hour"))[0]
    is_open = not words
    for url in (object_url(row.object_id), track_url(row.object_id, row.logical_path)):
        page = client.get(url)
        assert page.status_code == 200
        assert words in page.text
        assert ('class="refused"' in page.text, "data-track" in page.text) == (not is_open, is_open)
    assert is_open or words in client.get(file_url(row.object_id, row.logical_path)).text
    for listing in ("/search?q=lark", "/artists/Ada"):
        assert ("data-track" in client.get(listing).text) == is_open
    (hit,) = client.get("/api/search", params={"q": "lark", "limit": 1}).json()["hits"]
    assert hit["playable"] == is_open
    heard = client.get("/rest/search3?query=lark&c=test&v=1.16.1&f=json").json()["subsonic-response"]["searchResult3"]
    assert bool(heard.get("song")) == is_open
    listed = client.get("/rest/getAlbumList2?type=newest&c=test&v=1.16.1&f=json").text
    assert (album_id("hour") in listed) == is_open
    assert client.get(cover_url(audio("hour"))).is_redirect == is_open


@pytest.mark.parametrize(
    ("headers", "opens"),
    [
        (GERMAN, True),
        ({"X-Country": "at"}, True),
        ({"X-Country": "FR"}, False),
        ({"X-Country": "XX"}, False),
        ({"X-Country": "DE, FR"}, False),
        ({}, False),
        ({"X-Forwarded-For": "192.0.2.7", "X-Country": "DE"}, True),
    ],
)
def test_what_is_for_some_countries_goes_there_alone(
    archive: Archive, client: httpx.Client, headers: dict[str, str], *, opens: bool
) -> None:
    expected = OPEN if opens else shut(451)
    assert doors(archive, "local", client, headers) == {**expected, "web seed": 451}
    page = client.get(object_url(audio("local")), headers=headers)
    assert ("It is available in AT, DE only." in page.text, "data-track" in page.text) == (not opens, opens)
    assert page.headers["vary"].lower().split(", ").count("x-country") == 1
    row = archive.register.files(audio("free"))[0]
    assert client.get(file_url(row.object_id, row.logical_path), headers=headers).status_code == 200


def test_a_country_that_is_said_twice_or_by_a_visitor_is_not_believed(archive: Archive, client: httpx.Client) -> None:
    row = archive.register.files(audio("local"))[0]
    url = file_url(row.object_id, row.logical_path)
    assert client.get(url, headers=[("X-Country", "DE"), ("X-Country", "DE")]).status_code == 451
    assert client.get(url, headers=GERMAN).status_code == 200
    kept = archive.settings
    try:
        # The proxy is another machine, so that whoever asks from here is a visitor, whatever he says of himself.
        archive.settings = replace(kept, server=replace(kept.server, proxies=("192.0.2.1",)))
        with serving(archive) as address:
            for spoofed in (GERMAN, {**GERMAN, "X-Forwarded-For": "192.0.2.1"}, {**GERMAN, "Forwarded": "for=192.0.2.1"}):
                assert httpx.get(address + url, headers=spoofed).status_code == 451
    finally:
        archive.settings = kept


def members(archive: Archive) -> set[ObjectId]:
    return {member.object_id for drop in archive.register.drops() for member in archive.register.members_of_drop(drop.id)}
