"""A player from Debian's packages, on a screen of its own: it signs in, browses, plays and scrobbles."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import httpx
import pytest
from serve_site import ENDGAME, Site

from fonoteca.register import object_key_of
from fonoteca.serve.subsonic.ids import song_id

PATIENCE_S = 60
NEEDED = {"/usr/bin/sublime-music": "sublime-music", "Xvfb": "xvfb", "dbus-daemon": "dbus", "gdbus": "libglib2.0-bin"}
SILENCE = {"ALSA_CONFIG_PATH": "/dev/null", "SDL_AUDIODRIVER": "dummy"}
"""No sound card, and a sound system that plays in the time it takes, into nothing."""

PICTURE = Path("test-output") / "players" / "sublime-music.png"


@pytest.fixture
def programs() -> None:
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing:
        pytest.skip(f"a desktop player is missing: apt-get install {' '.join(missing)}")


def until(true: Callable[[], Any], what: str) -> Any:
    """Return what a question comes to, once it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def running(*command: str, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with all that it starts until the context ends."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=said, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextlib.contextmanager
def desktop(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a screen, a session bus and a home of their own."""
    (folder / "run").mkdir(mode=0o700)
    env = {name: str(folder / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
    env |= {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run"), **SILENCE}
    env |= {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory"}
    screen = ("Xvfb", "-displayfd", "1", "-screen", "0", "1200x800x24", "-nolisten", "tcp", "-fbdir", str(folder))
    bus = ("dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address=unix:tmpdir={folder / 'run'}")
    with (
        running(*screen, env=env, log=folder / "screen.log") as shown,
        running(*bus, env=env, log=folder / "bus.log") as heard,
    ):
        assert shown.stdout is not None
        assert heard.stdout is not None
        display, address = shown.stdout.readline().decode().strip(), heard.stdout.readline().decode().strip()
        yield {**env, "DISPLAY": f":{display}", "DBUS_SESSION_BUS_ADDRESS": address}


def configured(folder: Path, address: str, name: str, secret: str) -> Path:
    """Return the player's file of settings, as its own dialogue would write it."""
    server = {"server_address": address, "username": name, "password": ["plaintext", secret]}
    provider = {
        "id": "here",
        "name": "here",
        "ground_truth_adapter_type": "SubsonicAdapter",
        "ground_truth_adapter_config": {**server, "verify_cert": True, "sync_enabled": True, "salt_auth": True},
        "caching_adapter_type": "FilesystemAdapter",
        "caching_adapter_config": {},
    }
    players = {"Local Playback": {"Replay Gain": "Disabled"}, "Chromecast": {"Serve Local Files to Chromecasts on the LAN": False}}
    quiet = {"song_play_notification": False, "allow_song_downloads": False, "download_on_stream": False, "prefetch_amount": 0}
    about = {"version": 6, "cache_location": str(folder / "cache"), "current_provider_id": "here", "player_config": players}
    file = folder / "config.json"
    file.write_text(json.dumps({**about, **quiet, "providers": {"here": provider}}))
    return file


def told(env: Mapping[str, str], method: str, *words: str) -> str:
    """Return what the player answers over the session bus, "" before it listens there."""
    where = ("--dest", "org.mpris.MediaPlayer2.sublimemusic", "--object-path", "/org/mpris/MediaPlayer2")
    call = ("gdbus", "call", "--session", "--timeout", "10", *where, "--method", method, *words)
    return subprocess.run(call, env=env, capture_output=True, text=True, timeout=30, check=False).stdout


def keep_picture(folder: Path) -> None:
    """Keep what is on the screen, for a person to look at."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(folder / "Xvfb_screen0"), format="xwd_pipe") as screen, av.open(str(PICTURE), "w", format="image2") as picture:
        frame = next(screen.decode(video=0))
        stream = picture.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "rgb24"
        for packet in [*stream.encode(frame.reformat(format="rgb24")), *stream.encode()]:
            picture.mux(packet)


@pytest.mark.usefixtures("programs")
def test_a_desktop_player_signs_in_browses_plays_and_scrobbles(client: httpx.Client, site: Site, tmp_path: Path) -> None:
    people = site.rooms.people
    ada = people.add(f"ada {uuid4().hex[:8]}", "four words of mine")
    secret, key = people.add_secret(ada.number, "desk").text, people.add_key(ada.number, "test").text
    songs = [song_id(object_key_of(ENDGAME), row.logical_path) for row in site.rooms.register.files(ENDGAME)]

    def ask(call: str, **said: Any) -> dict[str, Any]:
        found = client.get(f"/rest/{call}", params={"apiKey": key, "f": "json", **said}).json()["subsonic-response"]
        assert found["status"] == "ok", found
        return dict(found)

    made = ask("createPlaylist", name="Late at night", songId=songs)["playlist"]["id"]
    config = configured(tmp_path, str(client.base_url).rstrip("/"), ada.name, secret)
    with (
        desktop(tmp_path) as env,
        running("/usr/bin/sublime-music", "-c", str(config), env=env, log=tmp_path / "player.log"),
    ):
        asked = ("org.mpris.MediaPlayer2.Playlists.GetPlaylists", "0", "9", "Alphabetical", "false")
        until(lambda: f"/playlist/{made}" in told(env, *asked), f"it lists no playlist: see {tmp_path / 'player.log'}")
        told(env, "org.mpris.MediaPlayer2.Playlists.ActivatePlaylist", f"/playlist/{made}")
        first = until(lambda: ask("getSong", id=songs[0])["song"].get("playCount"), "nothing was scrobbled")
        queue = until(lambda: ask("getPlayQueue")["playQueue"].get("entry"), "no play queue was saved")
        assert "Playing" in told(env, "org.freedesktop.DBus.Properties.Get", "org.mpris.MediaPlayer2.Player", "PlaybackStatus")
        keep_picture(tmp_path)
    assert first == 1
    assert [each["id"] for each in queue] == songs
    assert ask("getPlayQueue")["playQueue"]["changedBy"] == "Sublime Music"
