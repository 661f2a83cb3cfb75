"""Covers: at the size that a player asks for, where they may be made smaller, and of nothing that was withdrawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from serve_site import Quiet, serving, tone

from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.frontage import serve_rooms
from fonoteca.model.ids import ObjectId
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Authority, Dates, Reason, Tombstone, WithdrawalState
from fonoteca.register import object_key_of
from fonoteca.serve.subsonic.ids import album_id, song_id
from fonoteca.wiring import Archive, acquire_rooms, create_archive, open_archive

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
FREE, BOUND, OTHER = (ObjectId.of("audio", f"folder:{name}") for name in ("free", "bound", "other"))
RIGHTS = {"free": 'licence = "CC-BY-4.0"', "bound": 'own = true\nacts = ["hold", "share"]', "other": 'licence = "CC-BY-4.0"'}


@dataclass(frozen=True)
class Place:
    """An archive whose releases have covers, and a player of an account."""

    archive: Archive
    client: httpx.Client
    key: str
    songs: dict[ObjectId, str]

    def get(self, call: str, **said: Any) -> httpx.Response:
        """Return the answer to a call."""
        return self.client.get(f"/rest/{call}", params={"apiKey": self.key, "v": "1.16.1", "c": "test", "f": "json", **said})

    def told(self, call: str, **said: Any) -> Any:
        """Return the document of an answer."""
        return self.get(call, **said).json()["subsonic-response"]


def png(width: int, height: int) -> bytes:
    """Return a picture."""
    frame = av.VideoFrame.from_ndarray(np.random.default_rng(1).integers(0, 255, (height, width, 3), "u1"), "rgb24")
    context = VideoCodecContext.create("png", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.time_base = width, height, "rgb24", Fraction(1, 1)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


PICTURE = png(400, 300)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("covers")
    for name, rights in RIGHTS.items():
        tone(folder / "source" / name / "song.wav")
        (folder / "source" / name / "cover.png").write_bytes(PICTURE + name.encode())
        said = f'id = "{name}"\ntitle = "{name}"\nartist = "{name.title()}"\n{rights}\n'
        (folder / "source" / name / "rights.toml").write_text(said)
    create_archive(folder / "archive", Settings("covers", "Covers", workers=1))
    with open_archive(folder / "archive", writing=True) as archive:
        outcomes = list(acquire(acquire_rooms(archive, Quiet()), "folder", str(folder / "source")))
        assert all(isinstance(each, Acquired) for each in outcomes), outcomes
        account = archive.people.add("ada", "four words of mine")
        key = archive.people.add_key(account.number, "test").text
        with serving(serve_rooms(archive)) as address, httpx.Client(base_url=address, timeout=30) as client:
            songs = {each: song_id(object_key_of(each), "song.wav") for each in (FREE, BOUND, OTHER)}
            yield Place(archive, client, key, songs)


def sides(content: bytes) -> tuple[int, int]:
    """Return the width and height of a JPEG."""
    context = VideoCodecContext.create("mjpeg", "r")
    assert isinstance(context, VideoCodecContext)
    [frame] = [*context.decode(av.Packet(content)), *context.decode(None)]
    return frame.width, frame.height


def test_a_cover_is_as_large_as_a_player_asks(place: Place) -> None:
    whole = place.get("getCoverArt", id=album_id(object_key_of(FREE)))
    assert (whole.status_code, whole.content) == (200, PICTURE + b"free")
    for asked, found in ((1, (64, 48)), (64, (64, 48)), (65, (128, 96)), (300, (384, 288))):
        for named in (album_id(object_key_of(FREE)), place.songs[FREE]):
            small = place.get("getCoverArt", id=named, size=asked)
            assert (small.status_code, small.headers["content-type"], sides(small.content)) == (200, "image/jpeg", found)
            assert small.headers["content-security-policy"].startswith("default-src 'none'")
    head = place.client.head("/rest/getCoverArt", params={"apiKey": place.key, "id": place.songs[FREE], "size": 64})
    assert head.headers["content-length"] == str(len(place.get("getCoverArt", id=place.songs[FREE], size=64).content))
    again = {"apiKey": place.key, "id": place.songs[FREE], "size": 64}
    assert place.client.get("/rest/getCoverArt", params=again, headers={"If-None-Match": head.headers["etag"]}).status_code == 304
    for asked in (400, 1024, 10**15, 0, -5):
        assert place.get("getCoverArt", id=place.songs[FREE], size=asked).content == PICTURE + b"free"


def test_a_cover_that_may_not_be_changed_is_sent_as_it_is(place: Place) -> None:
    assert place.get("getCoverArt", id=place.songs[BOUND], size=64).content == PICTURE + b"bound"


def test_nothing_of_what_was_withdrawn_is_given_out_by_any_call(place: Place) -> None:
    album, song = album_id(object_key_of(OTHER)), place.songs[OTHER]
    assert place.told("createPlaylist", name="mine", songId=[song, place.songs[FREE]])["status"] == "ok"
    for call, said in (
        ("star", {"id": song, "albumId": album}),
        ("savePlayQueue", {"id": [song, place.songs[FREE]], "current": song, "position": 5}),
        ("createBookmark", {"id": song, "position": 7}),
        ("scrobble", {"id": song}),
        ("scrobble", {"id": song, "submission": "false"}),
        ("setRating", {"id": album, "rating": 5}),
    ):
        assert place.told(call, **said)["status"] == "ok", call
    [shelved] = place.archive.register.shelf.albums_at([object_key_of(OTHER)])
    [artwork] = [row for row in place.archive.register.objects_of(shelved.item) if row.object_id != OTHER]
    assert place.get("getCoverArt", id=song, size=64).status_code == 200, "and is on the shelf of those that were made"
    dates = Dates(NOON, NOON, NOON)

    def withdraw(number: int, object_id: ObjectId, state: WithdrawalState = WithdrawalState.DARK) -> None:
        tombstone = Tombstone(object_id, number, 0, state, Reason.OPERATOR, "a test", dates)
        place.archive.register.withdrawals.enter(tombstone, Authority.OWN)

    withdraw(1, artwork.object_id)
    for size in ("", "64"):
        assert place.get("getCoverArt", id=song, size=size).status_code == 404
    assert place.get("stream", id=song).status_code == 200, "only its picture was"
    withdraw(2, OTHER)
    withdraw(3, artwork.object_id, WithdrawalState.REINSTATED)
    for call in (
        "stream",
        "download",
        "getCoverArt",
        "getLyricsBySongId",
        "getSong",
        "getAlbum",
        "getAlbumInfo2",
        "getSimilarSongs",
    ):
        for named in (song, album):
            for more in ({}, {"size": 64}, {"format": "mp3"}, {"format": "raw"}):
                found = place.get(call, id=named, **more)
                assert found.headers["content-type"] == "application/json", (call, named)
                assert found.json()["subsonic-response"]["error"]["code"] == 70, (call, named, found.text)
    lists: list[tuple[str, dict[str, Any]]] = [
        *(("getAlbumList2", {"type": kind}) for kind in ("starred", "highest", "recent", "frequent", "newest", "random")),
        *((name, {}) for name in ("getStarred", "getStarred2", "getPlayQueue", "getPlayQueueByIndex", "getBookmarks")),
        *((name, {}) for name in ("getNowPlaying", "getArtists", "getIndexes", "getRandomSongs", "getPlaylists")),
        *((name, {"query": query}) for name in ("search2", "search3") for query in ("", "other", "song")),
        ("getPlaylist", {"id": place.told("getPlaylists")["playlists"]["playlist"][0]["id"]}),
    ]
    for call, said in lists:
        answer = place.told(call, **said)
        assert answer["status"] == "ok"
        text = json.dumps(answer)
        for named in (song, album, '"Other"'):
            assert named not in text, (call, text)
