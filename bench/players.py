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

from bench.register import NOON, PIECE_BYTES, PROBE
from bench.report import Figure, Goal
from fonoteca.model.audio import Tags
from fonoteca.model.corridor import MemberFile, StoredFile, StoredVersion
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, ItemKey, LogicalPath, ObjectId, Sha256
from fonoteca.model.rights import Act, Kind, RightsRecord
from fonoteca.model.settings import Settings
from fonoteca.register import Description, Register
from fonoteca.serve import ServeRooms, create_app
from fonoteca.wiring import create_archive, open_archive, serve_rooms

SONGS_DEFAULT = 1_000_000
SONGS_OF_ALBUM, ALBUMS_OF_ARTIST = 10, 4
BATCH = 500
PAGES = 100
"""Asked for of each list, half of them with the most rows that the protocol has."""

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
        with _serving(serve_rooms(archive)) as line:
            return _measured(line, songs)


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


def _milliseconds(line: HTTPConnection, call: str, said: Said) -> float:
    query = urlencode({**WHO, **said})
    begun = time.perf_counter()
    line.request("GET", f"/rest/{call}?{query}")
    body = line.getresponse().read()
    taken = 1000 * (time.perf_counter() - begun)
    answer = json.loads(body)["subsonic-response"]
    assert answer["status"] == "ok", answer
    return taken


WHO: Said = {"u": "anonymous", "p": "none", "v": "1.16.1", "c": "bench", "f": "json"}


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
