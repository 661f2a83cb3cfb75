"""Players' calls beside Supysonic, another OpenSubsonic server in Python: the same files, both as their own command starts them.

Run: `python -m bench supysonic`. `BENCH_SUPYSONIC_SONGS=5000` measures a smaller library.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

import av
import numpy as np

from bench.music import fonoteca, program, run_quietly
from bench.report import Figure, Goal, Peer
from bench.streaming import await_listening, serving
from fonoteca.people import Role
from fonoteca.wiring import open_archive

SONGS_DEFAULT = 50_000
SONGS_OF_ALBUM, ALBUMS_OF_ARTIST = 10, 4
TIMES_GOAL = 5.0
PROCESSES = 2
"""Of either server, as many as cores."""

CONNECTIONS = 8
"""Whoever asks keeps them open: of two, one process of ours may accept both, and the other has nothing to do."""

WARM_S, ASKED_S = 3.0, 8.0
"""Not counted, while processes start and fill their caches; and counted."""

STREAM_BYTES = 8 << 20
GENRES = ("Ambient", "Blues", "Chiptune", "Dub", "Electronic", "Folk", "Jazz", "Klezmer", "Rock", "Tango")
_WORDS = ("Amber", "Birch", "Cloud", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Island", "Juniper", "Kelp", "Lantern", "Meadow")
_RATE_HZ = 44_100
_NAME, _PASSWORD = "bench", "of-the-benchmark"

Said = Mapping[str, str]


def figures(scratch: Path) -> list[Figure]:
    """Return calls a second of each kind, and MB/s of streams, of both servers."""
    songs = int(os.environ.get("BENCH_SUPYSONIC_SONGS", SONGS_DEFAULT))
    program("supysonic-server", "supysonic")
    program("gunicorn", "gunicorn")
    music = scratch / "music"
    _make_music(music, songs // SONGS_OF_ALBUM)
    ours, theirs = _ours(scratch / "archive", music), _theirs(scratch / "supysonic", music)
    name = f"beside Supysonic, {songs} songs"
    found = [
        Figure(f"{name}: {call}", ours[call], "calls/s", Peer("Supysonic", theirs[call]), Goal(TIMES_GOAL, of_ratio=True))
        for call in _CALLS
    ]
    goal = Goal(1.0, of_ratio=True)
    return [*found, Figure(f"{name}: stream of 8 MiB", ours["stream"], "MB/s", Peer("Supysonic", theirs["stream"]), goal)]


def _ours(archive: Path, music: Path) -> dict[str, float]:
    run_quietly(fonoteca("init", archive))
    run_quietly(fonoteca("acquire", "folder", music, "--archive", archive))
    run_quietly(fonoteca("catalogue", "build", "--archive", archive))
    with open_archive(archive) as opened:
        account = opened.people.add(_NAME, _PASSWORD, Role.LISTENER)
        secret = opened.people.add_secret(account.number, "bench").text
    with serving(archive, "--processes", str(PROCESSES)) as (_, address):
        return _measured(address, {"u": _NAME, "p": secret})


def _theirs(folder: Path, music: Path) -> dict[str, float]:
    folder.mkdir()
    home = folder / "home"
    home.mkdir()
    (home / ".supysonic").write_text(
        f"[base]\ndatabase_uri = sqlite:///{folder}/supysonic.db\n"
        f"[webapp]\ncache_dir = {folder}/cache\nmount_webui = off\nlog_file = {folder}/log\n"
        f"[daemon]\nsocket = {folder}/socket\n"
    )
    environment = {**os.environ, "HOME": str(home)}

    def command(*words: str | Path) -> None:
        subprocess.run(["supysonic-cli", *words], env=environment, check=True, capture_output=True, cwd=home)

    command("user", "add", _NAME, "-p", _PASSWORD)
    command("folder", "add", "music", music)
    command("folder", "scan", "--foreground", "music")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["supysonic-server", "-S", "gunicorn", "-h", "127.0.0.1", "-p", str(port), "--processes", str(PROCESSES)]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(words, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            await_listening(address)
            return _measured(address, {"u": _NAME, "p": _PASSWORD})
        finally:
            process.terminate()
            process.wait()


# Asking


def _measured(address: str, who: Said) -> dict[str, float]:
    """Return calls a second of each kind, and MB/s of streams."""
    found = {}
    for call, draw in _CALLS.items():
        _check(address, call, {**who, **draw(Random(0))})
        paths = [_path(call, {**who, **draw(Random(number))}) for number in range(2000)]
        _rate(address, paths, WARM_S)
        found[call] = _rate(address, paths)[0]
    answer = _check(address, "search3", {**who, "query": "Endless", "songCount": "20", "albumCount": "0", "artistCount": "0"})
    paths = [_path("stream", {**who, "id": str(song["id"]), "format": "raw"}) for song in answer["searchResult3"]["song"]]
    assert len(paths) == _ENDLESS, paths
    return {**found, "stream": _rate(address, paths * 1000)[1]}


def _search(dice: Random) -> dict[str, str]:
    """Return a word, or the name of an artist, or an album's title without its number."""
    asked = dice.choice((dice.choice(_WORDS), f"{dice.choice(_WORDS)} {dice.randrange(100)}", " ".join(dice.sample(_WORDS, 2))))
    return {"query": asked, "artistCount": "20", "albumCount": "20", "songCount": "20"}


def _list(dice: Random) -> dict[str, str]:
    kind = dice.choice(("newest", "alphabeticalByName", "alphabeticalByArtist", "byGenre"))
    return {"type": kind, "genre": dice.choice(GENRES), "size": "50", "offset": str(dice.randrange(300))}


_CALLS: Mapping[str, Callable[[Random], dict[str, str]]] = {
    "search3": _search,
    "getAlbumList2": _list,
    "getArtists": lambda _: {},
}


def _path(call: str, said: Said) -> str:
    return f"/rest/{call}.view?{urlencode({'v': '1.12.0', 'c': 'bench', 'f': 'json', **said})}"


def _check(address: str, call: str, said: Said) -> Any:
    """Return what a call answers, after it is known to be right."""
    place = urlsplit(address)
    with closing(HTTPConnection(place.hostname or "", place.port)) as line:
        line.request("GET", _path(call, said))
        answer = json.loads(line.getresponse().read())["subsonic-response"]
    assert answer["status"] == "ok", (address, call, answer)
    return answer


def _rate(address: str, paths: Sequence[str], asked_s: float = ASKED_S) -> tuple[float, float]:
    """Return how many answers a second and MB/s come when some ask at once, each as soon as it has its last answer."""
    place, counts, lock = urlsplit(address), [0, 0], threading.Lock()
    deadline = time.perf_counter() + asked_s

    def ask(first: int) -> None:
        asked = answers = total = 0
        with closing(HTTPConnection(place.hostname or "", place.port)) as line:
            while time.perf_counter() < deadline:
                line.request("GET", paths[(first + asked) % len(paths)])
                answer = line.getresponse()
                got = sum(len(part) for part in iter(partial(answer.read, 1 << 20), b""))
                asked += 1
                if answer.status == HTTPStatus.OK:  # Supysonic answers some with 500 when two write to its database at once
                    answers, total = answers + 1, total + got
        with lock:
            counts[0] += answers
            counts[1] += total

    begun = time.perf_counter()
    threads = [threading.Thread(target=ask, args=(number * len(paths) // CONNECTIONS,)) for number in range(CONNECTIONS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    taken_s = time.perf_counter() - begun
    assert counts[0], f"{address}: nothing came of {paths[0]}"
    return counts[0] / taken_s, counts[1] / taken_s / 1e6


# The library


_ENDLESS = 4
"""Songs long enough to measure a stream."""


def _make_music(folder: Path, albums: int) -> None:
    """Write albums of short songs and one of long ones, with rights and tags. No two files are the same."""
    dice, short, long = Random(7), _mp3(0.5, 32_000), _mp3(STREAM_BYTES / 40_000, 320_000)
    for number in range(albums):
        artist = f"{_WORDS[number // ALBUMS_OF_ARTIST % len(_WORDS)]} {number // ALBUMS_OF_ARTIST}"
        album = f"{' '.join(dice.sample(_WORDS, 2))} {number}"
        songs = [" ".join(dice.sample(_WORDS, 3)) for _ in range(SONGS_OF_ALBUM)]
        _write_album(folder / f"{number:05}", (artist, album), songs, short)
    _write_album(folder / "endless", ("Endless", "Endless"), [f"Endless {number}" for number in range(_ENDLESS)], long)


def _write_album(folder: Path, names: tuple[str, str], songs: Sequence[str], audio: bytes) -> None:
    folder.mkdir(parents=True)
    artist, album = names
    said = f'id = "{folder.name}"\ntitle = "{album}"\nartist = "{artist}"\nsource = "https://example.org/{folder.name}"\n'
    (folder / "rights.toml").write_text(f'{said}licence = "CC-BY-4.0"\n')
    for number, song in enumerate(songs, 1):
        genre, year = GENRES[len(album) % len(GENRES)], str(1950 + len(song) % 75)
        tags = {"TIT2": song, "TPE1": artist, "TALB": album, "TRCK": str(number), "TCON": genre, "TYER": year}
        (folder / f"{number:02} {song}.mp3").write_bytes(_id3(tags) + audio)


def _id3(tags: Said) -> bytes:
    """Return an ID3v2.3 tag with texts in Latin-1."""
    frames = b""
    for name, text in tags.items():
        content = b"\0" + text.encode("latin-1")
        frames += name.encode() + struct.pack(">IH", len(content), 0) + content
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames


def _mp3(seconds: float, bits_per_s: int) -> bytes:
    """Return noise as MP3."""
    target = BytesIO()
    with av.open(target, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("mp3", rate=_RATE_HZ)
        stream.layout = "mono"
        stream.bit_rate = bits_per_s
        noise = np.random.default_rng(3)
        for _ in range(max(1, int(seconds * _RATE_HZ / 1152))):
            frame = av.AudioFrame.from_ndarray(noise.uniform(-0.2, 0.2, (1, 1152)).astype("f4"), format="fltp", layout="mono")
            frame.sample_rate = _RATE_HZ
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()
