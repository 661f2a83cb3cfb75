"""What players keep for who has an account: theirs alone, the same for every player and every server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from libopensonic import AsyncConnection
from serve_site import ENDGAME, ODD, Site, serving
from subsonic_schema import check_answer, same

from fonoteca.gatehouse import open_people
from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Authority, Dates, Reason, Tombstone, WithdrawalState
from fonoteca.people import Role
from fonoteca.register import Register, object_key_of
from fonoteca.serve.subsonic.ids import album_id, artist_id, song_id
from fonoteca.serve.subsonic.nouns import instant
from fonoteca.serve.subsonic.routes import HANDLERS

PASSWORD = "four words of mine"
ALBUM, ODD_ALBUM = album_id(object_key_of(ENDGAME)), album_id(object_key_of(ODD))
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOWHERE = "tr-" + "0" * 16 + "-" + "0" * 12


@dataclass(frozen=True)
class Player:
    """A player that is signed in by a key."""

    client: httpx.Client
    key: str
    name: str
    openapi: Path

    def ask(self, call: str, said: Any = None, **more: Any) -> dict[str, Any]:
        """Return the answer to a call, which is as its makers describe it."""
        form = {"apiKey": self.key, "v": "1.16.1", "c": "test", "f": "json", **(said or {}), **more}
        found = self.client.post(f"/rest/{call}", data=form)
        assert found.status_code == 200, found.text
        return check_answer(self.openapi, call, found.json())

    def done(self, call: str, said: Any = None, **more: Any) -> dict[str, Any]:
        """Return the answer to a call that is let be."""
        answer = self.ask(call, said, **more)
        assert answer["status"] == "ok", answer
        return answer

    def refused(self, call: str, said: Any = None, **more: Any) -> int:
        """Return the error that a call is answered with."""
        answer = self.ask(call, said, **more)
        assert answer["status"] == "failed", answer
        return int(answer["error"]["code"])

    def listed(self, kind: str, **more: Any) -> list[str]:
        """Return the albums of a list."""
        return [each["id"] for each in self.done("getAlbumList2", {"type": kind, **more})["albumList2"]["album"]]

    def entries(self, playlist: str) -> list[str]:
        """Return the songs of a playlist."""
        return [each["id"] for each in self.done("getPlaylist", id=playlist)["playlist"].get("entry", [])]


@pytest.fixture(scope="module")
def openapi(fixtures: Path) -> Path:
    return fixtures / "opensubsonic" / "openapi"


@pytest.fixture
def player(client: httpx.Client, site: Site, openapi: Path) -> Callable[..., Player]:
    """Return what signs a player of a new account in."""

    def sign_in(role: Role = Role.LISTENER, client: httpx.Client = client) -> Player:
        account = site.rooms.people.add(f"listener {uuid4().hex[:8]}", PASSWORD, role)
        return Player(client, site.rooms.people.add_key(account.number, "test").text, account.name, openapi)

    return sign_in


@pytest.fixture(scope="module")
def songs(site: Site) -> list[str]:
    """Return the songs of an album, in order of their paths."""
    [album] = site.rooms.register.shelf.albums_at([object_key_of(ENDGAME)])
    found = [song_id(album.album_key, row.logical_path) for row in site.rooms.register.files(ENDGAME)]
    assert len(found) == 3
    return found


@pytest.fixture(scope="module")
def artist(site: Site) -> str:
    [album] = site.rooms.register.shelf.albums_at([object_key_of(ENDGAME)])
    return artist_id(album.artist_key)


def everywhere(player: Player, songs: list[str], artist: str) -> dict[str, list[Any]]:
    """Return how calls of all kinds tell of one song, one album and one artist."""
    album = player.done("getAlbum", id=ALBUM)["album"]
    directory = player.done("getMusicDirectory", id=ALBUM)["directory"]
    found = player.done("search3", query="", songCount=500)["searchResult3"]
    folders = player.done("search2", query="")["searchResult2"]
    own = player.done("getArtist", id=artist)["artist"]
    letters = player.done("getArtists")["artists"]["index"] + player.done("getIndexes")["indexes"]["index"]
    listed = player.done("getAlbumList", type="newest")["albumList"]["album"]
    random = player.done("getRandomSongs", size=500)["randomSongs"]["song"]
    told = {
        songs[0]: [*album["song"], *directory["child"], *found["song"], *random, player.done("getSong", id=songs[0])["song"]],
        ALBUM: [album, directory, *found["album"], *folders["album"], *own["album"], *listed],
        artist: [own, *found["artist"], *(one for letter in letters for one in letter["artist"])],
    }
    return {thing: [each for each in nouns if each["id"] == thing] for thing, nouns in told.items()}


def test_stars_and_ratings_are_told_wherever_the_thing_is(player: Callable[..., Player], songs: list[str], artist: str) -> None:
    ada, eve = player(), player()
    ada.done("star", {"id": songs[0], "albumId": ALBUM, "artistId": artist})
    for thing in (songs[0], ALBUM, artist):
        ada.done("setRating", id=thing, rating=4)
    for thing, nouns in everywhere(ada, songs, artist).items():
        assert len(nouns) >= 4
        assert {(each.get("userRating"), len(each["starred"])) for each in nouns} == {(4, 24)}, thing
    others = [each for nouns in everywhere(eve, songs, artist).values() for each in nouns]
    assert [each for each in others if "starred" in each or "userRating" in each] == []
    for name, noun in (("getStarred", "starred"), ("getStarred2", "starred2")):
        found = ada.done(name)[noun]
        assert [[each["id"] for each in found[kind]] for kind in ("artist", "album", "song")] == [[artist], [ALBUM], [songs[0]]]
        assert eve.done(name)[noun] == {}
    assert ada.listed("starred") == ada.listed("highest") == [ALBUM]
    assert eve.listed("starred") == eve.listed("highest") == []
    ada.done("unstar", {"id": [songs[0], ALBUM, artist]})
    ada.done("setRating", id=ALBUM, rating=0)
    assert ada.done("getStarred2")["starred2"] == {}
    assert ada.listed("starred") == ada.listed("highest") == []


def test_lists_of_what_is_kept_come_in_order_and_in_pages(player: Callable[..., Player], site: Site, songs: list[str]) -> None:
    ada, odd = player(), song_id(object_key_of(ODD), site.rooms.register.files(ODD)[0].logical_path)
    for album, rating in ((ALBUM, 3), (ODD_ALBUM, 5)):
        ada.done("star", albumId=album)
        ada.done("setRating", id=album, rating=rating)
    now = int(site.rooms.clock.now().timestamp() * 1000)
    ada.done("scrobble", {"id": [songs[0], songs[1], odd], "time": [now - 5000, now - 4000, now - 9000]})
    assert ada.listed("starred") in ([ODD_ALBUM, ALBUM], [ALBUM, ODD_ALBUM])
    assert ada.listed("highest") == [ODD_ALBUM, ALBUM]
    assert ada.listed("frequent") == ada.listed("recent") == [ALBUM, ODD_ALBUM]
    for kind in ("starred", "highest", "frequent", "recent"):
        assert ada.listed(kind, size=1) + ada.listed(kind, size=1, offset=1) == ada.listed(kind)
        assert ada.listed(kind, offset=2) == []


def test_what_is_not_here_or_not_said_is_refused(player: Callable[..., Player], songs: list[str]) -> None:
    ada = player()
    assert ada.refused("star") == ada.refused("setRating", id=ALBUM) == ada.refused("scrobble") == 10
    assert ada.refused("star", id=NOWHERE) == ada.refused("star", albumId=songs[0]) == ada.refused("star", id="nonsense") == 70
    assert ada.refused("setRating", id=NOWHERE, rating=3) == ada.refused("scrobble", id=NOWHERE) == 70
    assert ada.refused("setRating", id=ALBUM, rating=6) == ada.refused("setRating", id=ALBUM, rating="good") == 0
    assert ada.refused("createBookmark", id=NOWHERE, position=1) == 70
    assert ada.refused("createBookmark", id=songs[0]) == ada.refused("createPlaylist") == ada.refused("updatePlaylist") == 10
    for call in ("getPlaylist", "deletePlaylist"):
        assert ada.refused(call, id="pl999999") == ada.refused(call, id="x") == 70
    assert ada.refused("createPlaylist", name="p", songId=NOWHERE) == 70
    assert ada.refused("createPlaylist", name="x" * 201) == 0
    assert ada.refused("savePlayQueue", id=songs[0], current=songs[1]) == 10
    for more in ({}, {"currentIndex": 1}):
        assert ada.refused("savePlayQueueByIndex", {"id": songs[0], **more}) == 10
    assert ada.done("getPlaylists")["playlists"]["playlist"] == []


def test_a_playlist_is_made_changed_by_places_and_shown_to_others(player: Callable[..., Player], songs: list[str]) -> None:
    ada, eve, operator = player(), player(), player(Role.OPERATOR)
    made = ada.done("createPlaylist", name="Late", songId=[songs[2], songs[0], songs[2]])["playlist"]
    assert [each["id"] for each in made["entry"]] == [songs[2], songs[0], songs[2]]
    assert (made["songCount"], made["owner"], made["public"], made["readonly"]) == (3, ada.name, False, False)
    assert made["coverArt"] == ALBUM
    assert made["duration"] == pytest.approx(sum(each["duration"] for each in made["entry"]), abs=2)
    private = made["id"]
    for call in ("getPlaylist", "deletePlaylist"):
        assert eve.refused(call, id=private) == 70
    assert eve.refused("updatePlaylist", playlistId=private, name="mine") == 70
    assert eve.refused("createPlaylist", playlistId=private, songId=songs[0]) == 70
    ada.done("updatePlaylist", {"playlistId": private, "songIndexToRemove": [0, 1], "songIdToAdd": [songs[1], songs[0]]})
    assert ada.entries(private) == [songs[2], songs[1], songs[0]]
    assert ada.refused("updatePlaylist", playlistId=private, songIndexToRemove=3) == 70
    ada.done("updatePlaylist", {"playlistId": private, "name": "Later", "comment": "<&>", "public": "true"})
    for who in (ada, eve):
        [listed] = [each for each in who.done("getPlaylists")["playlists"]["playlist"] if each["id"] == private]
        whole = who.done("getPlaylist", id=private)["playlist"]
        assert {name: value for name, value in whole.items() if name != "entry"} == listed
        assert (listed["name"], listed["comment"], listed["songCount"], listed["readonly"]) == ("Later", "<&>", 3, who is eve)
    assert eve.refused("updatePlaylist", playlistId=private, name="mine") == eve.refused("deletePlaylist", id=private) == 50
    assert eve.refused("getPlaylists", username=ada.name) == 50
    assert [each["id"] for each in operator.done("getPlaylists", username=ada.name)["playlists"]["playlist"]] == [private]
    again = ada.done("createPlaylist", playlistId=private, songId=[songs[0], songs[2]])["playlist"]
    assert ([each["id"] for each in again["entry"]], again["name"], again["public"]) == ([songs[0], songs[2]], "Later", True)
    ada.done("deletePlaylist", id=private)
    assert ada.refused("getPlaylist", id=private) == 70


def test_a_queue_goes_on_where_another_player_left_it(player: Callable[..., Player], songs: list[str]) -> None:
    ada, eve = player(), player()
    assert ada.done("getPlayQueue")["playQueue"]["changedBy"] == ""
    assert "currentIndex" not in ada.done("getPlayQueueByIndex")["playQueueByIndex"]
    ada.done("savePlayQueue", {"id": [songs[0], songs[1], songs[0]], "current": songs[1], "position": 4321})
    found = ada.done("getPlayQueueByIndex")["playQueueByIndex"]
    assert [each["id"] for each in found["entry"]] == [songs[0], songs[1], songs[0]]
    assert (found["currentIndex"], found["position"], found["changedBy"], found["username"]) == (1, 4321, "test", ada.name)
    ada.done("savePlayQueueByIndex", {"id": [songs[0], "http://radio.example/", songs[0]], "currentIndex": 1})
    found = ada.done("getPlayQueue")["playQueue"]
    assert ([each["id"] for each in found["entry"]], found["current"], found["position"]) == ([songs[0]] * 2, songs[0], 0)
    assert "entry" not in eve.done("getPlayQueue")["playQueue"]
    ada.done("savePlayQueue")
    assert "entry" not in ada.done("getPlayQueue")["playQueue"]
    told = ada.done("getOpenSubsonicExtensions")["openSubsonicExtensions"]
    assert {"name": "indexBasedQueue", "versions": [1]} in told


def test_bookmarks_are_kept_by_song(player: Callable[..., Player], songs: list[str]) -> None:
    ada, eve = player(), player()
    ada.done("createBookmark", id=songs[0], position=10, comment="here")
    ada.done("createBookmark", id=songs[0], position=20)
    ada.done("createBookmark", id=songs[1], position=5)
    found = ada.done("getBookmarks")["bookmarks"]["bookmark"]
    assert {(each["entry"]["id"], each["position"], each["username"]) for each in found} == {
        (songs[0], 20, ada.name),
        (songs[1], 5, ada.name),
    }
    assert eve.done("getBookmarks")["bookmarks"] == {}
    for song in songs[:2]:
        ada.done("deleteBookmark", id=song)
    assert ada.done("getBookmarks")["bookmarks"] == {}


def test_a_scrobble_counts_and_what_plays_is_told_to_who_plays_it(
    player: Callable[..., Player], site: Site, songs: list[str]
) -> None:
    ada, eve = player(), player()
    now = site.rooms.clock.now()
    hour_ago = str(int((now - timedelta(hours=1)).timestamp() * 1000))
    for _ in range(2):
        ada.done("scrobble", {"id": [songs[0], songs[1]], "time": [hour_ago]})
    ada.done("scrobble", id=songs[0], submission="false", c="other")
    told = {each["id"]: each for each in ada.done("getAlbum", id=ALBUM)["album"]["song"]}
    assert told[songs[0]]["playCount"] == 1, "what comes twice with its time counts once"
    assert told[songs[0]]["played"] == instant((now - timedelta(hours=1)).replace(microsecond=0))
    assert told[songs[1]]["playCount"] == 2
    assert ada.done("getAlbum", id=ALBUM)["album"]["playCount"] == 3
    assert ada.listed("frequent") == ada.listed("recent") == [ALBUM]
    [entry] = ada.done("getNowPlaying")["nowPlaying"]["entry"]
    assert (entry["id"], entry["username"], entry["minutesAgo"], entry["playerName"]) == (songs[0], ada.name, 0, "other")
    assert eve.done("getNowPlaying")["nowPlaying"]["entry"] == [], "nobody is told what others hear"
    assert eve.listed("frequent") == []
    assert "playCount" not in eve.done("getSong", id=songs[0])["song"]


def test_nothing_is_kept_of_who_listens_where_no_days_are(player: Callable[..., Player], site: Site, songs: list[str]) -> None:
    settings = replace(site.rooms.settings, people=replace(site.rooms.settings.people, scrobbles_kept_days=0))
    with site.client(settings=settings) as client:
        ada = player(client=client)
        ada.done("scrobble", id=songs[0])
        assert "playCount" not in ada.done("getSong", id=songs[0])["song"]
        assert ada.listed("recent") == []


def test_who_has_an_account_is_told_to_an_operator(player: Callable[..., Player]) -> None:
    ada, operator = player(), player(Role.OPERATOR)
    own = ada.done("getUser", username=ada.name.upper())["user"]
    assert (own["username"], own["adminRole"], own["scrobblingEnabled"], own["playlistRole"]) == (ada.name, False, True, True)
    assert ada.refused("getUser", username=operator.name) == ada.refused("getUsers") == 50
    assert operator.done("getUser", username=ada.name)["user"] == own
    assert operator.refused("getUser", username="nobody at all") == 70
    assert own in operator.done("getUsers")["users"]["user"]
    assert ada.done("tokenInfo")["tokenInfo"]["username"] == ada.name


@pytest.mark.parametrize(
    "call",
    [
        *("getStarred", "getStarred2", "getPlaylists", "getPlaylist"),
        *("getPlayQueue", "getPlayQueueByIndex", "getBookmarks", "getNowPlaying"),
    ],
)
def test_xml_says_the_same(player: Callable[..., Player], songs: list[str], call: str) -> None:
    ada = player()
    ada.done("star", {"id": songs[0], "albumId": ALBUM})
    made = ada.done("createPlaylist", name='<Late> & "öd"', songId=songs[:2])["playlist"]["id"]
    ada.done("savePlayQueueByIndex", {"id": songs[:2], "currentIndex": 1, "position": 9})
    ada.done("createBookmark", id=songs[0], position=10, comment="<&>")
    ada.done("scrobble", id=songs[0], submission="false")
    said = {"apiKey": ada.key, "id": made}
    by_json = ada.client.get(f"/rest/{call}", params={**said, "f": "json"}).json()["subsonic-response"]
    assert by_json["status"] == "ok"
    assert same(ElementTree.fromstring(ada.client.get(f"/rest/{call}.view", params=said).content), by_json, call)


def withdrawn(object_id: ObjectId) -> Tombstone:
    return Tombstone(object_id, 1, 0, WithdrawalState.DARK, Reason.OPERATOR, "a test", Dates(NOON, NOON, NOON))


def test_what_is_withdrawn_is_not_shown_and_not_lost(
    player: Callable[..., Player], site: Site, songs: list[str], artist: str, tmp_path: Path
) -> None:
    odd = song_id(object_key_of(ODD), site.rooms.register.files(ODD)[0].logical_path)
    with Register.open(tmp_path / "register.sqlite") as register:
        register.load(list(site.rooms.register.dump()))
        with site.client(register=register) as client:
            ada = player(client=client)
            ada.done("star", {"id": [songs[0], odd], "albumId": [ALBUM, ODD_ALBUM], "artistId": artist})
            ada.done("scrobble", {"id": [songs[0], odd]})
            ada.done("createBookmark", id=songs[0], position=1)
            ada.done("savePlayQueueByIndex", {"id": [odd, songs[0], odd], "currentIndex": 1, "position": 7})
            made = ada.done("createPlaylist", name="p", songId=[songs[0], odd, songs[1], odd])["playlist"]["id"]
            register.withdrawals.enter(withdrawn(ENDGAME), Authority.OWN)
            found = ada.done("getStarred2")["starred2"]
            assert ([each["id"] for each in found["album"]], [each["id"] for each in found["song"]]) == ([ODD_ALBUM], [odd])
            assert ada.listed("starred") == ada.listed("recent") == ada.listed("frequent") == [ODD_ALBUM]
            assert ada.done("getBookmarks")["bookmarks"] == {}
            queue = ada.done("getPlayQueueByIndex")["playQueueByIndex"]
            assert ([each["id"] for each in queue["entry"]], queue["currentIndex"], queue["position"]) == ([odd, odd], 1, 0)
            assert ada.entries(made) == [odd, odd]
            assert ada.refused("star", id=songs[0]) == ada.refused("scrobble", id=songs[0]) == 70
            ada.done("unstar", id=songs[0])
            ada.done("updatePlaylist", playlistId=made, songIndexToRemove=1)
            assert ada.entries(made) == [odd]
            ada.done("createPlaylist", playlistId=made, songId=[odd, odd])
            back = replace(withdrawn(ENDGAME), number=2, prior=1, state=WithdrawalState.REINSTATED)
            register.withdrawals.enter(back, Authority.OWN)
            assert ada.entries(made) == [songs[0], odd, songs[1], odd]
            assert ada.listed("starred") in ([ODD_ALBUM, ALBUM], [ALBUM, ODD_ALBUM])
            assert [each["id"] for each in ada.done("getStarred2")["starred2"]["song"]] == [odd], "it was unstarred meanwhile"


@contextlib.contextmanager
def another_server(site: Site) -> Iterator[str]:
    """Serve the same archive once more, with connections of its own, as another process or machine would."""
    with (
        Register.open(site.folder / "register.sqlite") as register,
        open_people(site.folder, site.rooms.settings, site.rooms.clock) as people,
        serving(replace(site.rooms, register=register, people=people)) as address,
    ):
        yield address


def test_two_servers_agree(player: Callable[..., Player], site: Site, songs: list[str]) -> None:
    here = player()
    with another_server(site) as address, httpx.Client(base_url=address, timeout=30) as client:
        there = replace(here, client=client)
        made = here.done("createPlaylist", name="p", songId=songs[0])["playlist"]["id"]
        there.done("updatePlaylist", playlistId=made, songIdToAdd=songs[1])
        here.done("updatePlaylist", playlistId=made, songIdToAdd=songs[2])
        assert there.entries(made) == here.entries(made) == songs[:3]
        there.done("star", albumId=ALBUM)
        assert here.listed("starred") == [ALBUM]
        here.done("savePlayQueueByIndex", {"id": songs, "currentIndex": 2})
        assert there.done("getPlayQueueByIndex")["playQueueByIndex"]["currentIndex"] == 2


def test_a_player_of_other_people_keeps_its_listeners_things(client: httpx.Client, site: Site, songs: list[str]) -> None:
    ada = site.rooms.people.add(f"ada {uuid4().hex[:8]}", PASSWORD)
    secret, key = site.rooms.people.add_secret(ada.number, "phone").text, site.rooms.people.add_key(ada.number, "desk").text
    host, port = f"http://{client.base_url.host}", client.base_url.port or 0

    async def play() -> None:
        phone = AsyncConnection(host, ada.name, secret, port=port, app_name="phone")
        desk = AsyncConnection(host, api_key=key, port=port, app_name="desk")
        try:
            assert await phone.ping()
            assert await desk.ping()
            assert await phone.star(sids=[songs[0]], album_ids=[ALBUM])
            assert await phone.set_rating(ALBUM, 5)
            assert await phone.create_playlist(name="Late", song_ids=songs[:2])
            [made] = await phone.get_playlists()
            await desk.update_playlist(made.id, song_ids_to_add=[songs[2]], song_indices_to_remove=[0])
            await phone.save_play_queue(songs[:3], songs[1], 1234)
            await phone.create_bookmark(songs[0], 99)
            await phone.scrobble(songs[1], submission=True)
            starred = await desk.get_starred2()
            assert ([each.id for each in starred.album], [each.id for each in starred.song]) == ([ALBUM], [songs[0]])
            assert [each.id for each in await desk.get_album_list2("highest")] == [ALBUM]
            assert [each.id for each in await desk.get_album_list2("recent")] == [ALBUM]
            assert [each.id for each in (await desk.get_playlist(made.id)).entry] == songs[1:3]
            queue = await desk.get_play_queue()
            assert ([each.id for each in queue.entry], queue.current, queue.position) == (songs[:3], songs[1], 1234)
            assert [each.position for each in await desk.get_bookmarks()] == [99]
            song = await desk.get_song(songs[1])
            assert song.play_count == 1
        finally:
            await phone.cleanup()
            await desk.cleanup()

    asyncio.run(play())


_VALUES = st.one_of(
    st.text(max_size=30),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["", "true", "-1", "1e9", "\x00", "pl1", "pl" + "9" * 9, ALBUM, ODD_ALBUM, "ar-" + "f" * 16, NOWHERE]),
)
_NAMES = (
    *("id", "albumId", "artistId", "rating", "playlistId", "name", "comment", "public", "songId", "songIdToAdd"),
    *("songIndexToRemove", "current", "currentIndex", "position", "time", "submission", "type", "size", "offset", "username", "c"),
)
_CHANGES = ("star", "unstar", "set", "save", "create", "update", "delete", "scrob")
_PERSONAL = sorted(name for name in HANDLERS if name.startswith(_CHANGES))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([*_PERSONAL, "getPlaylists", "getPlaylist", "getAlbumList2", "getUser"]),
    st.dictionaries(st.sampled_from(_NAMES), st.lists(_VALUES, min_size=1, max_size=3), max_size=5),
)
def test_no_parameter_breaks_it(fuzzed: Player, call: str, said: dict[str, list[str]]) -> None:
    form = {key: [value.encode("utf-8", "replace").decode() for value in values] for key, values in said.items()}
    found = fuzzed.client.post(f"/rest/{call}", data={"apiKey": fuzzed.key, "f": "json", **form})
    assert found.status_code == 200, found.text
    assert json.loads(found.content)["subsonic-response"]["status"] in ("ok", "failed")


@pytest.fixture(scope="module")
def fuzzed(client: httpx.Client, site: Site, openapi: Path) -> Player:
    account = site.rooms.people.add("fuzzed", PASSWORD)
    return Player(client, site.rooms.people.add_key(account.number, "test").text, account.name, openapi)
