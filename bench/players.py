"""What players wait for: pages and whole lists of a library of a million songs, over HTTP, as `serve` answers them.

`BENCH_PLAYERS_SONGS=50000 python -m bench players` measures a smaller one.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import quantiles
from urllib.parse import urlencode

import uvicorn
from sqlalchemy import insert

from bench.register import NOON, PIECE_BYTES, PROBE
from bench.report import Figure, Goal
from fonoteca.frontage import serve_rooms
from fonoteca.gatehouse import PEOPLE_FILE
from fonoteca.model.audio import Tags
from fonoteca.model.corridor import MemberFile, StoredFile, StoredVersion
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, ItemKey, LogicalPath, ObjectId, Sha256
from fonoteca.model.rights import Act, Kind, RightsRecord
from fonoteca.model.settings import Settings
from fonoteca.people.personal import Kind as MarkKind
from fonoteca.people.personal import Revised, Song, Thing
from fonoteca.people.personal.tables import marks, scrobbles
from fonoteca.register import Description, Register
from fonoteca.register.shelfqueries import Page
from fonoteca.serve import ServeRooms, create_app
from fonoteca.serve.subsonic.ids import path_digest
from fonoteca.sql.engine import open_engine, writing
from fonoteca.wiring import Archive, create_archive, open_archive

SONGS_DEFAULT = 1_000_000
SONGS_OF_ALBUM, ALBUMS_OF_ARTIST = 10, 4
BATCH = 500
PAGES = 100
"""Asked for of each list, half of them with the most rows that the protocol has."""

KEPT_THINGS = 20_000
"""Albums, and songs, that a listener starred and rated."""

PLAYLIST_SONGS, SCROBBLES = 10_000, 80_000

WHOLE = 5
PAGE_MS, WHOLE_MS = 100.0, 1000.0
GENRES = ("Ambient", "Blues", "Chiptune", "Dub", "Electronic", "Folk", "Jazz", "Klezmer", "Rock", "Tango")
_WORDS = ("Amber", "Birch", "Cloud", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Island", "Juniper", "Kelp", "Lantern", "Meadow")

Said = dict[str, str]


def figures(folder: Path) -> list[Figure]:
    """Return how long lists take, by their names in the protocol."""
    songs = int(os.environ.get("BENCH_PLAYERS_SONGS", SONGS_DEFAULT))
    create_archive(folder / "archive", Settings("bench", "Bench"))
    with open_archive(folder / "archive") as archive:
        _fill(archive.register, songs // SONGS_OF_ALBUM)
        key = _keep(archive, songs // SONGS_OF_ALBUM)
        with _serving(serve_rooms(archive)) as line:
            return [*_measured(line, songs), *_measured_own(line, songs, key)]


def _measured(line: HTTPConnection, songs: int) -> list[Figure]:
    dice, name, found = Random(5), f"players, {songs / 1e6:.3g} M songs", []
    albums = songs // SONGS_OF_ALBUM
    paged: Mapping[str, tuple[str, Said, str, str, int]] = {
        **{kind: ("getAlbumList2", {"type": kind}, "size", "offset", albums) for kind in ("newest", "random")},
        **{
            f"alphabeticalBy{by}": ("getAlbumList2", {"type": f"alphabeticalBy{by}"}, "size", "offset", albums)
            for by in ("Name", "Artist")
        },
        "byYear": ("getAlbumList2", {"type": "byYear", "fromYear": "1960", "toYear": "2020"}, "size", "offset", albums),
        "byGenre": ("getAlbumList2", {"type": "byGenre", "genre": "Jazz"}, "size", "offset", albums // len(GENRES)),
        "getSongsByGenre": ("getSongsByGenre", {"genre": "Dub"}, "count", "offset", songs // len(GENRES)),
        "getRandomSongs": ("getRandomSongs", {}, "size", "offset", 1),
        "all songs": ("search3", {"query": "", "albumCount": "0", "artistCount": "0"}, "songCount", "songOffset", songs),
        "all albums": ("search3", {"query": "", "songCount": "0", "artistCount": "0"}, "albumCount", "albumOffset", albums),
        "all artists": ("search3", {"query": "", "songCount": "0", "albumCount": "0"}, "artistCount", "artistOffset", albums // 4),
    }
    for title, (call, said, size, offset, most) in paged.items():
        taken = []
        for number in range(PAGES):
            page = {size: "500" if number % 2 else "50", offset: str(dice.randrange(most))}
            taken.append(_milliseconds(line, call, {**said, **page}))
        goal = Goal(PAGE_MS, at_most=True)
        found.append(Figure(f"{name}: {title}, a page, p99", quantiles(taken, n=100)[98], "ms", goal=goal, less_is_better=True))
    for call in ("getArtists", "getIndexes", "getGenres"):
        slowest = max(_milliseconds(line, call, {}) for _ in range(WHOLE))
        goal = Goal(WHOLE_MS, at_most=True)
        found.append(Figure(f"{name}: {call}, the slowest of {WHOLE}", slowest, "ms", goal=goal, less_is_better=True))
    return found


def _measured_own(line: HTTPConnection, songs: int, key: str) -> list[Figure]:
    """Return how long what is kept for a listener takes: lists of it, and pages on which it is told of."""
    dice, name, found, who = Random(6), f"players, {songs / 1e6:.3g} M songs", [], {**SIGNED, "apiKey": key}
    paged = {kind: ("getAlbumList2", {"type": kind}, "size", "offset") for kind in ("starred", "highest", "frequent", "recent")}
    paged["all songs, with plays and stars"] = ("search3", {"query": "", "albumCount": "0"}, "songCount", "songOffset")
    for title, (call, said, size, offset) in paged.items():
        most = KEPT_THINGS if call == "getAlbumList2" else songs
        pages = [{size: "500" if number % 2 else "50", offset: str(dice.randrange(most))} for number in range(PAGES)]
        taken = [_milliseconds(line, call, {**said, **page}, who) for page in pages]
        goal = Goal(PAGE_MS, at_most=True)
        found.append(Figure(f"{name}: {title}, a page, p99", quantiles(taken, n=100)[98], "ms", goal=goal, less_is_better=True))
    whole = {
        f"a playlist of {PLAYLIST_SONGS:,}": "getPlaylist",
        "getStarred2": "getStarred2",
        "getArtists, with stars": "getArtists",
    }
    for title, call in whole.items():
        slowest = max(_milliseconds(line, call, {"id": "pl1"}, who) for _ in range(WHOLE))
        goal = Goal(WHOLE_MS, at_most=True)
        found.append(Figure(f"{name}: {title}, the slowest of {WHOLE}", slowest, "ms", goal=goal, less_is_better=True))
    return found


def _keep(archive: Archive, albums: int) -> str:
    """Keep much for a listener: stars and ratings of albums, songs and artists, a month of listening, and a playlist.

    Returns: an API key.
    """
    people, shelf = archive.people, archive.register.shelf
    dice, account = Random(8), people.add("bench", "four words of mine").number
    rows = shelf.albums_from(-(1 << 63), Page(min(albums, KEPT_THINGS)))
    songs = {Song(song.album.album_key, path_digest(song.logical_path)) for song in shelf.songs(rows)}
    chosen = dice.sample(sorted(songs), min(len(songs), 2 * KEPT_THINGS))
    things = [Thing(MarkKind.ALBUM, row.album_key) for row in rows]
    things += [Thing(MarkKind.SONG, song.album, song.path) for song in chosen[:KEPT_THINGS]]
    things += [Thing(MarkKind.ARTIST, row.artist_key) for row in rows[::ALBUMS_OF_ARTIST]]
    marked = [
        {"account": account, "kind": str(each.kind), "key": each.key, "path": each.path, "starred": n, "rating": 1 + n % 5}
        for n, each in enumerate(dict.fromkeys(things))
    ]
    now = int(time.time())
    heard = [
        {"account": account, "key": song.album, "path": song.path, "at": now - n * 30, "recording": f"{n % 5000}"}
        for n, song in enumerate(dice.choices(chosen, k=SCROBBLES))
    ]

    engine = open_engine(str(archive.folder / PEOPLE_FILE))
    with writing(engine) as connection:
        connection.execute(insert(marks), marked)
        connection.execute(insert(scrobbles), heard)
    engine.dispose()
    made = Revised(0, "bench", "", public=False, songs=tuple(chosen[:PLAYLIST_SONGS]), duration_ms=0)
    assert people.personal.playlists.create(account, made) == 1
    return people.add_key(account, "bench").text


def _milliseconds(line: HTTPConnection, call: str, said: Said, who: Said | None = None) -> float:
    query = urlencode({**(WHO if who is None else who), **said})
    begun = time.perf_counter()
    line.request("GET", f"/rest/{call}?{query}")
    body = line.getresponse().read()
    taken = 1000 * (time.perf_counter() - begun)
    answer = json.loads(body)["subsonic-response"]
    assert answer["status"] == "ok", answer
    return taken


SIGNED: Said = {"v": "1.16.1", "c": "bench", "f": "json"}
WHO: Said = {"u": "anonymous", "p": "none", **SIGNED}


@contextlib.contextmanager
def _serving(rooms: ServeRooms) -> Iterator[HTTPConnection]:
    """Serve on a free port, in a thread. Gives: a connection to it."""
    server = uvicorn.Server(uvicorn.Config(create_app(rooms), port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    gc.collect()
    gc.freeze()  # as `serve` does
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        with contextlib.closing(HTTPConnection(host, port)) as line:
            yield line
    finally:
        server.should_exit = True
        thread.join()
        gc.unfreeze()


def _fill(register: Register, albums: int) -> None:
    dice = Random(7)
    for start in range(0, albums, BATCH):
        register.record_many([_album(number, dice) for number in range(start, min(start + BATCH, albums))])


def _album(number: int, dice: Random) -> tuple[StoredVersion, RightsRecord, Description]:
    """Return an album with a year and a genre, its words drawn by chance."""
    key = f"synthetic:album-{number:08}"
    object_id = ObjectId.of("audio", key)
    hashed = sha256(object_id.encode()).hexdigest()
    path = f"{hashed[:3]}/{hashed[3:6]}/{hashed[6:9]}/{hashed}"
    artist = f"{dice.choice(_WORDS)} {number // ALBUMS_OF_ARTIST}"
    title = f"{' '.join(dice.sample(_WORDS, 2))} {number}"
    shared = Tags(artist=artist, album=title, date=str(1950 + number % 75), genre=GENRES[number % len(GENRES)])
    files = tuple(_song(song, shared, dice) for song in range(1, SONGS_OF_ALBUM + 1))
    members = tuple(MemberFile(f"{path}/{each.content_path}", each.hashes) for each in files)
    stored = StoredVersion(object_id, 1, NOON + timedelta(seconds=number), path, members, files)
    rights = RightsRecord(
        item=ItemKey(key),
        kind=Kind.AUDIO,
        licence_uri="https://creativecommons.org/licenses/by-sa/4.0/",
        acts=frozenset({Act.HOLD, Act.SHARE}),
        transcode="",
        attribution=artist,
        notices="",
        evidence=(),
        rule="licence",
        decided_at=NOON,
        policy_digest="0" * 64,
        ai={},
    )
    return stored, rights, Description(title, artist, f"https://example.org/{number}")


def _song(song: int, shared: Tags, dice: Random) -> StoredFile:
    title = f"{' '.join(dice.sample(_WORDS, 3))}"
    tags = Tags(title=title, artist=shared.artist, album=shared.album, date=shared.date, genre=shared.genre, track_number=song)
    digest = Sha256(dice.randbytes(32).hex())
    hashes = FileHashes(dice.randrange(1, PIECE_BYTES), PIECE_BYTES, digest, dice.randbytes(32), b"", dice.randbytes(20), bytes(20))
    logical, content = LogicalPath(f"{song:02} - {title}.ogg"), ContentPath(f"v1/content/{song:02}.ogg")
    return StoredFile(logical, content, hashes, "audio/ogg", PROBE, tags)
