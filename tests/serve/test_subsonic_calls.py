"""Every call of the protocol, in each of its forms, answers as its makers describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from serve_site import ENDGAME, HOSTILE, KEPT, ODD, Site
from subsonic_schema import check_answer

from fonoteca.register import name_key, object_key_of
from fonoteca.serve.subsonic.ids import album_id, artist_id, song_id

WHO = {"u": "anonymous", "p": "none", "v": "1.16.1", "c": "test"}
ALBUM = album_id(object_key_of(ENDGAME))
ODD_ALBUM = album_id(object_key_of(ODD))
NOWHERE = album_id(1)

CALLS: dict[str, list[dict[str, str]]] = {
    "ping": [{}],
    "getLicense": [{}],
    "getOpenSubsonicExtensions": [{}],
    "getScanStatus": [{}],
    "startScan": [{}],
    "getMusicFolders": [{}],
    "getIndexes": [{}, {"musicFolderId": "1"}, {"ifModifiedSince": "1"}, {"ifModifiedSince": "99999999999999"}],
    "getArtists": [{}, {"musicFolderId": "7"}],
    "getArtist": [{"id": "ARTIST"}],
    "getAlbum": [{"id": ALBUM}, {"id": ODD_ALBUM}],
    "getSong": [{"id": "SONG"}],
    "getMusicDirectory": [{"id": ALBUM}, {"id": "ARTIST"}],
    "getGenres": [{}],
    "getArtistInfo": [{"id": "ARTIST"}],
    "getArtistInfo2": [{"id": "ARTIST"}],
    "getAlbumInfo": [{"id": ALBUM}],
    "getAlbumInfo2": [{"id": ALBUM}],
    "getSimilarSongs": [{"id": "SONG"}, {"id": "ARTIST"}, {"id": ALBUM, "count": "2"}],
    "getSimilarSongs2": [{"id": "ARTIST"}],
    "getTopSongs": [{"artist": "Max McLaughlin", "count": "3"}],
    "getVideos": [{}],
    "getAlbumList": [{"type": "alphabeticalByName"}, {"type": "random"}],
    "getAlbumList2": [
        *({"type": kind} for kind in ("random", "newest", "alphabeticalByName", "alphabeticalByArtist")),
        {"type": "byYear", "fromYear": "2030", "toYear": "1990"},
        {"type": "byGenre", "genre": "Rock"},
        {"type": "newest", "size": "1", "offset": "1"},
    ],
    "getRandomSongs": [{}, {"size": "3", "fromYear": "1900", "toYear": "2100"}, {"genre": "Rock"}],
    "getSongsByGenre": [{"genre": "Rock"}],
    "search2": [{"query": "singularity"}, {"query": ""}],
    "search3": [{"query": "singularity"}, {"query": '""'}, {"query": "söhne"}, {"query": "", "songOffset": "3", "songCount": "2"}],
    "getLyrics": [{"artist": "a", "title": "b"}, {}],
    "getLyricsBySongId": [{"id": "SONG"}],
}


@pytest.fixture(scope="module")
def openapi(fixtures: Path) -> Path:
    return fixtures / "opensubsonic" / "openapi"


@pytest.fixture(scope="module")
def names(site: Site) -> dict[str, str]:
    """Return ids that the archive alone knows."""
    row = site.rooms.register.files(ENDGAME)[0]
    [album] = site.rooms.register.shelf.albums_at([object_key_of(ENDGAME)])
    return {"SONG": song_id(album.album_key, row.logical_path), "ARTIST": artist_id(album.artist_key)}


def ask(client: httpx.Client, name: str, **said: str) -> dict[str, Any]:
    """Return the answer to a call."""
    found = client.get(f"/rest/{name}", params={**WHO, "f": "json", **said})
    assert found.status_code == 200, found.text
    return dict(found.json()["subsonic-response"])


def failed(client: httpx.Client, name: str, **said: str) -> int:
    """Return the error that a call answers with."""
    answer = ask(client, name, **said)
    assert answer["status"] == "failed", answer
    return int(answer["error"]["code"])


@pytest.mark.parametrize(("name", "said"), [(name, said) for name, each in CALLS.items() for said in each])
def test_a_call_answers_as_described(
    client: httpx.Client, openapi: Path, names: dict[str, str], name: str, said: dict[str, str]
) -> None:
    said = {key: names.get(value, value) for key, value in said.items()}
    form = {**WHO, **said, "f": "json"}
    by_get, by_post = client.get(f"/rest/{name}", params=form), client.post(f"/rest/{name}.view", data=form)
    for found in (by_get, by_post):
        assert found.status_code == 200
        assert found.headers["content-type"] == "application/json"
        assert found.headers["access-control-allow-origin"] == "*"
        answer = check_answer(openapi, name, found.json())
        assert answer["status"] == "ok", answer
    if "random" not in said.values() and "Random" not in name and "Similar" not in name:
        assert by_get.json() == by_post.json()
        xml = ElementTree.fromstring(client.get(f"/rest/{name}.view", params={**WHO, **said}).content)
        assert same(xml, by_get.json()["subsonic-response"], name)


def same(element: ElementTree.Element, noun: Any, where: str) -> bool:
    """Assert that an element of XML says what a noun of JSON says."""
    if not isinstance(noun, dict):
        assert (element.text or "") == spelt(noun), where
        return True
    plain = {key: spelt(value) for key, value in noun.items() if not isinstance(value, dict | list) and key != "value"}
    assert dict(element.attrib) == plain, where
    if "value" in noun:
        assert (element.text or "").split() == spelt(noun["value"]).split(), where
    below = [(key, one) for key, v in noun.items() if isinstance(v, dict | list) for one in (v if isinstance(v, list) else [v])]
    assert [child.tag.partition("}")[2] for child in element] == [key for key, _ in below], where
    return all(same(child, one, f"{where}/{key}") for child, (key, one) in zip(element, below, strict=True))


def spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_albums_songs_and_artists_lead_to_each_other(client: httpx.Client) -> None:
    listed = ask(client, "getAlbumList2", type="alphabeticalByName", size="500")["albumList2"]["album"]
    assert {each["id"] for each in listed} == {ALBUM, ODD_ALBUM}, "what may only be kept is not listed"
    for each in listed:
        album = ask(client, "getAlbum", id=each["id"])["album"]
        assert album["songCount"] == len(album["song"]) == each["songCount"]
        assert sum(song["duration"] for song in album["song"]) == pytest.approx(album["duration"], abs=len(album["song"]))
        owner = ask(client, "getArtist", id=album["artistId"])["artist"]
        assert each["id"] in [one["id"] for one in owner["album"]]
        for song in album["song"]:
            assert ask(client, "getSong", id=song["id"])["song"] == song
            assert song["albumId"] == song["parent"] == each["id"]
            assert ask(client, "getArtist", id=song["artistId"])["artist"]["name"] == song["artist"]
    index = ask(client, "getArtists")["artists"]["index"]
    assert {artist["id"] for letter in index for artist in letter["artist"]} == {each["artistId"] for each in listed}


def test_what_is_not_shared_is_nowhere(client: httpx.Client, site: Site) -> None:
    kept = album_id(object_key_of(KEPT))
    row = site.rooms.register.files(KEPT)[0]
    song = song_id(object_key_of(KEPT), row.logical_path)
    assert failed(client, "getAlbum", id=kept) == failed(client, "getSong", id=song) == 70
    for name in ("stream", "download", "getCoverArt"):
        found = client.get(f"/rest/{name}", params={**WHO, "id": song, "f": "json"})
        assert (found.status_code, found.json()["subsonic-response"]["error"]["code"]) in ((200, 70), (404, 70))
    assert "Only kept" not in json.dumps(ask(client, "search3", query="only kept"))


def test_songs_are_paged_without_gaps(client: httpx.Client) -> None:
    everything = ask(client, "search3", query="", songCount="500")["searchResult3"]["song"]
    assert len(everything) == ask(client, "getScanStatus")["scanStatus"]["count"] > 3
    paged: list[Any] = []
    while page := ask(client, "search3", query='""', songCount="1", songOffset=str(len(paged)))["searchResult3"]["song"]:
        paged += page
    assert paged == everything


def test_a_song_is_streamed_whole_in_part_and_under_conditions(client: httpx.Client, site: Site, names: dict[str, str]) -> None:
    row = site.rooms.register.files(ENDGAME)[0]
    content = site.rooms.blobs.read(row.path)
    said = {**WHO, "id": names["SONG"]}
    for form in ({}, {"format": "raw"}, {"estimateContentLength": "true"}, {"maxBitRate": "320"}):
        found = client.get("/rest/stream", params={**said, **form})
        assert (found.status_code, found.content) == (200, content)
        assert found.headers["content-length"] == str(len(content))
        assert found.headers["content-type"] == row.media_type
    part = client.get("/rest/stream.view", params=said, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    head = client.head("/rest/stream.view", params=said)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(content)), b"")
    again = client.get("/rest/stream", params=said, headers={"If-None-Match": found.headers["etag"]})
    assert again.status_code == 304
    saved = client.get("/rest/download", params=said)
    assert saved.content == content
    assert saved.headers["content-disposition"].startswith("attachment")


def test_a_song_is_streamed_in_another_format(client: httpx.Client, names: dict[str, str]) -> None:
    found = client.get("/rest/stream", params={**WHO, "id": names["SONG"], "format": "mp3", "maxBitRate": "32"})
    assert (found.status_code, found.headers["content-type"]) == (200, "audio/mpeg")
    assert len(found.content) > 10_000


def test_players_of_other_origins_are_answered(client: httpx.Client) -> None:
    asked = client.options("/rest/ping", headers={"Origin": "https://player.example", "Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "*"
    script = client.get("/rest/ping", params={**WHO, "f": "jsonp", "callback": "player.on_answer"})
    assert script.headers["content-type"] == "application/javascript"
    assert script.text.startswith("/**/player.on_answer({")
    bad = client.get("/rest/ping", params={**WHO, "f": "jsonp", "callback": "alert(1)//"})
    assert "alert" not in bad.text


def test_names_of_all_kinds_come_through(client: httpx.Client) -> None:
    album = ask(client, "getAlbum", id=ODD_ALBUM)["album"]
    assert (album["name"], album["artist"]) == (HOSTILE, "AC/DC % ?")
    xml = ElementTree.fromstring(client.get("/rest/getAlbum", params={**WHO, "id": ODD_ALBUM}).content)
    assert xml[0].attrib["name"] == HOSTILE
    assert xml[0][-1].attrib["path"] == album["song"][0]["path"]
    assert ask(client, "getTopSongs", artist="ac/dc  % ?")["topSongs"]["song"] == album["song"]
    assert artist_id(name_key("AC/DC % ?")) == album["artistId"]


def test_errors_are_those_of_the_protocol(client: httpx.Client) -> None:
    assert failed(client, "getAlbum") == 10
    assert failed(client, "getAlbum", id=NOWHERE) == failed(client, "getAlbum", id="nonsense") == 70
    assert failed(client, "getArtist", id=ALBUM) == 70
    assert failed(client, "getAlbumList2") == failed(client, "getAlbumList2", type="byYear") == 10
    assert failed(client, "getAlbumList2", type="byMood") == 0
    assert failed(client, "getAlbumList2", type="newest", size="many") == 0
    assert failed(client, "search3") == 10
    assert failed(client, "jukeboxControl", action="start") == 0
    assert failed(client, "noSuchCall") == 70
