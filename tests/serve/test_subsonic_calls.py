"""Every call of the protocol, in each of its forms, answers as its makers describe."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from libopensonic import AsyncConnection
from serve_site import ENDGAME, HOSTILE, KEPT, ODD, Site
from subsonic_schema import check_answer, same

from fonoteca.model.corridor import Damage, DamageKind, MemberFile
from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Authority, Dates, Reason, Tombstone, WithdrawalState
from fonoteca.register import Register, name_key, object_key_of
from fonoteca.serve.subsonic.answers import answer
from fonoteca.serve.subsonic.ids import album_id, artist_id, song_id
from fonoteca.serve.subsonic.media import structured
from fonoteca.serve.subsonic.routes import ELSEWHERE, HANDLERS

ANYONE = {"u": ["anonymous"], "p": ["none"], "v": ["1.16.1"], "c": ["test"]}
WHO = {"u": "anonymous", "p": "none", "v": "1.16.1", "c": "test"}
ALBUM = album_id(object_key_of(ENDGAME))
ODD_ALBUM = album_id(object_key_of(ODD))
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
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
        *({"type": kind} for kind in ("random", "newest", "alphabeticalByName", "alphabeticalByArtist", "starred", "recent")),
        {"type": "byYear", "fromYear": "2030", "toYear": "1990"},
        {"type": "byGenre", "genre": "Rock"},
        {"type": "newest", "size": "1", "offset": "1"},
    ],
    "getRandomSongs": [{}, {"size": "3", "fromYear": "1900", "toYear": "2100"}, {"genre": "Rock"}],
    "getSongsByGenre": [{"genre": "Rock"}],
    "search": [{"any": "singularity"}, {"artist": "max", "count": "1", "offset": "1"}, {}, {"newerThan": "99999999999999"}],
    "search2": [{"query": "singularity"}, {"query": ""}],
    "search3": [{"query": "singularity"}, {"query": '""'}, {"query": "söhne"}, {"query": "", "songOffset": "3", "songCount": "2"}],
    "getLyrics": [{"artist": "a", "title": "b"}, {}],
    "getLyricsBySongId": [{"id": "SONG"}],
    "getUser": [{"username": "anonymous"}],
    **{name: [{}] for name in ("getStarred", "getStarred2", "getNowPlaying", "getPlaylists", "getBookmarks")},
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


def withdrawn(object_id: ObjectId) -> Tombstone:
    """Return an archive's word that it gives an object out no more."""
    return Tombstone(object_id, 1, 0, WithdrawalState.DARK, Reason.OPERATOR, "a test", Dates(NOON, NOON, NOON))


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
    assert failed(client, "ping", v="2.0.0") == 30
    assert failed(client, "ping", v="0.9") == 20
    assert failed(client, "getUser", username="somebody") == failed(client, "getUsers") == 50
    for name in ("star", "unstar", "setRating", "scrobble", "createPlaylist", "savePlayQueue", "createBookmark"):
        assert failed(client, name, id=ALBUM) == 50, name
    assert failed(client, "getAvatar") == 10


def test_every_call_of_the_protocol_is_answered_or_refused_in_its_words(client: httpx.Client, openapi: Path) -> None:
    described = {file.stem for file in (openapi / "endpoints").glob("*.json")}
    assert described <= {*HANDLERS, *ELSEWHERE}
    assert not set(HANDLERS) & ELSEWHERE
    for name in sorted(described):
        found = client.get(f"/rest/{name}", params={**WHO, "f": "json"})
        answer = check_answer(openapi, "ping", found.json())
        assert (answer["status"], found.status_code) in (("ok", 200), ("failed", 200), ("failed", 404)), name
        if name in ELSEWHERE:
            assert answer["error"]["code"] == 0, name


def test_bytes_that_are_not_to_be_had_say_so_in_the_status(client: httpx.Client, openapi: Path) -> None:
    found = client.get("/rest/getCoverArt", params={**WHO, "id": ODD_ALBUM, "f": "json"})
    assert found.status_code == 404
    assert check_answer(openapi, "ping", found.json())["error"]["code"] == 70


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"u": "somebody", "p": "secret"}, 40),
        ({"u": "somebody", "p": "enc:736563726574"}, 40),
        ({"u": "somebody", "p": "enc:\u00e4"}, 40),
        ({"u": "somebody", "t": "26719a1196d2a940705a59634eb18eab", "s": "c19b2d"}, 40),
        ({"u": "somebody"}, 10),
        ({"u": "somebody", "t": "26719a1196d2a940705a59634eb18eab"}, 10),
        ({"u": "somebody", "t": "26", "s": "c1", "p": "secret"}, 43),
        ({"u": "somebody", "apiKey": "k"}, 43),
        ({"apiKey": "k"}, 44),
    ],
)
def test_who_has_no_account_is_told_by_the_protocols_codes(client: httpx.Client, said: dict[str, str], code: int) -> None:
    found = client.get("/rest/ping", params={"v": "1.16.1", "c": "test", "f": "json", **said})
    assert found.json()["subsonic-response"]["error"]["code"] == code
    assert client.get("/rest/getOpenSubsonicExtensions", params={"f": "json", **said}).json()["subsonic-response"]["status"] == "ok"


def test_damaged_and_withdrawn_music_is_not_given_out(site: Site, names: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "register.sqlite"
    with Register.open(folder) as register:
        register.load(list(site.rooms.register.dump()))
        row = register.files(ENDGAME)[0]
        member = MemberFile(row.path, row.stored.hashes)
        register.record_check(ENDGAME, row.path, NOON, Damage(ENDGAME, member, DamageKind.DIGEST, (0,), "a", "b"))
        with site.client(register=register) as client:
            for name in ("stream", "download"):
                found = client.get(f"/rest/{name}", params={**WHO, "id": names["SONG"], "f": "json"})
                assert found.status_code == 503
                assert "damaged" in found.json()["subsonic-response"]["error"]["message"]
            register.withdrawals.enter(withdrawn(ENDGAME), Authority.OWN)
            listed = ask(client, "getAlbumList2", type="newest")["albumList2"]["album"]
            assert [each["id"] for each in listed] == [ODD_ALBUM]
            assert failed(client, "getAlbum", id=ALBUM) == failed(client, "getSong", id=names["SONG"]) == 70
            assert failed(client, "getArtist", id=names["ARTIST"]) == 70
            assert len(ask(client, "search3", query="")["searchResult3"]["song"]) == 1
            assert client.get("/rest/stream", params={**WHO, "id": names["SONG"]}).status_code == 200  # the error, as XML
            assert b'code="70"' in client.get("/rest/stream", params={**WHO, "id": names["SONG"]}).content


def test_what_no_xml_can_hold_is_replaced() -> None:
    body = {"album": {"name": 'a\x00b\x1fc\ud800<&"\n', "song": [{"value": "\x0b]]>"}], "flag": True}}
    found = ElementTree.fromstring(bytes(answer(body, {}).body))
    assert found[0].attrib == {"name": 'a\ufffdb\ufffdc\ufffd<&"\n', "flag": "true"}
    assert found[0][0].text == "\ufffd]]>"


def test_lyrics_are_told_with_their_times(openapi: Path) -> None:
    found = structured("a", "b", "[ti:b]\n[00:10.50][01:02]Ooh\n[00:01.2]<La> & la\n")
    assert found["line"] == [
        {"start": 1200, "value": "<La> & la"},
        {"start": 10500, "value": "Ooh"},
        {"start": 62000, "value": "Ooh"},
    ]
    plain = structured("a", "b", "one\n\n two ")
    assert (plain["synced"], plain["line"]) == (False, [{"value": "one"}, {"value": ""}, {"value": "two"}])
    for each in (found, plain):
        body = answer({"lyricsList": {"structuredLyrics": [each]}}, {"f": "json"}).body
        check_answer(openapi, "getLyricsBySongId", json.loads(bytes(body)))


_VALUES = st.one_of(
    st.text(max_size=30),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["\u00e4 ", '"', "a", "held:no kind:artist "]).map(lambda text: text * 25_000),
    st.sampled_from(
        [
            "",
            "pl1",
            "al-" + "g" * 16,
            "tr-" + "f" * 16,
            "\ud800",
            '"a',
            "held:",
            "year:1..",
            "random",
            "byYear",
            "true",
            "-1",
            "1e9",
            "\x00",
            ALBUM,
            ODD_ALBUM,
            "ar-" + "f" * 16,
            "tr-" + "0" * 16 + "-" + "0" * 12,
        ]
    ),
)
_NAMES = (
    "id",
    "type",
    "size",
    "offset",
    "count",
    "fromYear",
    "toYear",
    "genre",
    "query",
    "songCount",
    "songOffset",
    "artist",
    "title",
)
_NAMES += ("f", "callback", "v", "u", "p", "t", "s", "apiKey", "maxBitRate", "format", "timeOffset", "ifModifiedSince", "username")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(HANDLERS)),
    st.dictionaries(st.sampled_from(_NAMES), st.lists(_VALUES, max_size=3), max_size=5),
    st.booleans(),
)
def test_no_parameter_breaks_it(client: httpx.Client, name: str, said: dict[str, list[str]], by_post: bool) -> None:
    form = {key: [each.encode("utf-8", "replace").decode() for each in values] for key, values in {**ANYONE, **said}.items()}
    address, long = f"/rest/{name}", sum(len(each) for values in form.values() for each in values) > 10_000
    found = client.post(address, data=form) if by_post or long else client.get(address, params=form)
    assert found.status_code in (200, 404), (found.status_code, found.text)
    if found.headers["content-type"] == "application/xml":
        assert ElementTree.fromstring(found.content).attrib["status"] in ("ok", "failed")


@given(st.binary(max_size=200))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_breaks_it(client: httpx.Client, form: bytes) -> None:
    found = client.post("/rest/search3", content=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert found.status_code == 200


def test_a_player_of_other_people_browses_and_plays(client: httpx.Client, site: Site, names: dict[str, str]) -> None:
    rows = site.rooms.register.files(ENDGAME)
    row = next(row for row in rows if song_id(object_key_of(ENDGAME), row.logical_path) == names["SONG"])

    async def play() -> bytes:
        player = AsyncConnection(f"http://{client.base_url.host}", "anonymous", "any", port=client.base_url.port or 0)
        try:
            assert await player.ping()
            assert {album.id for album in await player.get_album_list2("alphabeticalByName")} == {ALBUM, ODD_ALBUM}
            album = await player.get_album(ALBUM)
            assert names["SONG"] in [song.id for song in album.song or []]
            found = await player.search3(album.name)
            assert ALBUM in [each.id for each in found.album or []]
            return bytes(await (await player.stream(names["SONG"])).read())
        finally:
            await player.cleanup()

    assert asyncio.run(play()) == site.rooms.blobs.read(row.path)
